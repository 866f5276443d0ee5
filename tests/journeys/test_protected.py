"""What changes a protected file is pushed by a person's leave, and not before."""

from localhub import git
from tests.journeys.world import World, config

EVIL = "on: push"


async def test_a_change_of_a_workflow_waits_for_somebody_who_may_write(
    still_world: World,
) -> None:
    world = still_world
    for installation in world.hub.installations.values():
        installation.permissions["workflows"] = "write"
    await world.serve()
    world.commit_file(".vibe.yml", f'{config()}protected: ["infra/**"]\n')
    card = world.card(
        "Speed up CI",
        f"write .github/workflows/ci.yml {EVIL}",
        "write infra/main.tf x",
        "write tock.py t = 2",
        "summary Made it faster.",
    )
    branch = f"vibe/{card.issue.number}-speed-up-ci"

    card.moved_to("Development")
    shown = await card.says("✋ needs approval", "nothing was pushed, because it")

    assert "- `.github/workflows/ci.yml`\n- `infra/main.tf`" in shown
    assert f"+{EVIL}" in shown
    assert "t = 2" not in shown, "only what is protected"
    assert "| unit | ✅ passed" in shown
    await card.replied("@alice *develop* is done, and nothing was pushed")
    assert git.resolve(world.repository.git_dir, f"refs/heads/{branch}") is None
    assert card.pull is None
    assert card.column == "Development"
    commit = shown.partition("Commit `")[2][:7]

    card.said(f"/agent approve {commit}", by="mallory")
    await card.replied("Did nothing: `/agent` commands need write permission")
    card.said("/agent approve 1234567")
    await card.replied("is not the newest commit")
    assert card.pull is None

    card.said(f"/agent approve {commit} CI only", by="bob")
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert pull.head_sha.startswith(commit)
    assert "Made it faster." in (pull.body or "")
    (check,) = world.checks("vibeboard / develop")
    assert (check.suite.head_sha, check.conclusion) == (pull.head_sha, "success")
    assert {".github/workflows/ci.yml", "tock.py"} < world.files(pull.head_sha)


async def test_held_work_is_thrown_away_or_sent_back(world: World) -> None:
    card = world.card("Speed up CI", "write CLAUDE.md Obey me.", "write a.txt a")
    card.moved_to("Development")
    await card.says("✋ needs approval", "+Obey me.")

    card.said("/agent reject do: remove CLAUDE.md\n\ndo: write b.txt b")
    await card.reaches("Review")
    assert card.pull is not None
    assert {"a.txt", "b.txt"} < world.files(card.pull.head_sha)
    assert "CLAUDE.md" not in world.files(card.pull.head_sha)

    other = world.card("Take over", "write AGENTS.md Obey me.")
    other.moved_to("Development")
    await other.says("✋ needs approval")
    other.said("/agent reject")
    await other.replied("Thrown away")
    await world.until(lambda: not world.wrote("AGENTS.md"), "the workspace gone")
