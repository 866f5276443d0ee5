"""Says from a thread of its own that this process lives, and buries the dead."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from vibeboard.engine.ending import end
from vibeboard.engine.ports import Workers
from vibeboard.errors import StoreUnavailable

log = logging.getLogger(__name__)

# A process that stood still, or whose machine did, has its next beat answered between
# these two looks.
_LOOKS = 2


class Lease:
    """The right of one process to its work.

    The thread beats even while the event loop is busy. Once the process was declared
    dead, or could not say that it lives for a whole ``term``, ``lost`` is called on
    the loop, once: others may have its work by then. A beat that gets no answer, be it
    for ever, is none.
    """

    def __init__(
        self, workers: Workers, *, term: timedelta, lost: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._term = term
        self._lost = lost
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._beside: list[asyncio.Task[None]] = []
        self._beaten_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds between two beats."""
        return self._term.total_seconds() / 4

    async def enter(self) -> None:
        """Begin to live."""
        await self._workers.enter()
        if self._workers.alone:
            return
        loop = asyncio.get_running_loop()
        self._thread = threading.Thread(
            target=self._beat, args=(loop,), name="lease", daemon=True
        )
        self._beaten_at = time.monotonic()
        self._thread.start()
        self._beside = [
            asyncio.create_task(self._reap()),
            asyncio.create_task(self._watch()),
        ]

    async def leave(self) -> None:
        """Stop living; what was not given back is free."""
        self._leaving.set()
        await end(*self._beside)
        if self._thread is not None:
            # It may wait for an answer that never comes, and holds up nobody then.
            await asyncio.to_thread(self._thread.join, self._term.total_seconds())
        await self._workers.leave()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        missed = 0
        while not self._leaving.wait(self.pause):
            began = time.monotonic()
            try:
                alive = self._workers.beat()
            except Exception:  # noqa: BLE001 - whatever the database's driver says
                missed += 1
                log.warning("cannot say that we live", extra={"missed": missed})
                continue
            if not alive:
                with suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(self._lose)
                return
            missed, self._beaten_at = 0, began

    async def _watch(self) -> None:
        """Notice that no beat was answered for a whole term."""
        late = 0
        while late < _LOOKS:
            await asyncio.sleep(self.pause)
            is_late = time.monotonic() - self._beaten_at > self._term.total_seconds()
            late = late + 1 if is_late else 0
        self._lose()

    def _lose(self) -> None:
        if self._leaving.is_set():
            return
        self._leaving.set()  # a beat that is answered after this is not ours
        for task in self._beside:
            task.cancel()
        self._lost()

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(self.pause)
            try:
                dead = await self._workers.reap()
            except StoreUnavailable as away:
                log.warning("cannot look for dead processes", extra={"why": str(away)})
                continue
            except Exception:
                log.exception("cannot look for dead processes")
                continue
            if dead:
                log.warning("took over from dead processes", extra={"dead": dead})
