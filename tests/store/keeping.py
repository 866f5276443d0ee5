"""Waits for what becomes of a delivery, as an answer does."""

import asyncio
from typing import Any

from vibeboard.engine.ports import Kept
from vibeboard.store.intake import Intake


async def kept(intake: Intake, **delivery: Any) -> Kept:
    """Keep it; raises what the intake tells, or whoever waits is cancelled."""
    outcome: asyncio.Future[Kept | Exception] = (
        asyncio.get_running_loop().create_future()
    )

    def told(what: Kept | Exception) -> None:
        if not outcome.done():
            outcome.set_result(what)

    intake.keep(**delivery, told=told)
    what = await outcome
    if isinstance(what, Exception):
        raise what
    return what
