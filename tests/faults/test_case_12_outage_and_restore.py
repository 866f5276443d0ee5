"""Case 12: the server was down, its database is a backup, and GitHub forgot a part."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from localhub.faults import FAULTS, Fault
from tests.faults.missing import Told, told_of
from tests.journeys.world import World

pytestmark = pytest.mark.processes


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    async with told_of(tmp_path) as one:
        yield one


def talk(world: World, many: int) -> None:
    """As many deliveries that start nothing."""
    card = world.card("Talk")
    for number in range(many):
        card.said(f"Well, {number}")


@pytest.mark.thorough
async def test_after_an_outage_exactly_what_is_missing_is_fetched(told: Told) -> None:
    world = told.world
    world.settings["reconcile_minutes"] = "0.07"  # all arrives before the next look
    await world.serve()
    stays = world.card("Stays", "write stays.txt stays", "sleep 600")
    worked = world.card("Worked on", "write work.txt work", "sleep 600")
    arrives = world.card("Arrives", "write arrives.txt arrives")
    dragged = world.card("Dragged", "write dragged.txt dragged")
    for card in (stays, worked):
        card.moved_to("Development")
        await card.says("Agent works ← now")
    await told.quiet()
    await world.end()
    told.copy("backup")

    # What the backup lacks, though it was answered.
    await world.serve()
    talk(world, 30)
    await told.quiet()
    await world.end()
    acknowledged = {one.guid for one in told.sent} & told.has()
    told.restore("backup")
    kept = acknowledged & told.has()
    assert len(acknowledged - kept) >= 30

    # What GitHub no longer lists when the server is back.
    first_lost = len(told.sent)
    arrives.moved_to("Development")
    worked.moved_to("Backlog")
    await told.quiet()
    forgotten = told.sent[first_lost:]
    long_ago = world.hub.clock() - timedelta(days=4)
    for one in forgotten:
        one.delivered_at = long_ago
    told.compared_at(long_ago - timedelta(hours=1))

    # What failed while it was down.
    talk(world, 120)
    dragged.moved_to("Development")
    await told.quiet()
    gone = {one.guid for one in forgotten}
    missing = {one.guid for one in told.sent} - told.has() - gone
    assert len(missing) > 150

    await world.serve()
    await world.until(lambda: missing <= told.has(), "what was missing")
    await dragged.reaches("Review")
    await arrives.replied("Comment `/agent develop` to start *develop*")
    await worked.says("✋ stopped", "while GitHub's webhooks did not arrive")
    await world.settled()

    assert sorted(told.sent_again) == sorted(missing)
    assert not gone & told.has()
    assert arrives.column == "Development"
    assert not arrives.tracking()
    assert stays.tracking()[-1].count("🏃 running") == 1
    (report,) = told.ask("select subject from audit where action like '%not listed%'")
    assert report == ("GitHub",)
    assert any("no longer lists" in line for line in world.log)


async def test_what_github_cannot_send_again_is_reported_once(told: Told) -> None:
    world = told.world
    await world.serve()
    card = world.card("Fix it", "write fix.txt fix")
    await world.settled()
    await world.end()
    card.moved_to("Development")
    await told.quiet()
    (lost,) = {one.guid for one in told.sent} - told.has()

    refusal = Fault.model_validate(
        {
            "match": {"method": "POST", "path": "/app/hook/deliveries/.*/attempts"},
            "times": 99,
            "do": {"kind": "status", "status": 404},
        }
    )
    world.running.runner.app[FAULTS].ordered.append(refusal)
    await world.serve()
    await card.replied("Comment `/agent develop` to start *develop*")
    await world.settled()

    assert told.ask("select subject from audit where action = 'delivery lost'") == [
        (lost,)
    ]
    assert refusal.times == 98
    assert told.sent_again == []
