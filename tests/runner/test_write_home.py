"""Files of ours in an agent's home, which an earlier run of it has had."""

from pathlib import Path

import pytest

from vibeboard.domain.workflow import Agent, Cli
from vibeboard.engine.ports import Assignment
from vibeboard.runner.agents.command import write_home


@pytest.fixture
def assignment(tmp_path: Path) -> Assignment:
    home = tmp_path / "home"
    home.mkdir()
    agent = Agent("claude", Cli.CLAUDE_CODE)
    return Assignment("r1", agent, "do", tmp_path / "tree", home, tmp_path / "log")


def test_a_link_in_its_place_leads_nowhere(
    assignment: Assignment, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("kept")
    (assignment.home / "prompt.md").symlink_to(secret)

    path = write_home(assignment, "prompt.md", "do")

    assert (path.read_text(), secret.read_text()) == ("do", "kept")


def test_a_folder_that_became_a_link_leads_nowhere(
    assignment: Assignment, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (assignment.home / ".agent").symlink_to(elsewhere)

    path = write_home(assignment, ".agent/deep/settings.json", "{}")

    assert path.read_text() == "{}"
    assert list(elsewhere.iterdir()) == []
    assert not (assignment.home / ".agent").is_symlink()


def test_what_is_there_is_replaced_and_its_neighbours_stay(
    assignment: Assignment,
) -> None:
    folder = assignment.home / ".agent"
    folder.mkdir()
    (folder / "session").write_text("mine")
    (folder / "settings.json").mkdir()

    path = write_home(assignment, ".agent/settings.json", "{}")

    assert path.read_text() == "{}"
    assert (folder / "session").read_text() == "mine"
