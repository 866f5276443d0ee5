"""Whatever goes wrong with a piece of work, its row does not stay with nobody."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from tests.store.ledgers import CARD, Ledger, as_written, start
from vibeboard.clock import SystemClock
from vibeboard.domain.run import Report, RunState
from vibeboard.engine.dispatch import Dispatcher
from vibeboard.engine.ports import Decision, Delivery, DeliveryState, Sorted
from vibeboard.errors import Fenced, StoreUnavailable
from vibeboard.store.database import Database


class Troubled:
    """What is done about deliveries and runs; ``trouble`` comes in between."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.troubles: list[Exception] = []
        self.tried: list[int | str] = []

    def sort(self, delivery: Delivery) -> Sorted:
        return as_written(delivery)

    async def get(self, delivery: int) -> Delivery:
        self._trouble(delivery)
        return await self._ledger.deliveries.get(delivery)

    async def decide(self, delivery: int) -> None:
        await self._ledger.deliveries.settle(delivery, Decision((), "done"))

    async def carry_out(self, run: str) -> None:
        self._trouble(run)
        begun = await self._ledger.run_queue.begin(run)
        await self._ledger.runs.end(begun, Report(RunState.SUCCEEDED))

    async def show(self, run: str) -> None:
        """Nobody looks."""

    def _trouble(self, what: int | str) -> None:
        self.tried.append(what)
        if self.troubles:
            raise self.troubles.pop()


class World:
    def __init__(self, database: Database) -> None:
        self.ledger = Ledger(database, SystemClock())
        self.work = Troubled(self.ledger)
        self.dispatcher = Dispatcher(
            deliveries=cast("Any", self.work),
            delivery_queue=self.ledger.delivery_queue,
            advancer=cast("Any", self.work),
            runs=self.ledger.runs,
            run_queue=self.ledger.run_queue,
            executor=cast("Any", self.work),
            workers=self.ledger.workers,
            clock=SystemClock(),
            runners=1,
            lease=timedelta(seconds=15),
        )

    async def until(self, state: object, seen: Callable[[], Any]) -> None:
        # Before rows are compared with what is under way: that would mend much.
        async with asyncio.timeout(12):
            while (await seen()).state is not state:  # noqa: ASYNC110 - a row changes
                await asyncio.sleep(0.05)


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    made = World(database)
    await made.dispatcher.start()
    yield made
    await made.dispatcher.close(timedelta(0))


async def test_a_delivery_that_could_not_be_read_is_taken_again(
    world: World,
) -> None:
    world.work.troubles = [StoreUnavailable("no connection is free")]
    (delivery,) = await world.ledger.delivered("acme a b")

    await world.until(
        DeliveryState.SETTLED, lambda: world.ledger.deliveries.get(delivery)
    )

    assert world.work.tried == [delivery, delivery]


async def test_a_delivery_that_cannot_be_read_is_given_up(world: World) -> None:
    world.work.troubles = [ValueError("a body of the unknown encoding 9")]
    (delivery,) = await world.ledger.delivered("acme a b")

    await world.until(
        DeliveryState.FAILED, lambda: world.ledger.deliveries.get(delivery)
    )


@pytest.mark.parametrize(
    "trouble",
    [StoreUnavailable("away"), ValueError("ours"), Fenced("a stop came between")],
    ids=lambda trouble: type(trouble).__name__,
)
async def test_a_run_is_taken_again_whatever_went_wrong(
    world: World, trouble: Exception
) -> None:
    world.work.troubles = [trouble]
    await world.ledger.starts(start())
    (run,) = (await world.ledger.runs.history(CARD)).runs

    await world.until(RunState.SUCCEEDED, lambda: world.ledger.runs.get(run.id))

    # Its end is a delivery of our own, which may have been seen to by now.
    assert world.work.tried.count(run.id) == 2


async def test_a_run_that_goes_wrong_again_and_again_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibeboard.engine.dispatch.MOST_TRIES", 1)
    world.work.troubles = [ValueError("ours")]
    await world.ledger.starts(start())
    (run,) = (await world.ledger.runs.history(CARD)).runs

    await world.until(RunState.FAILED, lambda: world.ledger.runs.get(run.id))
