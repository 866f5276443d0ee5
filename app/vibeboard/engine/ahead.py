"""Begins what is needed soon while something else is awaited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from vibeboard.engine.ending import end

T = TypeVar("T")


@asynccontextmanager
async def ahead(
    do: Callable[[], Awaitable[T]], *, now: bool
) -> AsyncIterator[Callable[[], Awaitable[T]]]:
    """Begin ``do`` ``now``, or when it is first asked for; it is done once.

    Whoever asks gets its answer or its error. What nobody has asked for by the end is
    cut off.
    """
    task: asyncio.Task[T] | None = None

    async def done() -> T:
        return await do()

    def asked() -> Awaitable[T]:
        nonlocal task
        if task is None:
            task = asyncio.create_task(done())
        return task

    if now:
        asked()
    try:
        yield asked
    finally:
        if task is not None:
            await end(task)
