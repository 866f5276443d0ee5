"""``python -I -m vibeboard.action``: what steps of the composite Actions run."""

import sys

from vibeboard.action.hide import without_secrets

given = without_secrets(sys.argv[1:])

from vibeboard.action import preview, program  # noqa: E402 - not before it stays

arguments = sys.argv[1:]
if arguments == ["preview"]:
    sys.exit(preview.main(given))
sys.exit(program.main(arguments, given))
