"""Hands work to the durable engine inside the transaction that made it due."""

from datetime import datetime
from hashlib import sha256
from typing import Protocol

from sqlalchemy import Connection, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.engine.ports import OWN_HOOK, DeliveryState
from vibeboard.store import schema


class Enqueue(Protocol):
    """Gives the engine a workflow of ``kind`` within the caller's transaction.

    The same ``identity`` twice is one workflow. Those of one ``partition`` run
    one after the other.
    """

    def __call__(
        self, connection: Connection, kind: str, identity: str, partition: str
    ) -> None:
        """Hand the workflow over, or leave no trace if the caller rolls back."""
        ...


async def keep_delivery(
    connection: AsyncConnection,
    *,
    hook: str,
    guid: str,
    event: str,
    headers: dict[str, str],
    body: bytes,
    partition: str,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """Insert a delivery and enqueue its ``advance``."""
    result = await connection.execute(
        insert(schema.delivery)
        .values(
            hook=hook,
            guid=guid,
            event=event,
            headers=headers,
            body=body,
            digest=sha256(body).hexdigest(),
            received_at=now,
            state=DeliveryState.RECEIVED.value,
        )
        .returning(schema.delivery.c.id)
    )
    identity = str(result.scalar_one())

    def hand_over(sync: Connection) -> None:
        enqueue(sync, "advance", identity, partition)

    await connection.run_sync(hand_over)


async def keep_own(
    connection: AsyncConnection,
    event: str,
    guid: str,
    body: str,
    now: datetime,
    enqueue: Enqueue,
) -> None:
    """Keep an event of our own as a delivery; the second time does nothing."""
    known = await connection.scalar(
        select(schema.delivery.c.id).where(
            schema.delivery.c.hook == OWN_HOOK, schema.delivery.c.guid == guid
        )
    )
    if known is not None:
        return
    await keep_delivery(
        connection,
        hook=OWN_HOOK,
        guid=guid,
        event=event,
        headers={},
        body=body.encode(),
        partition=body.partition("/")[0].casefold(),
        now=now,
        enqueue=enqueue,
    )
