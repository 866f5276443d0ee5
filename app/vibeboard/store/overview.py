"""What an operator sees: what waits, what was given up, who works."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, union
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import RunState
from vibeboard.engine.ports import StepEnded
from vibeboard.store import schema
from vibeboard.store.indexed import (
    GIVEN_UP,
    PARKED,
    has_failed,
    is_dead,
    is_open,
    is_unended,
    is_unsorted,
)
from vibeboard.store.paused import paused

_DELIVERY = schema.delivery.c
_EFFECT = schema.effect.c
_RUN = schema.run.c
_STEP = schema.run_step.c
_WORKER = schema.worker.c

_BULKY = ("body", "headers")


@dataclass(frozen=True)
class WaitingDelivery:
    """A delivery that is not settled. ``worker`` has it now."""

    id: int
    guid: str
    event: str
    account: str
    state: str
    received_at: datetime
    due_at: datetime | None
    tries: int
    crashes: int
    worker: str | None
    reason: str


@dataclass(frozen=True)
class WaitingRun:
    """A run that has not ended; ``waits_for`` says why it is not under way."""

    id: str
    card: str
    stage: str
    state: str
    step: str | None
    created_at: datetime
    due_at: datetime | None
    tries: int
    crashes: int
    worker: str | None
    waits_for: str


@dataclass(frozen=True)
class DeadLetter:
    """What was given up about a delivery: all of it, or one effect."""

    id: int
    guid: str
    event: str
    account: str
    effect: str
    at: datetime
    reason: str


@dataclass(frozen=True)
class Working:
    """A process that takes work, and how much of it it has."""

    name: str
    life: str
    started_at: datetime
    beat_at: datetime
    deliveries: int
    runs: int


class SqlOverview:
    """Reads only."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def deliveries(self, most: int = 1000) -> Sequence[WaitingDelivery]:
        """Deliveries that are not settled, oldest first."""
        # Each by its own index: all of them in one condition is nobody's.
        waiting = union(
            *(
                select(_DELIVERY.id).where(which)
                for which in (is_unsorted(), is_open(), is_dead(PARKED))
            )
        )
        query = _about(_DELIVERY.id.in_(waiting)).limit(most)
        async with self._engine.connect() as connection:
            return [
                WaitingDelivery(
                    row.id, row.guid, row.event, row.account, row.state,
                    row.received_at, row.due_at, row.tries, row.crashes, row.worker,
                    row.reason,
                )
                for row in await connection.execute(query)
            ]  # fmt: skip

    async def runs(self, most: int = 1000) -> Sequence[WaitingRun]:
        """Runs that have not ended, in the order they were asked for."""
        query = (
            select(schema.run, paused().label("paused"))
            .where(is_unended())
            .order_by(_RUN.created_at, _RUN.id)
            .limit(most)
        )
        async with self._engine.connect() as connection:
            return [
                WaitingRun(
                    row.id, str(CardKey(row.repository, row.number)), row.stage,
                    row.state, row.step, row.created_at, row.due_at, row.tries,
                    row.crashes, row.worker, _why(row),
                )
                for row in await connection.execute(query)
            ]  # fmt: skip

    async def dead(self, most: int = 1000) -> Sequence[DeadLetter]:
        """Deliveries and effects that were given up, oldest first."""
        async with self._engine.connect() as connection:
            whole = [
                DeadLetter(
                    row.id, row.guid, row.event, row.account, "", row.settled_at,
                    row.reason,
                )
                for row in await connection.execute(
                    _about(is_dead(*GIVEN_UP)).limit(most)
                )
            ]  # fmt: skip
            parts = await _failed_effects(connection, most)
        return sorted([*whole, *parts], key=lambda each: (each.id, each.effect))

    async def steps(self, run: str) -> Sequence[StepEnded]:
        """The steps of a run that have ended, in order."""
        query = (
            select(_STEP.name, _STEP.attempt, _STEP.ended_at)
            .where(_STEP.run == run)
            .order_by(_STEP.ended_at)
        )
        async with self._engine.connect() as connection:
            rows = await connection.execute(query)
            return [StepEnded(row.name, row.attempt, row.ended_at) for row in rows]

    async def workers(self) -> Sequence[Working]:
        """Processes that say that they live, oldest first."""
        deliveries = (
            select(func.count())
            .select_from(schema.delivery)
            .where(_DELIVERY.worker == _WORKER.id, is_open())
            .scalar_subquery()
        )
        runs = (
            select(func.count())
            .select_from(schema.run)
            .where(_RUN.worker == _WORKER.id, is_unended())
            .scalar_subquery()
        )
        query = select(
            schema.worker, deliveries.label("deliveries"), runs.label("runs")
        ).order_by(_WORKER.started_at)
        async with self._engine.connect() as connection:
            return [
                Working(
                    row.name, row.id, row.started_at, row.beat_at, row.deliveries,
                    row.runs,
                )
                for row in await connection.execute(query)
            ]  # fmt: skip


def _about(which: ColumnElement[bool]) -> Select[Any]:
    columns = [each for each in schema.delivery.c if each.name not in _BULKY]
    return select(*columns).where(which).order_by(_DELIVERY.id)


async def _failed_effects(connection: AsyncConnection, most: int) -> list[DeadLetter]:
    rows = await connection.execute(
        select(
            _DELIVERY.id, _DELIVERY.guid, _DELIVERY.event, _DELIVERY.account,
            _EFFECT.kind, _EFFECT.performed_at, _EFFECT.error,
        )
        .join(schema.delivery, _DELIVERY.id == _EFFECT.delivery)
        .where(has_failed())
        .order_by(_DELIVERY.id)
        .limit(most)
    )  # fmt: skip
    return [
        DeadLetter(
            row.id, row.guid, row.event, row.account, row.kind, row.performed_at,
            row.error,
        )
        for row in rows
    ]  # fmt: skip


def _why(run: Row[Any]) -> str:
    """What a run that nobody carries out waits for."""
    if run.worker is not None:
        return ""
    if run.state == RunState.QUEUED.value and run.paused:
        return "paused"
    if run.dispatched_at is None and run.due_at is not None:
        return "its stage's delay"
    if run.dispatched_at is None:
        return "its card, or a free place in its repository"
    return run.waits_for or "a worker"
