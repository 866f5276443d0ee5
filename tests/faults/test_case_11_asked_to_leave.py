"""Case 11: SIGTERM amid deliveries and runs, and a second one.

What can end within the grace ends; the rest is shown as interrupted and goes on with
the next process. What was acknowledged is stored and done, once.
"""

import signal
from collections import Counter

import pytest

from tests.faults.worlds import Doomed, developed
from tests.journeys.world import Card, config
from vibeboard.domain import words

pytestmark = pytest.mark.thorough

RUNS = 3
SAID = 30


def at_work(world: Doomed, title: str, *orders: str) -> Card:
    """A card whose agent works."""
    return world.card(title, *orders, f"write {title}.txt x").moved_to("Development")


def interrupted(card: Card) -> bool:
    return words.interrupted() in card.tracking()[-1]


def publishes(world: Doomed, card: Card) -> bool:
    return any(
        '"step": "publish"' in line and f'"acme/clock#{card.issue.number}"' in line
        for line in world.log
    )


async def test_case_11_what_is_in_flight_ends_or_goes_on_with_the_next(
    doomed: Doomed,
) -> None:
    doomed.commit_file(".vibe.yml", f"{config()}limits: {{parallel: {RUNS}}}\n")
    doomed.settings = {"grace_seconds": "8", "runners": str(RUNS)}
    gate = doomed.home / "gate"
    await doomed.serve()
    slow = [at_work(doomed, f"Slow{n}", f"sleep {gate}") for n in range(1, RUNS)]
    quick = at_work(doomed, "Quick")
    await doomed.until(lambda: publishes(doomed, quick), "the quick one's end")
    for number in range(SAID):
        quick.said(f"Word {number}")

    code = await doomed.end()

    assert code == 0
    assert not doomed.children()
    assert quick.column == "Review"
    assert all(map(interrupted, slow))
    states = Counter((r.state, r.worker, r.crashes) for r in doomed.runs_kept())
    assert states == {("succeeded", None, 0): 1, ("running", None, 0): RUNS - 1}
    assert doomed.acknowledged() <= {one.guid for one in doomed.deliveries_kept()}

    gate.touch()
    await doomed.serve()
    doomed.redeliver_failed()
    for card in slow:
        await card.reaches("Review")
    await doomed.is_quiet()
    assert {one.state for one in doomed.deliveries_kept()} == {"settled"}
    assert doomed.acknowledged() == {one.guid for one in doomed.deliveries_kept()}
    assert doomed.made() == developed(quick, *slow)


async def test_case_11_asked_again_it_cuts_off_and_says_so(doomed: Doomed) -> None:
    doomed.settings = {"grace_seconds": "600"}
    gate = doomed.home / "gate"
    await doomed.serve()
    card = at_work(doomed, "Slow", f"sleep {gate}")
    await doomed.until(lambda: bool(doomed.agents()), "the agent")
    assert doomed.server is not None

    doomed.server.send_signal(signal.SIGTERM)
    await doomed.until(
        lambda: any('"leaves"' in line for line in doomed.log), "leaving"
    )
    code = await doomed.end()

    assert code == 1
    assert not doomed.children()
    assert interrupted(card)
    (run,) = doomed.runs_kept()
    assert (run.state, run.worker, run.crashes) == ("running", None, 0)

    gate.touch()
    await doomed.serve()
    doomed.redeliver_failed()
    await card.reaches("Review")
    await doomed.is_quiet()
    assert doomed.made() == developed(card)
