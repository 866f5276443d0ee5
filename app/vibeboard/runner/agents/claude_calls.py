"""What Claude Code asks to do, as calls that rules understand."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vibeboard.domain.tools import FAMILIES, FETCH, READ, SHELL, ToolCall
from vibeboard.runner.agents.questions import difference, from_tree

_PATHS = ("file_path", "path", "notebook_path")
_FILES = FAMILIES["Edit"] | FAMILIES[READ]
# Words for people, chosen anew each time; they change nothing about the deed.
_WORDS = "description"
_SOMEWHERE = ".."  # where a call is made that does not say it; rules on paths fail


def call_of(asked: Mapping[str, Any], tree: Path) -> ToolCall:
    """The call in a hook's or a permission's request, whose names are alike."""
    tool = str(asked.get("tool_name") or "")
    given = asked.get("tool_input", asked.get("input"))
    given = given if isinstance(given, dict) else {}
    cwd = asked.get("cwd")
    here = from_tree(tree, cwd) if isinstance(cwd, str) else _SOMEWHERE
    paths: tuple[str, ...] = ()
    if tool in _FILES:
        paths = tuple(from_tree(tree, path, here) for path in _named(tool, given))
    return ToolCall(
        id=str(asked.get("tool_use_id") or ""),
        tool=tool,
        subject=_subject(tool, given, paths),
        arguments={key: value for key, value in given.items() if key != _WORDS},
        cwd="" if here == "." else here,
        diff=_diff(given, paths),
        why=str(given.get(_WORDS) or ""),
        paths=paths,
    )


def _named(tool: str, given: Mapping[str, Any]) -> list[str]:
    named = [given[key] for key in _PATHS if isinstance(given.get(key), str)]
    # Who names no file searches where it stands.
    named = named or ["."]
    pattern = given.get("pattern")
    if tool == "Glob" and isinstance(pattern, str):
        # A pattern may lead elsewhere by itself.
        known = re.split(r"[*?\[{]", pattern, maxsplit=1)[0]
        named = [str(Path(path, known)) for path in named]
    return named


def _subject(tool: str, given: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    if tool == SHELL:
        return str(given.get("command") or "")
    if tool == FETCH:
        return str(given.get("url") or "")
    return ", ".join(paths) or str(given.get("query") or "")


def _diff(given: Mapping[str, Any], paths: tuple[str, ...]) -> str:
    path = paths[0] if paths else ""
    content = given.get("content", given.get("new_source"))
    if isinstance(content, str):
        return difference(path, "", content)
    edits = given.get("edits")
    changes = edits if isinstance(edits, list) else [given]
    return "\n".join(
        difference(path, str(each["old_string"]), str(each.get("new_string") or ""))
        for each in changes
        if isinstance(each, dict) and "old_string" in each
    )
