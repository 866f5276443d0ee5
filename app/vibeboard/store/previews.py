"""What is remembered of previews, a row for each environment of a card."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.preview import Preview, PreviewState, merged
from vibeboard.engine.ports import Clock
from vibeboard.store import schema

_PREVIEW = schema.preview.c


class SqlPreviews:
    """Satisfies ``Previews`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def of(self, card: CardKey) -> Sequence[Preview]:
        """Those of a card that are not gone, by environment."""
        async with self._engine.connect() as connection:
            return await _of(connection, card)

    async def keep(self, card: CardKey, found: Sequence[Preview]) -> Sequence[Preview]:
        """Remember what was found; what there is now."""
        async with self._engine.begin() as connection:
            known = await _of(connection, card)
            there = merged(known, found)
            if there != tuple(known):
                await connection.execute(delete(schema.preview).where(_is_of(card)))
            if there and there != tuple(known):
                now = self._clock.now()
                rows = [
                    {
                        "repository": card.repository,
                        "number": card.number,
                        "deployment": one.id,
                        "environment": one.environment,
                        "commit": one.commit,
                        "state": one.state.value,
                        "url": one.url,
                        "log": one.log,
                        "kept_at": now,
                    }
                    for one in there
                ]
                await connection.execute(insert(schema.preview), rows)
        return there

    async def card_of(self, repository: str, deployment: int) -> CardKey | None:
        """The card whose preview a deployment is, as far as is remembered."""
        async with self._engine.connect() as connection:
            number = await connection.scalar(
                select(_PREVIEW.number).where(
                    _PREVIEW.repository == repository,
                    _PREVIEW.deployment == deployment,
                )
            )
        return None if number is None else CardKey(repository, number)


async def _of(connection: AsyncConnection, card: CardKey) -> Sequence[Preview]:
    rows = await connection.execute(
        select(schema.preview).where(_is_of(card)).order_by(_PREVIEW.environment)
    )
    return merged(
        (),
        (
            Preview(
                id=row.deployment,
                environment=row.environment,
                commit=row.commit,
                state=PreviewState(row.state),
                url=row.url,
                log=row.log,
            )
            for row in rows
        ),
    )


def _is_of(card: CardKey) -> ColumnElement[bool]:
    return (_PREVIEW.repository == card.repository) & (_PREVIEW.number == card.number)
