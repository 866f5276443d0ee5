"""Ends what goes on beside the rest."""

import asyncio
from typing import Any


async def end(*tasks: asyncio.Task[Any], again: float = 1.0) -> None:
    """Cancel them until they have ended; ``again`` is the time between, in seconds.

    Once may not be enough: a driver that is interrupted can raise an error of its own
    in the place of the cancellation, and who mends errors goes on.
    """
    waiting = set(tasks)
    while waiting:
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=again)
    await asyncio.gather(*tasks, return_exceptions=True)
