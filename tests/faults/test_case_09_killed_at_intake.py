"""Case 9: kill -9 at each step of intake, many times over one database.

What was acknowledged is stored, what was not is sent again, and in the end each
delivery was handled once. `VIBEBOARD_FAULT_ROUNDS` asks for more rounds.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import aiohttp

from localhub.state import App, Delivery
from localhub.webhooks import COURIER
from tests.fakes.forked import Forked
from tests.faults import door_program
from tests.faults.shaken import dice
from tests.faults.worlds import Doomed, Point

ROUNDS = int(os.environ.get("VIBEBOARD_FAULT_ROUNDS", "30"))
A_ROUND = 8
A_COMMAND = 10  # rounds
STORE = {
    "sqlite": "vibeboard.store.sqlite_intake:SqliteWriter._store_together",
    "postgresql": "vibeboard.store.postgres_intake:PostgresWriter._store_together",
}
DICE = dice(9)
ANSWER = "vibeboard.web.door:Door._answer"


def ways_to_die(url: str) -> Sequence[Point | None]:
    """Before it is stored, once it is, before an answer and after some; at any time."""
    store = STORE[url.partition(":")[0]]
    return [
        Point(store),
        None,
        Point(store, "after"),
        Point(ANSWER),
        None,
        Point(ANSWER, "after", nth=3),
    ]


async def test_case_09_what_was_acknowledged_is_stored_and_handled_once(
    doomed: Doomed,
) -> None:
    courier = doomed.running.runner.app[COURIER]
    doomed.order(paused=True)
    card = doomed.card("Talk")
    asked, left = 0, list[Delivery]()
    ways = ways_to_die(doomed.database_url)
    for number in range(ROUNDS):
        for each in range(A_ROUND):
            asks = each == 0 and number % A_COMMAND == 0
            asked += asks
            card.said("/agent help" if asks else f"Well, {each}")
        left += courier.waiting
        courier.waiting.clear()
        await round_of(doomed, ways[number % len(ways)], left)
        assert doomed.acknowledged() <= stored(doomed)
        left = [one for one in left if one.status_code not in (200, 202)]

    assert left, "some were cut off"
    app_of(doomed).webhook_url = f"http://127.0.0.1:{doomed.port}/webhook"
    await doomed.serve()
    courier.waiting.extend(left)
    doomed.order()
    await doomed.until(lambda: len(card.replies) >= asked, "the answers")
    await doomed.is_quiet()

    kept = doomed.deliveries_kept()
    sent = {one.guid for one in doomed.hub.deliveries}
    assert sorted(row.guid for row in kept) == sorted(sent)
    assert {row.state for row in kept} == {"settled"}
    assert doomed.made() == {f"comment on {card.issue.number}": asked}


async def round_of(
    world: Doomed, death: Point | None, deliveries: Iterable[Delivery]
) -> None:
    """Send them all at once to a server that dies meanwhile."""
    courier = world.running.runner.app[COURIER]
    process = await Forked.start(
        [world.database_url, (world.home / "secret").read_text().strip()],
        world.environment(),
        [asdict(death)] if death else [],
        below=world.home,
        program=door_program.__file__,
    )
    port = int(await process.stdout.readline())
    app_of(world).webhook_url = f"http://127.0.0.1:{port}/webhook"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        asyncio.TaskGroup() as group,
    ):
        for one in deliveries:
            one.delivered_at = world.hub.clock()
            group.create_task(courier._send(session, one))
        if death is None:
            await asyncio.sleep(DICE.uniform(0, 0.03))
            process.kill()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 5)
    assert process.returncode == -9


def app_of(world: Doomed) -> App:
    (app,) = world.hub.apps.values()
    return app


def stored(world: Doomed) -> set[str]:
    return {row.guid for row in world.deliveries_kept()}
