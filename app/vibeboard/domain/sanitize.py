"""Removes from foreign text what a person on GitHub does not see but an agent would.

Hidden HTML comments, invisible and text-reordering characters. What is removed is
counted, so that a person can be told.
"""

import re
from dataclasses import dataclass

# A comment that is never closed hides the rest of the text, but only where Markdown
# takes it for a block of HTML: at the beginning of a line, also in a quote or list.
_NEVER_CLOSED = re.compile(
    r"^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*)*<!--", re.MULTILINE
)

# [//]: # (a link reference that nothing refers to is the other way to hide words)
_REFERENCE = re.compile(
    r"^[ ]{0,3}\[[^\]\n]*\]:[ \t]*(?:\#|<>|<\#>)(?:[ \t]+\S[^\n]*)?$", re.MULTILINE
)

_NEW_LINE = re.compile("\r\n|[\r\u2028\u2029\x85]")

_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f"  # zero width, bidirectional
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"  # tags, supplementary variation selectors
    "\ud800-\udfff"  # halves of characters
    "]+"
)
_ORDINARY = frozenset({*_JOINERS, "\ufe0f\u200d"})


# "Fixes #1" in a comment, a pull request or a commit closes that issue on GitHub.
_CLOSING = re.compile(
    r"\b(close[sd]?|fix(?:e[sd])?|resolve[sd]?)(:?\s+)"
    r"(?=\S*#\d|GH-\d|https?://)",
    re.IGNORECASE,
)
_SKIPS_CI = re.compile(
    r"\[\s*(skip ci|ci skip|no ci|skip actions|actions skip)\s*\]", re.IGNORECASE
)


@dataclass(frozen=True)
class Clean:
    """Text as a person sees it; ``removed`` counts what was hidden in it."""

    text: str
    removed: int


def clean(text: str) -> Clean:
    """``text`` without what cannot be seen."""
    text = _NEW_LINE.sub("\n", text)
    text, invisible = _without_invisible(text)
    text, hidden = _without_comments(text)
    text, references = _REFERENCE.subn("", text)
    return Clean(text.strip(), invisible + hidden + references)


def revealed(text: str) -> str:
    """``text`` with its hidden characters written out, as for a diff to be judged."""
    text = re.sub("[\r\u2028\u2029\x85]", _written_out, text)
    return _INVISIBLE.sub(_written_out, text)


def _written_out(match: re.Match[str]) -> str:
    return "".join(f"⟨U+{ord(character):04X}⟩" for character in match[0])


def closing_nothing(text: str) -> str:
    """``text`` with its closing words made ordinary ones."""
    return _CLOSING.sub("\\1\N{ZERO WIDTH SPACE}\\2", text)


def skipping_nothing(text: str) -> str:
    """``text`` without the words that let GitHub Actions skip a commit."""
    return _SKIPS_CI.sub(r"(\1)", text)


def _without_comments(text: str) -> tuple[str, int]:
    kept: list[str] = []
    at = 0
    while (begin := text.find("<!--", at)) >= 0:
        end = text.find("-->", begin + 4)
        if end < 0:
            break
        kept.append(text[at:begin])
        at = end + 3
    closed, rest = len(kept), text[at:]
    unclosed = _NEVER_CLOSED.search(rest)
    if unclosed is not None:
        rest = rest[: unclosed.start()]
    return "".join([*kept, rest]), closed + (unclosed is not None)


def _without_invisible(text: str) -> tuple[str, int]:
    removed = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal removed
        # A single joiner after a letter or sign beyond ASCII is ordinary writing
        # (Persian, emoji); several, or one after ASCII, are a hiding place.
        before = match.string[match.start() - 1 : match.start()]
        if match[0] in _ORDINARY and not before.isascii():
            return match[0]
        removed += len(match[0])
        return ""

    return _INVISIBLE.sub(replaced, text), removed
