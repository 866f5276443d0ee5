"""Transactions that make work due: whoever waits for work hears of their end."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# The channel that processes on one PostgreSQL listen to.
CHANNEL = "vibeboard"


class Due:
    """Begins such transactions. ``wake`` is this process's own ear."""

    def __init__(self, engine: AsyncEngine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake

    @asynccontextmanager
    async def begin(self, *, here: bool = True) -> AsyncIterator[AsyncConnection]:
        """A transaction; its commit wakes all processes that take work.

        With ``here`` False not this one, where who commits looks at once by itself.
        """
        async with self._engine.begin() as connection:
            yield connection
            if connection.dialect.name == "postgresql":
                await connection.execute(select(func.pg_notify(CHANNEL, "")))
        if here:
            self._wake()
