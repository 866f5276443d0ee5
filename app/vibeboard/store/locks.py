"""Locks by name, seen by every process on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.exc import SQLAlchemyError

from vibeboard.errors import StoreUnavailable
from vibeboard.store.database import Database, lock_number

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_SOONEST = 0.01  # seconds until a lock that somebody else holds is tried again
_LATEST = 0.2
_ERRORS = (SQLAlchemyError, StoreUnavailable)


class SqlLocks:
    """Satisfies ``engine.ports.Locks``; SQLite has no other process to keep out.

    All locks of a process are held by one connection, so that holding many takes no
    more. Whoever loses that connection loses its locks.
    """

    def __init__(self, database: Database) -> None:
        self._shared = None if database.is_sqlite else database.engine
        self._here: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._asking = asyncio.Lock()
        self._connection: AsyncConnection | None = None

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else holds the name, and hold it."""
        lock = self._here.setdefault(name, asyncio.Lock())
        async with lock:
            if self._shared is None:
                yield
                return
            number = lock_number(name)
            wait = _SOONEST
            while not await self._ask(func.pg_try_advisory_lock(number)):
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LATEST)
            try:
                yield
            finally:
                await self._let_go(number)

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[bool]:
        """Hold the name if nobody else does; whether it is held."""
        lock = self._here.setdefault(name, asyncio.Lock())
        if lock.locked():
            yield False
            return
        async with lock:
            number = lock_number(name)
            if self._shared is None:
                yield True
                return
            held = await self._ask(func.pg_try_advisory_lock(number))
            try:
                yield held
            finally:
                if held:
                    await self._let_go(number)

    async def _let_go(self, number: int) -> None:
        with suppress(*_ERRORS):  # gone, and the lock with it
            await asyncio.shield(self._ask(func.pg_advisory_unlock(number)))

    async def close(self) -> None:
        """Let go of everything."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _ask(self, question: ColumnElement[bool]) -> bool:
        async with self._asking:
            assert self._shared is not None
            if self._connection is None:
                connection = await self._shared.connect()
                self._connection = await connection.execution_options(
                    isolation_level="AUTOCOMMIT"
                )
            try:
                return bool(await self._connection.scalar(select(question)))
            except _ERRORS:
                with suppress(*_ERRORS):
                    await self._connection.invalidate()
                    await self._connection.close()
                self._connection = None
                raise
