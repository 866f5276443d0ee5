"""A process that cannot say that it lives drops its work, whatever keeps it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from vibeboard.engine.lease import Lease

TERM = timedelta(seconds=0.4)


class Heart:
    """Satisfies ``Workers``; beats as it is told."""

    alone = False

    def __init__(self) -> None:
        self.beats = 0
        self.answers = True
        self.fails = False
        self.go_on = threading.Event()
        self.go_on.set()

    async def enter(self) -> None:
        """Begin."""

    def beat(self) -> bool:
        self.beats += 1
        self.go_on.wait(20)
        if self.fails:
            raise OSError
        return self.answers

    async def reap(self) -> int:
        return 0

    async def leave(self) -> None:
        """End."""


class Held:
    def __init__(self) -> None:
        self.heart = Heart()
        self.losses = 0
        self.lost = asyncio.Event()
        self.lease = Lease(self.heart, term=TERM, lost=self._lose)

    def _lose(self) -> None:
        self.losses += 1
        self.lost.set()

    async def loses(self) -> None:
        async with asyncio.timeout(10):
            await self.lost.wait()


@pytest.fixture
async def held() -> AsyncIterator[Held]:
    made = Held()
    await made.lease.enter()
    yield made
    made.heart.go_on.set()
    await made.lease.leave()


async def test_who_beats_keeps_its_work(held: Held) -> None:
    await asyncio.sleep(3 * TERM.total_seconds())

    assert held.heart.beats > 3
    assert held.losses == 0


async def test_a_beat_without_an_answer_is_none(held: Held) -> None:
    held.heart.go_on.clear()

    await held.loses()

    held.heart.answers = False  # told of its death much later
    held.heart.go_on.set()
    await asyncio.sleep(TERM.total_seconds())
    assert held.losses == 1


async def test_beats_that_fail_for_a_term_are_a_loss(held: Held) -> None:
    held.heart.fails = True

    await held.loses()

    beats = held.heart.beats
    await asyncio.sleep(TERM.total_seconds())
    assert (held.losses, held.heart.beats) == (1, beats)


async def test_who_was_declared_dead_hears_of_it(held: Held) -> None:
    held.heart.answers = False

    await held.loses()

    await asyncio.sleep(3 * TERM.total_seconds())
    assert held.losses == 1


async def test_a_beat_that_hangs_holds_up_no_end(held: Held) -> None:
    held.heart.go_on.clear()
    await asyncio.sleep(TERM.total_seconds() / 2)

    async with asyncio.timeout(5):
        await held.lease.leave()
