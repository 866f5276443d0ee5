"""Runs: the only place that writes a run's state.

A run is *dispatched* when its card is free and its repository below its limit;
only then does the durable engine hear of it. So order and limits rest on these
rows alone.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import StartRun, StopRun
from vibeboard.domain.run import Report, Run, RunState, Step, run_id
from vibeboard.domain.situation import CardHistory
from vibeboard.engine.ports import Clock
from vibeboard.store import codec, schema
from vibeboard.store.outbox import Enqueue, keep_own

_UNENDED = ("queued", "running", "stopping")
_RUN = schema.run.c


class SqlRuns:
    """Satisfies ``Runs`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, enqueue: Enqueue, clock: Clock) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._clock = clock

    async def get(self, run: str) -> Run:
        """The run as stored; raises KeyError for an unknown id."""
        async with self._engine.connect() as connection:
            return await _load(connection, run)

    async def history(self, card: CardKey) -> CardHistory:
        """All runs of a card and where it was last seen."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(schema.run)
                .where(_RUN.repository == card.repository, _RUN.number == card.number)
                .order_by(_RUN.created_at, _RUN.id)
            )
            runs = tuple(map(_read, rows))
            column = await connection.scalar(
                select(schema.card.c.board_column).where(
                    schema.card.c.repository == card.repository,
                    schema.card.c.number == card.number,
                )
            )
        return CardHistory(column=column, runs=runs)

    async def begin(self, run: str) -> Run:
        """Count an attempt, and start the run if it has not; ended ones stay."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            stored = await _load(connection, run)
            if stored.ended:
                return stored
            begun = replace(stored, attempt=stored.attempt + 1)
            if begun.state is RunState.QUEUED:
                begun = replace(begun.to(RunState.RUNNING, at=now), started_at=now)
            await _save(connection, begun)
        return begun

    async def note(
        self,
        run: str,
        *,
        step: Step | None = None,
        comment: int | None = None,
        session: str | None = None,
    ) -> None:
        """Remember where the run is, its tracking comment, its agent's session."""
        changes: dict[str, Any] = {}
        if step is not None:
            changes["step"] = step.value
        if comment is not None:
            changes["comment"] = comment
        if session is not None:
            changes["session"] = session
        async with self._engine.begin() as connection:
            await connection.execute(
                update(schema.run).where(_RUN.id == run).values(**changes)
            )

    async def end(self, run: str, report: Report) -> None:
        """End the run, tell of it, and let the next ones start; once."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            stored = await _load(connection, run)
            if stored.ended:
                return
            await _end(connection, stored, report, now, self._enqueue)


async def start(
    connection: AsyncConnection, effect: StartRun, now: datetime, enqueue: Enqueue
) -> None:
    """Queue a run, or add to the one of the same stage that still waits."""
    card = effect.card
    waiting = (
        await connection.execute(
            select(schema.run).where(
                _RUN.repository == card.repository,
                _RUN.number == card.number,
                _RUN.stage == effect.stage,
                _RUN.state == RunState.QUEUED.value,
                _RUN.dispatched_at.is_(None),
            )
        )
    ).first()
    if waiting is not None:
        both = "\n\n".join(filter(None, (waiting.instructions, effect.instructions)))
        await connection.execute(
            update(schema.run)
            .where(_RUN.id == waiting.id)
            .values(
                instructions=both,
                config_commit=effect.config_commit,
                remarks=codec.dump_remarks(
                    (*codec.load_remarks(waiting.remarks), *effect.remarks)
                ),
            )
        )
        return
    identity = run_id(card, effect.stage, effect.cause)
    known = await connection.scalar(select(_RUN.id).where(_RUN.id == identity))
    if known is None:
        await connection.execute(
            insert(schema.run).values(
                id=identity,
                repository=card.repository,
                number=card.number,
                stage=effect.stage,
                cause=effect.cause,
                asked_by=effect.asked_by,
                state=RunState.QUEUED.value,
                instructions=effect.instructions,
                remarks=codec.dump_remarks(effect.remarks),
                config_commit=effect.config_commit,
                parallel=effect.parallel,
                attempt=0,
                chain=effect.chain,
                created_at=now,
                changed_at=now,
            )
        )
    await _dispatch(connection, card.repository, now, enqueue)


async def stop(
    connection: AsyncConnection, effect: StopRun, now: datetime, enqueue: Enqueue
) -> None:
    """Ask a run to stop; one that has not begun is over at once."""
    stored = await _load(connection, effect.run)
    if stored.ended or stored.state is RunState.STOPPING:
        return
    stored = replace(stored, stop_reason=effect.why)
    if stored.state is RunState.QUEUED:
        report = Report(RunState.STOPPED, reason=f"Not started: {effect.why}")
        await _end(connection, stored, report, now, enqueue)
    else:
        await _save(connection, stored.to(RunState.STOPPING, at=now))


async def _end(
    connection: AsyncConnection,
    run: Run,
    report: Report,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    await _save(connection, replace(run.to(report.state, at=now), report=report))
    await keep_own(connection, "run_ended", run.id, str(run.card), now, enqueue)
    await _dispatch(connection, run.card.repository, now, enqueue)


async def _dispatch(
    connection: AsyncConnection, repository: str, now: datetime, enqueue: Enqueue
) -> None:
    """Hand waiting runs to the engine: one a card, ``parallel`` a repository."""
    busy = {
        row.number
        for row in await connection.execute(
            select(_RUN.number).where(
                _RUN.repository == repository,
                _RUN.state.in_(_UNENDED),
                _RUN.dispatched_at.is_not(None),
            )
        )
    }
    waiting = await connection.execute(
        select(_RUN.id, _RUN.number, _RUN.parallel)
        .where(
            _RUN.repository == repository,
            _RUN.state == RunState.QUEUED.value,
            _RUN.dispatched_at.is_(None),
        )
        .order_by(_RUN.created_at, _RUN.id)
    )
    for row in waiting.all():
        if row.number in busy or len(busy) >= row.parallel:
            continue
        busy.add(row.number)
        await connection.execute(
            update(schema.run).where(_RUN.id == row.id).values(dispatched_at=now)
        )
        await _hand_over(connection, enqueue, row.id)


async def _hand_over(
    connection: AsyncConnection, enqueue: Enqueue, identity: str
) -> None:
    def hand_over(sync: Connection) -> None:
        enqueue(sync, "carry_out", identity, "")

    await connection.run_sync(hand_over)


async def _load(connection: AsyncConnection, run: str) -> Run:
    row = (await connection.execute(select(schema.run).where(_RUN.id == run))).first()
    if row is None:
        raise KeyError(run)
    return _read(row)


def _read(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        card=CardKey(row.repository, row.number),
        stage=row.stage,
        cause=row.cause,
        asked_by=row.asked_by,
        state=RunState(row.state),
        created_at=row.created_at,
        changed_at=row.changed_at,
        instructions=row.instructions,
        remarks=codec.load_remarks(row.remarks),
        config_commit=row.config_commit,
        attempt=row.attempt,
        chain=row.chain,
        started_at=row.started_at,
        step=Step(row.step) if row.step else None,
        stop_reason=row.stop_reason,
        report=codec.load_report(row.report) if row.report else None,
        comment=row.comment,
        session=row.session,
    )


async def _save(connection: AsyncConnection, run: Run) -> None:
    await connection.execute(
        update(schema.run)
        .where(_RUN.id == run.id)
        .values(
            state=run.state.value,
            changed_at=run.changed_at,
            attempt=run.attempt,
            started_at=run.started_at,
            stop_reason=run.stop_reason,
            report=codec.dump_report(run.report) if run.report else None,
        )
    )


async def count_by_state(engine: AsyncEngine) -> dict[str, int]:
    """How many runs are in each state."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            select(_RUN.state, func.count()).group_by(_RUN.state)
        )
        return {row[0]: row[1] for row in rows}
