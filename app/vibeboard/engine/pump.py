"""Keeps pieces of one kind of work under way, as many at once as there are places.

Work is looked for when somebody says that there is some, when a row's time has come,
and now and then in case nobody could say so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Generic, Protocol, TypeVar

from vibeboard.engine.ending import end
from vibeboard.engine.ports import Clock
from vibeboard.errors import StoreUnavailable

log = logging.getLogger(__name__)

Name = TypeVar("Name", bound=Hashable)
_LOOK_EVERY = timedelta(seconds=1)
# How often rows are compared with what is under way, if nothing seems wrong.
_COMPARED_EVERY = 15.0  # seconds
_LAST_WORDS = 15.0  # seconds for what is cut off, to give itself back


class Queue(Protocol[Name]):
    """Where work is taken from."""

    async def claim(self, most: int) -> Sequence[Name]:
        """Take due work, to be done by nobody else."""
        ...

    async def strays(self, known: Collection[Name]) -> int:
        """Give back what is ours by its row, and not among those ``known``."""
        ...

    async def next_due(self) -> datetime | None:
        """When the first piece that waits for its time is due."""
        ...


class Pump(Generic[Name]):
    """Takes work from a queue and does it.

    ``do`` handles its own errors. ``prepare`` makes more work due, and says whether
    there may be more to prepare.
    """

    def __init__(
        self,
        queue: Queue[Name],
        do: Callable[[Name], Awaitable[None]],
        *,
        places: int,
        clock: Clock,
        prepare: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self._queue = queue
        self._do = do
        self._places = places
        self._clock = clock
        self._prepare = prepare
        self._called = asyncio.Event()
        self._rests = asyncio.Event()
        self._under_way: dict[Name, asyncio.Task[None]] = {}
        self._taken_twice: set[Name] = set()
        self._compared_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Look for work at once."""
        self._called.set()

    @property
    def under_way(self) -> int:
        """How many pieces are being done now."""
        return len(self._under_way)

    @property
    def looks(self) -> bool:
        """Whether it takes work."""
        return self._looking is not None and not self._looking.done()

    def start(self) -> None:
        """Begin to take work."""
        if self._places:
            self._looking = asyncio.create_task(self._look())

    async def rest(self) -> None:
        """Wait until it has looked once more and has nothing to do."""
        self._rests.clear()
        self.wake()
        if self.looks:
            await self._rests.wait()

    async def stop(self) -> None:
        """Take no more work; what is under way goes on."""
        if self._looking is not None:
            await end(self._looking)
            self._looking = None

    async def finish(self, grace: timedelta) -> None:
        """Wait for what is under way, and cut off what takes longer than ``grace``."""
        if self._under_way:
            await asyncio.wait(self._under_way.values(), timeout=grace.total_seconds())
        await self.cut_off()

    async def cut_off(self) -> None:
        """Cancel what is under way."""
        await end(*self._under_way.values(), again=_LAST_WORDS)

    async def _look(self) -> None:
        while True:
            was_called = self._called.is_set()
            self._called.clear()
            try:
                await self._compare()
                more = await self._take()
                # Who was just woken will be again, or looks soon by itself.
                calm = _LOOK_EVERY if was_called else await self._wait()
                wait = timedelta(0) if more else calm
                if not more and not self._under_way and not self._called.is_set():
                    self._rests.set()
            except StoreUnavailable as away:
                log.warning("cannot look for work", extra={"why": str(away)})
                wait, self._compared_at = _LOOK_EVERY, float("-inf")
            except Exception:
                log.exception("cannot look for work")
                wait, self._compared_at = _LOOK_EVERY, float("-inf")
            if wait > timedelta(0):
                try:
                    async with asyncio.timeout(wait.total_seconds()):
                        await self._called.wait()
                except TimeoutError:
                    continue

    async def _compare(self) -> None:
        """Give back rows that are ours, and which nothing here is under way for.

        A claim may have been committed though its answer was lost: nobody would come
        for what it took. Between two looks no claim is under way.
        """
        now = asyncio.get_running_loop().time()
        if now - self._compared_at < _COMPARED_EVERY:
            return
        if found := await self._queue.strays(tuple(self._under_way)):
            log.warning("gave back what nobody had", extra={"found": found})
        self._compared_at = now

    async def _take(self) -> bool:
        """Take what there are places for; whether more may be waiting unprepared."""
        more = self._prepare is not None and await self._prepare()
        free = self._places - len(self._under_way)
        if free > 0:
            for name in await self._queue.claim(free):
                if name in self._under_way:
                    # Given back and taken again before its task has ended, which may
                    # give it back once more. It is taken anew when that has ended.
                    self._taken_twice.add(name)
                    continue
                task = asyncio.ensure_future(self._do(name))
                self._under_way[name] = task
                task.add_done_callback(partial(self._done, name))
        return more

    async def _wait(self) -> timedelta:
        due = await self._queue.next_due()
        if due is None:
            return _LOOK_EVERY
        return min(max(due - self._clock.now(), timedelta(milliseconds=1)), _LOOK_EVERY)

    def _done(self, name: Name, task: asyncio.Task[None]) -> None:
        del self._under_way[name]
        if name in self._taken_twice:
            self._taken_twice.remove(name)
            self._compared_at = float("-inf")
        self._called.set()
        if not task.cancelled() and task.exception() is not None:
            log.error("work broke off", exc_info=task.exception())
