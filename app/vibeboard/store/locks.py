"""Locks by name, seen by every process on the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from weakref import WeakValueDictionary

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.exc import InvalidRequestError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.errors import StoreUnavailable
from vibeboard.store.database import Database, lock_number

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
        self._attempted: dict[str, AsyncConnection] = {}
        self._left: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else holds the name, and hold it."""
        lock = self._here.setdefault(name, asyncio.Lock())
        async with lock:
            if self._shared is None:
                yield
                return
            wait = _SOONEST
            while (taken_by := await self._take(name)) is None:
                await asyncio.sleep(wait)
                wait = min(wait * 2, _LATEST)
            try:
                yield
            finally:
                await self._let_go(name, taken_by)

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[bool]:
        """Hold the name if nobody else does; whether it is held."""
        lock = self._here.setdefault(name, asyncio.Lock())
        if lock.locked():
            yield False
            return
        async with lock:
            if self._shared is None:
                yield True
                return
            taken_by = await self._take(name)
            if taken_by is None:
                yield False
                return
            self._attempted[name] = taken_by
            try:
                yield True
            finally:
                del self._attempted[name]
                await self._let_go(name, taken_by)

    async def keeps(self, name: str) -> bool:
        """Whether what ``attempt`` took is still held."""
        if self._shared is None:
            return True
        taken_by = self._attempted.get(name)
        return taken_by is not None and await self._ask(taken_by, true())

    async def close(self) -> None:
        """Let go of everything."""
        if self._left:
            await asyncio.wait(self._left)
        async with self._asking:
            await self._drop()

    async def _take(self, name: str) -> AsyncConnection | None:
        """The connection that holds the name by now; None if somebody else has it."""
        asked = asyncio.ensure_future(self._try(name))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            leaving = asyncio.ensure_future(self._leave(asked, name))
            self._left.add(leaving)
            leaving.add_done_callback(self._left.discard)
            raise

    async def _leave(
        self, asked: "asyncio.Future[AsyncConnection | None]", name: str
    ) -> None:
        """Give back what was taken for somebody who is gone."""
        with suppress(*_ERRORS):
            if (taken_by := await asked) is not None:
                await self._let_go(name, taken_by)

    async def _let_go(self, name: str, taken_by: AsyncConnection) -> None:
        with suppress(*_ERRORS):  # gone, and the lock with it
            await self._ask(taken_by, func.pg_advisory_unlock(lock_number(name)))

    # Nobody who is cancelled may cut off an answer: the connection would be lost with
    # it, and with the connection the locks of all others.

    async def _try(self, name: str) -> AsyncConnection | None:
        async with self._asking:
            connection = await self._connected()
            taken = func.pg_try_advisory_lock(lock_number(name))
            return connection if await self._answer(connection, taken) else None

    async def _ask(
        self, connection: AsyncConnection, question: ColumnElement[bool]
    ) -> bool:
        """What the connection answers; False if there is another one by now."""

        async def asked() -> bool:
            async with self._asking:
                current = self._connection is connection
                return current and await self._answer(connection, question)

        return await asyncio.shield(asyncio.ensure_future(asked()))

    async def _answer(
        self, connection: AsyncConnection, question: ColumnElement[bool]
    ) -> bool:
        try:
            return bool(await connection.scalar(select(question)))
        except InvalidRequestError as error:
            # SQLAlchemy's word for a connection that broke and was not given back.
            await self._drop()
            raise StoreUnavailable(f"the locks were lost: {error}") from error
        except BaseException:
            await self._drop()
            raise

    async def _connected(self) -> AsyncConnection:
        assert self._shared is not None
        if self._connection is None:
            connection = await self._shared.connect()
            self._connection = await connection.execution_options(
                isolation_level="AUTOCOMMIT"
            )
        return self._connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*_ERRORS):
                await connection.invalidate()
            with suppress(*_ERRORS):
                await connection.close()
