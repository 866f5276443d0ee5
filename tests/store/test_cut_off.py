"""A transaction that is cut off lets go of what it held, at once."""

import asyncio

import pytest
from sqlalchemy import text

from vibeboard.store.database import Database

# Long enough to be cut off in the middle, on both databases.
_SLOW = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
    "SELECT i FROM n ORDER BY i % 1000 LIMIT 10"
)
_WRITE = text(
    "INSERT INTO watermark (name, at) VALUES (:name, '2026-01-01 00:00:00.000000')"
)


async def _marks(database: Database, name: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(_WRITE, {"name": name})
        await connection.execute(_SLOW)


async def test_who_is_cancelled_amid_a_transaction_holds_up_nobody(
    database: Database,
) -> None:
    task = asyncio.create_task(_marks(database, "cut off"))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as kept:
        await task

    # As long as the error lives, so does all that its frames know.
    async with asyncio.timeout(10), database.engine.begin() as connection:
        await connection.execute(_WRITE, {"name": "next"})
    assert kept.tb is not None

    async with database.engine.connect() as connection:
        names = await connection.scalars(text("SELECT name FROM watermark"))
    assert names.all() == ["next"]
