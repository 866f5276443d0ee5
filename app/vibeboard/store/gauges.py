"""How much there is, for those who watch: each number from an index."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.domain.effects import StartRun
from vibeboard.domain.run import Run
from vibeboard.engine.ports import Clock
from vibeboard.store import schema
from vibeboard.store.database import Database
from vibeboard.store.indexed import (
    GIVEN_UP,
    PARKED,
    UNENDED,
    is_dead,
    is_open,
    is_unended,
    is_unsorted,
)

_DELIVERY = schema.delivery.c
_RUN = schema.run.c
_WATERMARK = schema.watermark.c

_DEAD = (*GIVEN_UP, PARKED)


@dataclass(frozen=True)
class Reading:
    """The numbers at one moment: of what is not done, however much is.

    ``oldest`` is when the first of those deliveries came.
    """

    deliveries: Mapping[str, int]
    oldest: datetime | None
    runs: Mapping[str, int]
    workers: int
    pauses: int


class SqlGauges:
    """Reads them; and writes, to see whether that goes."""

    def __init__(self, database: Database, clock: Clock, *, name: str) -> None:
        self._engine = database.engine
        self._clock = clock
        self._mark = f"alive {name}"

    async def read(self) -> Reading:
        """The numbers now."""
        async with self._engine.connect() as connection:
            firsts, deliveries = [], dict.fromkeys(_DEAD, 0)
            for name, which in (("unread", is_unsorted()), ("open", is_open())):
                # Ids only: further columns lie behind the bodies.
                row = (
                    await connection.execute(
                        select(func.count(), func.min(_DELIVERY.id + 0)).where(which)
                    )
                ).one()
                deliveries[name] = row[0]
                firsts += [row[1]] if row[0] else []
            dead = await connection.execute(
                select(_DELIVERY.state, func.count())
                .where(is_dead(*_DEAD))
                .group_by(_DELIVERY.state)
            )
            deliveries |= {row[0]: row[1] for row in dead}
            runs = dict.fromkeys(UNENDED, 0)
            counted = await connection.execute(
                select(_RUN.state, func.count())
                .where(is_unended())
                .group_by(_RUN.state)
            )
            runs |= {row[0]: row[1] for row in counted}
            return Reading(
                deliveries=deliveries,
                oldest=await _received(connection, min(firsts, default=None)),
                runs=runs,
                workers=await _count(connection, schema.worker),
                pauses=await _count(connection, schema.pause),
            )

    async def asked_at(self, run: Run) -> datetime:
        """When the delivery came that asked for the run."""
        key = StartRun(run.card, run.stage, run.cause, run.asked_by, "").key
        async with self._engine.connect() as connection:
            found: datetime | None = await connection.scalar(
                select(_DELIVERY.received_at)
                .join(schema.effect, schema.effect.c.delivery == _DELIVERY.id)
                .where(schema.effect.c.key == key)
            )
        return found or run.created_at

    async def write(self) -> None:
        """Write one row durably."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            written = await connection.execute(
                schema.watermark.update()
                .where(_WATERMARK.name == self._mark)
                .values(at=now)
            )
            if not written.rowcount:
                await connection.execute(
                    schema.watermark.insert().values(name=self._mark, at=now)
                )


async def _received(
    connection: AsyncConnection, delivery: int | None
) -> datetime | None:
    if delivery is None:
        return None
    found: datetime | None = await connection.scalar(
        select(_DELIVERY.received_at).where(_DELIVERY.id == delivery)
    )
    return found


async def _count(connection: AsyncConnection, table: Table) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0
