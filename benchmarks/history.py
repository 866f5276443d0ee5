"""Whether work stays as quick as on the first day: 1,000 finished runs, and 100,000.

Two databases hold the same work and a different past. What the server, its operator
and its monitoring ask of the database is timed on both in turns: a ratio of 1 is a
flat line.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from statistics import median
from typing import TypeVar
from uuid import uuid4

from sqlalchemy import text

from benchmarks import past
from benchmarks.machine import postgres, scratch
from benchmarks.table import numbers, print_ratios, print_table, ratio, say
from vibeboard.clock import SystemClock
from vibeboard.domain.effects import StartRun
from vibeboard.domain.run import Report, RunState
from vibeboard.engine.ports import Decision, Sorted
from vibeboard.store import migrate
from vibeboard.store.audit import SqlAudit
from vibeboard.store.database import Database, open_database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.gauges import SqlGauges
from vibeboard.store.ledger import SqlLedger
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.overview import SqlOverview
from vibeboard.store.pauses import SqlPauses
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.runs import SqlRuns
from vibeboard.store.sightings import SqlSightings
from vibeboard.store.workers import SqlWorkers

_LISTED = 100  # deliveries on a page of GitHub's list
_FLAT = 1.5

T = TypeVar("T")


def main(arguments: Sequence[str]) -> int:
    """Measure on both kinds of database, print the table and the ratios."""
    asked = numbers(
        "history", "Many finished runs.", arguments, few=1_000, many=100_000, rounds=30
    )
    sizes = (asked["few"], asked["many"])
    rows, ratios = [], {}
    for kind, urls in (("sqlite", _files), ("postgres", _databases)):
        with urls() as pair:
            times = asyncio.run(_compared(pair, sizes, asked["rounds"]))
        quotients = {
            name: ratio(large, small) for name, (small, large) in times.items()
        }
        rows += [
            (
                f"{kind}: {name}",
                *(f"{median(each):.2f}" for each in both),
                f"{quotients[name]:.2f}",
            )
            for name, both in times.items()
        ]
        ratios[f"{kind}_worst"] = max(quotients.values())
        ratios |= {
            f"{kind}_{name.replace(' ', '_')}": each for name, each in quotients.items()
        }
    print_table(("median ms", *(f"{size:,} runs" for size in sizes), "ratio"), rows)
    steep = [name for name, each in ratios.items() if each > _FLAT]
    say(f"not flat (above {_FLAT}): {', '.join(steep) or 'none'}")
    print_ratios(ratios)
    return 0


@contextmanager
def _files() -> Iterator[tuple[str, str]]:
    with scratch() as folder:
        few, many = (f"sqlite:///{folder / name}.db" for name in ("few", "many"))
        yield few, many


@contextmanager
def _databases() -> Iterator[tuple[str, str]]:
    with postgres() as server:
        admin = open_database(server)
        engine = admin.sync_engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for name in ("few", "many"):
                connection.execute(text(f"CREATE DATABASE {name}"))
        admin.sync_engine.dispose()
        few, many = (
            server.replace("/postgres?", f"/{name}?") for name in ("few", "many")
        )
        yield few, many


class _Watch:
    """Times what is awaited through it, by name."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)

    async def __call__(self, name: str, awaited: Awaitable[T]) -> T:
        begun = time.perf_counter()
        answer = await awaited
        self.times[name].append((time.perf_counter() - begun) * 1000)
        return answer


class _Store:
    """The product's own store on one database."""

    def __init__(self, database: Database, runs: int) -> None:
        clock, engine = SystemClock(), database.engine
        due = Due(engine, lambda: None)
        self.watch = _Watch()
        self.workers = SqlWorkers(database, due, clock, name="one", place="here")
        self._database = database
        self._deliveries = SqlDeliveries(engine, due, clock)
        self._delivery_queue = SqlDeliveryQueue(engine, due, clock, self.workers)
        self._runs = SqlRuns(engine, due, clock)
        self._run_queue = SqlRunQueue(engine, due, clock, self.workers, place="here")
        self._overview = SqlOverview(engine)
        self._gauges = SqlGauges(database, clock, name="one")
        self._ledger = SqlLedger(engine, clock)
        self._audit = SqlAudit(engine)
        self._pauses = SqlPauses(engine, due, clock)
        self._sightings = SqlSightings(engine, due, clock)
        self._archive = SqlArchive(database)
        self._card = past.card_of(runs // 2 // past.REPOSITORIES * past.REPOSITORIES)
        self._round = 0

    async def close(self) -> None:
        await self._database.close()

    async def round(self) -> None:
        """Everything once."""
        self._round += 1
        await self._work()
        await self._wait()
        await self._look()
        await self._watch_over()

    async def _work(self) -> None:
        """A card's run, from the wish to the end, as the dispatcher takes it."""
        told, runs = self.watch, self._runs
        cause = await told(
            "keep a wish", self._deliveries.ask_stage(self._card, "develop", "")
        )
        (wish,) = await told("claim a delivery", self._delivery_queue.claim(3))
        await told("history of a card", runs.history(self._card))
        start = StartRun(
            self._card, f"stage {uuid4()}", cause, "alice", config_commit="c" * 40
        )
        await told("decide", self._deliveries.settle(wish, Decision([start], "wished")))
        for key in await told("effects", self._deliveries.effects(wish)):
            effect = await told("effect", self._deliveries.pending(key))
            assert effect is not None
            await told("performed", self._deliveries.performed(effect))
        await self._settle_all()
        (claimed,) = await told("claim a run", self._run_queue.claim(3))
        run = await told("begin a run", self._run_queue.begin(claimed))
        await told("hold a run", runs.hold(run))
        await told("remember a step", runs.remember(run, "agent", {}))
        await told("read a run", runs.get(run.id))
        await told("when asked", self._gauges.asked_at(run))
        await told("end a run", runs.end(run, Report(RunState.SUCCEEDED)))
        await self._settle_all()

    async def _settle_all(self) -> None:
        for each in await self._delivery_queue.claim(3):
            await self._deliveries.settle(each, Decision([], "nothing to do"))
            await self.watch("finish a delivery", self._delivery_queue.finish(each))

    async def _wait(self) -> None:
        """What an idle server asks."""
        told = self.watch
        await told("sort nothing", self._delivery_queue.sort(lambda _: Sorted()))
        await told("claim no delivery", self._delivery_queue.claim(3))
        await told("claim no run", self._run_queue.claim(3))
        await told("next delivery due", self._delivery_queue.next_due())
        await told("next run due", self._run_queue.next_due())
        await told("stray runs", self._run_queue.strays(()))
        await told("reap", self.workers.reap())
        await told("leave", self.workers.leave())
        await told("enter", self.workers.enter())

    async def _look(self) -> None:
        """What an operator asks: queue, dead, workers, audit, pauses."""
        told = self.watch
        await told("queue deliveries", self._overview.deliveries())
        await told("queue runs", self._overview.runs())
        await told("dead letters", self._overview.dead())
        await told("workers", self._overview.workers())
        await told("pauses", self._pauses.over(self._card))
        await told("audit", self._audit.of())
        await told("audit of a card", self._audit.of(str(self._card)))

    async def _watch_over(self) -> None:
        """Monitoring, reconciling and housekeeping."""
        told, first = self.watch, self._round * _LISTED
        guids = [f"{first + at:08x}-unknown" for at in range(_LISTED)]
        await told("metrics", self._gauges.read())
        await told("known guids", self._ledger.known(guids))
        await told("newest delivery", self._ledger.newest())
        await told("busy repositories", self._sightings.busy())
        await told("parked", self._deliveries.release_parked("acme"))
        now = datetime.now(UTC)
        await told("needed runs", self._archive.needed_runs([f"r{first:011x}"], now))
        await told("quiet card", self._archive.is_quiet(self._card, now))


async def _compared(
    urls: Sequence[str], sizes: Sequence[int], rounds: int
) -> Mapping[str, tuple[list[float], list[float]]]:
    """Milliseconds by name: with few runs, and with many."""
    async with AsyncExitStack() as opened:
        stores = []
        for url, size in zip(urls, sizes, strict=True):
            database = open_database(url)
            migrate.upgrade(database)
            await asyncio.to_thread(past.fill, database, size)
            store = _Store(database, size)
            opened.push_async_callback(store.close)
            await store.workers.enter()
            stores.append(store)
        for store in stores:
            await store.round()
            store.watch.times.clear()
        for number in range(rounds):
            for store in stores if number % 2 else reversed(stores):
                await store.round()
        few, many = (store.watch.times for store in stores)
        return {name: (few[name], many[name]) for name in few}
