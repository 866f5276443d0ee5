"""Events of our own, kept beside GitHub's inside the transaction that made them."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import OWN_HOOK
from vibeboard.store import schema
from vibeboard.store.upsert import inserting


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
    await connection.execute(
        inserting(connection, schema.delivery)
        .values(
            hook=OWN_HOOK,
            guid=guid,
            event=event,
            headers={},
            body=body.encode(),
            received_at=now,
            account=card.owner.casefold(),
            ordering_key=str(card),
        )
        .on_conflict_do_nothing(index_elements=["guid", "hook"])
    )
