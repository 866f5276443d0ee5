"""Worlds whose server dies where a test wants it, and an account of what was done.

GitHub's ledger is the witness: whatever happens to the server, each thing that it
makes there is made once.
"""

import asyncio
import re
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, select

from localhub.ledger import LEDGER
from localhub.webhooks import COURIER, Orders
from tests.fakes.forked import Forked
from tests.journeys.conftest import free_port
from tests.journeys.world import Card, World, make_world
from vibeboard.engine.ports import DeliveryState
from vibeboard.store import migrate, schema
from vibeboard.store.database import open_database

PATIENCE = 20.0
OPEN = (DeliveryState.RECEIVED.value, DeliveryState.DECIDED.value)
_ISSUE = re.compile(r"/issues/(\d+)/comments$")


@dataclass(frozen=True)
class Point:
    """A call of the product's at which its process gets a signal.

    ``at`` is ``module:Class.method``; ``given`` is searched in its arguments.
    """

    at: str
    when: str = "before"
    given: str = ""
    nth: int = 1
    signal: str = "SIGKILL"

    def __str__(self) -> str:
        method = self.at.rpartition(":")[2].strip("_")
        words = re.findall(
            r"\w+", f"{self.when} {method.rpartition('.')[2]} {self.given}"
        )
        return "-".join(words)


def request(given: str, when: str) -> Point:
    """A request to GitHub: what is said before and after it was carried out there."""
    return Point("vibeboard.github.transport:Transport._send", when, given)


@dataclass
class Doomed(World):
    """A world whose server can be made to die at a point."""

    points: Sequence[Point] = ()
    others: list[asyncio.subprocess.Process] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        lease = self.settings.get("lease_seconds", "1")
        return super().environment() | {"VIBEBOARD_LEASE_SECONDS": lease}

    async def started(
        self, *arguments: str, points: Sequence[Point] = ()
    ) -> asyncio.subprocess.Process:
        wired = [asdict(point) for point in (*self.points, *points)]
        forked = await Forked.start(
            arguments, self.environment(), wired, below=self.home
        )
        return cast("asyncio.subprocess.Process", forked)

    async def serve_until(self, *points: Point) -> None:
        """Start a server that dies at one of the points."""
        self.points = points
        await self.serve()
        self.points = ()

    async def died(self) -> None:
        """Wait until the server was killed."""
        assert self.server is not None
        try:
            code = await asyncio.wait_for(self.server.wait(), PATIENCE)
        except TimeoutError:
            code = 0
        shown = "\n".join(self.log[-30:])
        assert code == -signal.SIGKILL, f"the server lives\n{shown}"
        await self._reader
        self.server = None

    async def employ(
        self, name: str, *points: Point, **settings: str
    ) -> asyncio.subprocess.Process:
        """Start a worker of its own beside the server."""
        before, self.settings = self.settings, settings
        worker = await self.started("worker", "--name", name, points=points)
        self.settings = before
        self.others.append(worker)
        self._readers = [*getattr(self, "_readers", ()), asyncio.create_task(
            self._read_log(worker)
        )]  # fmt: skip
        await self.until(
            lambda: any("worker ready" in line and name in line for line in self.log),
            f"{name} to be ready",
        )
        return worker

    async def close(self) -> None:
        """End everything."""
        for process in self.others:
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE)
        await asyncio.gather(*getattr(self, "_readers", ()))
        if self.server is not None:
            await self.end()
        await self.running.close()

    def order(self, **orders: Any) -> None:
        """Make the courier do something wrong."""
        courier = self.running.runner.app[COURIER]
        courier.order(Orders(**orders))

    def redeliver_failed(self) -> int:
        """What reconciliation asks of GitHub: send again what was not taken."""
        courier = self.running.runner.app[COURIER]
        taken = {x.guid for x in self.hub.deliveries if x.status_code in (200, 202)}
        lost = {
            x.guid: x
            for x in self.hub.deliveries
            if x.guid not in taken and x.status != "pending"
        }
        for one in lost.values():
            courier.redeliver(one)
        return len(lost)

    def made(self) -> Counter[str]:
        """What our App made on GitHub; edits, which may be repeated, are left out."""
        found: Counter[str] = Counter()
        for entry in self.running.runner.app[LEDGER]:
            if entry.login != self.us or entry.status >= 400:
                continue
            if entry.operation is not None:
                found[entry.operation] += 1
            elif isinstance(entry.effect, dict):
                found.update(f"push {ref}" for ref in entry.effect["refs"])
            elif entry.method == "POST" and "reactions" not in entry.path:
                issue = _ISSUE.search(entry.path)
                what = f"comment on {issue[1]}" if issue else entry.path.split("/")[-1]
                found[what] += 1
        return found

    @contextmanager
    def database(self) -> Iterator[Connection]:
        """A look at the server's database."""
        opened = open_database(self.database_url)
        try:
            with opened.sync_engine.connect() as connection:
                yield connection
        finally:
            opened.sync_engine.dispose()

    def deliveries_kept(self) -> Sequence[Any]:
        """Every delivery of GitHub's as it stands."""
        columns = schema.delivery.c
        with self.database() as connection:
            return connection.execute(
                select(columns.guid, columns.state, columns.reason, columns.crashes)
                .where(columns.hook != "vibeboard")
                .order_by(columns.id)
            ).all()

    def runs_kept(self) -> Sequence[Any]:
        """Every run as it stands."""
        with self.database() as connection:
            rows = select(schema.run).order_by(schema.run.c.created_at)
            return connection.execute(rows).all()

    def workers(self) -> set[str]:
        """Names of the processes that are not taken for dead."""
        with self.database() as connection:
            return set(connection.scalars(select(schema.worker.c.name)))

    def quiet(self) -> bool:
        """Whether nothing is left to do."""
        delivery, run = schema.delivery.c, schema.run.c
        with self.database() as connection:
            left = connection.scalar(
                select(delivery.id).where(delivery.state.in_(OPEN)).limit(1)
            )
            runs = connection.scalar(
                select(run.id)
                .where(run.state.in_(("queued", "running", "stopping")))
                .limit(1)
            )
        return left is None and runs is None

    async def is_quiet(self) -> None:
        """Wait until nothing is left to do."""
        courier = self.running.runner.app[COURIER]
        await self.until(lambda: courier.idle and self.quiet(), "quiet")

    def acknowledged(self) -> set[str]:
        """GUIDs that the server took, as GitHub sees it."""
        return {x.guid for x in self.hub.deliveries if x.status_code in (200, 202)}


def is_stopped(pid: int) -> bool:
    """Whether the process stands still, by a signal."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def developed(*cards: Card, comments: int = 1, suites: int = 1) -> Counter[str]:
    """What a run that makes a pull request makes on GitHub, each once."""
    made: Counter[str] = Counter()
    for card in cards:
        assert card.pull is not None
        made[f"comment on {card.issue.number}"] += comments
        made[f"push refs/heads/{card.pull.head_ref}"] += 1
        made["pulls"] += 1
        made["check-runs"] += 1 + suites
        made["MoveItem"] += 1
    return made


async def make_doomed(home: Path, database_url: str) -> Doomed:
    """A doomed world on a database that is ready."""
    database = open_database(database_url)
    migrate.upgrade(database)
    await database.close()
    plain = await make_world(home, database_url, free_port())
    return Doomed(plain.running, plain.home, plain.database_url, port=plain.port)
