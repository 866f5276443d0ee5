"""What an operator orders from afar: pause, resume, stop, retry.

The database is shared: who serves hears of each order at once. What the commands print
is the business of tests/cli.
"""

import json
from typing import Any

import pytest

from localhub.faults import FAULTS, Fault
from tests.faults.conftest import shared
from tests.faults.worlds import Doomed, developed

__all__ = ["shared"]
pytestmark = [pytest.mark.postgres, pytest.mark.thorough]

PERMISSION = {"method": "GET", "path": "/collaborators/alice/permission$"}
COMMENT = {"method": "POST", "path": "/comments$"}
# What GitHub refuses once, and what is given up for it.
REFUSED = {"a delivery": (PERMISSION, ""), "an effect": (COMMENT, "Reply")}


async def said(world: Doomed, *arguments: str, code: int = 0) -> str:
    """What a command says, on both streams."""
    ended, out, err = await world.vibeboard(*arguments)
    assert ended == code, f"{out}{err}"
    return out + err


async def shown(world: Doomed, command: str) -> Any:
    return json.loads(await said(world, command, "--json"))


async def test_where_runs_are_paused_cards_wait_and_say_why(shared: Doomed) -> None:
    await shared.serve()
    await said(shared, "pause", "acme/clock", "--why", "disks are changed")
    card = shared.card("Wait", "write a.txt a").moved_to("Development")
    await card.says("⏳ waiting", "has paused runs here (disks are changed)")
    again = shared.card("Wait too", "write b.txt b").moved_to("Development")
    await again.says("⏳ waiting")

    queue = await shown(shared, "queue")
    assert [run["card"] for run in queue["runs"]] == ["acme/clock#1", "acme/clock#2"]
    assert [pause["scope"] for pause in queue["pauses"]] == ["acme/clock"]
    assert "was not paused" in await said(shared, "resume", "acme/bell", code=1)

    await said(shared, "resume", "acme/clock")
    await card.reaches("Review")
    await again.reaches("Review")
    await shared.is_quiet()
    assert shared.made() == developed(card, again)
    queue = await shown(shared, "queue")
    assert queue == {"deliveries": [], "runs": [], "pauses": []}


async def test_an_operator_stops_a_run_and_its_card_says_so(shared: Doomed) -> None:
    gate = shared.home / "gate"
    await shared.serve()
    card = shared.card("Stop me", "write a.txt a", f"sleep {gate}")
    card.moved_to("Development")
    await shared.until(lambda: bool(shared.agents()), "the agent")
    (run,) = shared.runs_kept()

    await said(shared, "stop", run.id, "--why", "it is too dear")

    await card.says("✋ stopped", "it is too dear")
    await shared.is_quiet()
    assert not shared.agents()
    ended = await said(shared, "stop", run.id, "--why", "again", code=1)
    assert "has ended" in ended
    await said(shared, "stop", "r0", "--why", "there is none", code=2)
    audit = await shown(shared, "audit")
    assert "run stopped" in [line["action"] for line in audit]


@pytest.mark.parametrize(("refused", "effect"), REFUSED.values(), ids=REFUSED)
async def test_what_was_given_up_is_done_when_the_operator_says_so(
    shared: Doomed, refused: dict[str, str], effect: str
) -> None:
    card = shared.card("Ask")
    await shared.serve()
    order = {"match": refused, "do": {"kind": "status", "status": 422}, "times": 1}
    shared.running.runner.app[FAULTS].ordered.append(Fault.model_validate(order))
    card.said("/agent status")
    await shared.is_quiet()

    (letter,) = await shown(shared, "dead")
    assert (letter["event"], letter["effect"]) == ("issue_comment", effect)
    assert "422" in letter["reason"]
    assert card.replies == []

    number = str(letter["id"])
    assert number in await said(shared, "retry", number)
    await card.replied("No agent has worked on this card yet")
    await shared.is_quiet()
    assert len(card.replies) == 1
    assert await shown(shared, "dead") == []
    assert "not given up" in await said(shared, "retry", number, code=1)
    await said(shared, "retry", code=2)
