"""Intake into PostgreSQL: one connection, one statement a group.

While a group is flushed the next one fills. A second connection would take half of it:
more flushes for the same deliveries, and more work for both sides (measured: a fifth
fewer at 16 connections). The statement is its own transaction. The driver is spoken to
directly: through SQLAlchemy the same costs a third more.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from vibeboard.engine.ports import Kept, Outcome
from vibeboard.store import outage
from vibeboard.store.bodies import Packed, Packer
from vibeboard.store.line import Line, Waiting, compared, firsts

_INSERT = """
INSERT INTO delivery (hook, guid, event, headers, body, encoding, received_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::json[], $5::bytea[],
                     $6::smallint[], $7::timestamp[])
ON CONFLICT DO NOTHING
"""
_READ = "SELECT encoding, body, received_at FROM delivery WHERE hook = $1 AND guid = $2"
_FLAG = "UPDATE delivery SET conflict = true WHERE hook = $1 AND guid = $2"
# These are about one delivery, whatever the others are; a deadlock is with another
# process that keeps the same deliveries.
_OF_ONE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DeadlockDetectedError,
)


class PostgresWriter:
    """Satisfies ``Writer``."""

    def __init__(self, engine: AsyncEngine, line: Line) -> None:
        self._engine = engine
        self._line = line
        self._wanted = asyncio.Event()
        self._packer = Packer()
        self._connection: AsyncConnection | None = None
        self._driver: Any = None
        self._running = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Write what waits, or end if no more is taken."""
        self._wanted.set()

    async def ended(self) -> None:
        """Wait until what waited is stored, and the connection is given back."""
        await self._running

    async def _run(self) -> None:
        while not self._line.closed or self._line.queue:
            await self._wanted.wait()
            if group := self._line.take():
                self._line.tell(group, await self._store(group))
            elif not self._line.closed:
                self._wanted.clear()
        await self._give_back()

    async def _store(self, group: Sequence[Waiting]) -> Sequence[Outcome]:
        try:
            return await self._store_together(group)
        except _OF_ONE as error:
            if len(group) == 1:
                return [error]
            return [(await self._store([waiting]))[0] for waiting in group]
        except Exception as error:  # noqa: BLE001 - all are told that it was not stored
            await self._give_back()
            return [outage.told(error)] * len(group)

    async def _store_together(self, group: Sequence[Waiting]) -> Sequence[Outcome]:
        driver = await self._connected()
        rows = firsts(group)
        packed = [one.packed or await self._pack(one.body) for one in rows]
        done = await driver.execute(
            _INSERT,
            [waiting.hook for waiting in rows],
            [waiting.guid for waiting in rows],
            [waiting.event for waiting in rows],
            [waiting.headers for waiting in rows],
            [body for _, body in packed],
            [encoding for encoding, _ in packed],
            [waiting.received_at for waiting in rows],
        )
        if done == f"INSERT 0 {len(group)}":
            return [Kept.NEW] * len(group)
        return [await self._compare(waiting) for waiting in group]

    async def _pack(self, body: bytes) -> Packed:
        return await asyncio.to_thread(self._packer.pack, body)

    async def _compare(self, waiting: Waiting) -> Outcome:
        encoding, body, received_at = await self._driver.fetchrow(_READ, *waiting.key)
        kept = compared(waiting, (encoding, body), received_at)
        if kept is Kept.CONFLICT:
            await self._driver.execute(_FLAG, *waiting.key)
        return kept

    async def _connected(self) -> Any:
        if self._connection is None:
            self._connection = await self._engine.connect()
            raw = await self._connection.get_raw_connection()
            self._driver = raw.driver_connection
        return self._driver

    async def _give_back(self) -> None:
        if self._connection is not None:
            connection, self._connection, self._driver = self._connection, None, None
            await connection.invalidate()
            await connection.close()
