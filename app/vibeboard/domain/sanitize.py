"""Removes from foreign text what a person on GitHub does not see but an agent would.

Hidden HTML comments, invisible and text-reordering characters. What is removed is
counted, so that a person can be told.
"""

import re
import unicodedata
from dataclasses import dataclass

# A comment that is never closed hides the rest of the text, but only where Markdown
# takes it for a block of HTML: at the beginning of a line, also in a quote or list.
_NEVER_CLOSED = re.compile(
    r"^[ \t]*(?:(?:>|[-*+]|\d{1,9}[.)])[ \t]*)*<!--", re.MULTILINE
)

# [//]: # (a link reference that nothing refers to is the other way to hide words)
# Its title may stand on the next line, and go over several.
_REFERENCE = re.compile(
    r"[ ]{0,3}\[[^\]\n]*\]:[ \t]*(?:\#|<>|<\#>)(?P<title>(?:[ \t][^\n]*)?)"
)
_TITLE_ENDS = {"(": ")", '"': '"', "'": "'"}

_NEW_LINE = re.compile("\r\n|[\r\u2028\u2029\x85]")

# Joiners and variation selectors are ordinary where they join or vary something.
_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = frozenset("\ufe0e\ufe0f")
# Seen by nobody, whatever Unicode files them under: fillers, marks without a form,
# selectors. The rest is known by its category.
_FORMLESS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2065\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0000, 0xE1000))))
)
# Format characters that are drawn: signs around numbers and verses.
_DRAWN = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
_KEPT = frozenset("\n\t") | _DRAWN
_BREAKS = frozenset("\r\x85\u2028\u2029")  # made new lines before
# Characters that are newer than this Python's Unicode: here people expect pictures.
_PICTURES = range(0x1F000, 0x1FB00)
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs"})

# Each pass may bring two halves of a comment together. Who nests them deeper than this
# does so to hide something, and is shown all of it.
_MOST_PASSES = 8


def is_hidden(character: str) -> bool:
    """Whether nobody sees the character where it stands alone."""
    if character in _FORMLESS:
        return True
    if character in _KEPT:
        return False
    category = unicodedata.category(character)
    if category == "Cn" and ord(character) in _PICTURES:
        return False
    return category in _HIDDEN_CATEGORIES or category in ("Zl", "Zp")


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
    """``text`` without what cannot be seen; cleaned once more, it stays as it is."""
    removed = 0
    for _ in range(_MOST_PASSES):
        before = text
        text = _NEW_LINE.sub("\n", text)
        text, invisible = _without_invisible(text)
        text, hidden = _without_comments(text)
        text, markup = _without_markup(text)
        text, references = _without_references(text)
        text = text.strip()
        removed += invisible + hidden + markup + references
        if text == before:
            return Clean(text, removed)
    return Clean(_shown(text), removed)


def _shown(text: str) -> str:
    """``text`` with every beginning of what could hide something written out."""
    text, _ = _without_invisible(text)
    text = text.replace("<!", "< !").replace("<?", "< ?")
    lines = (
        "\\" + line.lstrip() if _REFERENCE.fullmatch(line) else line
        for line in text.split("\n")
    )
    return "\n".join(lines).strip()


def revealed(text: str) -> str:
    """``text`` with its hidden characters written out, as for a diff to be judged."""
    hidden = {
        ord(one): f"⟨U+{ord(one):04X}⟩"
        for one in set(text)
        if is_hidden(one) or one in _BREAKS
    }
    return text.translate(hidden)


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


def _without_references(text: str) -> tuple[str, int]:
    if "]:" not in text:
        return text, 0
    kept: list[str] = []
    removed, ends, may_follow = 0, "", False
    for line in text.split("\n"):
        words = line.strip()
        if ends and words:
            ends = "" if ends in words else ends
            continue
        found = _REFERENCE.fullmatch(line)
        title = found["title"].strip() if found is not None else words
        if found is None and not (may_follow and _is_title(words)):
            kept.append(line)
            ends, may_follow = "", False
            continue
        removed += found is not None
        kept.append("")
        closing = _TITLE_ENDS.get(title[:1], "")
        ends = closing if closing and closing not in title[1:] else ""
        may_follow = found is not None and not title
    return "\n".join(kept), removed


def _is_title(words: str) -> bool:
    """Whether a line may be the title of a reference on the line before."""
    closing = _TITLE_ENDS.get(words[:1])
    if closing is None:
        return False
    return words.endswith(closing) or closing not in words[1:]


# What GitHub takes for markup and shows nothing of. In code it is text, and stays.
_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})")
_MARKUP = re.compile(
    r"(?P<code>`[^`\n]+`)|<\?[^\n]*?\?>|<!\[CDATA\[[^\n]*?\]\]>|<![A-Za-z][^>\n]*>"
)


def _without_markup(text: str) -> tuple[str, int]:
    """Without processing instructions, declarations and CDATA outside of code."""
    removed = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal removed
        if found["code"]:
            return found[0]
        removed += 1
        return ""

    if "<?" not in text and "<!" not in text:
        return text, 0
    kept, fence = [], ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if not fence:
            kept.append(_MARKUP.sub(replaced, line))
            fence = mark[1] if mark is not None else ""
        else:
            kept.append(line)
            if mark is not None and line.strip().startswith(fence):
                fence = ""
    return "\n".join(kept), removed


def _without_invisible(text: str) -> tuple[str, int]:
    if text.isascii() and text.isprintable():
        return text, 0
    hidden = {one for one in set(text) if is_hidden(one)}
    if not hidden:
        return text, 0
    kept: list[str] = []
    for one in text:
        if one not in hidden or (kept and _belongs(one, kept[-1])):
            kept.append(one)
    return "".join(kept), len(text) - len(kept)


def _belongs(one: str, before: str) -> bool:
    """Whether a joiner or selector has something to do where it stands.

    A single one after a letter beyond ASCII, or after a picture, is ordinary writing
    (Persian, Hindi, emoji); several in a row, or one after ASCII, are a hiding place.
    """
    if before.isascii():
        return False
    if one in _SELECTORS:
        return unicodedata.category(before) in _PICTURED
    return one in _JOINERS and (
        before == "\ufe0f" or unicodedata.category(before) in _JOINED
    )


_PICTURED = frozenset({"So", "Sm", "Po", "Cn"})
_JOINED = frozenset({"Ll", "Lo", "Lm", "Lu", "Mc", "Mn", "So", "Sk", "Cn"})
