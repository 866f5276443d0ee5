"""Where cards were seen on boards that were read, compared with what we remember."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Clock, Remembered, Sighting
from vibeboard.store import schema
from vibeboard.store.due import Due
from vibeboard.store.indexed import is_unended
from vibeboard.store.outbox import keep_own
from vibeboard.store.upsert import inserting

_CARD = schema.card.c
_RUN = schema.run.c
_AT_ONCE = 200


class SqlSightings:
    """Satisfies ``Sightings`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, due: Due, clock: Clock) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock

    async def remembered(self, repository: str) -> Mapping[CardKey, Remembered]:
        """All of the repository's cards that were seen or have an unended run."""
        async with self._engine.connect() as connection:
            seen = await connection.execute(
                select(_CARD.number, _CARD.board_column).where(
                    _CARD.repository == repository
                )
            )
            columns: dict[int, str | None] = {
                row.number: row.board_column for row in seen
            }
            unended = await connection.execute(
                select(_RUN.number, _RUN.id)
                .where(_RUN.repository == repository, is_unended())
                .order_by(_RUN.created_at.desc(), _RUN.id.desc())
            )
            runs: dict[int, str] = {row.number: row.id for row in unended}
        return {
            CardKey(repository, number): Remembered(
                columns.get(number), runs.get(number, "")
            )
            for number in {*columns, *runs}
        }

    async def busy(self) -> set[str]:
        """The repositories that have runs which have not ended."""
        async with self._engine.connect() as connection:
            found = await connection.scalars(
                select(_RUN.repository).where(is_unended()).distinct()
            )
            return set(found)

    async def note(self, found: Sequence[tuple[Sighting, Remembered | None]]) -> None:
        """Remember cards there, but those no longer as they were before."""
        # In one order, so that two who do this wait for each other at most.
        sightings = sorted(found, key=lambda each: str(each[0].card))
        for start in range(0, len(sightings), _AT_ONCE):
            await self._note(sightings[start : start + _AT_ONCE])

    async def _note(self, found: Sequence[tuple[Sighting, Remembered | None]]) -> None:
        now = self._clock.now()
        async with self._engine.begin() as connection:
            for sighting, before in found:
                card, was = sighting.card, before.column if before else None
                seen = {"board_column": sighting.column, "seen_at": now}
                # A decision about the card may be quicker, and knows better: then the
                # next look finds what is left.
                await connection.execute(
                    inserting(connection, schema.card)
                    .values(repository=card.repository, number=card.number, **seen)
                    .on_conflict_do_update(
                        index_elements=["repository", "number"],
                        set_=seen,
                        where=_CARD.board_column.is_not_distinct_from(was),
                    )
                )

    async def tell(self, sighting: Sighting) -> None:
        """Make it an event, once."""
        card, column, by = sighting.card, sighting.column, sighting.by
        told = {
            "card": str(card),
            "column": column,
            "by": by.login if by is not None else None,
        }
        name = json.dumps([*told.values(), sighting.mark])
        async with self._due.begin() as connection:
            await keep_own(
                connection,
                event="card_seen",
                guid=f"seen-{sha256(name.encode()).hexdigest()[:40]}",
                card=card,
                body=json.dumps(told),
                now=self._clock.now(),
            )
