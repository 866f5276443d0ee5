"""Work that waits for its time, be it days: nobody has it meanwhile."""

from datetime import timedelta

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import Ledger
from vibeboard.domain.run import RunState
from vibeboard.engine.ports import DeliveryState
from vibeboard.store.database import Database

READ = (DeliveryState.RECEIVED,)


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


async def test_a_run_that_waits_for_days_is_taken_on_its_day(
    ledger: Ledger, clock: HandClock
) -> None:
    run = await ledger.begun()
    await ledger.run_queue.postpone(run.id, timedelta(days=9), "the budget of June")

    clock.at += timedelta(days=8)
    assert await ledger.run_queue.claim(9) == []
    due = await ledger.run_queue.next_due()
    assert due is not None
    assert timedelta(hours=23) < due - clock.at < timedelta(days=1)
    waiting = await ledger.runs.get(run.id)
    assert (waiting.state, waiting.worker) == (RunState.RUNNING, None)
    assert (waiting.waits_for, waiting.tries) == ("the budget of June", 1)

    clock.at += timedelta(days=1)
    assert await ledger.run_queue.claim(9) == [run.id]
    taken = await ledger.runs.get(run.id)
    assert (taken.waits_for, taken.due_at) == ("", None)


async def test_a_run_that_waits_for_days_outlives_a_restart(
    database: Database, ledger: Ledger, clock: HandClock
) -> None:
    run = await ledger.begun()
    await ledger.run_queue.postpone(run.id, timedelta(days=9), "the budget of June")
    await ledger.workers.leave()
    clock.at += timedelta(days=4)
    after = Ledger(database, clock)
    await after.workers.enter()

    assert await after.run_queue.claim(9) == []
    clock.at += timedelta(days=5)
    assert await after.run_queue.claim(9) == [run.id]
    begun = await after.run_queue.begin(run.id)
    assert (begun.attempt, begun.crashes) == (2, 0)


async def test_a_delivery_that_waits_for_days_is_taken_on_its_day(
    ledger: Ledger, clock: HandClock
) -> None:
    (delivery,) = await ledger.sorted("acme acme/clock#7")
    assert await ledger.delivery_queue.claim(9, states=READ) == [delivery]
    await ledger.delivery_queue.postpone(delivery, timedelta(days=2), "a limit")

    clock.at += timedelta(days=1)
    assert await ledger.delivery_queue.claim(9, states=READ) == []
    clock.at += timedelta(days=1)
    assert await ledger.delivery_queue.claim(9, states=READ) == [delivery]
