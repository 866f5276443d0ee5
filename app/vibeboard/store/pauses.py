"""Where no run starts, because an operator said so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import EVERYWHERE, Clock
from vibeboard.store import audit, runs, schema
from vibeboard.store.due import Due
from vibeboard.store.upsert import inserting

_PAUSE = schema.pause.c


@dataclass(frozen=True)
class Pause:
    """Where no run starts, and why."""

    scope: str
    why: str
    by: str
    at: datetime


class SqlPauses:
    """Pauses and resumes."""

    def __init__(self, engine: AsyncEngine, due: Due, clock: Clock) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock

    async def pause(self, scope: str, *, why: str, by: str) -> None:
        """Start no run in the scope until it is resumed; says why anew if it is."""
        now = self._clock.now()
        async with self._due.begin() as connection:
            said = {"why": why, "paused_by": by, "paused_at": now}
            await connection.execute(
                inserting(connection, schema.pause)
                .values(scope=scope.casefold(), **said)
                .on_conflict_do_update(index_elements=["scope"], set_=said)
            )
            await audit.note(
                connection, at=now, actor=by, action="paused", subject=scope, detail=why
            )

    async def resume(self, scope: str, *, by: str) -> bool:
        """Let runs start in the scope again; False if it was not paused.

        A decision that is written at the same time may still see the pause: the run
        that it holds back is found by the next look at held runs.
        """
        now = self._clock.now()
        async with self._due.begin() as connection:
            gone = await connection.execute(
                delete(schema.pause).where(_PAUSE.scope == scope.casefold())
            )
            if gone.rowcount:
                await audit.note(
                    connection,
                    at=now,
                    actor=by,
                    action="resumed",
                    subject=scope,
                )
                await runs.dispatch(connection, now)
        return bool(gone.rowcount)

    async def all(self) -> Sequence[Pause]:
        """Every pause, oldest first."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(schema.pause).order_by(_PAUSE.paused_at)
            )
            return [Pause(r.scope, r.why, r.paused_by, r.paused_at) for r in rows]

    async def reason(self, card: CardKey) -> str | None:
        """Why no run starts on the card; None if runs do."""
        pause = await self.over(card)
        return None if pause is None else pause.why

    async def over(self, card: CardKey) -> Pause | None:
        """The pause that a card lies in, the widest first."""
        repository = card.repository.casefold()
        scopes = (
            EVERYWHERE,
            card.owner.casefold(),
            repository,
            f"{repository}#{card.number}",
        )
        found = {pause.scope: pause for pause in await self.all()}
        return next((found[scope] for scope in scopes if scope in found), None)
