"""A transaction that is cut off lets go of what it held, at once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import text

from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database

# Long enough to be cut off in the middle, on both databases.
_SLOW = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "
    "SELECT i FROM n ORDER BY i % 1000 LIMIT 10"
)
_WRITE = text(
    "INSERT INTO watermark (name, at) VALUES (:name, '2026-01-01 00:00:00.000000')"
)
_NAMES = text("SELECT name FROM watermark ORDER BY name")


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

    assert await _names(database) == ["next"]


async def test_who_is_cancelled_while_a_read_begins_leaves_no_old_sight(
    database: Database,
) -> None:
    for written, turns in enumerate(range(0, 30, 2), start=1):
        reading = asyncio.create_task(_names(database))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])

        async with database.engine.begin() as connection:
            await connection.execute(_WRITE, {"name": f"{turns}"})

        assert len(await _names(database)) == written


async def test_a_read_on_sqlite_sees_one_moment(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    async with database.engine.connect() as connection:
        before = (await connection.scalars(_NAMES)).all()
        async with database.engine.begin() as other:
            await other.execute(_WRITE, {"name": "meanwhile"})
        after = (await connection.scalars(_NAMES)).all()

    assert before == after == []
    assert await _names(database) == ["meanwhile"]
    await database.close()


async def _names(database: Database) -> Sequence[str]:
    async with database.engine.connect() as connection:
        return (await connection.scalars(_NAMES)).all()
