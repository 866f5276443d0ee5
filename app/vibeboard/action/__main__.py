"""``python -I -m vibeboard.action``: the one step of the composite Action."""

import sys

from vibeboard.action.hide import without_secrets

given = without_secrets(sys.argv[1:])

from vibeboard.action.program import main  # noqa: E402 - not before it is known to stay

sys.exit(main(sys.argv[1:], given))
