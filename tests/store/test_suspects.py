"""What a process died over, and what only happened to be there."""

from tests.conftest import HandClock
from tests.store.ledgers import Ledger, as_written
from vibeboard.store.database import Database


async def test_who_begins_anew_blames_nothing(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    (delivery,) = await ledger.delivered("acme key one")
    await ledger.delivery_queue.sort(as_written)
    assert await ledger.delivery_queue.claim(9) == [delivery]

    await ledger.workers.enter()

    assert (await ledger.deliveries.get(delivery)).crashes == 0
    assert await ledger.delivery_queue.claim(9) == [delivery]


async def test_what_a_process_died_over_is_taken_one_at_a_time(
    database: Database, clock: HandClock
) -> None:
    dead = Ledger(database, clock)
    await dead.workers.enter()
    first, second = await dead.delivered("acme a one", "acme b two")
    await dead.delivery_queue.sort(as_written)
    assert await dead.delivery_queue.claim(9) == [first, second]

    heir = Ledger(database, clock)
    await heir.workers.enter()
    (fresh,) = await heir.delivered("acme c three")
    queue = heir.delivery_queue
    await queue.sort(as_written)

    assert await queue.claim(9) == [first, fresh]
    assert await queue.claim(9) == []
    await queue.give_up(first, "for the test")
    assert await queue.claim(9) == [second]
    assert (await heir.deliveries.get(second)).crashes == 1
    assert (await heir.deliveries.get(fresh)).crashes == 0
