"""Hears of work that other processes on one PostgreSQL made due."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.engine.ending import end
from vibeboard.store.database import Database
from vibeboard.store.due import CHANNEL

log = logging.getLogger(__name__)

_PAUSE = 1.0  # seconds until a lost connection is made again


class Notices:
    """Calls ``wake`` whenever some process says that there is work."""

    def __init__(self, database: Database, wake: Callable[[], None]) -> None:
        self._database = database
        self._wake = wake
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Listen until ``close``; on SQLite there is nobody else to hear of."""
        if not self._database.is_sqlite:
            self._listening = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Listen no more."""
        if self._listening is not None:
            await end(self._listening)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._database.engine.connect() as connection:
                    await self._hear(connection)
            except Exception as error:  # noqa: BLE001 - whatever the driver says
                log.warning("not told of work for a while", extra={"why": str(error)})
            await asyncio.sleep(_PAUSE)

    async def _hear(self, connection: AsyncConnection) -> None:
        raw = await connection.get_raw_connection()
        driver: Any = raw.driver_connection
        ended = asyncio.Event()
        driver.add_termination_listener(lambda _: ended.set())
        await driver.add_listener(CHANNEL, lambda *_: self._wake())
        try:
            self._wake()  # for what was said while nobody listened
            await ended.wait()
        finally:
            with suppress(Exception):
                await driver.reset_termination_listeners()
        await connection.invalidate()
