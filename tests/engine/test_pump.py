"""What a pump takes is done once, and what nobody does is given back."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from vibeboard.clock import SystemClock
from vibeboard.engine.pump import Pump
from vibeboard.errors import StoreUnavailable


class Rows:
    """A queue whose rows are free or ours."""

    def __init__(self, *free: str) -> None:
        self.free = list(free)
        self.ours: set[str] = set()
        self.answers_lost = 0

    async def claim(self, most: int) -> Sequence[str]:
        taken, self.free = self.free[:most], self.free[most:]
        self.ours.update(taken)
        if taken and self.answers_lost:
            self.answers_lost -= 1
            raise StoreUnavailable("the connection was cut off after the commit")
        return taken

    async def strays(self, known: Collection[str]) -> int:
        astray = self.ours.difference(known)
        for name in astray:
            self.release(name)
        return len(astray)

    async def next_due(self) -> datetime | None:
        return None

    def release(self, name: str) -> None:
        if name in self.ours:
            self.ours.remove(name)
            self.free.append(name)


async def closed(pump: Pump[str]) -> None:
    await pump.stop()
    await pump.finish(timedelta(0))


async def test_a_claim_whose_answer_was_lost_is_taken_again() -> None:
    rows, done = Rows("one", "two"), asyncio.Event()
    rows.answers_lost = 1
    seen: list[str] = []

    async def do(name: str) -> None:
        seen.append(name)
        rows.ours.remove(name)
        if len(seen) == 2:
            done.set()

    pump = Pump(rows, do, places=2, clock=SystemClock())
    pump.start()

    async with asyncio.timeout(5):
        await done.wait()
    await closed(pump)
    assert sorted(seen) == ["one", "two"]


async def test_what_is_under_way_is_nothing_astray() -> None:
    rows, go_on = Rows("long"), asyncio.Event()
    began = 0

    async def do(name: str) -> None:
        nonlocal began
        began += 1
        await go_on.wait()
        rows.ours.remove(name)

    pump = Pump(rows, do, places=2, clock=SystemClock())
    pump.start()
    rows.answers_lost = 1  # it compares after this
    await asyncio.sleep(0)
    rows.free.append("other")
    pump.wake()
    await asyncio.sleep(1.5)
    go_on.set()
    async with asyncio.timeout(5):
        await pump.rest()

    await closed(pump)
    assert (began, rows.ours, rows.free) == (2, set(), [])


async def test_what_is_given_back_twice_is_done_by_one_at_a_time() -> None:
    rows, done = Rows("one"), asyncio.Event()
    under_way, most, times = 0, 0, 0

    async def do(name: str) -> None:
        nonlocal under_way, most, times
        under_way, times = under_way + 1, times + 1
        most = max(most, under_way)
        rows.release(name)
        pump.wake()
        await asyncio.sleep(0.05)  # taken again meanwhile
        if times == 1:
            rows.release(name)  # the answer to the first time was lost
        else:
            rows.free.clear()
            done.set()
        under_way -= 1

    pump = Pump(rows, do, places=2, clock=SystemClock())
    pump.start()

    async with asyncio.timeout(5):
        await done.wait()
    await closed(pump)
    assert (most, times) == (1, 2)
