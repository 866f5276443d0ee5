"""Which of GitHub's deliveries we have, and how far that was compared.

A delivery that cannot be had any more is a line of the audit, so that it is reported
once and known from then on.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, union
from sqlalchemy.ext.asyncio import AsyncEngine

from vibeboard.engine.ports import OWN_HOOK, Clock, HookDelivery
from vibeboard.store import audit, schema
from vibeboard.store.upsert import inserting

_DELIVERY = schema.delivery.c
_AUDIT = schema.audit.c
_MARK = schema.watermark.c
_AT_ONCE = 400
_LOST = "delivery lost"


class SqlLedger:
    """Satisfies ``Ledger`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def known(self, guids: Sequence[str]) -> set[str]:
        """Those of the GUIDs that we have, or have reported as lost."""
        found: set[str] = set()
        async with self._engine.connect() as connection:
            for start in range(0, len(guids), _AT_ONCE):
                some = guids[start : start + _AT_ONCE]
                have = select(_DELIVERY.guid).where(
                    _DELIVERY.guid.in_(some), _DELIVERY.hook != OWN_HOOK
                )
                lost = select(_AUDIT.subject).where(
                    _AUDIT.subject.in_(some), _AUDIT.action == _LOST
                )
                found.update(await connection.scalars(union(have, lost)))
        return found

    async def newest(self) -> datetime | None:
        """When the last delivery came; None if there never was one."""
        async with self._engine.connect() as connection:
            found: datetime | None = await connection.scalar(
                select(_DELIVERY.received_at)
                .where(_DELIVERY.hook != OWN_HOOK)
                .order_by(_DELIVERY.id.desc())
                .limit(1)
            )
        return found

    async def lost(self, delivery: HookDelivery, why: str) -> None:
        """Report a delivery that cannot be had any more."""
        kind = ".".join(filter(None, (delivery.event, delivery.action)))
        when = delivery.delivered_at.isoformat(timespec="seconds")
        await self._report(_LOST, delivery.guid, f"{kind} of {when}: {why}")

    async def gap(self, since: datetime, until: datetime) -> None:
        """Report a time whose deliveries GitHub does not list any more."""
        span = f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC"
        await self._report("deliveries not listed", "GitHub", span)

    async def _report(self, action: str, subject: str, detail: str) -> None:
        async with self._engine.begin() as connection:
            await audit.note(
                connection,
                at=self._clock.now(),
                actor="",
                action=action,
                subject=subject,
                detail=detail,
            )


class SqlMarks:
    """Satisfies ``Marks`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def at(self, name: str) -> datetime | None:
        """How far it has come; None if it never was."""
        async with self._engine.connect() as connection:
            found: datetime | None = await connection.scalar(
                select(_MARK.at).where(_MARK.name == name)
            )
        return found

    async def advance(self, name: str, at: datetime) -> None:
        """Remember ``at``, unless it is later already."""
        async with self._engine.begin() as connection:
            mark = inserting(connection, schema.watermark).values(name=name, at=at)
            await connection.execute(
                mark.on_conflict_do_update(
                    index_elements=["name"], set_={"at": at}, where=_MARK.at < at
                )
            )
