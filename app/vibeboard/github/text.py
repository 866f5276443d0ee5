"""Markdown that fits where GitHub takes it, and the mark that makes it ours.

What sentences say is decided in ``domain/words.py``; here they are only cut to
GitHub's limits, without leaving a code block or a fold open, and marked.
"""

import re
from collections.abc import Callable

# GitHub takes 65,536 characters (undocumented, answered with 422) and refuses the
# whole body beyond; the rest is room for a marker and for what it counts itself.
LONGEST_BODY = 60_000

_CUT = "\n\n… (cut: the text was longer than GitHub takes)"
_FENCE = re.compile(r"^(?P<indent> {0,3})(?P<mark>`{3,}|~{3,})(?P<rest>.*)$")
_TOPIC = re.compile(r"[A-Za-z0-9=._:/ -]{1,200}")
_MARKER = re.compile(r"<!-- vibe:(?P<topic>[A-Za-z0-9=._:/ -]{1,200}) -->\s*\Z")


def in_characters(text: str) -> int:
    """Length as issues and comments count it."""
    return len(text)


def in_bytes(text: str) -> int:
    """Length as check runs count it."""
    return len(text.encode("utf-8", "replace"))


def cut(
    markdown: str, limit: int, *, length: Callable[[str], int] = in_characters
) -> str:
    """``markdown`` in at most ``limit``, saying so if something is left out."""
    if length(markdown) <= limit:
        return markdown
    room = limit - length(_CUT)
    kept = _head(markdown, room, length)
    while kept and length(kept) + length(_closing(kept)) > room:
        kept = _head(kept, length(kept) - length(_closing(kept)), length)
    return kept + _closing(kept) + _CUT


def one_line(text: str, limit: int) -> str:
    """``text`` as a title: one line, at most ``limit`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def marked(markdown: str, topic: str, limit: int = LONGEST_BODY) -> str:
    """``markdown`` with the hidden marker of ``topic`` as its last line."""
    if _TOPIC.fullmatch(topic) is None or "--" in topic:
        message = f"not a topic: {topic!r}"
        raise ValueError(message)
    marker = f"\n\n<!-- vibe:{topic} -->"
    return cut(markdown.rstrip(), limit - len(marker)) + marker


def topic_of(body: str) -> str | None:
    """The topic a body is marked with; only its last line counts.

    Anything above may be somebody's text that imitates us.
    """
    found = _MARKER.search(body)
    return found["topic"] if found else None


def _head(text: str, room: int, length: Callable[[str], int]) -> str:
    """The longest beginning that fits, ending with a line if one is near."""
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if length(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    head = text[:low]
    end = head.rfind("\n")
    return head[:end] if end > low - 500 and end > 0 else head


def _closing(markdown: str) -> str:
    """What ends the code block and the folds that ``markdown`` leaves open."""
    fence: re.Match[str] | None = None
    folds = 0
    for line in markdown.splitlines():
        found = _FENCE.match(line)
        if fence is None:
            if found and not (found["mark"][0] == "`" and "`" in found["rest"]):
                fence = found
            else:
                folds += line.count("<details") - line.count("</details>")
        elif (
            found
            and found["mark"].startswith(fence["mark"])
            and not found["rest"].strip()
        ):
            fence = None
    # In a list only a fence as deep as the first one closes it.
    closing = f"\n{fence['indent']}{fence['mark']}" if fence else ""
    return closing + "\n\n</details>" * max(folds, 0)
