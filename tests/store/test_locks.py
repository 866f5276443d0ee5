"""Locks that processes on one database share."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from vibeboard.store.database import Database, open_database
from vibeboard.store.locks import SqlLocks


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
