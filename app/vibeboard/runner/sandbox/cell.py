"""Opens cells: where one agent or suite, and all that it starts, has its place.

Which kind of cell there is depends on the machine; the operator says whether a weaker
one will do. The way to models and to the hosts that a team allows leads through the
gateways, which stand outside.
"""

import asyncio
import sys
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from vibeboard.domain import cellwords
from vibeboard.engine.ports import Spending, Unbounded
from vibeboard.errors import SandboxMissing
from vibeboard.runner import agent_git
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account
from vibeboard.runner.gateway.proxy import NetworkProxy
from vibeboard.runner.gateway.server import ModelGateway
from vibeboard.runner.process import Command
from vibeboard.runner.sandbox import bubblewrap, confine, groups
from vibeboard.runner.sandbox.bubblewrap import FIRST, LODGE, Bubblewrap, Room
from vibeboard.runner.sandbox.disk import DiskWatch
from vibeboard.runner.sandbox.groups import Bounds, Group, Groups
from vibeboard.runner.sandbox.view import View

MODELS_PORT = 41414
PROXY_PORT = 41415
_PYTHON = str(Path(sys.executable).resolve())
_MODELS, _PROXY = "models", "proxy"  # sockets
# Where nothing but Landlock holds: what programs need of the rest of the machine.
_DEVICES = tuple(
    Path("/dev", name)
    for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
)
_NEEDED_BY_ALL = tuple(
    map(Path, ("/proc", "/sys", "/etc/passwd", "/etc/group", "/etc/hosts",
               "/etc/resolv.conf", "/run/systemd/resolve"))
)  # fmt: skip


class Policy(Enum):
    """What an operator asks of cells."""

    REQUIRED = "required"  # bubblewrap, or nothing starts
    PREFERRED = "preferred"  # the strongest kind there is
    OFF = "off"


class Kind(Enum):
    """Kinds of cells, the strongest first."""

    BUBBLEWRAP = "bubblewrap"
    LANDLOCK = "landlock"
    NONE = "none"


@dataclass(frozen=True)
class Reach:
    """What of the world outside a cell reaches.

    ``programs`` are read there although they are not among what every cell sees.
    With ``required`` nothing weaker than bubblewrap will do.
    """

    models: bool = False
    hosts: tuple[str, ...] = ()
    spending: Spending = field(default_factory=Unbounded)
    programs: tuple[Path, ...] = ()
    required: bool = False


NOWHERE = Reach()


@dataclass(frozen=True)
class Cell:
    """A place to start commands in. Open as long as they run."""

    kind: Kind
    env: Mapping[str, str]
    cwd: Path
    _wrap: Callable[[Sequence[str]], list[str]] = field(repr=False)
    _leash: tuple[str, ...] = ()
    _over: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    _told: Callable[[], tuple[str, ...]] = field(default=tuple, repr=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of what happened here so far."""
        return self._told()

    def command(self, argv: Sequence[str], stdin: bytes = b"") -> Command:
        """The command as it is to be started."""
        return Command(
            self._wrap(argv), self.cwd, self.env, stdin, self._leash, self._over
        )


class Sandbox:
    """Opens cells on this machine."""

    def __init__(
        self,
        environment: Environment,
        *,
        policy: Policy = Policy.PREFERRED,
        accounts: Sequence[Account] = (),
        view: View | None = None,
        bounds: Bounds | None = None,
        found: "Found | None" = None,
    ) -> None:
        self.path = environment.path
        self._environment = environment
        self._policy = policy
        self._accounts = tuple(accounts)
        self._view = view or View(environment.path)
        self._bounds = bounds or Bounds()
        self._found = found

    @cached_property
    def found(self) -> "Found":
        """What this machine has for cells; tried once, which takes a moment."""
        return self._found or look(self.path, self._policy)

    @asynccontextmanager
    async def open(
        self, *, tree: Path, home: Path, own: Mapping[str, str], reach: Reach = NOWHERE
    ) -> AsyncIterator[Cell]:
        """A cell around a tree and a home, closed when all commands have ended.

        ``own`` is added to the environment. Raises SandboxMissing if it would be
        weaker than it has to be.
        """
        found = await asyncio.to_thread(lambda: self.found)
        if found.kind is not Kind.BUBBLEWRAP and (
            reach.required or self._policy is Policy.REQUIRED
        ):
            raise SandboxMissing(cellwords.sandbox_missing(found.why))
        async with AsyncExitStack() as stack:
            env = stack.enter_context(self._environment.open(home, {}))
            home = Path(env["HOME"])
            lodge = Path(env["TMPDIR"])
            outside = await stack.enter_async_context(
                self._outside(lodge, reach, alone=found.kind is Kind.BUBBLEWRAP)
            )
            group = self._group(found)
            if group is not None:
                stack.push_async_callback(group.close)
            disk = DiskWatch((tree, home), self._bounds.disk, self._bounds.files)
            room = Room(tree, home, lodge, self._bounds.memory // 2)

            def told() -> tuple[str, ...]:
                bounds = [*(group.hit if group else ()), *(["disk"] * disk.reached)]
                return (
                    *_weaknesses(found, reach),
                    *outside.notes(),
                    *(cellwords.bound_reached(bound) for bound in bounds),
                )

            yield Cell(
                kind=found.kind,
                env=env | self._temporary(found) | outside.env | dict(own),
                cwd=tree,
                _wrap=self._wrapping(found, room, reach, outside.ways),
                _leash=self._leash(found, group),
                _over=disk.over,
                _told=told,
            )

    @asynccontextmanager
    async def _outside(
        self, lodge: Path, reach: Reach, *, alone: bool
    ) -> AsyncIterator["_Outside"]:
        """What answers outside.

        A cell that is not alone on its network gets to it, and to any host, by itself.
        """
        async with AsyncExitStack() as stack:
            outside = _Outside()
            if reach.models and self._accounts:
                outside.gateway = ModelGateway(self._accounts, reach.spending)
                place = lodge / _MODELS if alone else None
                at = await stack.enter_async_context(outside.gateway.listening(place))
                if alone:
                    at = f"http://127.0.0.1:{MODELS_PORT}"
                    outside.ways.append(f"{MODELS_PORT}:{LODGE / _MODELS}")
                outside.env |= outside.gateway.variables(at)
            if reach.hosts and alone:
                outside.proxy = NetworkProxy(reach.hosts)
                place = lodge / _PROXY
                await stack.enter_async_context(outside.proxy.listening(place))
                outside.ways.append(f"{PROXY_PORT}:{LODGE / _PROXY}")
                outside.env |= _proxied(f"http://127.0.0.1:{PROXY_PORT}")
            yield outside

    def _wrapping(
        self, found: "Found", room: Room, reach: Reach, ways: Sequence[str]
    ) -> Callable[[Sequence[str]], list[str]]:
        if found.kind is Kind.NONE:
            return list
        seen = self._view.seen(reach.programs)
        lent = agent_git.lent(room.tree)
        if isinstance(found.bubblewrap, Bubblewrap):
            bubblewrap.furnish(room.lodge, room.home)
            before = [
                *found.bubblewrap.options(
                    room, seen=seen, masked=self._view.masked(seen), lent=lent
                ),
                *(_PYTHON, "-I", "-S", str(FIRST)),
                *(f"--way={way}" for way in ways),
                "--",
            ]
        else:
            written = (room.tree, room.home, room.lodge, *_DEVICES)
            read = (*self._view.uncovered(seen), *lent, *_NEEDED_BY_ALL)
            before = [
                *(_PYTHON, "-I", "-S", confine.__file__),
                *(f"--write={place}" for place in written),
                *(f"--read={place}" for place in read),
                "--",
            ]
        return lambda argv: [*before, *argv]

    def _group(self, found: "Found") -> Group | None:
        if isinstance(found.groups, Groups):
            return found.groups.make(self._bounds)
        return None

    def _leash(self, found: "Found", group: Group | None) -> tuple[str, ...]:
        options = [f"--fsize={self._bounds.disk}"]
        if found.kind is Kind.BUBBLEWRAP:
            options.append("--deaf=1")
        if group is not None:
            options.append(f"--groups={':'.join(group.places)}")
        elif found.kind is not Kind.NONE:
            options.append(f"--data={self._bounds.memory}")
        return tuple(options)

    @staticmethod
    def _temporary(found: "Found") -> dict[str, str]:
        return {"TMPDIR": "/tmp"} if found.kind is Kind.BUBBLEWRAP else {}  # noqa: S108 - the cell's own


@dataclass(frozen=True)
class Found:
    """What a machine has for cells; ``why`` says why it is nothing better."""

    kind: Kind
    why: str
    bubblewrap: Bubblewrap | None
    groups: Groups | str


def look(path: str, policy: Policy, *, arrange: bool = True) -> Found:
    """What this machine has for cells, as far as the operator wants them.

    Control groups may have to be arranged for that; ``arrange`` lets it.
    """
    if policy is Policy.OFF:
        return Found(Kind.NONE, "the operator switched it off", None, "not wanted")
    made = bubblewrap.find(path)
    bounding = groups.find(arrange=arrange)
    if isinstance(bounding, Groups) and arrange:
        bounding.sweep()
    if isinstance(made, Bubblewrap):
        return Found(Kind.BUBBLEWRAP, "", made, bounding)
    if confine.version():
        return Found(Kind.LANDLOCK, made, None, bounding)
    return Found(Kind.NONE, f"{made}, and the kernel has no Landlock", None, bounding)


@dataclass
class _Outside:
    """What answers a cell outside, and how it is known inside."""

    env: dict[str, str] = field(default_factory=dict)
    ways: list[str] = field(default_factory=list)
    gateway: ModelGateway | None = None
    proxy: NetworkProxy | None = None

    def notes(self) -> Iterator[str]:
        """What was refused."""
        if self.proxy is not None and self.proxy.refused:
            yield cellwords.hosts_refused(self.proxy.refused)
        if self.gateway is not None and self.gateway.refused:
            yield cellwords.models_refused(self.gateway.refused)


def _weaknesses(found: Found, reach: Reach) -> Iterator[str]:
    if found.kind is Kind.LANDLOCK:
        yield cellwords.held_by_landlock(found.why)
    elif found.kind is Kind.NONE:
        yield cellwords.not_held(found.why)
    if reach.hosts and found.kind is not Kind.BUBBLEWRAP:
        yield cellwords.network_open()


def _proxied(at: str) -> dict[str, str]:
    """How programs are told of a proxy; each looks for another name."""
    told = {"NODE_USE_ENV_PROXY": "1"}
    for name, value in (
        ("HTTP_PROXY", at),
        ("HTTPS_PROXY", at),
        ("NO_PROXY", "127.0.0.1,localhost,::1"),
    ):
        told |= {name: value, name.lower(): value}
    return told
