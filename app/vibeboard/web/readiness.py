"""``GET /readyz``: whether work sent here now would be stored and done."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

log = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds the database has
_GOOD_FOR = 1.0  # seconds that an answer is given again


class Readiness:
    """Asks the database and the engine, at most once a second.

    ``write`` writes something small; ``idle`` says why no work is taken, if none is.
    """

    def __init__(
        self, write: Callable[[], Awaitable[None]], idle: Callable[[], str]
    ) -> None:
        self._write = write
        self._idle = idle
        self._asking: asyncio.Task[str] | None = None
        self._asked_at = -_GOOD_FOR
        self.draining = False

    async def receive(self, request: web.Request) -> web.Response:
        """200, or 503 with the reason."""
        del request
        reason = await self.reason()
        if reason:
            told = {"status": "unready", "reason": reason}
            return web.json_response(told, status=503)
        return web.json_response({"status": "ready"})

    async def reason(self) -> str:
        """Why not; empty if it is ready."""
        if self.draining:
            return "shutting down"
        return self._idle() or await self._storage()

    async def _storage(self) -> str:
        asking = self._asking
        now = time.monotonic()
        if asking is None or (asking.done() and now - self._asked_at >= _GOOD_FOR):
            asking = self._asking = asyncio.create_task(self._ask())
            self._asked_at = now
        done, _ = await asyncio.wait([asking], timeout=_PATIENCE)
        return asking.result() if done else "the database takes no write in time"

    async def _ask(self) -> str:
        try:
            await self._write()
        except Exception as error:  # noqa: BLE001 - whatever the database says
            log.warning("the database takes no write", extra={"why": str(error)})
            return "the database takes no write; the log says why"
        return ""
