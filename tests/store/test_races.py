"""Two who write the same at once: neither fails, and nothing is lost between them."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.conftest import HandClock
from tests.store.ledgers import CARD, OTHER, Ledger, start
from vibeboard.domain.board import BoardKey, CardKey, Place
from vibeboard.domain.effects import MoveCard, Reply
from vibeboard.engine.ports import Decision, DeliveryState, Remembered, Sighting
from vibeboard.store import runs, schema
from vibeboard.store.database import Database
from vibeboard.store.due import Due
from vibeboard.store.ledger import SqlMarks
from vibeboard.store.orders import SqlOrders
from vibeboard.store.sightings import SqlSightings

MOVE = MoveCard(CARD, Place(BoardKey("acme", 1), "P", "A"), "B", "d", "Status")
HELLO = Reply(CARD, "Hello", "greeting")
SEARCHED = timedelta(seconds=11)


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


@pytest.fixture
async def among_others(postgres: Database, clock: HandClock) -> Ledger:
    """The same where others write at the same time."""
    made = Ledger(postgres, clock)
    await made.workers.enter()
    return made


def due(database: Database) -> Due:
    return Due(database.engine, lambda: None)


def sightings(database: Database, clock: HandClock) -> SqlSightings:
    return SqlSightings(database.engine, due(database), clock)


def seen(card: CardKey, column: str) -> tuple[Sighting, Remembered | None]:
    return Sighting(card, column, None, "m"), None


async def waits(what: Awaitable[None]) -> "asyncio.Future[None]":
    """It has begun, and waits for a transaction that is open."""
    begun = asyncio.ensure_future(what)
    await asyncio.wait((begun,), timeout=0.4)
    assert not begun.done()
    return begun


async def put(connection: AsyncConnection, card: CardKey, column: str) -> None:
    await connection.execute(
        insert(schema.card).values(
            repository=card.repository,
            number=card.number,
            board_column=column,
            seen_at=datetime(2026, 1, 2, tzinfo=UTC),
        )
    )


@pytest.mark.postgres
async def test_a_decision_about_a_card_that_is_being_noted_is_written(
    among_others: Ledger, postgres: Database
) -> None:
    (delivery,) = await among_others.sorted("acme acme/clock#7")
    decision = Decision((MOVE,), "test", card=CARD, seen="B", saw_place=True)

    async with postgres.engine.begin() as connection:
        await put(connection, CARD, "A")
        settled = await waits(among_others.deliveries.settle(delivery, decision))
    await settled
    assert (await among_others.runs.history(CARD)).column == "B"

    async with postgres.engine.begin() as connection:
        await connection.execute(delete(schema.card))
        await put(connection, CARD, "B")
        refused = await waits(
            among_others.deliveries.performed(MOVE, error="no column B")
        )
    await refused
    assert (await among_others.runs.history(CARD)).column == "A"


@pytest.mark.postgres
async def test_a_card_that_is_being_decided_about_is_left_to_the_decision(
    among_others: Ledger, postgres: Database, clock: HandClock
) -> None:
    found = [seen(OTHER, "Old"), seen(CARD, "Old")]

    async with postgres.engine.begin() as connection:
        await put(connection, CARD, "Decided")
        noted = await waits(sightings(postgres, clock).note(found))
    await noted

    assert (await among_others.runs.history(CARD)).column == "Decided"
    assert (await among_others.runs.history(OTHER)).column == "Old"


@pytest.mark.postgres
async def test_an_effect_that_two_decide_at_once_is_performed_once(
    among_others: Ledger,
) -> None:
    first, second = await among_others.sorted("acme a", "acme b")

    async with asyncio.TaskGroup() as group:
        for delivery in (first, second):
            group.create_task(
                among_others.deliveries.settle(
                    delivery, Decision((HELLO, start()), "test")
                )
            )

    effects = [await among_others.deliveries.effects(x) for x in (first, second)]
    assert sorted(map(len, effects)) == [0, 2]
    assert len((await among_others.runs.history(CARD)).runs) == 1


async def test_a_mark_never_goes_back(database: Database, clock: HandClock) -> None:
    marks, now = SqlMarks(database.engine), clock.now()
    later = [now + timedelta(seconds=n) for n in range(6)]

    async with asyncio.TaskGroup() as group:
        for at in later:
            group.create_task(marks.advance("boards", at))

    assert await marks.at("boards") == later[-1]


async def test_a_resumed_run_starts_in_the_same_transaction(ledger: Ledger) -> None:
    await ledger.pauses.pause("acme", why="a release", by="alice")
    await ledger.pauses.pause("acme", why="a long release", by="alice")
    await ledger.decided(start())
    assert await ledger.dispatched() == []

    assert await ledger.pauses.resume("acme", by="alice")

    assert len(await ledger.dispatched()) == 1
    assert not await ledger.pauses.resume("acme", by="alice")


@pytest.mark.postgres
async def test_a_run_that_did_not_see_the_end_of_the_pause_starts(
    among_others: Ledger, postgres: Database, clock: HandClock
) -> None:
    await among_others.pauses.pause("*", why="a release", by="alice")
    async with postgres.engine.begin() as connection:
        await runs.start(connection, start(), clock.now())
        await among_others.pauses.resume("*", by="alice")
    assert await among_others.dispatched() == []

    assert len(await among_others.run_queue.claim(9)) == 1


async def test_held_runs_are_searched_now_and_then(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    cards = [CardKey("acme/clock", n) for n in range(3)]
    await ledger.starts(start(cards[0], parallel=2))
    await ledger.starts(start(cards[0], stage="next", parallel=2))  # its card is busy
    delayed = start(cards[1], parallel=2, delay=timedelta(hours=1))
    await ledger.starts(delayed)
    assert len(await ledger.run_queue.claim(9)) == 1
    await ledger.starts(start(cards[2], parallel=2))
    await ledger.starts(start(CardKey("acme/clock", 4), parallel=2))  # no place
    assert len(await ledger.run_queue.claim(9)) == 1

    async with database.engine.begin() as connection:  # nobody saw them end
        await connection.execute(
            update(schema.run)
            .where(schema.run.c.dispatched_at.is_not(None))
            .values(state="failed", worker=None)
        )
    assert await ledger.run_queue.claim(9) == [], "just searched"
    clock.at += SEARCHED

    assert len(await ledger.run_queue.claim(9)) == 2
    clock.at += SEARCHED
    assert await ledger.run_queue.claim(9) == []


async def test_what_is_being_performed_is_retried_after(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    delivery = await ledger.decided(HELLO, MOVE)
    assert await ledger.delivery_queue.claim(9) == [delivery]
    await ledger.deliveries.performed(HELLO, error="no room")
    orders = SqlOrders(due(database), clock, by="alice")

    assert await orders.retry([delivery]) == [delivery]
    assert await ledger.deliveries.pending(HELLO.key) == HELLO
    assert await ledger.delivery_queue.claim(9) == [], "one performer has it"
    await ledger.delivery_queue.finish(delivery)

    assert await ledger.delivery_queue.claim(9) == [delivery]
    await ledger.delivery_queue.finish(delivery)
    stored = await ledger.deliveries.get(delivery)
    assert stored.state is DeliveryState.SETTLED


async def test_what_waits_to_be_performed_goes_on_waiting(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    delivery = await ledger.decided(HELLO, MOVE)
    assert await ledger.delivery_queue.claim(9) == [delivery]
    await ledger.deliveries.performed(HELLO, error="no room")
    await ledger.delivery_queue.postpone(delivery, timedelta(hours=1), "a limit")
    orders = SqlOrders(due(database), clock, by="alice")

    assert await orders.retry() == [delivery]

    assert await ledger.deliveries.pending(HELLO.key) == HELLO
    assert (await ledger.deliveries.get(delivery)).tries == 1
    assert await ledger.delivery_queue.claim(9) == []
    clock.at += timedelta(hours=1)
    assert await ledger.delivery_queue.claim(9) == [delivery]


async def test_what_was_done_but_for_an_effect_is_retried(
    ledger: Ledger, database: Database, clock: HandClock
) -> None:
    delivery = await ledger.decided(HELLO)
    assert await ledger.delivery_queue.claim(9) == [delivery]
    await ledger.deliveries.performed(HELLO, error="no room")
    await ledger.delivery_queue.finish(delivery)

    orders = SqlOrders(due(database), clock, by="alice")
    assert await orders.retry() == [delivery]

    assert await ledger.delivery_queue.claim(9) == [delivery]
