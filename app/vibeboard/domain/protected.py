"""Files that an agent may change only if a person approves the very commit.

They decide what runs on other machines, who must review, and what the next agent is
told: workflows, owners, `.vibe.yml`, and the settings of agents. A team adds its own.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

# Agents read these wherever they lie.
_AGENTS = (
    "CLAUDE.md",
    "CLAUDE.local.md",
    "AGENTS.md",
    "AGENTS.override.md",
    "GEMINI.md",
    "QWEN.md",
    ".mcp.json",
    ".cursorrules",
    ".aider.conf.yml",
    "opencode.json",
    "opencode.jsonc",
    ".claude/**",
    ".codex/**",
    ".gemini/**",
    ".qwen/**",
    ".opencode/**",
    ".cursor/**",
)
ALWAYS = (
    ".github/workflows/**",
    ".github/actions/**",
    "**/action.yml",
    "**/action.yaml",
    "CODEOWNERS",
    ".github/CODEOWNERS",
    "docs/CODEOWNERS",
    ".vibe.yml",
    ".vibe/**",
    ".github/copilot-instructions.md",
    ".github/instructions/**",
    ".gitmodules",
    ".husky/**",
    *(f"**/{each}" for each in _AGENTS),
)

MOST_SHOWN = 30_000  # characters of a diff; what is longer cannot be approved


@dataclass(frozen=True)
class Held:
    """A commit that is not pushed, for the protected files that it changes.

    ``whole`` is false if the diff could not be shown to its end: nobody approves what
    nobody could read.
    """

    commit: str
    files: tuple[str, ...]
    diff: str
    whole: bool = True


def is_protected(path: str, own: Sequence[str] = ()) -> bool:
    """Whether a path, as git has it, is one of ours or of the team's ``own``.

    Case does not matter: some machines that check it out know none.
    """
    wanted = path.casefold()
    return any(_pattern(glob).fullmatch(wanted) for glob in (*ALWAYS, *own))


def those_protected(paths: Iterable[str], own: Sequence[str] = ()) -> list[str]:
    """Those of the paths that are protected, in their order."""
    return [path for path in paths if is_protected(path, own)]


@cache
def _pattern(glob: str) -> re.Pattern[str]:
    """``*`` and ``?`` stay within a folder, ``**`` is any number of folders.

    ``a/**`` is the folder ``a`` itself, too: a link may take its place.
    """
    whole = ""
    parts = glob.casefold().split("/")
    for number, part in enumerate(parts):
        if part == "**" and number == len(parts) - 1:
            whole = whole.removesuffix("/") + "(?:/.*)?"
        elif part == "**":
            whole += "(?:[^/]+/)*"
        else:
            whole += _part(part) + ("/" if number < len(parts) - 1 else "")
    return re.compile(whole, re.DOTALL)


def _part(part: str) -> str:
    """One part of a glob between slashes."""
    found = ""
    for piece in re.findall(r"\[!?[^\]]+\]|.", part, re.DOTALL):
        if piece == "*":
            found += "[^/]*"
        elif piece == "?":
            found += "[^/]"
        elif len(piece) > 1:
            found += _one_of(piece)
        else:
            found += re.escape(piece)
    return found


def _one_of(piece: str) -> str:
    """``[a-z]`` or ``[!a-z]``; as it stands if its range runs backwards."""
    inside = piece[1:-1]
    negated = inside.startswith("!") and len(inside) > 1
    listed = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[negated:])
    wanted = f"(?!/)[{'^' if negated else ''}{listed}]"
    try:
        re.compile(wanted)
    except re.error:
        return re.escape(piece)
    return wanted
