"""What runs spent: a row an attempt, summed where a limit asks for it.

Money is kept in whole millionths of a dollar, so that sums are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Cost, Run
from vibeboard.domain.workflow import Scope
from vibeboard.engine.ports import Clock
from vibeboard.store import schema
from vibeboard.store.upsert import inserting

_TABLE = schema.spending
_ROW = _TABLE.c
_MICRO = 1_000_000
_SUMS = (
    func.sum(_ROW.micro_usd),
    func.sum(_ROW.input_tokens),
    func.sum(_ROW.output_tokens),
    func.sum(_ROW.turns),
    func.sum(_ROW.cached_tokens),
)


@dataclass(frozen=True)
class Bill:
    """What was spent together by all that have the ``name`` in common."""

    name: str
    runs: int
    unpriced: int
    cost: Cost


class SqlSpending:
    """Satisfies ``Expenses`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def record(
        self, run: Run, *, agent: str, model: str, cost: Cost, part: str = "agent"
    ) -> None:
        """What this attempt's part has used so far; the last word counts."""
        values = {
            "repository": run.card.repository,
            "number": run.card.number,
            "stage": run.stage,
            "agent": agent,
            "model": model[:200],
            "micro_usd": None if cost.usd is None else round(cost.usd * _MICRO),
            "input_tokens": cost.input_tokens,
            "cached_tokens": cost.cached_tokens,
            "output_tokens": cost.output_tokens,
            "turns": cost.turns,
            "spent_at": self._clock.now(),
        }
        key = {"run": run.id, "attempt": run.attempt, "part": part}
        async with self._engine.begin() as connection:
            await connection.execute(
                inserting(connection, _TABLE)
                .values(**key, **values)
                .on_conflict_do_update(index_elements=list(key), set_=values)
            )

    async def of_run(self, run: str) -> Cost | None:
        """What all attempts of the run used; None if none has used anything."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    select(func.count(), *_SUMS).where(_ROW.run == run)
                )
            ).one()
        return _cost(row[1:]) if row[0] else None

    async def of_card(self, card: CardKey) -> float:
        """The US dollars that all runs of the card spent, as far as they are known."""
        return await self._usd(*_of_card(card))

    async def under(self, run: Run, scopes: Sequence[Scope]) -> dict[Scope, float]:
        """The US dollars that count towards each kind of limit, for this run."""
        return {scope: await self._usd(*self._within(scope, run)) for scope in scopes}

    async def bills(
        self, by: str, since: datetime, *, repository: str | None = None
    ) -> Sequence[Bill]:
        """What was spent since then by ``day``, ``stage``, ``issue`` or ``model``."""
        keys: dict[str, tuple[ColumnElement[str], ...]] = {
            "day": (func.date(_ROW.spent_at),),
            "stage": (_ROW.repository, _ROW.stage),
            "issue": (_ROW.repository, _ROW.number),
            "model": (_ROW.agent, _ROW.model),
        }
        grouped = keys[by]
        which = [_ROW.spent_at >= since]
        if repository is not None:
            which.append(_ROW.repository == repository)
        counted = func.count(_ROW.run.distinct())
        unpriced = func.count() - func.count(_ROW.micro_usd)
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(*grouped, counted, unpriced, *_SUMS)
                .where(*which)
                .group_by(*grouped)
                .order_by(*grouped)
            )
            found: list[list[Any]] = [list(row) for row in rows]
        width = len(grouped)
        return [
            Bill(
                _name(by, row[:width]),
                row[width],
                row[width + 1],
                _cost(row[width + 2 :]),
            )
            for row in found
        ]

    def _within(self, scope: Scope, run: Run) -> list[ColumnElement[bool]]:
        now = self._clock.now().astimezone(UTC)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        today = [
            _ROW.repository == run.card.repository,
            _ROW.spent_at >= midnight,
            _ROW.spent_at < midnight + timedelta(days=1),
        ]
        match scope:
            case Scope.ISSUE:
                return _of_card(run.card)
            case Scope.STAGE_OF_ISSUE:
                return [*_of_card(run.card), _ROW.stage == run.stage]
            case Scope.DAY:
                return today
            case Scope.STAGE_OF_DAY:
                return [*today, _ROW.stage == run.stage]

    async def _usd(self, *which: ColumnElement[bool]) -> float:
        async with self._engine.connect() as connection:
            micro = await connection.scalar(
                select(func.sum(_ROW.micro_usd)).where(*which)
            )
        return int(micro or 0) / _MICRO


def _of_card(card: CardKey) -> list[ColumnElement[bool]]:
    return [_ROW.repository == card.repository, _ROW.number == card.number]


def _cost(sums: Sequence[int | None]) -> Cost:
    # PostgreSQL's sums are decimals.
    usd, *counts = (None if one is None else int(one) for one in sums)
    return Cost(None if usd is None else usd / _MICRO, *counts)


def _name(by: str, parts: Sequence[Any]) -> str:
    match by, *map(str, parts):
        case "issue", repository, number:
            return f"{repository}#{number}"
        case "model", agent, model if model:
            return f"{agent} ({model})"
        case _, *words:
            return " ".join(filter(None, words))
        case _:
            return ""
