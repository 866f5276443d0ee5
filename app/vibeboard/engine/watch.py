"""Keeps up what nobody tells us of: one process on the database at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

from vibeboard.engine.ending import end
from vibeboard.engine.ports import Locks
from vibeboard.errors import RetryLater, StoreUnavailable, VibeboardError

log = logging.getLogger(__name__)

# Does what is due, and tells how long until something is.
Turn = Callable[[], Awaitable[timedelta]]

_LOCK = "watch"
_KEEPS_EVERY = timedelta(seconds=5)
_OTHERS_DO = timedelta(seconds=10)
_SOONEST_RETRY = timedelta(minutes=1)
_DATABASE_RETRY = timedelta(seconds=2)
_SHORTEST = timedelta(milliseconds=50)


class Watch:
    """Takes turns at what is to be kept up, as long as it is on duty."""

    def __init__(self, locks: Locks, **turns: Turn) -> None:
        self._locks = locks
        self._turns = turns

    @asynccontextmanager
    async def on_duty(self) -> AsyncIterator[None]:
        """Keep watch meanwhile."""
        task = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            await end(task)

    async def _keep(self) -> None:
        while True:
            try:
                async with self._locks.attempt(_LOCK) as ours:
                    if ours:
                        await self._stand()
            except StoreUnavailable as away:
                log.warning("watch interrupted", extra={"why": str(away)})
            except Exception:
                log.exception("watch interrupted")
            await asyncio.sleep(_OTHERS_DO.total_seconds())

    async def _stand(self) -> None:
        """Take the turns until the lock is lost."""
        turns = [
            asyncio.create_task(self._take_turns(name, turn))
            for name, turn in self._turns.items()
        ]
        try:
            while await self._locks.keeps(_LOCK):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(_KEEPS_EVERY.total_seconds())
            log.warning("watch lost: another process may keep it by now")
        finally:
            await end(*turns)

    async def _take_turns(self, name: str, turn: Turn) -> None:
        while True:
            wait = await self._take(name, turn)
            await asyncio.sleep(max(wait, _SHORTEST).total_seconds())

    @staticmethod
    async def _take(name: str, turn: Turn) -> timedelta:
        try:
            return await turn()
        except StoreUnavailable as away:
            log.warning("tried again later", extra={"what": name, "why": str(away)})
            return _DATABASE_RETRY
        except RetryLater as later:
            log.warning("tried again later", extra={"what": name, "why": str(later)})
            return max(later.after, _SOONEST_RETRY)
        except VibeboardError as error:
            log.warning("tried again later", extra={"what": name, "why": str(error)})
        except Exception:
            log.exception("tried again later", extra={"what": name})
        return _SOONEST_RETRY
