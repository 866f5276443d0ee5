"""Runs: the only place that writes a run's state.

A run is *dispatched* when its card is free and its repository below its limit;
only then may a worker take it. Every attempt has a number, and what an older attempt
wants to write is refused: one that was cut off and comes back changes nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey, Wording
from vibeboard.domain.effects import StartRun, StopRun
from vibeboard.domain.run import Report, Run, RunState, Step, run_id
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.starting import added
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Clock
from vibeboard.errors import Fenced
from vibeboard.store import codec, schema
from vibeboard.store.database import lock_number
from vibeboard.store.due import Due
from vibeboard.store.indexed import UNENDED, is_queued, is_unended
from vibeboard.store.outbox import keep_own
from vibeboard.store.paused import paused
from vibeboard.store.upsert import inserting

_RUN = schema.run.c
_STEP = schema.run_step.c
_ASKED = schema.asked.c


class SqlRuns:
    """Satisfies ``Runs`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, due: Due, clock: Clock) -> None:
        self._engine = engine
        self._due = due
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

    async def asked(self, run: str) -> Wording | None:
        """The issue as it stood when the run was asked for; None if nobody kept it."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    select(_ASKED.title, _ASKED.body).where(_ASKED.run == run)
                )
            ).first()
        return None if row is None else Wording(row.title, row.body)

    async def hold(self, run: Run) -> None:
        """Raise Fenced unless this attempt still has the run."""
        async with self._engine.connect() as connection:
            await hold(connection, run)

    async def answer(self, run: str, step: str) -> Any | None:
        """What a finished step came to; None if it has not finished."""
        async with self._engine.connect() as connection:
            return await connection.scalar(
                select(_STEP.answer).where(_STEP.run == run, _STEP.name == step)
            )

    async def remember(self, run: Run, step: str, answer: Any) -> None:
        """A step has finished; raises Fenced if another attempt has the run.

        What went wrong before it counts no more: a run that gets on kills nobody.
        """
        async with self._engine.begin() as connection:
            await hold(connection, run)
            # Whoever did not hear that it was written down says it again.
            await connection.execute(
                inserting(connection, schema.run_step)
                .values(
                    run=run.id,
                    name=step,
                    attempt=run.attempt,
                    answer=answer,
                    ended_at=self._clock.now(),
                )
                .on_conflict_do_nothing()
            )
            await connection.execute(
                update(schema.run).where(_RUN.id == run.id).values(tries=0, crashes=0)
            )

    async def spent(self, run: Run, calls: Mapping[str, int]) -> None:
        """Add to the calls on GitHub that the run has made."""
        async with self._engine.begin() as connection:
            known = await connection.scalar(select(_RUN.calls).where(_RUN.id == run.id))
            together = {
                name: (known or {}).get(name, 0) + calls.get(name, 0)
                for name in {*(known or {}), *calls}
            }
            await connection.execute(
                update(schema.run).where(_RUN.id == run.id).values(calls=together)
            )

    async def end(self, run: Run, report: Report) -> None:
        """End the run, tell of it, and let the next ones start; once."""
        now = self._clock.now()
        async with self._due.begin() as connection:
            await _lock(connection, run.card.repository)
            await hold(connection, run)
            await _end(connection, await _load(connection, run.id), report, now)


async def start(
    connection: AsyncConnection,
    effect: StartRun,
    now: datetime,
    *,
    asked: Wording | None = None,
) -> None:
    """Queue a run, or add to the one of the same stage that still waits.

    It is about the issue as it was ``asked``, whoever edits that afterwards.
    """
    card, due_at = effect.card, now + effect.delay if effect.delay else None
    await _lock(connection, card.repository)
    waiting = (
        await connection.execute(
            select(schema.run).where(
                _RUN.repository == card.repository,
                _RUN.number == card.number,
                _RUN.stage == effect.stage,
                is_held(),
                # What pushes an approved commit does nothing else.
                _RUN.approved == "",
            )
        )
    ).first()
    if waiting is not None and not effect.approved:
        await _add(connection, waiting, effect, due_at)
        run = waiting.id
    else:
        run = await _queue(connection, effect, due_at, now)
    if asked is not None and run is not None:
        wording = {"title": asked.title, "body": asked.body}
        await connection.execute(
            inserting(connection, schema.asked)
            .values(run=run, **wording)
            .on_conflict_do_update(index_elements=["run"], set_=wording)
        )
    await _dispatch(connection, card.repository, now)


async def _add(
    connection: AsyncConnection,
    waiting: Row[Any],
    effect: StartRun,
    due_at: datetime | None,
) -> None:
    """Let a run that still waits do what this one was to do."""
    run = added(_read(waiting), effect, due_at)
    await connection.execute(
        update(schema.run)
        .where(_RUN.id == waiting.id)
        .values(
            instructions=run.instructions,
            config_commit=run.config_commit,
            runner=effect.runner.value,
            chain=run.chain,
            parent=run.parent,
            asked_by=run.asked_by,
            priority=max(waiting.priority, effect.priority),
            due_at=run.due_at,
            remarks=codec.dump_remarks(run.remarks),
        )
    )


async def _queue(
    connection: AsyncConnection,
    effect: StartRun,
    due_at: datetime | None,
    now: datetime,
) -> str | None:
    """Write a run down; None if the same cause did so before."""
    card = effect.card
    identity = run_id(card, effect.stage, effect.cause)
    known = await connection.scalar(select(_RUN.id).where(_RUN.id == identity))
    if known is not None:
        return None
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
            parent=effect.parent,
            priority=effect.priority,
            due_at=due_at,
            approved=effect.approved,
            runner=effect.runner.value,
            created_at=now,
            changed_at=now,
        )
    )
    return identity


def is_held() -> ColumnElement[bool]:
    """Whether a run waits for its card, its repository, its time or a pause's end."""
    return and_(is_queued(), _RUN.dispatched_at.is_(None))


def is_stopping() -> ColumnElement[bool]:
    """Whether a run was asked to stop."""
    return _RUN.state == RunState.STOPPING.value


def has_room() -> ColumnElement[bool]:
    """Whether a run waits for no time, no other run of its card and no place."""
    busy = schema.run.alias("busy")
    is_busy = and_(busy.c.dispatched_at.is_not(None), is_unended(busy))
    taken = (
        select(busy.c.repository, func.count().label("runs"))
        .where(is_busy, busy.c.asked_at.is_(None))
        .group_by(busy.c.repository)
        .cte("taken")
    )
    of_card = (busy.c.repository == _RUN.repository) & (busy.c.number == _RUN.number)
    full = (taken.c.repository == _RUN.repository) & (taken.c.runs >= _RUN.parallel)
    return and_(
        _RUN.due_at.is_(None),
        ~exists().where(is_busy, of_card),
        ~exists().where(full),
    )


async def dispatch(
    connection: AsyncConnection, now: datetime, *which: ColumnElement[bool]
) -> None:
    """Let those of the held runs start that may, in the repositories of ``which``.

    Those whose delay is over wait for the rest only.
    """
    repositories = await connection.scalars(
        select(_RUN.repository).where(is_held(), *which).distinct()
    )
    for repository in sorted(repositories.all()):
        await _lock(connection, repository)
        await connection.execute(
            update(schema.run)
            .where(_RUN.repository == repository, is_held(), _RUN.due_at <= now)
            .values(due_at=None)
        )
        await _dispatch(connection, repository, now)


async def begin(connection: AsyncConnection, run: str, life: str, now: datetime) -> Run:
    """Count an attempt of the worker that has the run; Fenced if another has it."""
    stored = await load(connection, run)
    if stored.ended:
        return stored
    if stored.worker != life:
        message = f"run {run} was given to another worker"
        raise Fenced(message)
    return await next_attempt(connection, stored, now)


async def next_attempt(connection: AsyncConnection, stored: Run, now: datetime) -> Run:
    """Count an attempt of a run, and start it if nobody has."""
    begun = replace(stored, attempt=stored.attempt + 1)
    if begun.state is RunState.QUEUED:
        begun = replace(begun.to(RunState.RUNNING, at=now), started_at=now)
    await _save(connection, begun)
    return begun


async def stop(connection: AsyncConnection, effect: StopRun, now: datetime) -> None:
    """Ask a run to stop; one that has not begun is over at once."""
    await ask_to_stop(connection, effect.run, effect.why, now)


async def ask_to_stop(
    connection: AsyncConnection, run: str, why: str, now: datetime
) -> None:
    """Ask a run to stop, for this reason; the first one counts."""
    stored = await _load(connection, run)
    await _lock(connection, stored.card.repository)
    # Whoever begins it meanwhile asks for its row only.
    stored = await load(connection, run)
    if stored.ended or stored.state is RunState.STOPPING:
        return
    stored = replace(stored, stop_reason=why)
    if stored.state is RunState.QUEUED:
        report = Report(RunState.STOPPED, reason=f"Not started: {why}")
        await _end(connection, stored, report, now)
    else:
        await _save(connection, stored.to(RunState.STOPPING, at=now))
        # What it waits for counts no more: its work is saved at once.
        await connection.execute(
            update(schema.run)
            .where(_RUN.id == stored.id)
            .values(due_at=None, asked_at=None)
        )


async def give_up(
    connection: AsyncConnection, run: str, life: str, report: Report, now: datetime
) -> None:
    """End a run that cannot go on; one that another worker has by now is left alone."""
    stored = await _load(connection, run)
    await _lock(connection, stored.card.repository)
    stored = await load(connection, run)
    if stored.ended or stored.worker != life:
        return
    if report.state is RunState.STOPPED and stored.state is RunState.RUNNING:
        # Nobody asked it: it was stopped where it was carried out.
        stored = replace(
            stored.to(RunState.STOPPING, at=now), stop_reason=report.reason
        )
    await _end(connection, stored, report, now)


async def _end(
    connection: AsyncConnection, run: Run, report: Report, now: datetime
) -> None:
    await _save(connection, replace(run.to(report.state, at=now), report=report))
    await connection.execute(
        update(schema.run)
        .where(_RUN.id == run.id)
        .values(worker=None, due_at=None, lent_until=None)
    )
    # What they came to is in the report; when they ended is still asked for.
    await connection.execute(
        update(schema.run_step).where(_STEP.run == run.id).values(answer={})
    )
    await connection.execute(delete(schema.asked).where(_ASKED.run == run.id))
    await keep_own(
        connection,
        event="run_ended",
        guid=run.id,
        card=run.card,
        body=str(run.card),
        now=now,
    )
    await _dispatch(connection, run.card.repository, now)


async def _lock(connection: AsyncConnection, repository: str) -> None:
    """One transaction at a time decides which of a repository's runs may start."""
    if connection.dialect.name == "postgresql":
        number = lock_number(f"runs of {repository.casefold()}")
        await connection.execute(select(func.pg_advisory_xact_lock(number)))


async def hold(connection: AsyncConnection, run: Run) -> None:
    """Lock the run's row; raises Fenced unless this attempt has it."""
    stored = (
        await connection.execute(
            select(_RUN.attempt, _RUN.state, _RUN.worker)
            .where(_RUN.id == run.id)
            .with_for_update()
        )
    ).first()
    if (
        stored is None
        or stored.state not in UNENDED
        or (stored.attempt, stored.worker) != (run.attempt, run.worker)
    ):
        message = f"attempt {run.attempt} of run {run.id} is not the one that counts"
        raise Fenced(message)


async def _dispatch(
    connection: AsyncConnection, repository: str, now: datetime
) -> None:
    """Let waiting runs start: one a card, ``parallel`` a repository."""
    there = (
        await connection.execute(
            select(_RUN.number, _RUN.asked_at).where(
                _RUN.repository == repository,
                is_unended(),
                _RUN.dispatched_at.is_not(None),
            )
        )
    ).all()
    busy = {row.number for row in there}
    # Who waits for a person, perhaps for days, keeps its card and no other's place.
    taken = sum(row.asked_at is None for row in there)
    waiting = await connection.execute(
        select(_RUN.id, _RUN.number, _RUN.parallel)
        .where(
            _RUN.repository == repository,
            is_held(),
            or_(_RUN.due_at.is_(None), _RUN.due_at <= now),
            ~paused(),
        )
        .order_by(_RUN.priority.desc(), _RUN.created_at, _RUN.id)
    )
    for row in waiting.all():
        if row.number in busy or taken >= row.parallel:
            continue
        busy.add(row.number)
        taken += 1
        await connection.execute(
            update(schema.run).where(_RUN.id == row.id).values(dispatched_at=now)
        )


async def _load(connection: AsyncConnection, run: str) -> Run:
    return await _first(connection, run, select(schema.run).where(_RUN.id == run))


async def load(connection: AsyncConnection, run: str) -> Run:
    """The run, which nobody else writes until the transaction's end."""
    query = select(schema.run).where(_RUN.id == run)
    return await _first(connection, run, query.with_for_update())


async def _first(connection: AsyncConnection, run: str, query: Select[Any]) -> Run:
    row = (await connection.execute(query)).first()
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
        parent=row.parent,
        crashes=row.crashes,
        due_at=row.due_at,
        waits_for=row.waits_for,
        worker=row.worker,
        tries=row.tries,
        calls=row.calls or {},
        asked_at=row.asked_at,
        approved=row.approved,
        runner=Runner(row.runner),
        posting=codec.load_posting(row.posting) if row.posting else None,
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
