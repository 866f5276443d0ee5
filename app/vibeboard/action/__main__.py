"""``python -I -m vibeboard.action``: the one step of the composite Action."""

import sys

from vibeboard.action.program import main

sys.exit(main(sys.argv[1:]))
