"""Starts what the demo is made of: a local GitHub and the real server.

Both are processes of their own, started as an operator would start them.
"""

import asyncio
import json
import secrets
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vibeboard.errors import Broken
from vibeboard.github.manifest import EVENTS, NEEDS
from vibeboard.settings import Machine

FILES = Path(__file__).parent / "files"
REPOSITORY = "acme/timebox"
BOARD = "acme/projects/1"
FIRST = "Show hours in long durations"
COLUMNS = (
    "Backlog",
    "Refinement",
    "Ready",
    "Development",
    "Review",
    "Needs attention",
    "Done",
)
ISSUES = {
    FIRST: "`in_words(3700)` says `61m 40s`. People expect `1h 1m 40s`.",
    "Refuse negative durations": "`in_words(-1)` says `-1m 59s`, which is nonsense.",
    "Write the units out": "Screen readers stumble over `1m 15s`.",
    "Parse durations such as 1h 30m": "The other way round: words to seconds.",
}
_PATIENCE = 30.0  # seconds for a child to be ready
_CLAUDE = """\
agents:
  claude:
    cli: claude-code
    limits: {minutes: 20, usd: 2}
"""


@dataclass(frozen=True)
class Local:
    """The running demo. ``token`` acts for alice, who may do everything."""

    url: str
    api_url: str
    token: str
    server: Process
    directory: Path

    @property
    def board(self) -> str:
        """The board's page."""
        return f"{self.url}/orgs/acme/projects/1"


@asynccontextmanager
async def started(
    directory: Path,
    machine: Machine,
    *,
    agent: str,
    port: int,
    extra: Mapping[str, str],
) -> AsyncIterator[Local]:
    """Start both, and end both."""
    token = secrets.token_hex(16)
    webhook_port = _free_port()
    seed = directory / "seed.json"  # JSON is YAML
    seed.write_text(json.dumps(_seed(directory, token, webhook_port, agent)))
    hub = await _child(
        machine,
        {},
        "-m",
        "localhub",
        "--port",
        str(port),
        "--seed",
        str(seed),
        "--json",
    )
    try:
        ready = json.loads(await _first_line(hub, "the local GitHub"))
        server = await _child(
            machine,
            {
                **extra,
                "VIBEBOARD_APP_ID": "1",
                "VIBEBOARD_PRIVATE_KEY_FILE": str(directory / "app.pem"),
                "VIBEBOARD_WEBHOOK_SECRET_FILE": str(directory / "webhook-secret"),
                "VIBEBOARD_DATA_DIR": str(directory / "data"),
                "VIBEBOARD_GITHUB_API_URL": ready["api_url"],
                "VIBEBOARD_PORT": str(webhook_port),
            },
            "-m",
            "vibeboard",
            "serve",
        )
        try:
            await _first_line(server, "the server")
            yield Local(ready["url"], ready["api_url"], token, server, directory)
        finally:
            await _end(server)
    finally:
        await _end(hub)


def _seed(directory: Path, token: str, webhook_port: int, agent: str) -> dict[str, Any]:
    project = directory / "project"
    shutil.copytree(FILES / "project", project, dirs_exist_ok=True)
    if agent == "claude":
        _use_claude(project / ".vibe.yml")
    return {
        "users": [
            {"login": "alice", "token": token},
            {"login": "bob", "token": secrets.token_hex(16)},
            {"login": "mallory", "token": secrets.token_hex(16)},
        ],
        "organizations": [
            {
                "login": "acme",
                "members": {"alice": "admin", "bob": "member", "mallory": "member"},
            }
        ],
        "repositories": [
            {
                "name": REPOSITORY,
                "from": str(project),
                "description": "Says how long something took, in words",
                "collaborators": {"alice": "admin", "bob": "write", "mallory": "read"},
                "issues": [
                    {"title": title, "body": body, "user": "alice"}
                    for title, body in ISSUES.items()
                ],
            }
        ],
        "apps": [
            {
                "slug": "vibeboard",
                "id": 1,
                "owner": "acme",
                "private_key_file": str(directory / "app.pem"),
                "webhook_url": f"http://127.0.0.1:{webhook_port}/webhook",
                "webhook_secret_file": str(directory / "webhook-secret"),
                "permissions": {need.permission: need.access for need in NEEDS},
                "events": list(EVENTS),
            }
        ],
        "installations": [{"app": "vibeboard", "account": "acme"}],
        "projects": [
            {
                "owner": "acme",
                "number": 1,
                "title": "timebox",
                "columns": list(COLUMNS),
                "cards": [
                    {"issue": f"{REPOSITORY}#{number}", "column": "Backlog"}
                    for number in range(1, len(ISSUES) + 1)
                ],
            }
        ],
    }


def _use_claude(config: Path) -> None:
    """The same workflow with a real agent in it."""
    text = config.read_text()
    begin, end = text.index("agents:"), text.index("stages:")
    text = text[:begin] + _CLAUDE + text[end:]
    config.write_text(text.replace("agent: recorded", "agent: claude"))


async def _child(
    machine: Machine, settings: Mapping[str, str], *arguments: str
) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        *arguments,
        env={
            # The demo's tests run with the Python that runs the demo.
            "PATH": f"{Path(sys.executable).parent}:{machine.path}",
            "LANG": "C.UTF-8",
            **settings,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,  # Ctrl-C is for us; we end them in order
    )


async def _first_line(child: Process, what: str) -> bytes:
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        line = await asyncio.wait_for(child.stdout.readline(), _PATIENCE)
    except TimeoutError:
        line = b""
    if not line:
        if child.returncode is None:
            child.kill()
        said = (await child.stderr.read()).decode(errors="replace")[-2000:]
        message = f"{what} did not start:\n{said}"
        raise Broken(message)
    return line


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), 10)
        except TimeoutError:
            child.kill()
            await child.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
