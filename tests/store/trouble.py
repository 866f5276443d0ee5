"""Databases that make intake wait or refuse, as real ones do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.store.database import Database

_SQLITE = """
CREATE TRIGGER refusing BEFORE INSERT ON delivery WHEN {when} BEGIN
SELECT RAISE(ROLLBACK, 'out of order: /secret/path'); END
"""
_FUNCTION = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'out of order: /secret/path' USING ERRCODE = '{code}'; END $$
"""
_POSTGRES = """
CREATE TRIGGER refusing BEFORE INSERT ON delivery FOR EACH ROW
WHEN ({when}) EXECUTE FUNCTION refuse()
"""


@asynccontextmanager
async def held(database: Database) -> AsyncIterator[AsyncConnection]:
    """Nobody else can write meanwhile; whoever tries waits."""
    async with database.engine.begin() as connection:
        if not database.is_sqlite:  # on SQLite the beginning is enough
            await connection.execute(text("LOCK TABLE delivery IN EXCLUSIVE MODE"))
        yield connection


@asynccontextmanager
async def refusing(database: Database, guid: str | None = None) -> AsyncIterator[None]:
    """Deliveries cannot be stored: none, or only the one that is named."""
    when = "true" if guid is None else f"NEW.guid = '{guid}'"
    if database.is_sqlite:
        begin = [_SQLITE.format(when=when)]
        end = ["DROP TRIGGER refusing"]
    else:
        # A full disk befalls everybody, a check only the row that fails it.
        code = "53100" if guid is None else "23514"
        begin = [_FUNCTION.format(code=code), _POSTGRES.format(when=when)]
        end = ["DROP TRIGGER refusing ON delivery", "DROP FUNCTION refuse"]
    await _run(database, begin)
    try:
        yield
    finally:
        await _run(database, end)


async def _run(database: Database, statements: list[str]) -> None:
    async with database.engine.begin() as connection:
        for statement in statements:
            await connection.execute(text(statement))
