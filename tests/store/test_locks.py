"""Locks that processes on one database share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import text

from vibeboard.errors import SettingsInvalid, StoreUnavailable
from vibeboard.store.database import Database, only_process, open_database
from vibeboard.store.locks import SqlLocks

WARNED = "another Vibeboard has begun under the name of this one"


class Doors:
    """Who is inside, and in which order they came and went."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.entered = asyncio.Event()
        self.leave = asyncio.Event()

    async def stay(self, locks: SqlLocks, name: str) -> None:
        async with locks.hold(name):
            self.seen.append("first in")
            self.entered.set()
            await self.leave.wait()
            self.seen.append("first out")

    async def follow(self, locks: SqlLocks, name: str) -> None:
        async with locks.hold(name):
            self.seen.append("second in")


async def entered_one_by_one(first: SqlLocks, second: SqlLocks) -> list[str]:
    doors = Doors()
    async with asyncio.TaskGroup() as group:
        group.create_task(doors.stay(first, "run 1"))
        await doors.entered.wait()
        following = group.create_task(doors.follow(second, "run 1"))
        async with second.hold("run 2"):  # another name is free
            assert not following.done()
        doors.leave.set()
    return doors.seen


async def test_one_at_a_time_in_one_process(database: Database) -> None:
    locks = SqlLocks(database)

    assert await entered_one_by_one(locks, locks) == [
        "first in",
        "first out",
        "second in",
    ]
    await locks.close()


@pytest.fixture
async def two_processes(postgres_url: str) -> AsyncIterator[tuple[Database, Database]]:
    pair = open_database(postgres_url), open_database(postgres_url)
    yield pair
    for each in pair:
        await each.close()


@pytest.mark.postgres
async def test_one_at_a_time_among_processes(
    two_processes: tuple[Database, Database],
) -> None:
    first, second = map(SqlLocks, two_processes)

    assert await entered_one_by_one(first, second) == [
        "first in",
        "first out",
        "second in",
    ]
    await first.close()
    await second.close()


async def test_an_error_gives_the_lock_back(database: Database) -> None:
    locks = SqlLocks(database)

    with pytest.raises(ValueError, match="inside"):
        async with locks.hold("run 1"):
            raise ValueError("inside")

    async with asyncio.timeout(5), locks.hold("run 1"):
        pass
    await locks.close()


async def pids(database: Database) -> list[int]:
    """The sessions that hold advisory locks."""
    async with database.engine.connect() as connection:
        asked = text(
            "SELECT DISTINCT l.pid FROM pg_locks l JOIN pg_database d "
            "ON d.oid = l.database AND d.datname = current_database() "
            "WHERE l.locktype = 'advisory'"
        )
        return list(await connection.scalars(asked))


async def end_sessions(database: Database) -> None:
    for pid in await pids(database):
        async with database.engine.connect() as connection:
            await connection.execute(text(f"SELECT pg_terminate_backend({pid})"))


async def is_free(locks: SqlLocks, name: str) -> bool:
    async with locks.attempt(name) as taken:
        return taken


@pytest.mark.postgres
async def test_who_is_cancelled_costs_nobody_a_lock(
    two_processes: tuple[Database, Database],
) -> None:
    first, second = map(SqlLocks, two_processes)

    async with first.hold("kept"):
        (before,) = await pids(two_processes[0])
        for delay in range(12):  # at different points of asking and waiting
            waiter = asyncio.create_task(Doors().stay(first, f"given up {delay}"))
            for _ in range(delay * 3):
                await asyncio.sleep(0)
            waiter.cancel()
            with suppress(asyncio.CancelledError):
                await waiter
        async with first.hold("other"):
            assert not await is_free(second, "kept")
            assert await pids(two_processes[0]) == [before]
    await asyncio.sleep(0.1)

    assert all([await is_free(second, f"given up {x}") for x in range(12)])
    assert await is_free(second, "kept")
    await first.close()
    await second.close()


@pytest.mark.postgres
async def test_a_lost_connection_is_told_and_made_again(
    two_processes: tuple[Database, Database],
) -> None:
    locks, other = map(SqlLocks, two_processes)
    async with locks.attempt("watch") as ours:
        assert ours
        assert await locks.keeps("watch")
        await end_sessions(two_processes[1])

        with pytest.raises(StoreUnavailable):
            await locks.keeps("watch")
        async with locks.hold("another"):  # on a connection of its own
            assert not await locks.keeps("watch")
            assert await is_free(other, "watch")

    assert not await locks.keeps("watch")
    assert await is_free(other, "another")
    await locks.close()
    await other.close()


@pytest.mark.postgres
async def test_a_broken_connection_is_an_outage_once(
    two_processes: tuple[Database, Database],
) -> None:
    locks = SqlLocks(two_processes[0])
    async with locks.hold("one"):
        connection: Any = locks._connection
        await connection.invalidate()  # as a driver leaves it that was interrupted

        with pytest.raises(StoreUnavailable):
            async with locks.hold("two"):
                pass
        async with locks.hold("two"):
            pass
    await locks.close()


@pytest.mark.postgres
async def test_the_name_of_a_process_is_taken_again(
    two_processes: tuple[Database, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibeboard.store.database._KEPT_EVERY", 0.1)
    first, second = two_processes
    with only_process(first, "server"):
        (before,) = await pids(second)
        await end_sessions(second)
        async with asyncio.timeout(10):
            while await pids(second) in ([], [before]):  # noqa: ASYNC110 - a thread
                await asyncio.sleep(0.05)

        with (
            pytest.raises(SettingsInvalid, match="'server'"),
            only_process(second, "server"),
        ):
            pass

    with only_process(second, "server"):
        pass


@pytest.mark.postgres
async def test_a_name_that_somebody_took_meanwhile_is_told(
    two_processes: tuple[Database, Database],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("vibeboard.store.database._KEPT_EVERY", 0.3)
    first, second = two_processes
    with only_process(first, "server"):
        await end_sessions(second)
        with only_process(second, "server"):
            async with asyncio.timeout(10):
                while WARNED not in caplog.text:  # noqa: ASYNC110 - a thread
                    await asyncio.sleep(0.05)
