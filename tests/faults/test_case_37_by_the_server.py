"""Case 37, through the whole product: a refused push is told, and the work is kept."""

from pathlib import Path

import pytest

from localhub import git
from tests.journeys.conftest import still_world, world
from tests.journeys.world import World, config

__all__ = ["still_world", "world"]

LIGHT = config().partition("tests:\n  unit:")[0].replace("    tests: [unit]\n", "")


def hook(world: World, said: str) -> Path:
    path = world.repository.git_dir / "hooks" / "pre-receive"
    path.write_text(f"#!/bin/sh\ncat >&2 <<'SAID'\n{said}\nSAID\nexit 1\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def light(world: World) -> World:
    """Cards need no tests here."""
    world.commit_file(".vibe.yml", LIGHT)
    return world


async def test_case_37_a_branch_deleted_under_way_is_not_made_again(
    light: World,
) -> None:
    card = light.card("Deleted", "write x.txt x")
    branch = f"vibe/{card.issue.number}-deleted"
    card.moved_to("Development")
    await card.reaches("Review")
    card.rewritten("do: write y.txt y\ndo: sleep 1.5")
    card.moved_to("Development")
    await light.until(lambda: bool(light.agents()), "the agent")

    git.delete_ref(light.repository.git_dir, f"refs/heads/{branch}")

    await card.reaches("Attention")
    await card.says("❌ failed", "or deleted it meanwhile")
    assert git.resolve(light.repository.git_dir, f"refs/heads/{branch}") is None


async def test_case_37_what_refused_a_push_is_told_and_harms_nobody(
    light: World,
) -> None:
    refusing = hook(
        light,
        "error: GH013: Repository rule violations found for refs/heads/x.\n"
        "- Commits of @acme must <b>not</b> be made on a Friday, fixes #1",
    )
    card = light.card("Refused", "write x.txt x")
    card.moved_to("Development")

    await card.reaches("Attention")
    told = await card.says("❌ failed", "a rule of the repository forbids it")

    said = "Commits of @acme must <b>not</b> be made on a Friday, fixes #1`"
    assert said in told
    refusing.unlink()
    card.said("/agent retry")
    await card.reaches("Review")
    assert card.pull is not None
    assert "x.txt" in light.files(card.pull.head_sha)
