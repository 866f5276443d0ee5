"""Runs of `runner: actions`: the same as on the server's own runners, but for where."""

import asyncio
import json
import re
from typing import Any

import pytest
from sqlalchemy import text

from localhub import actions, git
from localhub.fleet import Orders
from tests.journeys.far import WORKFLOW, at_work, posted
from tests.journeys.world import Card, World, config
from vibeboard.domain.workflow import AGENT_FILE
from vibeboard.store.database import open_database


@pytest.fixture
async def fleet_world(still_world: World) -> World:
    """A world whose server is reached from outside, and whose runners stay away."""
    still_world.settings["public_url"] = f"http://127.0.0.1:{still_world.port}"
    still_world.commit_file(AGENT_FILE, WORKFLOW)
    await still_world.running.fleet.order(Orders(absent=True))
    await still_world.serve()
    return still_world


def on_actions() -> str:
    return f"{config()}runner: actions\n"


ORDERS = (
    "write tock.py def tock():\\n    return 2",
    "claim 1 unit test_clock::test_tick",
    "summary Added a tock.",
)


async def shown(world: World, card: Card) -> dict[str, Any]:
    """All that a run of a card left behind, without what tells two runs apart."""
    pull = card.pull
    assert pull is not None
    head = pull.head_sha
    directory = world.repository.git_dir
    (commit,) = git.log(directory, f"main..{head}")
    checks = [
        (one.name, one.conclusion, one.title, one.summary, one.text)
        for suite in world.repository.check_suites
        if suite.head_sha == head
        for one in suite.runs
        if one.name.startswith("vibeboard")
    ]
    (comment,) = card.tracking()
    database = open_database(world.database_url)
    async with database.engine.connect() as connection:
        (run,) = (
            await connection.execute(
                text(
                    "SELECT id, stage, state, attempt, crashes, tries, step, report, "
                    "chain, calls FROM run WHERE number = :number"
                ),
                {"number": card.issue.number},
            )
        ).mappings()
        events = (
            await connection.execute(
                text(
                    "SELECT event, state, reason FROM delivery "
                    "WHERE hook = 'vibeboard' AND body = :card"
                ),
                {"card": f"acme/clock#{card.issue.number}".encode()},
            )
        ).all()
        effects = (
            await connection.execute(
                text("SELECT kind, state FROM effect WHERE key LIKE :run ORDER BY key"),
                {"run": f"%{run['id']}%"},
            )
        ).all()
        results = (
            await connection.execute(
                text(
                    "SELECT suite, definition, verdict, passed, failed "
                    "FROM suite_result WHERE run = :run"
                ),
                {"run": run["id"]},
            )
        ).all()
    await database.close()
    report, calls = json.loads(run["report"]), json.loads(run["calls"])
    stored = {**run, "report": report, "calls": sorted(calls)}
    left = {
        "files": sorted(world.files(head)),
        "commit": (commit.author.name, commit.author.email, commit.message),
        "pull": (pull.title, pull.body, pull.draft, pull.base_ref, pull.head_ref),
        "checks": sorted(map(str, checks)),
        "comment": comment,
        "run": stored,
        "events": [tuple(one) for one in events],
        "effects": [tuple(one) for one in effects],
        "results": [tuple(one) for one in results],
        "column": card.column,
    }
    return {
        what: _alike(repr(value), card, run["id"], head, pull.number)
        for what, value in left.items()
    }


def _alike(told: str, card: Card, run: str, head: str, pull: int) -> str:
    for own, name in (
        (run, "RUN"),
        (head, "HEAD"),
        (head[:12], "HEAD"),
        (head[:7], "HEAD"),
        (f"vibe/{card.issue.number}-", "vibe/N-"),
        (f"#{card.issue.number}", "#N"),
        (f"#{pull}", "#PULL"),
        (f"'pull_request': {pull}", "'pull_request': PULL"),
        (f"pull/{pull}", "pull/PULL"),
    ):
        told = told.replace(own, name)
    told = re.sub(r"> Carried out by \[GitHub Actions\]\([^)]+\)\.\\n", "", told)
    told = re.sub(r"\b[0-9a-f]{40}\b", "COMMIT", told)
    told = re.sub(r"\.vibe\.yml@[0-9a-f]{7}", ".vibe.yml@COMMIT", told)
    told = re.sub(r"\b\d+ calls to GitHub", "N calls to GitHub", told)
    return re.sub(r"(?<!\w)\d+(\.\d+)?s\b|'seconds': [-\d.e]+", "TIME", told)


async def test_both_executors_do_the_same_but_for_the_place(
    fleet_world: World,
) -> None:
    world = fleet_world
    here = world.card("Add a tock", *ORDERS)
    here.moved_to("Development")
    await here.reaches("Review")
    world.commit_file(".vibe.yml", on_actions())
    there = world.card("Add a tock", *ORDERS)
    there.moved_to("Development")

    one = await posted(world)
    await there.says("Waiting for [GitHub Actions](", str(one.id))
    async with at_work(world, one) as far:
        await far.carries_out()
        far.ends()
    await there.reaches("Review")
    await world.settled()

    comment = await there.says("✅ done", "Carried out by [GitHub Actions]")
    assert f"/actions/runs/{one.id}" in comment
    own, fleets = await shown(world, here), await shown(world, there)
    assert "[]" not in {own["events"], own["effects"], own["results"], own["checks"]}
    for what in own:
        assert fleets[what] == own[what], what


async def test_what_github_did_to_a_job_is_found_and_mended(fleet_world: World) -> None:
    world = fleet_world
    world.commit_file(".vibe.yml", on_actions())
    card = world.card("Add a tock", *ORDERS)
    card.moved_to("Development")

    # Its runner is lost before it says a word: another job gets the run.
    first = await posted(world)
    actions.begin_job(world.hub, first.latest.jobs[0], "lost")
    actions.end_job(world.hub, first.latest.jobs[0], "failure")
    second = await posted(world, before=1)
    async with at_work(world, second) as far:
        await far.carries_out()
        far.ends()
    await card.reaches("Review")
    assert second.payload["inputs"] == first.payload["inputs"]

    # Whoever runs the job again once the run has ended asks for another try.
    actions.rerun(world.hub, second, actor=world.user("bob"))
    async with at_work(world, second) as again:
        await again.carries_out()
        again.ends()
    await card.says("✅ done", "Carried out by", "attempt 2", "asked for by bob")
    assert len(card.tracking()) == 2
    assert len(world.repository.workflow_runs) == 2
    await world.settled()


async def test_a_run_is_stopped_from_either_side(fleet_world: World) -> None:
    world = fleet_world
    world.commit_file(".vibe.yml", on_actions())
    moved = world.card("Move me back", "write a.txt a", "sleep 60")
    moved.moved_to("Development")
    one = await posted(world)
    async with at_work(world, one) as far:
        work = asyncio.create_task(far.carries_out())
        await moved.says("🏃 running", "Agent works ← now", "Carried out by")
        moved.moved_to("Backlog")
        await work
        far.ends()
    await moved.says("stopped", "Backlog")

    # Before it begins, it does not begin there, either.
    early = world.card("Never mind", "write a.txt a")
    early.moved_to("Development")
    two = await posted(world, before=1)
    await early.says("Waiting for [GitHub Actions]")
    early.moved_to("Backlog")
    await world.until(lambda: two.latest.conclusion == "cancelled", "a cancelled job")
    await early.says("stopped", "Not started")

    # Cancelled there by a person, and its machine killed.
    killed = world.card("Cancel me", "write a.txt a")
    killed.moved_to("Development")
    three = await posted(world, before=2)
    async with at_work(world, three) as far:
        await far.queue.begin(far.run)
        actions.cancel(world.hub, three, actor=world.user("bob"), force=True)
        if three.latest.conclusion is None:
            far.ends("cancelled")
        await killed.says("stopped", "was cancelled on GitHub")
    assert world.wrote("a.txt") is False
