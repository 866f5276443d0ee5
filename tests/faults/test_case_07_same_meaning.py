"""Case 7: what is told twice under other GUIDs, by another hook too, happens once."""

import uuid
from dataclasses import replace

import pytest

from localhub.state import Delivery
from localhub.webhooks import COURIER
from tests.faults.worlds import Doomed, developed

pytestmark = pytest.mark.thorough

OTHER_HOOK = "4711"


def told_again(one: Delivery, **headers: str) -> Delivery:
    """The same words as a delivery of their own."""
    guid = str(uuid.uuid4())
    given = one.headers | {"X-GitHub-Delivery": guid} | headers
    return replace(one, guid=guid, headers=given, status="pending", status_code=0)


async def test_case_07_one_run_and_one_answer_whoever_tells_it_again(
    doomed: Doomed,
) -> None:
    courier = doomed.running.runner.app[COURIER]
    await doomed.serve()
    moved = doomed.card("Moved", "write a.txt a", "summary Wrote it.")
    asked = doomed.card("Asked", "write b.txt b", "summary Wrote it.")
    helped = doomed.card("Helped")
    await doomed.is_quiet()

    doomed.order(paused=True)
    moved.moved_to("Development")
    asked.said("/agent develop")
    helped.said("/agent help")
    told = list(courier.waiting)
    courier.waiting.clear()
    hook = {"X-GitHub-Hook-ID": OTHER_HOOK}
    for one in told:
        courier.waiting += [told_again(one, **hook), one, told_again(one)]
    doomed.order()
    for card in (moved, asked):
        await card.reaches("Review")
    await helped.replied("| Command |")
    await doomed.is_quiet()
    await doomed.end()

    # Once more when all is done and the server is another one.
    courier.waiting.extend(told_again(one, **hook) for one in told)
    await doomed.serve()
    doomed.order()
    await doomed.is_quiet()

    assert len(told) == 3
    made = developed(moved, asked)
    made[f"comment on {helped.issue.number}"] += 1
    made["MoveItem"] += 1  # of the card that a comment asked for
    assert doomed.made() == made
    assert len(doomed.runs_kept()) == 2
    kept = doomed.deliveries_kept()
    assert {row.state for row in kept} == {"settled"}
