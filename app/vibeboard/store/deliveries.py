"""Deliveries, what was decided about each, and what came of it."""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import Effect, MoveCard, StartRun, StopRun
from vibeboard.engine.ports import (
    Clock,
    Decision,
    Delivery,
    DeliveryState,
    Kept,
)
from vibeboard.store import codec, runs, schema
from vibeboard.store.outbox import Enqueue, keep_delivery

_DELIVERY = schema.delivery.c
_EFFECT = schema.effect.c


class SqlDeliveries:
    """Satisfies ``Deliveries`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, enqueue: Enqueue, clock: Clock) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._clock = clock

    async def keep(
        self,
        *,
        hook: str,
        guid: str,
        event: str,
        headers: Mapping[str, str],
        body: bytes,
        partition: str,
    ) -> Kept:
        """Store durably and hand to the engine, both or neither."""
        try:
            async with self._engine.begin() as connection:
                await keep_delivery(
                    connection,
                    hook=hook,
                    guid=guid,
                    event=event,
                    headers=dict(headers),
                    body=body,
                    partition=partition,
                    now=self._clock.now(),
                    enqueue=self._enqueue,
                )
        except IntegrityError:
            return await self._known(hook, guid, body)
        return Kept.NEW

    async def _known(self, hook: str, guid: str, body: bytes) -> Kept:
        same = (_DELIVERY.hook == hook) & (_DELIVERY.guid == guid)
        async with self._engine.begin() as connection:
            digest = await connection.scalar(select(_DELIVERY.digest).where(same))
            if digest == sha256(body).hexdigest():
                return Kept.DUPLICATE
            await connection.execute(
                update(schema.delivery).where(same).values(conflict=True)
            )
        return Kept.CONFLICT

    async def get(self, delivery: int) -> Delivery:
        """The delivery as stored; raises KeyError for an unknown id."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    select(schema.delivery).where(_DELIVERY.id == delivery)
                )
            ).first()
        if row is None:
            raise KeyError(delivery)
        return Delivery(
            id=row.id,
            hook=row.hook,
            guid=row.guid,
            event=row.event,
            body=row.body,
            state=DeliveryState(row.state),
        )

    async def settle(self, delivery: int, decision: Decision) -> None:
        """Write the decision, its runs and effects in one transaction; once."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            state = await connection.scalar(
                select(_DELIVERY.state).where(_DELIVERY.id == delivery)
            )
            if state != DeliveryState.RECEIVED.value:
                return
            await connection.execute(
                update(schema.delivery)
                .where(_DELIVERY.id == delivery)
                .values(state=decision.state.value, reason=decision.reason)
            )
            if decision.card is not None and decision.saw_place:
                await self._see(connection, decision.card, decision.seen)
            for position, effect in enumerate(decision.effects):
                await self._write(connection, delivery, position, effect)
                if isinstance(effect, StartRun):
                    await runs.start(connection, effect, now, self._enqueue)
                elif isinstance(effect, StopRun):
                    await runs.stop(connection, effect, now, self._enqueue)

    async def _see(
        self, connection: AsyncConnection, card: CardKey, column: str | None
    ) -> None:
        await connection.execute(
            delete(schema.card).where(
                schema.card.c.repository == card.repository,
                schema.card.c.number == card.number,
            )
        )
        await connection.execute(
            insert(schema.card).values(
                repository=card.repository,
                number=card.number,
                board_column=column,
                seen_at=self._clock.now(),
            )
        )

    async def _write(
        self, connection: AsyncConnection, delivery: int, position: int, effect: Effect
    ) -> None:
        known = await connection.scalar(
            select(_EFFECT.key).where(_EFFECT.key == effect.key)
        )
        if known is not None:
            return
        kind, payload = codec.dump_effect(effect)
        await connection.execute(
            insert(schema.effect).values(
                key=effect.key,
                delivery=delivery,
                position=position,
                kind=kind,
                payload=payload,
                state="pending",
            )
        )

    async def effects(self, delivery: int) -> Sequence[str]:
        """Keys of the effects decided for the delivery, in order."""
        async with self._engine.connect() as connection:
            rows = await connection.scalars(
                select(_EFFECT.key)
                .where(_EFFECT.delivery == delivery)
                .order_by(_EFFECT.position)
            )
            return list(rows)

    async def done(self, hook: str, guid: str) -> bool:
        """Whether nothing is left to do about a delivery."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    select(_DELIVERY.id, _DELIVERY.state).where(
                        _DELIVERY.hook == hook, _DELIVERY.guid == guid
                    )
                )
            ).first()
            if row is None or row.state == DeliveryState.RECEIVED.value:
                return False
            left = await connection.scalar(
                select(func.count()).where(
                    _EFFECT.delivery == row.id, _EFFECT.state == "pending"
                )
            )
        return left == 0

    async def pending(self, key: str) -> Effect | None:
        """The effect, unless it was performed or given up already."""
        async with self._engine.connect() as connection:
            row = (
                await connection.execute(
                    select(_EFFECT.kind, _EFFECT.payload).where(
                        _EFFECT.key == key, _EFFECT.state == "pending"
                    )
                )
            ).first()
        return None if row is None else codec.load_effect(row.kind, row.payload)

    async def performed(self, effect: Effect, *, error: str = "") -> None:
        """Remember that the effect is done, or failed for good."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(schema.effect)
                .where(_EFFECT.key == effect.key)
                .values(
                    state="failed" if error else "done",
                    error=error,
                    performed_at=self._clock.now(),
                )
            )
            if error and isinstance(effect, MoveCard):
                # It was written down as moved, and stands where it stood.
                await self._see(connection, effect.card, effect.place.column)

    async def count_by_state(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                select(_DELIVERY.state, func.count()).group_by(_DELIVERY.state)
            )
            return {row[0]: row[1] for row in rows}
