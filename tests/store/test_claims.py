"""Who has what: claims that nobody knows of, and stops in the middle of a beginning."""

import asyncio
import threading
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, text, update

from tests.conftest import HandClock
from tests.store.ledgers import CARD, Ledger, as_written, start
from vibeboard.domain.effects import StopRun
from vibeboard.domain.run import RunState
from vibeboard.engine.ports import Decision, Delivery, DeliveryState, Sorted
from vibeboard.errors import StoreUnavailable
from vibeboard.store import runs, schema
from vibeboard.store.bodies import ZSTD
from vibeboard.store.database import Database, open_database

RECEIVED, DECIDED = (DeliveryState.RECEIVED,), (DeliveryState.DECIDED,)


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


async def test_deliveries_that_nobody_knows_of_are_given_back(ledger: Ledger) -> None:
    known, lost = await ledger.sorted("acme a", "acme b")
    assert await ledger.delivery_queue.claim(9) == [known, lost]
    woken = ledger.woken

    assert await ledger.delivery_queue.strays({known}, states=DECIDED) == 0
    assert await ledger.delivery_queue.strays({known}, states=RECEIVED) == 1
    assert await ledger.delivery_queue.strays({known}, states=RECEIVED) == 0

    assert ledger.woken == woken + 1
    assert await ledger.delivery_queue.claim(9) == [lost]
    assert (await ledger.deliveries.get(lost)).crashes == 0


async def test_who_has_sorted_looks_by_itself_and_is_not_woken(ledger: Ledger) -> None:
    (delivery,) = await ledger.delivered("acme a")
    woken = ledger.woken

    assert await ledger.delivery_queue.sort(as_written) == 1

    assert ledger.woken == woken
    assert await ledger.delivery_queue.claim(9) == [delivery]


async def test_runs_that_nobody_knows_of_are_given_back(ledger: Ledger) -> None:
    run = await ledger.begun()

    assert await ledger.run_queue.strays({run.id}) == 0
    assert await ledger.run_queue.strays(()) == 1

    assert await ledger.run_queue.claim(9) == [run.id]


async def test_who_decided_gives_back_nothing_that_is_being_performed(
    ledger: Ledger,
) -> None:
    (delivery,) = await ledger.sorted("acme acme/clock#7")
    assert await ledger.delivery_queue.claim(9, states=RECEIVED) == [delivery]
    await ledger.deliveries.settle(delivery, Decision((start(),), "its answer is lost"))
    assert await ledger.delivery_queue.claim(9, states=DECIDED) == [delivery]

    queue = ledger.delivery_queue
    await queue.release(delivery, states=RECEIVED)
    await queue.postpone(delivery, timedelta(0), "", states=RECEIVED)
    await queue.give_up(delivery, "", states=RECEIVED)

    assert await queue.claim(9, states=DECIDED) == []
    await queue.release(delivery, states=DECIDED)
    assert await queue.claim(9, states=DECIDED) == [delivery]


async def test_a_body_that_nobody_can_read_holds_up_no_other(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    async with database.engine.begin() as connection:
        for guid, encoding in (("broken", ZSTD), ("unknown", 9)):
            await connection.execute(
                insert(schema.delivery).values(
                    hook="1",
                    guid=guid,
                    event="issues",
                    headers={},
                    body=b"no frame",
                    encoding=encoding,
                    received_at=clock.now(),
                )
            )
    (good,) = await ledger.delivered("acme a good")

    assert await ledger.delivery_queue.sort(as_written) == 3
    assert await ledger.delivery_queue.sort(as_written) == 0

    assert await ledger.delivery_queue.claim(9) == [good]
    async with database.engine.connect() as connection:
        told = await connection.execute(
            text("SELECT state, reason FROM delivery WHERE guid != :g ORDER BY id"),
            {"g": (await ledger.deliveries.get(good)).guid},
        )
        broken, unknown = told.all()
    assert (broken.state, unknown.state) == ("unreadable", "unreadable")
    assert "ZstdError" in broken.reason
    assert "unknown encoding 9" in unknown.reason


@pytest.mark.postgres
async def test_two_who_sort_keep_the_order(
    postgres: Database, clock: HandClock
) -> None:
    ledger = Ledger(postgres, clock)
    await ledger.workers.enter()
    first = (await ledger.delivered(*(f"acme k {n}" for n in range(65))))[0]
    begun, go_on = threading.Event(), threading.Event()

    def slowly(delivery: Delivery) -> Sorted:
        if not begun.is_set():
            begun.set()
            go_on.wait(10)
        return as_written(delivery)

    def sort_elsewhere() -> None:
        async def one() -> None:
            other = open_database(str_of(postgres))
            await Ledger(other, clock).delivery_queue.sort(slowly)
            await other.close()

        asyncio.run(one())

    elsewhere = asyncio.create_task(asyncio.to_thread(sort_elsewhere))
    assert await asyncio.to_thread(begun.wait, 10)
    assert await ledger.delivery_queue.sort(as_written) == 0
    assert await ledger.delivery_queue.claim(9) == []
    go_on.set()
    await elsewhere

    assert await ledger.delivery_queue.claim(9) == [first]


def str_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


async def test_no_free_connection_is_an_outage(database: Database) -> None:
    pool: Any = database.engine.pool
    pool._timeout = 0.05
    async with AsyncExitStack() as held:
        for _ in range(pool.size() + pool._max_overflow):
            await held.enter_async_context(database.engine.connect())
        with pytest.raises(StoreUnavailable, match="limit"):
            await database.engine.connect()
    async with database.engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


@pytest.mark.postgres
async def test_a_stop_while_an_attempt_begins_keeps_the_attempt(
    postgres: Database, clock: HandClock
) -> None:
    ledger = Ledger(postgres, clock)
    await ledger.workers.enter()
    run = await ledger.begun()
    (stopping,) = await ledger.sorted("acme acme/clock#7")
    decision = Decision((StopRun(run.id, "@alice asked"),), "test")

    async with postgres.engine.begin() as connection:
        begun = await runs.begin(connection, run.id, ledger.workers.life, clock.now())
        stop = asyncio.create_task(ledger.deliveries.settle(stopping, decision))
        done, _ = await asyncio.wait((stop,), timeout=0.5)
        assert not done
    await stop

    stored = await ledger.runs.get(run.id)
    assert (stored.attempt, stored.state) == (2, RunState.STOPPING)
    await ledger.runs.hold(begun)


async def test_a_postponed_run_that_is_stopped_waits_no_longer(ledger: Ledger) -> None:
    run = await ledger.begun()
    await ledger.run_queue.postpone(run.id, timedelta(hours=6), "a limit")

    await ledger.decided(StopRun(run.id, "@alice asked"))

    assert await ledger.run_queue.claim(9) == [run.id]


async def test_a_run_is_given_up_by_who_has_it(
    ledger: Ledger, database: Database
) -> None:
    run = await ledger.begun()
    async with database.engine.begin() as connection:
        of_another = update(schema.run).values(worker="another")
        await connection.execute(of_another)

    await ledger.run_queue.give_up(run.id, "twelve times in vain")
    assert (await ledger.runs.get(run.id)).state is RunState.RUNNING

    async with database.engine.begin() as connection:
        await connection.execute(update(schema.run).values(worker=ledger.workers.life))
    await ledger.run_queue.give_up(run.id, "twelve times in vain")
    await ledger.run_queue.give_up(run.id, "once more, its answer was lost")

    (ended,) = (await ledger.runs.history(CARD)).runs
    assert ended.report is not None
    assert (ended.state, ended.worker) == (RunState.FAILED, None)
    assert ended.report.reason == "twelve times in vain"
