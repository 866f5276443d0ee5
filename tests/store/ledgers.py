"""Deliveries and runs of one database, as one process with a name keeps them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import Effect, StartRun
from vibeboard.domain.run import Posting, Report, Run, RunState
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Clock, Decision, Delivery, Sorted
from vibeboard.store import runs, schema
from vibeboard.store.database import Database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.lending import SqlLentRuns, SqlPostings
from vibeboard.store.pauses import SqlPauses
from vibeboard.store.questions import SqlQuestions
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.runs import SqlRuns
from vibeboard.store.workers import SqlWorkers

CARD = CardKey("acme/clock", 7)
OTHER = CardKey("acme/clock", 8)


def start(card: CardKey = CARD, stage: str = "develop", **given: Any) -> StartRun:
    values = {"cause": "d1", "asked_by": "alice", "config_commit": "c0ffee"}
    return StartRun(card, stage, **{**values, **given})


def as_written(delivery: Delivery) -> Sorted:
    """A toy sorter: the body begins with ``ACCOUNT KEY``."""
    account, key = delivery.body.decode().split(" ")[:2]
    return Sorted(account, key)


class Ledger:
    """What one process sees and does."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        name: str = "one",
        place: str = "here",
        lease: timedelta = timedelta(seconds=15),
    ) -> None:
        self.woken = 0
        due = Due(database.engine, self._wake)
        engine = database.engine
        self._engine = engine
        self._clock = clock
        self.workers = SqlWorkers(
            database, due, clock, name=name, place=place, lease=lease
        )
        self.deliveries = SqlDeliveries(engine, due, clock)
        self.delivery_queue = SqlDeliveryQueue(engine, due, clock, self.workers)
        self.runs = SqlRuns(engine, due, clock)
        self.run_queue = SqlRunQueue(engine, due, clock, self.workers, place=place)
        self.pauses = SqlPauses(engine, due, clock)
        self.questions = SqlQuestions(engine, due, clock)
        self.postings = SqlPostings(engine, due, clock, self.workers)
        self.clock = clock
        self.on_server_time = not database.is_sqlite
        self._due = due
        self._given = 0

    def queue_of(self, runner: Runner) -> SqlRunQueue:
        """The runs of one runner, as this process takes them."""
        return SqlRunQueue(
            self._engine,
            self._due,
            self._clock,
            self.workers,
            place="here",
            runners=(runner,),
        )

    def lent(
        self, posting: Posting, *, term: timedelta = timedelta(seconds=75)
    ) -> SqlLentRuns:
        """The runs of whoever the posting is."""
        return SqlLentRuns(
            self._engine,
            self._due,
            self._clock,
            posting=posting.id,
            attempt=posting.attempt,
            term=term,
        )

    def _wake(self) -> None:
        self.woken += 1

    async def delivered(self, *bodies: str) -> Sequence[int]:
        """Deliveries of GitHub as intake stores them."""
        stored = []
        async with self._due.begin() as connection:
            for body in bodies:
                self._given += 1
                row = await connection.execute(
                    insert(schema.delivery).values(
                        hook="1",
                        guid=f"{self.workers.life}-{self._given}",
                        event="issues",
                        headers={},
                        body=body.encode(),
                        received_at=self._clock.now(),
                    )
                )
                assert row.inserted_primary_key is not None
                stored.append(int(row.inserted_primary_key[0]))
        return stored

    async def sorted(self, *bodies: str) -> Sequence[int]:
        """Deliveries that were read for the first time."""
        stored = await self.delivered(*bodies)
        while await self.delivery_queue.sort(as_written):
            pass
        return stored

    async def decided(self, *effects: Effect, **given: Any) -> int:
        """A delivery with this decision."""
        (delivery,) = await self.sorted("acme acme/clock#7")
        await self.deliveries.settle(delivery, Decision(effects, "test", **given))
        return delivery

    async def starts(self, effect: StartRun) -> None:
        """The run that a decision starts, and nothing else of it."""
        async with self._due.begin() as connection:
            await runs.start(connection, effect, self._clock.now())

    async def begun(self, effect: StartRun | None = None) -> Run:
        """A run that this process has, in its first attempt."""
        await self.decided(effect or start())
        (claimed,) = await self.run_queue.claim(1)
        return await self.run_queue.begin(claimed)

    async def end(self, run: str, state: RunState = RunState.SUCCEEDED) -> None:
        begun = await self.run_queue.begin(run)
        await self.runs.end(begun, Report(state))

    async def dispatched(self) -> Sequence[str]:
        """Runs that may be taken or have been, in the order they became so."""
        columns = schema.run.c
        async with self._engine.connect() as connection:
            found = await connection.scalars(
                select(columns.id)
                .where(columns.dispatched_at.is_not(None))
                .order_by(columns.dispatched_at, columns.created_at)
            )
            return list(found)
