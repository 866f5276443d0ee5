"""Case 34: a worker that was away past its lease comes back and finds itself replaced.

It is stopped and continued by signals. What it meant to write is refused, and its work
was done by another one meanwhile.
"""

import signal
from collections import Counter
from typing import Any

import pytest

from tests.faults.worlds import Doomed, Point, developed, is_stopped

pytestmark = [pytest.mark.postgres, pytest.mark.thorough]

PUSH = "vibeboard.runner.workspace:GitWorkspaces.push"
AWAY = {
    "before the push": Point(PUSH, "before", signal="SIGSTOP"),
    "before the end": Point("vibeboard.store.runs:SqlRuns.end", signal="SIGSTOP"),
    "holding a lock": Point(
        "vibeboard.github.replies:GitHubReplies.ensure", nth=2, signal="SIGSTOP"
    ),
}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
async def test_case_34_who_comes_back_can_neither_push_nor_report(
    shared: Doomed, away: Point
) -> None:
    shared.settings = {"runners": "0"}
    shared.breaks = True  # its sessions with the database were ended meanwhile
    await shared.serve()
    first = await shared.employ("w1", away, data_dir=str(shared.home / "left"))
    card = shared.card("Survive", "sleep 2", "write a.txt a", "summary Wrote it.")
    card.moved_to("Development")
    await shared.until(lambda: is_stopped(first.pid), "the worker to be away")
    await shared.employ("w2", data_dir=str(shared.home / "right"))
    await card.reaches("Review")
    await shared.is_quiet()
    before, made = the_run(shared), shared.made()

    first.send_signal(signal.SIGCONT)
    await shared.until(
        lambda: any("drops its work" in line for line in shared.log), "the fence"
    )
    await shared.until(lambda: "w1" in shared.workers(), "its new life")
    await card.says("✅ done")
    await shared.is_quiet()

    assert the_run(shared) == before
    assert card.pull is not None
    assert shared.made()["comment on 1"] == 1
    assert made["pulls"] == 1
    assert {"a.txt"} < shared.files(card.pull.head_sha)
    pushes = f"push refs/heads/{card.pull.head_ref}"
    assert made - developed(card) <= Counter({pushes: 1, "check-runs": 1})


def the_run(world: Doomed) -> dict[str, Any]:
    """The only run; what the late attempt asked of GitHub is counted all the same."""
    (run,) = world.runs_kept()
    return {name: value for name, value in run._asdict().items() if name != "calls"}


async def test_case_34_no_two_agents_share_a_tree(shared: Doomed) -> None:
    shared.settings = {"runners": "0"}
    shared.breaks = True  # its sessions with the database were ended meanwhile
    await shared.serve()
    first = await shared.employ("w1")
    card = shared.card("Survive", "write a.txt a", "sleep 4", "write b.txt b")
    card.moved_to("Development")
    await shared.until(lambda: shared.wrote("a.txt"), "the first file")
    one = len(shared.agents())  # with its leash
    first.send_signal(signal.SIGSTOP)
    await shared.employ("w2")
    await shared.until(lambda: shared.runs_kept()[0].attempt == 2, "the takeover")
    seen = 0

    def done() -> bool:
        nonlocal seen
        seen = max(seen, len(shared.agents()))
        return card.column == "Review"

    await shared.until(done, "the review")
    first.send_signal(signal.SIGCONT)
    await shared.is_quiet()

    assert seen == one
    assert shared.made() == developed(card)
