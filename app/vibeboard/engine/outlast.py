"""Writes down what must be written down, however long the database is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vibeboard.errors import StoreUnavailable

log = logging.getLogger(__name__)

Written = TypeVar("Written")
_PAUSE = 1.0  # seconds


async def outlast(write: Callable[[], Awaitable[Written]]) -> Written:
    """Do it, again and again while the database is away; until cancelled.

    A process that is declared dead meanwhile is cancelled by the loss of its lease.
    """
    while True:
        try:
            return await write()
        except StoreUnavailable as away:
            log.warning("waits for the database", extra={"why": str(away)})
        await asyncio.sleep(_PAUSE)
