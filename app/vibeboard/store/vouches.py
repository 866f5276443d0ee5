"""What people vouched for. Decisions write it down (``deliveries.py``)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import VouchFor
from vibeboard.domain.gate import Vouch
from vibeboard.store import schema

_ROW = schema.vouch.c


class SqlVouches:
    """Satisfies ``Vouches``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def of(self, card: CardKey) -> Sequence[Vouch]:
        """Everything that people vouched for on a card, oldest first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(_ROW.subject, _ROW.by, _ROW.reason)
                .where(_ROW.repository == card.repository, _ROW.number == card.number)
                .order_by(_ROW.id)
            )
            return [Vouch(row.subject, row.by, row.reason) for row in rows]


async def write(connection: AsyncConnection, effect: VouchFor, now: datetime) -> None:
    """Keep somebody's word."""
    await connection.execute(
        insert(schema.vouch).values(
            repository=effect.card.repository,
            number=effect.card.number,
            subject=effect.subject,
            by=effect.by,
            reason=effect.reason,
            vouched_at=now,
        )
    )
