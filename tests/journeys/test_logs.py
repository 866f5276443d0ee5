"""Whoever reads the log can follow one delivery, one card or one run through it."""

import json
from typing import Any

from tests.journeys.world import World


def _lines(world: World) -> list[dict[str, Any]]:
    return [json.loads(line) for line in world.log if line.startswith("{")]


async def test_every_line_about_a_run_tells_delivery_card_and_worker(
    world: World,
) -> None:
    card = world.card("Be followed", "write a.txt a")
    card.moved_to("Development")
    await card.reaches("Review")
    await world.settled()

    lines = _lines(world)
    (run,) = {line["run"] for line in lines if line["event"] == "run started"}
    about = [line for line in lines if line.get("run") == run]
    events = [line["event"] for line in about]
    assert events[0] == "run started"
    assert {"step", "run ended", "decided"} <= set(events)
    assert [line for line in about if not line.get("delivery")] == []
    name = f"acme/clock#{card.issue.number}"
    assert {line["card"] for line in about} == {name}
    # Nothing is said between take and end that nobody can place.
    work = ("vibeboard.engine", "vibeboard.runner", "vibeboard.github")
    lost = [
        line
        for line in lines
        if line["from"].startswith(work) and not line.get("delivery")
    ]
    assert lost == []
    assert {line["worker"] for line in lines} == {"server"}
