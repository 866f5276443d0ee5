"""Locks by name, seen by every process on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from sqlalchemy import func, select

from vibeboard.store.database import Database, lock_number

# A lock holds a connection, and who holds it needs another one.
_AT_ONCE = 4


class SqlLocks:
    """Satisfies ``engine.tracking.Locks``; SQLite has no other process to keep out."""

    def __init__(self, database: Database) -> None:
        self._shared = None if database.is_sqlite else database.engine
        self._here: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._connections = asyncio.Semaphore(_AT_ONCE)

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else holds the name, and hold it."""
        lock = self._here.setdefault(name, asyncio.Lock())
        async with lock:
            if self._shared is None:
                yield
                return
            async with self._connections, self._shared.begin() as connection:
                # The end of the transaction, or of this process, frees it.
                await connection.execute(
                    select(func.pg_advisory_xact_lock(lock_number(name)))
                )
                yield
