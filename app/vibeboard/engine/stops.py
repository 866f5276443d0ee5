"""Tells a step that is under way that its run was asked to stop.

The run's row is the truth; the kick only spares the wait for the next look.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from vibeboard.domain.run import RunState
from vibeboard.engine.ending import end
from vibeboard.engine.ports import Runs
from vibeboard.errors import StoreUnavailable

_LOOK_EVERY = timedelta(seconds=1)


class Stops:
    """The stop signals of runs that this process carries out."""

    def __init__(self, runs: Runs, *, every: timedelta = _LOOK_EVERY) -> None:
        """``every`` so often a run is looked at."""
        self._runs = runs
        self._every = every
        self._events: dict[str, asyncio.Event] = {}

    def kick(self, run: str) -> None:
        """Wake whoever watches the run, if it is in this process."""
        if run in self._events:
            self._events[run].set()

    @asynccontextmanager
    async def watch(self, run: str) -> AsyncIterator[asyncio.Event]:
        """A signal that is set once the run is asked to stop."""
        event = self._events.setdefault(run, asyncio.Event())
        watcher = asyncio.create_task(self._look(run, event))
        try:
            yield event
        finally:
            await end(watcher)
            self._events.pop(run, None)

    async def _look(self, run: str, event: asyncio.Event) -> None:
        while not event.is_set():
            with suppress(StoreUnavailable):  # the agent works on meanwhile
                if (await self._runs.get(run)).state is RunState.STOPPING:
                    event.set()
                    return
            await asyncio.sleep(self._every.total_seconds())
