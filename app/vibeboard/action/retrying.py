"""Does again what time may mend; a job has nobody else to come back later."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from vibeboard.domain.retry import MOST_TRIES, wait_before
from vibeboard.errors import RetryLater

log = logging.getLogger(__name__)

Done = TypeVar("Done")


async def tried(do: Callable[[], Awaitable[Done]], most: int = MOST_TRIES) -> Done:
    """Do it, again after a while if time may mend what was wrong.

    Raises RetryLater as the last of ``most`` tries did.
    """
    tries = 0
    while True:
        try:
            return await do()
        except RetryLater as later:
            if tries + 1 == most:
                raise
            wait = wait_before(tries, later.after)
            log.warning(
                "tried again later",
                extra={"why": str(later), "after": wait.total_seconds()},
            )
            await asyncio.sleep(wait.total_seconds())
            tries += 1
