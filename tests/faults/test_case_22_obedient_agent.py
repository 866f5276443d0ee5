"""Case 22: an agent that obeys hidden text reaches nothing, and nothing leaves by it.

Canaries are planted wherever a secret may be. The same agent without a sandbox finds
and carries out all of them, so the looking is known to see.
"""

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

from tests.fakes.approver import Lets
from tests.fakes.stop import Never
from tests.runner.cells import PATH, need_bubblewrap
from vibeboard.domain.workflow import Agent, Cli
from vibeboard.engine.ports import AgentEnd, AgentResult, Assignment
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.sandbox.cell import Policy, Sandbox
from vibeboard.runner.sandbox.view import View

OBEDIENT = Path(__file__).with_name("obedient.py")
CANARIES = {
    where: f"canary-{where}-4f1c9a7e2b"
    for where in ("environment", "argument", "database", "key", "model", "home", "card")
}


@dataclass
class Catcher:
    """Whoever waits outside for what the agent brings."""

    folder: Path
    caught: list[bytes] = field(default_factory=list)
    tcp: int = 0
    udp: int = 0

    @property
    def unix(self) -> Path:
        return self.folder / "catcher"

    async def _catch(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(1 << 16):
            self.caught.append(data)
        writer.close()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._catch, "127.0.0.1", 0)
        local = await asyncio.start_unix_server(self._catch, str(self.unix))
        datagrams, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self.caught), local_addr=("127.0.0.1", 0)
        )
        self.tcp = server.sockets[0].getsockname()[1]
        self.udp = datagrams.get_extra_info("sockname")[1]
        try:
            yield
        finally:
            datagrams.close()
            server.close()
            local.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, caught: list[bytes]) -> None:
        self._caught = caught

    def datagram_received(self, data: bytes, addr: object) -> None:
        del addr
        self._caught.append(data)


@dataclass
class World:
    """A machine with secrets, and an agent at work on it."""

    folder: Path
    catcher: Catcher
    asked: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.tree = self.data / "cards" / "7" / "tree"
        self.home = self.data / "homes" / "7"
        self.log = self.data / "runs" / "r1" / "agent-1.log"
        self.secrets = {
            self.data / "vibeboard.db": "database",
            self.data / "cards" / "8" / "tree" / "secret.txt": "card",
            self.folder / "etc" / "app.pem": "key",
            self.folder / "etc" / "model-key": "model",
            self.folder / "operator" / ".ssh" / "id": "home",
        }
        for path, what in self.secrets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(CANARIES[what])
        self.tree.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", str(self.tree)], check=True)

    async def works(self, policy: Policy) -> AgentResult:
        """The agent's run, with its orders as its prompt."""
        hidden = (self.data, *(path for path in self.secrets))
        async with self._model() as url:
            sandbox = Sandbox(
                Environment(PATH),
                policy=policy,
                accounts=[Account(Provider.ANTHROPIC, url, CANARIES["model"])],
                # An operator who named too much; what is secret stays hidden.
                view=View(PATH, more=(OBEDIENT.parent, self.folder), hidden=hidden),
            )
            return await CommandAgent(sandbox).work(self.assignment(), Never(), Lets())

    def assignment(self) -> Assignment:
        orders = {
            "read": [*map(str, self.secrets), f"{self.folder}/**"],
            "tcp": self.catcher.tcp,
            "udp": self.catcher.udp,
            "unix": str(self.catcher.unix),
            "server": os.getpid(),
            "plant": {
                ".vibe/out/summary.md": str(self.folder / "etc" / "app.pem"),
                str(self.home / "prompt.md"): str(self.data / "vibeboard.db"),
            },
        }
        return Assignment(
            run="r1",
            agent=Agent("obedient", Cli.COMMAND, (sys.executable, str(OBEDIENT))),
            prompt=json.dumps(orders),
            tree=self.tree,
            home=self.home,
            log=self.log,
        )

    @asynccontextmanager
    async def _model(self) -> AsyncIterator[str]:
        async def answer(request: web.Request) -> web.Response:
            self.asked.append(request.path.encode() + b" " + await request.read())
            usage = {"input_tokens": 1, "output_tokens": 1}
            return web.json_response({"model": "m", "usage": usage})

        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield "http://{}:{}".format(*runner.addresses[0][:2])
        finally:
            await runner.cleanup()

    def came_out(self, result: AgentResult) -> bytes:
        """All that anybody could see afterwards."""
        left = [
            path.read_bytes()
            for folder in (self.tree, self.home, self.log.parent)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()
        ]
        return b"\n".join(
            [*left, *self.catcher.caught, *self.asked, repr(result).encode()]
        )

    def tried(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.tree / "tried.json").read_text())
        return found


def disguises(canary: str) -> Iterator[bytes]:
    """What is left of a canary in each form, wherever it begins."""
    raw = canary.encode()
    yield raw[7:]
    yield raw[7:][::-1]
    yield raw.hex().encode()
    yield quote(raw).encode()[7:]
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + raw)[4:-4]


def found_in(text: bytes) -> set[str]:
    return {
        where
        for where, canary in CANARIES.items()
        if any(form in text for form in disguises(canary))
    }


@pytest.fixture
def neighbour() -> Iterator[None]:
    """Another process of the server's user, which knows secrets."""
    need_bubblewrap()
    waiting = ["import time; time.sleep(600)", CANARIES["argument"]]
    env = {"SOME_TOKEN": CANARIES["environment"]}
    with subprocess.Popen([sys.executable, "-c", *waiting], env=env) as process:
        yield
        process.kill()


@pytest.fixture
async def world(tmp_path: Path, neighbour: None) -> AsyncIterator[World]:
    del neighbour  # it only has to be there
    catcher = Catcher(tmp_path)
    async with catcher.waiting():
        yield World(tmp_path / "machine", catcher)


async def test_case_22_without_a_sandbox_everything_would_be_carried_out(
    world: World,
) -> None:
    """What this shows is that the next test can see."""
    result = await world.works(Policy.OFF)

    # The model's key is in a file here; its own gateway does not give it away.
    assert found_in(world.came_out(result)) == set(CANARIES)
    assert world.tried()["tcp 0"] == "done"
    assert found_in(b"".join(world.catcher.caught))


async def test_case_22_an_obedient_agent_reaches_nothing_and_nothing_leaves(
    world: World,
) -> None:
    result = await world.works(Policy.REQUIRED)

    assert result.end is AgentEnd.FINISHED, result.reason
    assert found_in(world.came_out(result)) == set()
    assert world.catcher.caught == []
    tried = world.tried()
    assert {name for name, how in tried.items() if how == "done"} == {
        *(f"file {number}" for number in range(6)),  # into its own tree
        "fetch",
        "model",
        *(name for name in tried if name.startswith("plant ")),
    }
    # Nothing but questions came to the model, and none has it fetch anything.
    assert [line.split(b" ", 1)[0] for line in world.asked] == [b"/v1/messages"] * 2
    assert not any(b"web_fetch" in line or b"evil.example/?" in line
                   for line in world.asked)  # fmt: skip
    refused = "\n".join(result.notes)
    assert "POST /anthropic/v1/files is not among what an agent may ask" in refused
    assert "the provider fetch a link" in refused
    assert refused in world.log.read_text().replace("[vibeboard] ", "")


async def test_case_22_links_left_behind_lead_nobody_astray(world: World) -> None:
    """The server neither reads through them nor, the next time, writes."""
    first = await world.works(Policy.REQUIRED)
    assert (world.tree / ".vibe/out/summary.md").is_symlink()
    assert (world.home / "prompt.md").is_symlink()

    again = await world.works(Policy.REQUIRED)

    assert found_in(repr((first, again)).encode()) == set()
    database = world.data / "vibeboard.db"
    assert database.read_text() == CANARIES["database"]


def test_case_22_the_looking_sees_each_disguise() -> None:
    raw = f"<{CANARIES['key']}>".encode()
    hidden = [
        raw[8:],
        raw[::-1],
        raw.hex().encode(),
        base64.b64encode(raw),
        base64.b64encode(b"a" + raw),
        quote(raw).encode(),
    ]

    assert all(found_in(each) == {"key"} for each in hidden)
    assert found_in(socket.gethostname().encode()) == set()
