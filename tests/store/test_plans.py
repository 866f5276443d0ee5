"""Looking for work reads what is open, however much has been settled."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from tests.conftest import HandClock
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import Scope
from vibeboard.engine.ports import OPEN, Sorted
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.gauges import SqlGauges
from vibeboard.store.ledger import SqlLedger
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.orders import SqlOrders
from vibeboard.store.overview import SqlOverview
from vibeboard.store.pauses import SqlPauses
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.runs import SqlRuns
from vibeboard.store.sightings import SqlSightings
from vibeboard.store.spending import SqlSpending
from vibeboard.store.workers import SqlWorkers

CARD = CardKey("acme/clock", 7)
_AT = datetime(2026, 1, 2, tzinfo=UTC)
_RUN = Run("r1", CARD, "develop", "d1", "alice", RunState.RUNNING, _AT, _AT)
Asked = list[tuple[str, Any]]  # statements, and what is given to them
GROWING = ("delivery", "run", "effect", "audit", "card", "spending")


@dataclass
class Store:
    """The store on an empty database."""

    database: Database
    due: Due
    clock: HandClock
    workers: SqlWorkers

    @property
    def deliveries(self) -> SqlDeliveryQueue:
        return SqlDeliveryQueue(
            self.database.engine, self.due, self.clock, self.workers
        )

    @property
    def runs(self) -> SqlRunQueue:
        engine = self.database.engine
        return SqlRunQueue(engine, self.due, self.clock, self.workers, place="here")

    @property
    def stored(self) -> SqlRuns:
        return SqlRuns(self.database.engine, self.due, self.clock)

    async def pauses_and_resumes(self) -> None:
        pauses = SqlPauses(self.database.engine, self.due, self.clock)
        await pauses.pause("acme", why="a release", by="alice")
        await pauses.resume("acme", by="alice")

    @property
    def overview(self) -> SqlOverview:
        return SqlOverview(self.database.engine)

    @property
    def gauges(self) -> SqlGauges:
        return SqlGauges(self.database, self.clock, name="one")


LOOKS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "sort": lambda store: store.deliveries.sort(lambda _: Sorted()),
    "claim deliveries": lambda store: store.deliveries.claim(3),
    "next delivery": lambda store: store.deliveries.next_due(),
    "claim runs": lambda store: store.runs.claim(3),
    "next run": lambda store: store.runs.next_due(),
    "resume": lambda store: store.pauses_and_resumes(),
    "stray deliveries": lambda store: store.deliveries.strays([1], states=OPEN),
    "stray runs": lambda store: store.runs.strays(["a"]),
    "history": lambda store: store.stored.history(CARD),
    "queue of deliveries": lambda store: store.overview.deliveries(),
    "queue of runs": lambda store: store.overview.runs(),
    "dead letters": lambda store: store.overview.dead(),
    "workers": lambda store: store.overview.workers(),
    "retry": lambda store: SqlOrders(store.due, store.clock, by="me").retry(),
    "metrics": lambda store: store.gauges.read(),
    "enter": lambda store: store.workers.enter(),
    "leave": lambda store: store.workers.leave(),
    "known": lambda store: SqlLedger(store.database.engine, store.clock).known(["a"]),
    "parked": lambda store: SqlDeliveries(
        store.database.engine, store.due, store.clock
    ).release_parked("acme"),
    "busy": lambda store: SqlSightings(
        store.database.engine, store.due, store.clock
    ).busy(),
    "spending": lambda store: SqlSpending(store.database.engine, store.clock).under(
        _RUN, list(Scope)
    ),
    "cost of a run": lambda store: SqlSpending(
        store.database.engine, store.clock
    ).of_run("r1"),
    "quiet": lambda store: SqlArchive(store.database).is_quiet(
        CARD, datetime(2026, 1, 2, tzinfo=UTC)
    ),
}


@pytest.mark.parametrize("look", LOOKS)
async def test_no_look_reads_a_whole_table(
    look: str, tmp_path: Path, clock: HandClock
) -> None:
    async with opened(tmp_path, clock) as (store, asked):
        await LOOKS[look](store)

    looks = statements(asked)
    assert looks
    assert [
        step for step in plans(tmp_path / "vibeboard.db", looks) if whole(step)
    ] == []


async def test_most_looks_for_runs_ask_once(tmp_path: Path, clock: HandClock) -> None:
    async with opened(tmp_path, clock) as (store, asked):
        runs = store.runs
        await runs.claim(3)  # which searches for those left behind, too
        asked.clear()

        assert await runs.claim(3) == []

    assert len(statements(asked)) == 1


@asynccontextmanager
async def opened(folder: Path, clock: HandClock) -> AsyncIterator[tuple[Store, Asked]]:
    """A store, and all that its database is asked."""
    database = open_database(f"sqlite:///{folder}/vibeboard.db")
    migrate.upgrade(database)
    due = Due(database.engine, lambda: None)
    workers = SqlWorkers(database, due, clock, name="one", place="here")
    asked: Asked = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda *call: asked.append((call[2], call[3])),
    )
    yield Store(database, due, clock, workers), asked
    await database.close()


def statements(asked: Asked) -> Asked:
    """Without what begins transactions."""
    return [each for each in asked if not each[0].startswith("BEGIN")]


def plans(path: Path, looks: Asked) -> list[str]:
    """The steps that SQLite takes for statements."""
    with sqlite3.connect(path) as plain:
        found = [
            step
            for statement, values in looks
            for *_, step in plain.execute(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    plain.close()
    return found


def whole(step: str) -> bool:
    """Whether a step reads all of a table that grows; or half of it, by its ids."""
    kind, _, rest = step.partition(" ")
    table = rest.split(" ")[0]
    if table not in GROWING:
        return False
    by_id = step.endswith(("rowid<?)", "rowid>?)"))
    return by_id or (kind == "SCAN" and not _partial(rest))


def _partial(rest: str) -> bool:
    """Whether it reads an index of what is open, which does not grow."""
    names = ("unsorted", "open", "dead", "taken", "unended", "one_active", "failed")
    return rest.rpartition("_")[2] in names or rest.endswith("one_active")
