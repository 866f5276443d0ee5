"""``python -I -m vibeboard``: the same as the command ``vibeboard``."""

from vibeboard.cli.main import run_cli

run_cli()
