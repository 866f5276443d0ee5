"""What time mends of a database is told apart from what is our fault."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, text
from sqlalchemy.exc import DBAPIError

from tests.conftest import HandClock
from tests.faults.shaken import killed_server
from tests.store.keeping import kept
from tests.store.trouble import refusing
from vibeboard.errors import SettingsInvalid, StoreUnavailable
from vibeboard.store import migrate, schema
from vibeboard.store.database import Database, connected, open_database
from vibeboard.store.intake import open_intake


async def keep_one(database: Database) -> None:
    row = {"hook": "1", "guid": "g", "event": "issues", "headers": {}, "body": b""}
    async with database.engine.begin() as connection:
        await connection.execute(
            insert(schema.delivery).values(**row, received_at=HandClock().now())
        )


async def test_our_own_fault_stays_one(database: Database) -> None:
    with pytest.raises(DBAPIError, match="nowhere"):
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))
    await keep_one(database)
    with pytest.raises(DBAPIError):  # the same row once more
        await keep_one(database)


@pytest.mark.postgres
async def test_a_full_disk_is_an_outage(postgres_url: str) -> None:
    database = open_database(postgres_url)
    migrate.upgrade(database)
    async with refusing(database):
        with pytest.raises(StoreUnavailable, match="out of order"):
            await keep_one(database)
    await keep_one(database)
    await database.close()


@pytest.mark.thorough
async def test_a_locked_file_is_an_outage(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)

    def hurry(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    event.listen(database.engine.sync_engine, "connect", hurry)
    with closing(sqlite3.connect(tmp_path / "vibeboard.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await keep_one(database)
    await keep_one(database)
    await database.close()


@pytest.mark.postgres
async def test_a_server_that_dies_is_an_outage_until_it_is_back() -> None:
    with killed_server() as server:
        database = open_database(server.url)
        migrate.upgrade(database)
        intake = open_intake(database, HandClock())
        given: Any = {"hook": "1", "event": "issues", "headers": {}, "body": b"{}"}
        await kept(intake, guid="before", **given)
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
            server.kill()
            with pytest.raises(StoreUnavailable):
                await connection.execute(text("SELECT 1"))
        with pytest.raises(StoreUnavailable):
            await keep_one(database)
        with pytest.raises(StoreUnavailable):
            await kept(intake, guid="lost", **given)
        with pytest.raises(SettingsInvalid, match="cannot open"), connected(database):
            pass
        server.begin_anew()

        await keep_one(database)
        await kept(intake, guid="after", **given)
        await intake.close()
        await database.close()
