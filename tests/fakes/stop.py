"""Stop signals for steps that run outside of a run."""

import asyncio


class Never:
    """Nobody asks to stop."""

    def is_set(self) -> bool:
        return False

    async def wait(self) -> bool:
        return await asyncio.Event().wait()


class Stop:
    """Asks to stop when told to."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def ask(self) -> None:
        self._asked.set()

    def is_set(self) -> bool:
        return self._asked.is_set()

    async def wait(self) -> bool:
        return await self._asked.wait()
