"""Case 25: a flood from one account, and unsigned ones, hold up nobody else."""

import asyncio
import json
import time
from pathlib import Path

from tests.conftest import HandClock
from tests.faults.doors import served
from tests.store.ledgers import Ledger, as_written
from tests.web.door import Answer, headers_of
from vibeboard.store.database import Database

SIGNED, UNSIGNED, AT_ONCE = 1000, 400, 32
MIB = 1024 * 1024


async def test_case_25_a_flood_is_kept_and_the_other_one_is_first_in_turn(
    database: Database, tmp_path: Path, clock: HandClock
) -> None:
    async with served(database, tmp_path) as door:
        await door.send(b"flood warm-up")
        door.forget_the_most()
        before = door.memory()
        gate = asyncio.Semaphore(AT_ONCE)

        async def send(number: int, *, signed: bool) -> Answer:
            body = b"flood card-%d %s" % (number % 50, b"x" * 6000)
            given = headers_of(body) if signed else headers_of(body, signature="no")
            async with gate:
                return await door.send(body, given)

        flood = [
            asyncio.create_task(send(number, signed=number % 7 < 5))
            for number in range(SIGNED + UNSIGNED)
        ]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        other = await door.send(b"other lonely-card hello")
        waited = time.monotonic() - began
        answers = await asyncio.gather(*flood)
        grown = door.memory() - before

        rows = await door.rows()
    statuses = [answer.status for answer in answers]
    assert (statuses.count(202), statuses.count(401)) == (SIGNED, UNSIGNED)
    assert other.status == 202
    assert waited < 1
    assert grown < 64 * MIB
    assert len(rows) == SIGNED + 2
    assert door.said == ""

    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    while await ledger.delivery_queue.sort(as_written):
        pass
    mine = next(
        row.id for row in rows if row.guid == json.loads(other.text)["delivery"]
    )
    assert mine in await ledger.delivery_queue.claim(16)
