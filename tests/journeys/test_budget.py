"""A budget that is spent parks the card with its work saved; nothing turns red."""

import json
from datetime import UTC, datetime

import pytest

from localhub import projects
from tests.conftest import HandClock
from tests.journeys.world import REPOSITORY, World, config
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Cost, Run, RunState
from vibeboard.store.database import open_database
from vibeboard.store.spending import SqlSpending

pytestmark = pytest.mark.thorough


async def spent(world: World, number: int, usd: float) -> None:
    """Write down that an earlier run of an issue has cost so much."""
    now = datetime.now(UTC)
    run = Run(
        f"earlier-{number}-{usd}",
        CardKey(REPOSITORY, number),
        "develop",
        "d0",
        "alice",
        RunState.RUNNING,
        now,
        now,
    )
    database = open_database(world.database_url)
    spending = SqlSpending(database.engine, HandClock(now))
    await spending.record(run, agent="claude", model="m", cost=Cost(usd=usd))
    await database.close()


async def test_a_card_whose_budget_is_spent_waits_for_a_person_and_then_goes_on(
    world: World,
) -> None:
    text = config().replace("/1}", "/1, cost_field: Cost}")
    world.commit_file(".vibe.yml", f"{text}limits: {{usd_per_issue: 5}}\n")
    (project,) = world.hub.projects
    field = projects.add_field(world.hub, project, "Cost", "NUMBER")
    rich = world.card("Cheap", "write cheap.txt x")
    poor = world.card("Dear", "write dear.txt x")
    await spent(world, poor.issue.number, 5.25)

    poor.moved_to("Development")
    rich.moved_to("Development")

    await poor.reaches("Attention")
    await rich.reaches("Review")
    shown = await poor.says("💰 out of budget", "`/agent retry` goes on from")
    assert "the budget of this issue is spent: $5.25 of $5.00" in shown
    assert "(this issue so far: $5.25)" in shown
    called = await poor.replied("@alice *develop* is out of budget", "$5.25 of $5.00")
    assert "`limits.usd_per_issue`" in called
    assert not world.wrote("dear.txt")
    code, told, _ = await world.vibeboard("costs", "--by", "issue", "--json")
    assert code == 0
    assert [(one["name"], one["cost"]["usd"]) for one in json.loads(told)] == [
        (f"{REPOSITORY}#{poor.issue.number}", 5.25)
    ]
    assert "5.25 in 30 days" in (await world.vibeboard("costs"))[1]
    assert poor.item.values[field.id] == 5.25
    assert world.checks("vibeboard / develop")[0].conclusion == "success", "the other's"
    assert len(world.checks("vibeboard / develop")) == 1

    world.commit_file(".vibe.yml", f"{config()}limits: {{usd_per_issue: 9}}\n")
    poor.said("/agent retry")

    await poor.reaches("Review")
    assert poor.pull is not None
