"""What is begun early is done once, told to whoever asks, and cut off else."""

import asyncio
from functools import partial

import pytest

from vibeboard.engine.ahead import ahead


class Work:
    """Counts how often it was begun and cut off."""

    def __init__(self) -> None:
        self.begun = 0
        self.cut_off = 0
        self.may_end = asyncio.Event()

    async def do(self) -> str:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        return "done"


async def test_it_goes_on_while_nobody_asks() -> None:
    work = Work()
    async with ahead(work.do, now=True) as asked:
        await asyncio.sleep(0)
        assert work.begun == 1
        work.may_end.set()
        assert [await asked(), await asked()] == ["done", "done"]
    assert (work.begun, work.cut_off) == (1, 0)


async def test_what_is_not_wanted_now_waits_to_be_asked_for() -> None:
    work = Work()
    work.may_end.set()
    async with ahead(work.do, now=False) as asked:
        await asyncio.sleep(0)
        assert work.begun == 0
        assert await asked() == "done"
    async with ahead(work.do, now=False):
        pass
    assert work.begun == 1


async def test_what_nobody_asks_for_is_cut_off() -> None:
    work = Work()
    async with ahead(work.do, now=True):
        await asyncio.sleep(0)
    assert (work.begun, work.cut_off) == (1, 1)


async def test_its_error_is_for_who_asks_and_for_nobody_else() -> None:
    async def fails(why: str) -> None:
        raise ValueError(why)

    async with ahead(partial(fails, "nobody asks"), now=True):
        await asyncio.sleep(0)
    async with ahead(partial(fails, "no room"), now=True) as asked:
        with pytest.raises(ValueError, match="no room"):
            await asked()
