"""``vibeboard check``: the faults of a .vibe.yml, or what it means."""

import json
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.markdown import Markdown

from vibeboard.config.explain import explain
from vibeboard.config.loader import load
from vibeboard.errors import ConfigInvalid, SettingsInvalid


def run_check(file: Path, *, owner: str, as_json: bool) -> int:
    """Print faults and give 1, or the meaning and give 0."""
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read {file}: {error}"
        raise SettingsInvalid(message) from error
    try:
        workflow = load(text, path=str(file), owner=owner)
    except ConfigInvalid as error:
        if as_json:
            faults = [asdict(fault) for fault in error.faults]
            typer.echo(json.dumps({"valid": False, "faults": faults}))
        else:
            for fault in error.faults:
                typer.echo(str(fault), err=True)
        return 1
    if as_json:
        typer.echo(json.dumps({"valid": True, "stages": list(workflow.stages)}))
    else:
        Console().print(Markdown(explain(workflow)))
    return 0
