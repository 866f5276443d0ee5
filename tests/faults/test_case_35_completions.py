"""Case 35: a run's end comes late, twice, never, or after somebody stopped it."""

import json
import signal

import pytest

from tests.faults.worlds import Doomed, Point, developed, is_stopped

END = "vibeboard.store.runs:SqlRuns.end"


def told(world: Doomed, event: str) -> int:
    lines = [json.loads(line) for line in world.log if line.startswith("{")]
    return sum(line["event"] == event for line in lines)


async def test_case_35_an_end_that_was_written_before_the_death_is_not_written_twice(
    doomed: Doomed,
) -> None:
    await doomed.serve_until(Point(END, "after"))
    card = doomed.card("Survive", "write a.txt a").moved_to("Development")
    await doomed.died()
    (before,) = doomed.runs_kept()
    await doomed.serve()
    doomed.redeliver_failed()
    await card.reaches("Review")
    await doomed.is_quiet()

    (after,) = doomed.runs_kept()
    assert before.state == "succeeded"
    assert (after.state, after.changed_at, after.attempt, after.crashes) == (
        "succeeded", before.changed_at, 1, 0,
    )  # fmt: skip
    await card.says("✅ done")
    assert doomed.made() == developed(card)


@pytest.mark.postgres
async def test_case_35_who_was_stopped_at_its_last_moment_stays_where_it_was_moved(
    shared: Doomed,
) -> None:
    shared.settings = {"runners": "0", "lease_seconds": "60"}
    await shared.serve()
    worker = await shared.employ("w1", Point(END, signal="SIGSTOP"), lease_seconds="60")
    card = shared.card("Survive", "write a.txt a").moved_to("Development")
    await shared.until(lambda: card.pull is not None, "the pull request")
    await shared.until(lambda: is_stopped(worker.pid), "the worker to be away")

    card.moved_to("Backlog")
    await card.says("✋ stopping")
    worker.send_signal(signal.SIGCONT)
    await shared.is_quiet()

    (run,) = shared.runs_kept()
    assert (run.state, run.attempt) == ("succeeded", 1)  # the first end that is valid
    assert card.column == "Backlog"
    await card.says("✅ done")
    assert told(shared, "run ended") == 1


@pytest.mark.postgres
async def test_case_35_a_run_that_nobody_picks_up_waits_in_sight(
    shared: Doomed,
) -> None:
    shared.settings = {"runners": "0"}
    await shared.serve()
    kept = shared.card("Kept", "write a.txt a").moved_to("Development")
    left = shared.card("Left", "write b.txt b").moved_to("Development")
    await kept.says("⏳ waiting")
    await left.says("⏳ waiting")

    left.said("/agent stop")
    await left.says("✋ stopped")
    await shared.employ("w1")
    await kept.reaches("Review")
    await shared.is_quiet()

    states = {(run.number, run.state, run.attempt) for run in shared.runs_kept()}
    assert states == {(1, "succeeded", 1), (2, "stopped", 0)}
    assert left.pull is None
