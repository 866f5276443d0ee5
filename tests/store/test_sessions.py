"""What sessions with PostgreSQL promise, whatever others have set."""

import asyncio
import socket
from typing import Any

import pytest
from sqlalchemy import text

from vibeboard.errors import StoreUnavailable
from vibeboard.store import database as databases
from vibeboard.store.database import open_database

pytestmark = pytest.mark.postgres

SETTINGS = {
    "off": "on",
    "local": "on",
    "on": "on",
    "remote_write": "remote_write",
    "remote_apply": "remote_apply",
}


@pytest.mark.parametrize(("said", "is_"), SETTINGS.items())
async def test_commits_are_on_the_disk_before_they_are_told_of(
    said: str, is_: str, postgres_url: str
) -> None:
    admin = open_database(postgres_url)
    async with admin.engine.begin() as connection:
        name = await connection.scalar(text("SELECT current_database()"))
        await connection.execute(
            text(f"ALTER DATABASE {name} SET synchronous_commit = {said}")
        )
    await admin.close()

    opened = open_database(postgres_url)
    show = text("SHOW synchronous_commit")
    async with opened.engine.begin() as connection:
        assert await connection.scalar(show) == is_
    async with opened.engine.begin() as connection:  # given back and taken again
        assert await connection.scalar(show) == is_
    with opened.sync_engine.begin() as plain:
        assert plain.scalar(show) == is_
    await opened.close()


async def test_an_answer_that_does_not_come_is_an_outage(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_STATEMENT", 0.3)
    opened = open_database(postgres_url)

    async def sleep() -> None:
        async with opened.engine.begin() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))

    async with asyncio.timeout(10):
        with pytest.raises(StoreUnavailable):
            await sleep()
    async with opened.engine.begin() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1
    await opened.close()


class Silent:
    """A proxy to PostgreSQL's socket that stops passing anything on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._tasks: set[asyncio.Task[None]] = set()
        self.passes = asyncio.Event()
        self.passes.set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there, back = await asyncio.open_unix_connection(self._path)
        for source, target in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._pass(source, target)))

    async def _pass(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            while part := await source.read(65536):
                await self.passes.wait()
                target.write(part)
        finally:
            target.close()


async def test_a_server_that_vanished_holds_up_nobody_for_ever(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "_STATEMENT", 0.5)
    there = open_database(postgres_url).url
    proxy = Silent(f"{there.query['host']}/.s.PGSQL.5432")
    async with proxy as port:
        url = there.set(host="127.0.0.1", port=port, query={})
        opened = open_database(url.render_as_string(hide_password=False))

        async def ask() -> None:
            async with opened.engine.begin() as connection:
                raw: Any = await connection.get_raw_connection()
                ours = raw.driver_connection._transport.get_extra_info("socket")
                assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                proxy.passes.clear()
                await connection.execute(text("SELECT 1"))

        async with asyncio.timeout(20):
            with pytest.raises(StoreUnavailable):
                await ask()
            proxy.passes.set()
            async with opened.engine.begin() as connection:
                assert await connection.scalar(text("SELECT 1")) == 1
        await opened.close()
