"""A card moved on a board becomes a tested pull request."""

from localhub import git


async def test_a_card_dragged_to_development_becomes_a_tested_pull_request(world):
    card = world.card(
        "Add a tock",
        "write tock.py def tock():\\n    return 2",
        "write test_tock.py from tock import tock\\n\\n\\ndef test_tock():\\n    assert tock() == 2",
        "summary Added a tock.",
    )

    card.moved_to("Development")
    await card.reaches("Review")

    pull = card.pull
    assert pull is not None
    assert pull.draft
    assert pull.title == "Add a tock"
    assert f"Closes #{card.issue.number}" in pull.body
    assert "Added a tock." in pull.body
    assert "| unit | ✅ passed | 2 | 0 | 0 |" in pull.body
    (check,) = world.checks("vibeboard / develop")
    assert check.suite.head_sha == pull.head_sha
    assert check.conclusion == "success"
    assert {"tock.py", "test_tock.py"} < world.files(pull.head_sha)
    assert ".vibe/out/summary.md" not in world.files(pull.head_sha)
    (commit,) = git.log(world.repository.git_dir, f"main..{pull.head_sha}")
    assert commit.author.name == "vibeboard[bot]"
    shown = await card.says("✅ done", f"#{pull.number}", "| unit | ✅ passed")
    assert len(card.tracking()) == 1, shown
