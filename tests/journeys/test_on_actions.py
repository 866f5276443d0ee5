"""Runs of `runner: actions`, by the workflow and the Action that we ship."""

import pytest

from localhub import actions
from localhub.fleet import WITHOUT, program
from tests.conftest import missing
from tests.journeys.on_actions import (
    agents,
    begun,
    ended,
    job_of,
    log_of,
    open_to_jobs,
    posted,
    until,
)
from tests.journeys.world import World, config


@pytest.fixture
async def world(still_world: World) -> World:
    """A world whose stages have `runner: actions`, and runners that take them."""
    if program() is None:
        missing(WITHOUT)
    open_to_jobs(still_world)
    still_world.commit_file(".vibe.yml", f"{config()}runner: actions\n")
    await still_world.serve()
    return still_world


async def test_a_moved_card_comes_back_from_actions_as_a_pull_request(
    world: World,
) -> None:
    card = world.card(
        "Add a tock", "write tock.py def tock():\\n    return 2", "summary Added."
    )

    card.moved_to("Development")
    await until(world, lambda: card.column == "Review", "the card in Review")

    (run,) = posted(world)
    assert await ended(world, run) == "success", log_of(run)
    assert {job.key: job.conclusion for job in run.latest.jobs} == {
        "served": "success",
        "refused": "skipped",
        "alone": "skipped",
    }
    pull = card.pull
    assert pull is not None
    assert pull.draft
    assert "tock.py" in world.files(pull.head_sha)
    (check,) = world.checks("vibeboard / develop")
    assert check.conclusion == "success"
    (tracking,) = card.tracking()
    assert "✅ done" in tracking
    assert f"/actions/runs/{run.id}" in tracking
    (summary,) = job_of(run).summaries
    assert "| State | succeeded |" in summary
    # Neither the job's own tokens nor those that the server lent it.
    assert "ghs_" not in log_of(run)
    assert "eyJ" not in log_of(run)


async def test_either_side_ends_both(world: World) -> None:
    card = world.card("Wait", f"sleep {world.home}/never")

    card.moved_to("Development")
    ours = await begun(world)
    card.moved_to("Backlog")
    stopped = await card.says("✋ stopped", "moved the card to Backlog")
    assert await ended(world, ours) == "success", log_of(ours)

    assert f"/actions/runs/{ours.id}" in stopped
    await until(world, lambda: not agents(world), "no agent left")

    card.moved_to("Development")
    await until(world, lambda: len(posted(world)) == 2, "a second workflow run")
    theirs = await begun(world)
    actions.cancel(world.hub, theirs, actor=world.user("bob"))
    assert await ended(world, theirs) == "cancelled"
    await until(world, lambda: len(card.tracking()) == 2, "a second tracking comment")
    stopped = await card.says("✋ stopped", "was cancelled")

    assert f"/actions/runs/{theirs.id}" in stopped
    await until(world, lambda: not agents(world), "no agent left")
    assert card.pull is None


async def test_what_is_lost_is_posted_again_and_what_ended_runs_again(
    world: World,
) -> None:
    go = world.home / "go"
    card = world.card(
        "Add a tock", f"sleep {go}", "write tock.py def tock():\\n    return 2"
    )

    card.moved_to("Development")
    lost = await begun(world)
    its = job_of(lost)
    assert world.running.fleet.lose(its.id, conclusion="failure", after=0)
    assert await ended(world, lost) == "failure"
    await until(world, lambda: not agents(world, its), "no agent of a lost machine")
    go.touch()
    await until(world, lambda: card.column == "Review", "the card in Review")

    _, again = posted(world)
    assert await ended(world, again) == "success", log_of(again)
    tracking = await card.says("✅ done", f"/actions/runs/{again.id}", "attempt 2")
    assert f"/actions/runs/{lost.id}" not in tracking
    assert card.pull is not None

    actions.rerun(world.hub, again, actor=world.user("bob"))
    await until(world, lambda: len(card.tracking()) == 2, "a second run")
    assert await ended(world, again) == "success", log_of(again)
    assert again.latest.number == 2
    tracking = await card.says("✅ done", "asked for by bob")
    assert f"/actions/runs/{again.id}), attempt 2." in tracking
    assert len(posted(world)) == 2
