"""A card whose agent works in a cell: what it tries is told on the card."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.model_api import Say, model_api
from tests.journeys.conftest import free_port
from tests.journeys.world import World, config, make_world
from tests.runner.cells import need_bubblewrap


def held() -> str:
    """The usual workflow, whose agent may reach one host."""
    required = "version: 1\nsandbox: required\n"
    reaching = "    cli: command\n    network: [files.example.org]\n"
    text = config().replace("version: 1\n", required)
    return text.replace("    cli: command\n", reaching)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    files = {".vibe.yml": held()}
    made = await make_world(tmp_path, url, free_port(), files=files)
    yield made
    if made.server is not None:
        await made.end()
    await made.running.close()
    assert made.tracebacks() == []


async def test_what_was_refused_is_told_and_no_secret_was_taken(world: World) -> None:
    """The operator lets cells read the folder that the App's key is in."""
    need_bubblewrap()
    await world.serve()
    card = world.card(
        "Take it",
        "write a.txt a",
        f"take {world.home}/app.pem",
        f"take {world.home}/data/place",
        "reach http://evil.example/x",
    ).moved_to("Development")

    await card.reaches("Review")

    told = await card.says("✅ done", "The network refused `evil.example:80`")
    assert "without a sandbox" not in told
    assert card.pull is not None
    assert "a.txt" in world.files(card.pull.head_ref)
    taken = list(world.home.glob("data/workspaces/cards/*/*/*/tree/taken"))
    assert [path.read_text() for path in taken] in ([], [""])
    (line,) = [line for line in world.log if '"event": "sandbox"' in line]
    assert json.loads(line)["kind"] == "bubblewrap"


async def test_a_server_without_bubblewrap_refuses_where_it_is_required(
    world: World,
) -> None:
    world.settings["sandbox"] = "off"
    await world.serve()

    card = world.card("Held", "write a.txt a").moved_to("Development")

    await card.reaches("Attention")
    await card.says("❌ failed", "the sandbox is required", "vibeboard doctor")
    assert card.pull is None


async def test_a_run_that_asks_models_too_much_is_cut_off_with_its_work_saved(
    world: World,
) -> None:
    """Any program's requests are counted on their way, whatever it says of them."""
    limited = "limits: {minutes: 5, tokens: 1050}"
    text = config().replace("limits: {minutes: 5}", limited)
    world.commit_file(".vibe.yml", text)
    (world.home / "model-key").write_text("sk-real")
    async with model_api([Say("hello")]) as api:
        world.settings["anthropic_base_url"] = api.url
        world.settings["anthropic_api_key_file"] = str(world.home / "model-key")
        await world.serve()
        card = world.card("Talk", "environment", "write a.txt a", "ask 100")
        card.moved_to("Development")

        await card.reaches("Attention")
        await card.says("💰 out of budget", "1,050")

    assert set(api.paths) == {"/v1/messages"}
    assert set(api.keys) == {"sk-real"}
    assert len(api.paths) == 11  # of 101 tokens each
    branch = f"vibe/{card.issue.number}-talk"
    assert "a.txt" in world.files(branch)
    everything = "\n".join([*card.replies, *world.log])
    assert "sk-real" not in everything
