"""One act for all who wait for the same."""

import asyncio

import pytest

from vibeboard.github.turns import Turn, Turns


class Acts:
    """An act that ends when the test says so."""

    def __init__(self) -> None:
        self.turns: Turns[str, str] = Turns()
        self.acted: list[str] = []
        self.begun = asyncio.Semaphore(0)
        self.may_end = asyncio.Semaphore(0)

    async def act(self, turn: Turn[str]) -> str:
        value = turn.take()
        self.acted.append(value)
        self.begun.release()
        await self.may_end.acquire()
        if value == "fails":
            raise LookupError(value)
        return value.upper()

    def ask(self, value: str, key: str = "one") -> "asyncio.Task[str]":
        return asyncio.create_task(self.turns.share(key, value, self.act))


async def test_all_who_wait_get_what_came_of_the_last_value() -> None:
    acts = Acts()
    first = acts.ask("a")
    await acts.begun.acquire()
    waiting = [acts.ask(value) for value in "bcd"]
    acts.may_end.release()
    acts.may_end.release()

    assert await first == "A"
    assert [await one for one in waiting] == ["D", "D", "D"]
    assert acts.acted == ["a", "d"]


async def test_another_key_does_not_wait() -> None:
    acts = Acts()
    asked = [acts.ask("a"), acts.ask("b", key="other")]
    await acts.begun.acquire()
    await acts.begun.acquire()
    acts.may_end.release()
    acts.may_end.release()

    assert [await one for one in asked] == ["A", "B"]


async def test_a_failure_is_the_failure_of_all_who_waited() -> None:
    acts = Acts()
    first = acts.ask("a")
    await acts.begun.acquire()
    waiting = [acts.ask("b"), acts.ask("fails")]
    acts.may_end.release()
    acts.may_end.release()
    await first

    for one in waiting:
        with pytest.raises(LookupError):
            await one
    acts.may_end.release()
    assert await acts.ask("c") == "C"


async def test_others_act_when_one_is_cancelled() -> None:
    acts = Acts()
    first = acts.ask("a")
    await acts.begun.acquire()
    leader, follower = acts.ask("b"), acts.ask("c")
    await asyncio.sleep(0)
    leader.cancel()
    acts.may_end.release()
    acts.may_end.release()

    assert await first == "A"
    assert await follower == "C"
    with pytest.raises(asyncio.CancelledError):
        await leader


async def test_others_act_when_one_is_cancelled_in_the_act() -> None:
    acts = Acts()
    leader = acts.ask("a")
    follower = acts.ask("b")
    await acts.begun.acquire()
    leader.cancel()
    await acts.begun.acquire()
    acts.may_end.release()

    assert await follower == "B"
    assert acts.acted == ["a", "b"]
