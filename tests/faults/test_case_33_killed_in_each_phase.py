"""Case 33: kill -9 in each phase of a run; it goes on behind its last finished step."""

import json

import pytest

from tests.faults.worlds import Doomed, Point, developed

BEGIN = Point("vibeboard.store.run_queue:SqlRunQueue.begin")
WORKSPACE = Point("vibeboard.runner.workspace:GitWorkspaces.prepare", "after")
AGENT = Point("vibeboard.engine.execute:Executor._taken_over")
TESTS = Point("vibeboard.runner.suites:ShellSuites.run")
PUSHED = Point("vibeboard.runner.workspace:GitWorkspaces.push", "after")
REPORTED = Point("vibeboard.store.runs:SqlRuns.end")
ALL = ["workspace", "agent", "tests", "publish"]
# Two deaths each, and the steps that the third server has to do.
DEATHS = {
    "claimed-workspace": ((BEGIN, WORKSPACE), ALL),
    "agent-tests": ((AGENT, TESTS), ["tests", "publish"]),
    "pushed-reporting": ((PUSHED, REPORTED), []),
}


def steps(world: Doomed) -> list[str]:
    """The steps of runs that were begun, as the log tells them."""
    told = [json.loads(line) for line in world.log if line.startswith("{")]
    return [line["step"] for line in told if line["event"] == "step"]


@pytest.mark.parametrize(("deaths", "left"), DEATHS.values(), ids=DEATHS)
async def test_case_33_a_run_goes_on_behind_its_last_step(
    doomed: Doomed, deaths: tuple[Point, Point], left: list[str]
) -> None:
    first, second = deaths
    await doomed.serve_until(first)
    card = doomed.card("Survive", "write a.txt a", "sleep 0.2", "summary Wrote it.")
    card.moved_to("Development")
    await doomed.died()
    await doomed.until(lambda: not doomed.agents(), "the agent to be gone")
    await doomed.serve_until(second)
    await doomed.died()
    before = len(steps(doomed))
    await doomed.serve()
    doomed.redeliver_failed()
    await card.reaches("Review")
    await doomed.is_quiet()

    assert steps(doomed)[before:] == left
    assert doomed.made() == developed(card)
    (run,) = doomed.runs_kept()
    assert run.state == "succeeded"


async def test_case_33_after_three_deaths_it_has_failed_for_all_to_see(
    doomed: Doomed,
) -> None:
    await doomed.serve_until(AGENT)
    card = doomed.card("Deadly", "write a.txt a")
    card.moved_to("Development")
    await doomed.died()
    for _ in range(2):
        await doomed.serve_until(AGENT)
        await doomed.died()
    await doomed.serve()
    doomed.redeliver_failed()

    await card.says("❌ failed", "3 times")
    await card.reaches("Attention")
    await doomed.is_quiet()
    assert card.pull is None
    # The tracking comment, and words to the person who has to look.
    assert doomed.made() == {"comment on 1": 2, "MoveItem": 1}
    assert len(card.tracking()) == 1


@pytest.mark.postgres
async def test_case_33_another_worker_takes_a_dead_ones_run(shared: Doomed) -> None:
    shared.settings = {"runners": "0"}
    await shared.serve()
    await shared.employ("w1", TESTS)
    card = shared.card("Survive", "write a.txt a", "summary Wrote it.")
    card.moved_to("Development")
    await shared.until(lambda: "tests" in steps(shared), "the tests")
    before = len(steps(shared))
    await shared.employ("w2")
    await card.reaches("Review")
    await shared.is_quiet()

    assert steps(shared)[before:] == ["tests", "publish"]
    assert shared.made() == developed(card)
