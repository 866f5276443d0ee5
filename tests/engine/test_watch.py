"""Who keeps watch keeps it only as long as it has the lock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta

import pytest

from vibeboard.engine import watch
from vibeboard.engine.watch import Watch
from vibeboard.errors import StoreUnavailable


class OneLock:
    """Satisfies ``Locks``; loses its lock as it is told."""

    def __init__(self) -> None:
        self.kept = True
        self.trouble: Exception | None = None
        self.taken = 0

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError(name)

    @asynccontextmanager
    async def attempt(self, name: str) -> AsyncIterator[bool]:
        assert name == "watch"
        self.taken += self.kept
        yield self.kept

    async def keeps(self, name: str) -> bool:
        assert name == "watch"
        if self.trouble is not None:
            raise self.trouble
        return self.kept


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_KEEPS_EVERY", timedelta(seconds=0.02))
    monkeypatch.setattr(watch, "_OTHERS_DO", timedelta(seconds=0.1))


@pytest.mark.parametrize("trouble", [None, StoreUnavailable("the server restarts")])
async def test_who_loses_the_lock_takes_no_more_turns(
    trouble: Exception | None,
) -> None:
    locks, turns = OneLock(), 0

    async def turn() -> timedelta:
        nonlocal turns
        turns += 1
        return timedelta(0)

    async with Watch(locks, turn=turn).on_duty():
        await asyncio.sleep(0.2)
        assert turns
        locks.kept, locks.trouble = False, trouble
        await asyncio.sleep(0.1)
        before = turns
        await asyncio.sleep(0.3)
        assert turns == before

        locks.kept, locks.trouble = True, None
        await asyncio.sleep(0.3)
        assert turns > before
        assert locks.taken == 2
