"""Events of our own, kept beside GitHub's inside the transaction that made them."""

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import OWN_HOOK
from vibeboard.store import schema


async def keep_own(
    connection: AsyncConnection,
    *,
    event: str,
    guid: str,
    card: CardKey,
    body: str,
    now: datetime,
) -> None:
    """Keep an event about a card as a delivery; the second time does nothing."""
    known = await connection.scalar(
        select(schema.delivery.c.id).where(
            schema.delivery.c.hook == OWN_HOOK, schema.delivery.c.guid == guid
        )
    )
    if known is not None:
        return
    await connection.execute(
        insert(schema.delivery).values(
            hook=OWN_HOOK,
            guid=guid,
            event=event,
            headers={},
            body=body.encode(),
            received_at=now,
            account=card.owner.casefold(),
            ordering_key=str(card),
        )
    )
