"""Runs as a queue: claimed by workers, and given back."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    and_,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.run import Report, Run, RunState
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Clock
from vibeboard.store import lending, questions, runs, schema
from vibeboard.store.due import Due
from vibeboard.store.indexed import is_unended
from vibeboard.store.paused import paused
from vibeboard.store.workers import SqlWorkers

_RUN = schema.run.c
_STEP = schema.run_step.c
# How often held runs are searched for one that nothing holds: whoever ended the pause
# and whoever wrote the run may not have seen each other.
_SEARCHED_EVERY = timedelta(seconds=10)


# Made once: making them takes longer than the database takes to answer, and each wake
# asks.
def _due(runners: Sequence[Runner]) -> Select[tuple[str]]:
    """Runs of these runners that may be taken, the first ones first."""
    return (
        select(_RUN.id)
        .where(
            _RUN.dispatched_at.is_not(None),
            is_unended(),
            _RUN.runner.in_([runner.value for runner in runners]),
            _RUN.worker.is_(None),
            _RUN.asked_at.is_(None),
            or_(_RUN.due_at.is_(None), _RUN.due_at <= bindparam("now")),
            or_(_RUN.state != RunState.QUEUED.value, ~paused()),
        )
        .order_by(_RUN.priority.desc(), _RUN.dispatched_at, _RUN.id)
        .limit(bindparam("most", type_=Integer))
    )


_DELAYED = (
    select(_RUN.id)
    .where(runs.is_held(), _RUN.due_at <= bindparam("now"), ~paused())
    .limit(1)
)
_LEFT_BEHIND = (
    select(_RUN.id).where(runs.is_held(), runs.has_room(), ~paused()).limit(1)
)


class SqlRunQueue:
    """Satisfies ``RunQueue`` for one worker, on SQLite and PostgreSQL.

    ``place`` names where the worker's files are: a run that another place began has
    its workspace there, and begins anew here.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        due: Due,
        clock: Clock,
        workers: SqlWorkers,
        *,
        place: str,
        runners: Sequence[Runner] = tuple(Runner),
    ) -> None:
        """``runners`` are those whose runs it gives."""
        due_now = _due(runners)
        # One answer for all three: each wake asks.
        self._look = select(
            lending.LENT.scalar_subquery().label("lent"),
            _DELAYED.scalar_subquery().label("delayed"),
            due_now.limit(1).scalar_subquery().label("due"),
        )
        self._take = (
            update(schema.run)
            .where(_RUN.id.in_(due_now), _RUN.worker.is_(None))
            .values(worker=bindparam("life"), due_at=None, waits_for="")
            .returning(_RUN.id)
        )
        self._runners = [runner.value for runner in runners]
        self._engine = engine
        self._due = due
        self._clock = clock
        self._workers = workers
        self._place = place
        self._next_search = datetime.min.replace(tzinfo=UTC)

    async def claim(self, most: int) -> Sequence[str]:
        """Take due runs, those of high priority first."""
        # A look costs no write; most looks find nothing.
        lent, delayed, due = await self._looked()
        if await self._made_room(lent=lent is not None, delayed=delayed is not None):
            _, _, due = await self._looked()
        if due is None:
            return []
        given = {"now": self._clock.now(), "life": self._workers.life, "most": most}
        async with self._engine.begin() as connection:
            claimed = list((await connection.execute(self._take, given)).scalars())
            begun_elsewhere = select(_RUN.id).where(
                _RUN.id.in_(claimed),
                _RUN.place != self._place,
                _RUN.posted_as.is_(None),
            )
            await connection.execute(
                delete(schema.run_step).where(_STEP.run.in_(begun_elsewhere))
            )
            # What GitHub Actions has begun is only looked after.
            here = and_(_RUN.id.in_(claimed), _RUN.posted_as.is_(None))
            await connection.execute(
                update(schema.run).where(here).values(place=self._place)
            )
        return claimed

    async def _looked(self) -> tuple[str | None, ...]:
        """A run that is lent, one whose delay is over, and one to be taken."""
        async with self._engine.connect() as connection:
            given = {"now": self._clock.now()}
            return tuple((await connection.execute(self._look, given)).one())

    async def _made_room(self, *, lent: bool, delayed: bool) -> bool:
        """Whether there may be more to take since."""
        if lent:
            # Of those, some may be lent to who is dead by now.
            async with self._engine.begin() as connection:
                await lending.take_back(connection, self._clock)
        return await self._dispatched(delayed=delayed) or lent

    async def _dispatched(self, *, delayed: bool) -> bool:
        """Let runs start whose delay is over, and now and then those left behind."""
        now = self._clock.now()
        which = _RUN.due_at <= now
        if not delayed:
            if now < self._next_search:
                return False
            self._next_search = now + _SEARCHED_EVERY
            which = runs.has_room()
            async with self._engine.connect() as connection:
                if (await connection.execute(_LEFT_BEHIND)).first() is None:
                    return False
        async with self._due.begin() as connection:
            await runs.dispatch(connection, now, which)
        return True

    async def begin(self, run: str) -> Run:
        """Count an attempt, and start the run if it has not; ended ones stay."""
        async with self._engine.begin() as connection:
            return await runs.begin(
                connection, run, self._workers.life, self._clock.now()
            )

    async def postpone(self, run: str, after: timedelta, why: str) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        await self._give_back(
            run,
            due_at=self._clock.now() + after,
            tries=_RUN.tries + 1,
            waits_for=why,
        )

    async def wait_for_people(self, run: str) -> None:
        """Give it back until its questions are answered; at once if they are."""
        mine = and_(_RUN.id == run, _RUN.worker == self._workers.life)
        async with self._due.begin() as connection:
            await connection.execute(
                select(_RUN.id).where(_RUN.id == run).with_for_update()
            )
            await connection.execute(
                update(schema.run)
                .where(mine, questions.has_open(), ~runs.is_stopping())
                .values(asked_at=self._clock.now(), waits_for="an answer")
            )
            await connection.execute(
                update(schema.run).where(mine).values(worker=None, tries=0)
            )

    async def release(self, run: str) -> None:
        """Give it back as if it had not been taken."""
        await self._give_back(run)

    async def give_up(self, run: str, reason: str) -> None:
        """End it as failed, if it is still this worker's."""
        async with self._due.begin() as connection:
            await runs.give_up(
                connection,
                run,
                self._workers.life,
                Report(RunState.FAILED, reason=reason),
                self._clock.now(),
            )

    async def strays(self, known: Collection[str]) -> int:
        """Give back what is ours by its row, and not among those ``known``."""
        ours = and_(
            _RUN.worker == self._workers.life,
            is_unended(),
            _RUN.runner.in_(self._runners),
        )
        async with self._engine.connect() as connection:
            taken = await connection.scalars(select(_RUN.id).where(ours))
            astray = set(taken).difference(known)
        if astray:
            async with self._due.begin() as connection:
                await connection.execute(
                    update(schema.run)
                    .where(ours, _RUN.id.in_(astray))
                    .values(worker=None)
                )
        return len(astray)

    async def next_due(self) -> datetime | None:
        """When the first of those that wait for their time is due."""
        async with self._engine.connect() as connection:
            found: datetime | None = await connection.scalar(
                select(_RUN.due_at)
                .where(
                    is_unended(),
                    _RUN.worker.is_(None),
                    _RUN.due_at > self._clock.now(),
                )
                .order_by(_RUN.due_at)
                .limit(1)
            )
        return found

    async def _give_back(self, run: str, **values: Any) -> None:
        mine = and_(_RUN.id == run, _RUN.worker == self._workers.life)
        async with self._due.begin() as connection:
            await connection.execute(
                update(schema.run).where(mine).values(worker=None, **values)
            )
