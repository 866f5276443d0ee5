"""Says from a thread of its own that this process lives, and buries the dead."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from vibeboard.engine.ending import end
from vibeboard.engine.ports import Workers
from vibeboard.errors import StoreUnavailable

log = logging.getLogger(__name__)


class Lease:
    """The right of one process to its work.

    The thread beats even while the event loop is busy. Once the process was declared
    dead, or could not say that it lives for a whole ``term``, ``lost`` is called on
    the loop: others may have its work by then.
    """

    def __init__(
        self, workers: Workers, *, term: timedelta, lost: Callable[[], None]
    ) -> None:
        self._workers = workers
        self._term = term
        self._lost = lost
        self._leaving = threading.Event()
        self._thread: threading.Thread | None = None
        self._reaper: asyncio.Task[None] | None = None

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
        self._thread.start()
        self._reaper = asyncio.create_task(self._reap())

    async def leave(self) -> None:
        """Stop living; what was not given back is free."""
        self._leaving.set()
        if self._reaper is not None:
            await end(self._reaper)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)
        await self._workers.leave()

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        missed = 0
        while not self._leaving.wait(self.pause):
            try:
                alive = self._workers.beat()
            except Exception:  # noqa: BLE001 - whatever the database's driver says
                missed += 1
                log.warning("cannot say that we live", extra={"missed": missed})
                alive = missed * self.pause < self._term.total_seconds()
            else:
                missed = 0
            if not alive:
                loop.call_soon_threadsafe(self._lost)
                return

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
