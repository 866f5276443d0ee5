"""Where a call leads, whatever its program calls the place."""

from pathlib import Path

import pytest

from vibeboard.runner.agents.claude_calls import call_of
from vibeboard.runner.agents.questions import from_tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / ".github").mkdir(parents=True)
    (tree / "innocent").symlink_to(".github")
    (tree / "out").symlink_to("/etc")
    (tmp_path / "tree-too").mkdir()
    return tree


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("a/b.py", "a/b.py"),
        ("./a/../b.py", "b.py"),
        ("", "."),
        ("innocent/x.yml", ".github/x.yml"),
        ("out/passwd", "/etc/passwd"),
        ("../../../../../../../../../../etc/passwd", "/etc/passwd"),
        ("a\0b\ud800", "a\ufffdb?"),
    ],
)
def test_a_path_is_where_it_leads(tree: Path, path: str, leads_to: str) -> None:
    assert from_tree(tree, path) == leads_to


def test_a_folder_beside_the_tree_is_not_in_it(tree: Path) -> None:
    beside = tree.with_name("tree-too") / "x"

    assert from_tree(tree, str(beside)) == str(beside)


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({"pattern": "**/*.py"}, (".",)),
        ({"pattern": "/etc/*.conf"}, ("/etc",)),
        ({"pattern": "x/*", "path": "innocent"}, (".github/x",)),
    ],
)
def test_a_search_leads_where_its_pattern_does(
    tree: Path, given: dict[str, str], paths: tuple[str, ...]
) -> None:
    asked = {"tool_name": "Glob", "tool_input": given, "cwd": str(tree)}

    assert call_of(asked, tree).paths == paths


def test_a_call_that_does_not_say_where_it_is_made_is_made_anywhere(
    tree: Path,
) -> None:
    asked = {"tool_name": "Bash", "input": {"command": "ls"}}

    assert call_of(asked, tree).cwd == ".."
