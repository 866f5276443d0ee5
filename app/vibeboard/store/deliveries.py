"""Deliveries, what was decided about each, and what came of it."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import (
    ColumnElement,
    Row,
    case,
    exists,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import (
    AnswerQuestion,
    Effect,
    LookAfter,
    MoveCard,
    StartRun,
    StopRun,
    VouchFor,
)
from vibeboard.engine import written
from vibeboard.engine.ports import (
    OWN_HOOK,
    Clock,
    Decision,
    Delivery,
    DeliveryState,
)
from vibeboard.store import audit, lending, questions, runs, schema, vouches
from vibeboard.store.bodies import unpack
from vibeboard.store.due import Due
from vibeboard.store.indexed import OPEN, PARKED, is_dead
from vibeboard.store.outbox import keep_own
from vibeboard.store.upsert import inserting

_DELIVERY = schema.delivery.c
_EFFECT = schema.effect.c


def read(row: Row[tuple[object, ...]]) -> Delivery:
    """A delivery from its row, with the body as it came."""
    return Delivery(
        id=row.id,
        hook=row.hook,
        guid=row.guid,
        event=row.event,
        body=unpack(row.encoding, row.body),
        state=DeliveryState(row.state),
        account=row.account,
        tries=row.tries,
        crashes=row.crashes,
    )


class SqlDeliveries:
    """Satisfies ``Deliveries`` on SQLite and PostgreSQL."""

    def __init__(self, engine: AsyncEngine, due: Due, clock: Clock) -> None:
        self._engine = engine
        self._due = due
        self._clock = clock

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
        return read(row)

    async def ask_stage(self, card: CardKey, stage: str, instructions: str) -> str:
        """The operator's wish for a stage, as an event; gives its cause."""
        guid = f"terminal-{uuid4()}"
        asked = {"card": str(card), "stage": stage, "instructions": instructions}
        async with self._due.begin() as connection:
            await keep_own(
                connection,
                event="stage_asked",
                guid=guid,
                card=card,
                body=json.dumps(asked),
                now=self._clock.now(),
            )
        return guid

    async def settle(self, delivery: int, decision: Decision) -> None:
        """Write the decision, its runs and effects in one transaction; once.

        The delivery is nobody's from then on: whoever performs its effects claims it.
        """
        now = self._clock.now()
        async with self._due.begin() as connection:
            stored = (
                await connection.execute(
                    select(_DELIVERY.state, _DELIVERY.guid)
                    .where(_DELIVERY.id == delivery)
                    .with_for_update()
                )
            ).one()
            if stored.state != DeliveryState.RECEIVED.value:
                return
            state = decision.state
            if state is DeliveryState.DECIDED and not decision.effects:
                state = DeliveryState.SETTLED
            await connection.execute(
                update(schema.delivery)
                .where(_DELIVERY.id == delivery)
                .values(
                    state=state.value,
                    reason=decision.reason,
                    settled_at=None if state.value in OPEN else now,
                    worker=None,
                    tries=0,
                )
            )
            if decision.card is not None and decision.saw_place:
                await self._see(connection, decision.card, decision.seen)
            for position, effect in enumerate(decision.effects):
                if not await self._write(connection, delivery, position, effect):
                    continue  # told twice, under another GUID
                if isinstance(effect, StartRun):
                    await runs.start(connection, effect, now, asked=decision.asked)
                elif isinstance(effect, StopRun):
                    await runs.stop(connection, effect, now)
                elif isinstance(effect, LookAfter):
                    await lending.look_at_once(
                        connection, effect.repository, effect.posting, now
                    )
                elif isinstance(effect, VouchFor):
                    await vouches.write(connection, effect, now)
                elif isinstance(effect, AnswerQuestion):
                    await questions.answer(connection, effect, now)
            await audit.decided(connection, stored.guid, decision, now)

    async def _see(
        self, connection: AsyncConnection, card: CardKey, column: str | None
    ) -> None:
        seen = {"board_column": column, "seen_at": self._clock.now()}
        await connection.execute(
            inserting(connection, schema.card)
            .values(repository=card.repository, number=card.number, **seen)
            .on_conflict_do_update(index_elements=["repository", "number"], set_=seen)
        )

    async def _write(
        self, connection: AsyncConnection, delivery: int, position: int, effect: Effect
    ) -> bool:
        """Write the effect down; False if it was before."""
        kind, payload = written.dump_effect(effect)
        added = await connection.execute(
            inserting(connection, schema.effect)
            .values(
                key=effect.key,
                delivery=delivery,
                position=position,
                kind=kind,
                payload=payload,
                state="pending",
            )
            .on_conflict_do_nothing(index_elements=["key"])
        )
        return bool(added.rowcount)

    async def effects(self, delivery: int) -> Sequence[str]:
        """Keys of the effects decided for the delivery, in order."""
        async with self._engine.connect() as connection:
            rows = await connection.scalars(
                select(_EFFECT.key)
                .where(_EFFECT.delivery == delivery)
                .order_by(_EFFECT.position)
            )
            return list(rows)

    async def ask_again(self, card: CardKey, by: str, cause: str) -> None:
        """Somebody wants the card's last run again; told twice, it is asked once."""
        async with self._due.begin() as connection:
            await keep_own(
                connection,
                event="run_asked_again",
                guid=cause,
                card=card,
                body=json.dumps({"card": str(card), "by": by}),
                now=self._clock.now(),
            )

    async def decided(self, cause: str) -> bool:
        """Whether all is done about what was asked again."""
        return await self.done(OWN_HOOK, cause)

    async def done(self, hook: str, guid: str) -> bool:
        """Whether nothing is left to do about a delivery."""
        async with self._engine.connect() as connection:
            state = await connection.scalar(
                select(_DELIVERY.state).where(
                    _DELIVERY.hook == hook, _DELIVERY.guid == guid
                )
            )
        return state is not None and state not in OPEN

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
        return None if row is None else written.load_effect(row.kind, row.payload)

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

    async def release_parked(self, account: str) -> None:
        """Make what waited for the App's return to an account due again."""
        parked = is_dead(PARKED) & (_DELIVERY.account == account.casefold())
        async with self._due.begin() as connection:
            await reopen(connection, parked)


async def reopen(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    """Make deliveries that were parked or given up due again; how many."""
    decided = (
        exists().where(_EFFECT.delivery == _DELIVERY.id).correlate(schema.delivery)
    )
    result = await connection.execute(
        update(schema.delivery)
        .where(which)
        .values(
            state=case(
                (decided, DeliveryState.DECIDED.value),
                else_=DeliveryState.RECEIVED.value,
            ),
            worker=None,
            due_at=None,
            tries=0,
            crashes=0,
            settled_at=None,
        )
    )
    return result.rowcount


async def go_over_again(
    connection: AsyncConnection, delivery: int, now: datetime
) -> None:
    """Have a delivery that is being performed taken again once that has ended."""
    await connection.execute(
        update(schema.delivery).where(_DELIVERY.id == delivery).values(due_at=now)
    )
