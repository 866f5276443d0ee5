"""Runs that GitHub Actions carries out: posted by us, and lent to who begins them.

A process of ours holds a run only while it posts it or looks after it. Who begins it
there holds it by a lease, as a process does, and has to renew it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.retry import STOPS_WITHIN
from vibeboard.domain.run import Posting, Report, Run, RunState, is_posted, life
from vibeboard.engine.ports import Clock
from vibeboard.errors import Fenced
from vibeboard.store import codec, questions, runs, schema
from vibeboard.store.due import Due
from vibeboard.store.indexed import is_unended
from vibeboard.store.workers import SqlWorkers

_RUN = schema.run.c
_STEP = schema.run_step.c

LENT = select(_RUN.id).where(is_unended(), _RUN.lent_until.is_not(None)).limit(1)


class SqlPostings:
    """Satisfies ``Postings`` for one worker, on SQLite and PostgreSQL."""

    def __init__(
        self, engine: AsyncEngine, due: Due, clock: Clock, workers: SqlWorkers
    ) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock
        self._workers = workers

    async def posted(self, run: str, posting: Posting, look: timedelta) -> None:
        """Keep where the run is, and look after it in a while."""
        await self._give_back(run, look, **_as(posting))

    async def wait(self, run: str, look: timedelta) -> None:
        """Leave the run there, and look after it again."""
        await self._give_back(run, look)

    async def lost(self, run: str) -> None:
        """Nobody there carries it out any more; it is posted anew.

        One that never began counts as a crash here, as one whose lease ran out did.
        """
        async with self._due.begin() as connection:
            stored = await runs.load(connection, run)
            posting = stored.posting
            if stored.worker != self._workers.life or posting is None:
                return
            await _change(
                connection,
                run,
                worker=None,
                due_at=None,
                crashes=stored.crashes + (0 if posting.begun else 1),
                **_as(replace(posting, over=True)),
            )

    async def close(self, run: str, report: Report) -> None:
        """End a run that ended there without a word, or cannot go there."""
        async with self._due.begin() as connection:
            await runs.give_up(
                connection, run, self._workers.life, report, self._clock.now()
            )

    async def _give_back(self, run: str, after: timedelta, **values: Any) -> None:
        mine = and_(_RUN.id == run, _RUN.worker == self._workers.life)
        async with self._due.begin() as connection:
            await connection.execute(
                update(schema.run)
                .where(mine)
                .values(
                    worker=None,
                    tries=0,
                    due_at=self._clock.now() + after,
                    waits_for="GitHub Actions",
                    **values,
                )
            )


class SqlLentRuns:
    """Satisfies ``LentRuns`` for one attempt of one posting."""

    def __init__(
        self,
        engine: AsyncEngine,
        due: Due,
        clock: Clock,
        *,
        posting: int,
        attempt: int,
        term: timedelta,
    ) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock
        self._posting = posting
        self._attempt = attempt
        self._life = life(posting, attempt)
        self._term = term

    async def begin(self, run: str) -> Run:
        """Count an attempt, and start the run if it has not; ended ones stay.

        Nothing of an earlier machine is there: the run's steps begin anew.
        """
        async with self._due.begin() as connection:
            stored = await runs.load(connection, run)
            if stored.ended:
                return stored
            posting = stored.posting
            if (
                posting is None
                or posting.id != self._posting
                or posting.attempt > self._attempt
                or (posting.over and posting.attempt == self._attempt)
            ):
                raise self._fenced(run)
            await self._forget(connection, run)
            await runs.next_attempt(connection, stored, self._clock.now())
            begun = replace(posting, attempt=self._attempt, begun=True, over=False)
            await _change(
                connection,
                run,
                worker=self._life,
                place=self._life,
                due_at=None,
                waits_for="",
                lent_until=await self._end_of_lease(connection),
                **_as(begun),
            )
            return await runs.load(connection, run)

    async def _forget(self, connection: AsyncConnection, run: str) -> None:
        elsewhere = select(_RUN.id).where(_RUN.id == run, _RUN.place != self._life)
        await connection.execute(
            delete(schema.run_step).where(_STEP.run.in_(elsewhere))
        )
        await connection.execute(
            update(schema.run).where(_RUN.id.in_(elsewhere)).values(session=None)
        )

    async def beat(self, run: str) -> None:
        """Say that it is alive; raises Fenced if another attempt has the run.

        What was taken for dead and is not, has the run again, unless somebody else
        began it.
        """
        async with self._engine.begin() as connection:
            stored = await runs.load(connection, run)
            if stored.ended or not self._may_hold(stored):
                raise self._fenced(run)
            again = stored.worker != self._life
            await _change(
                connection,
                run,
                worker=self._life,
                due_at=None,
                crashes=max(stored.crashes - 1, 0) if again else stored.crashes,
                lent_until=await self._end_of_lease(connection),
            )

    def _may_hold(self, stored: Run) -> bool:
        if stored.worker == self._life:
            return True
        posting = stored.posting
        return (
            posting is not None
            and stored.state is not RunState.STOPPING
            and (posting.life, posting.begun, posting.over) == (self._life, True, False)
            and not is_posted(stored.worker)
        )

    async def stop(self, run: str, why: str) -> None:
        """Ask the run to stop, as whoever carries it out was asked to."""
        async with self._due.begin() as connection:
            if (await runs.load(connection, run)).worker == self._life:
                await runs.ask_to_stop(connection, run, why, self._clock.now())

    async def postpone(self, run: str, after: timedelta, why: str) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        due_at = self._clock.now() + after
        await self._give_back(run, due_at=due_at, tries=_RUN.tries + 1, waits_for=why)

    async def release(self, run: str) -> None:
        """Give it back as if it had not been taken."""
        await self._give_back(run)

    async def wait_for_people(self, run: str) -> None:
        """Give it back until its questions are answered; at once if they are."""
        async with self._due.begin() as connection:
            await runs.load(connection, run)
            await connection.execute(
                update(schema.run)
                .where(
                    _RUN.id == run,
                    _RUN.worker == self._life,
                    questions.has_open(),
                    _RUN.state != RunState.STOPPING.value,
                )
                .values(asked_at=self._clock.now(), waits_for="an answer")
            )
        await self._give_back(run, tries=0)

    async def give_up(self, run: str, reason: str) -> None:
        """End it as failed, if it is still this attempt's."""
        report = Report(RunState.FAILED, reason=reason)
        async with self._due.begin() as connection:
            await runs.give_up(connection, run, self._life, report, self._clock.now())

    async def _give_back(self, run: str, **values: Any) -> None:
        async with self._due.begin() as connection:
            stored = await runs.load(connection, run)
            if stored.worker != self._life or stored.posting is None:
                return
            over = _as(replace(stored.posting, over=True))
            await _change(
                connection, run, worker=None, lent_until=None, **over, **values
            )

    async def _end_of_lease(self, connection: AsyncConnection) -> datetime:
        return await now(connection, self._clock) + self._term

    def _fenced(self, run: str) -> Fenced:
        message = f"{self._life} does not have run {run}"
        return Fenced(message)


async def take_back(connection: AsyncConnection, clock: Clock) -> int:
    """Free runs whose posting is silent for a whole lease, or does not stop."""
    late = await now(connection, clock)
    freed = await connection.execute(
        update(schema.run)
        .where(
            is_unended(),
            or_(
                _RUN.lent_until <= late,
                and_(
                    _RUN.lent_until.is_not(None),
                    runs.is_stopping(),
                    _RUN.changed_at <= clock.now() - STOPS_WITHIN,
                ),
            ),
        )
        .values(worker=None, lent_until=None, crashes=_RUN.crashes + 1)
    )
    return freed.rowcount


async def look_at_once(
    connection: AsyncConnection, repository: str, posting: int, at: datetime
) -> None:
    """Have a posting looked after now: GitHub says that it is over."""
    its_own = and_(
        is_unended(), _RUN.posted_as == posting, _RUN.repository == repository
    )
    await connection.execute(
        update(schema.run).where(its_own, _RUN.worker.is_(None)).values(due_at=None)
    )
    # If it does live, its next beat has the run again.
    await connection.execute(
        update(schema.run)
        .where(its_own, _RUN.lent_until.is_not(None))
        .values(lent_until=at - timedelta(days=1))
    )


async def now(connection: AsyncConnection, clock: Clock) -> datetime:
    """The time by the database, where several machines' clocks could differ."""
    if connection.dialect.name != "postgresql":
        return clock.now()
    stamp: datetime = (
        await connection.execute(select(func.clock_timestamp()))
    ).scalar_one()
    return stamp


def _as(posting: Posting) -> dict[str, Any]:
    return {"posting": codec.dump_posting(posting), "posted_as": posting.id}


async def _change(connection: AsyncConnection, run: str, **values: Any) -> None:
    await connection.execute(update(schema.run).where(_RUN.id == run).values(**values))
