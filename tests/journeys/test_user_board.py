"""A board that belongs to a person: GitHub tells nothing of it, so it is read."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import projects
from tests.journeys.conftest import free_port
from tests.journeys.world import World, config, make_world


@pytest.fixture
async def still(tmp_path: Path) -> AsyncIterator[World]:
    """Alice's own board, and a server with her token that has not started."""
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    made = await make_world(tmp_path, url, free_port(), board_of="alice")
    token = tmp_path / "alice"
    token.write_text("alice-token\n")
    made.settings |= {"user_token_file": str(token), "poll_seconds": "0.2"}
    yield made
    if made.server is not None:
        await made.end()
    await made.running.close()
    assert made.tracebacks() == []


async def serves(world: World) -> None:
    """Start the server, and wait until it knows the board as it is."""
    world.log.clear()
    await world.serve()
    await world.until(
        lambda: any('"board read"' in line for line in world.log), "the board read"
    )


async def test_a_card_dragged_on_a_persons_board_becomes_a_pull_request(
    still: World,
) -> None:
    card = still.card("Add a tock", "write tock.txt tock", "summary Added a tock.")
    await serves(still)

    card.moved_to("Development")
    await card.reaches("Review")

    assert card.pull is not None
    await card.says("✅ done", "asked for by alice")
    assert len(card.tracking()) == 1


@pytest.mark.thorough
async def test_moving_the_card_away_stops_the_agent(still: World) -> None:
    card = still.card("Take long", "write begun.txt begun", "sleep 600")
    await serves(still)
    card.moved_to("Development")
    await still.until(lambda: bool(still.agents()), "the agent")

    card.moved_to("Backlog")

    await card.says("✋ stopped", "@alice moved the card to Backlog")
    assert card.column == "Backlog"


@pytest.mark.thorough
async def test_taking_the_card_off_the_board_stops_the_agent(still: World) -> None:
    card = still.card("Take long", "write begun.txt begun", "sleep 600")
    await serves(still)
    card.moved_to("Development")
    await still.until(lambda: bool(still.agents()), "the agent")

    projects.delete(still.hub, card.item, actor=still.user("alice"))

    await card.says("✋ stopped", "the card was taken off the board")


@pytest.mark.thorough
async def test_a_card_that_was_there_before_us_starts_nothing(still: World) -> None:
    old = still.card("Old", "write old.txt old", column="Development")
    await serves(still)
    new = still.card("New", "write new.txt new", column="Development")

    await new.reaches("Review")

    assert old.column == "Development"
    assert not old.tracking()


@pytest.mark.thorough
async def test_a_command_moves_the_card_on_a_persons_board(still: World) -> None:
    card = still.card("Add a tock", "write tock.txt tock")
    await serves(still)

    card.said("/agent develop")
    await card.reaches("Review")

    assert len(card.tracking()) == 1
    assert card.pull is not None


@pytest.mark.thorough
async def test_a_move_while_the_server_was_down_counts_when_it_is_back(
    still: World,
) -> None:
    card = still.card("Add a tock", "write tock.txt tock")
    await serves(still)
    await still.end()

    card.moved_to("Development")
    await still.serve()

    await card.reaches("Review")


async def test_without_a_token_the_config_check_says_what_is_missing(
    still: World,
) -> None:
    del still.settings["user_token_file"]
    await still.serve()

    pull = still.pull_request(".vibe.yml", config(board="alice") + "#\n", "Say more")
    await still.until(lambda: bool(still.checks("vibeboard / config")), "the check")

    (check,) = still.checks("vibeboard / config")
    assert check.suite.head_sha == pull.head_sha
    assert check.conclusion == "failure"
    assert "this App is not installed on alice" in (check.summary or "")
    assert "VIBEBOARD_USER_TOKEN_FILE" in (check.summary or "")
