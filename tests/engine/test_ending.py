"""What goes on beside the rest can be ended, even if it swallows a cancellation."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from vibeboard.clock import SystemClock
from vibeboard.engine.ending import end
from vibeboard.engine.pump import Pump


async def test_who_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 3:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)

    async with asyncio.timeout(10):
        await end(task, again=0.01)

    assert (swallowed, task.cancelled()) == (3, True)


async def test_what_failed_or_has_ended_counts_as_ended() -> None:
    async def broken() -> None:
        raise RuntimeError

    task = asyncio.create_task(broken())
    await asyncio.wait((task,))

    await end(task)
    await end()

    assert isinstance(task.exception(), RuntimeError)


class Interrupted:
    """A queue whose driver answers a cancellation with an error of its own."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.errors = 0

    async def claim(self, most: int) -> Sequence[str]:
        del most
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self.errors:
                raise
            self.errors += 1
            message = "connection was closed in the middle of operation"
            raise ConnectionError(message) from None
        return ()

    async def strays(self, known: Collection[str]) -> int:
        del known
        return 0

    async def next_due(self) -> datetime | None:
        return None


async def test_a_pump_stops_whatever_its_queue_says() -> None:
    queue = Interrupted()

    async def nothing(name: str) -> None:
        raise AssertionError(name)

    pump = Pump(queue, nothing, places=1, clock=SystemClock())
    pump.start()
    await queue.asked.wait()

    async with asyncio.timeout(10):
        await pump.stop()

    assert (queue.errors, pump.looks) == (1, False)


class Twice:
    """A queue with two pieces, the second of which the first brings about."""

    def __init__(self) -> None:
        self.due = ["first"]
        self.done: list[str] = []

    async def claim(self, most: int) -> Sequence[str]:
        taken, self.due = self.due[:most], self.due[most:]
        return taken

    async def strays(self, known: Collection[str]) -> int:
        del known
        return 0

    async def next_due(self) -> datetime | None:
        return None


async def test_a_pump_rests_once_nothing_is_left_to_do() -> None:
    queue = Twice()

    async def do(name: str) -> None:
        await asyncio.sleep(0.02)
        queue.done.append(name)
        if name == "first":
            queue.due.append("second")

    pump = Pump(queue, do, places=1, clock=SystemClock())
    pump.start()

    async with asyncio.timeout(10):
        await pump.rest()

    assert queue.done == ["first", "second"]
    await pump.stop()
    await pump.finish(timedelta(0))
    await pump.rest()  # one that does not look has nothing to do
