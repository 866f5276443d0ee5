"""Text for GitHub's Markdown: foreign words made harmless, and small parts of ours."""

import re
from datetime import timedelta
from html import escape, unescape

from vibeboard.domain.sanitize import clean, closing_nothing

BREAK = "\N{ZERO WIDTH SPACE}"
_LONGEST_DETAIL = 2_000


def flat_line(text: str, limit: int) -> str:
    """On one line, and no longer than ``limit``."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def inline(text: str, limit: int = 200) -> str:
    """Foreign text on one line: no mention, command, link or markup works in it."""
    flat = closing_nothing(flat_line(text, limit))
    return re.sub(r"([\\`*_{}\[\]<>#|@~])", r"\\\1", flat).replace(
        "\\@", "@\N{ZERO WIDTH SPACE}"
    )


def in_html(text: str, limit: int = 200) -> str:
    """Foreign text on one line inside an HTML tag, where no Markdown is read."""
    flat = closing_nothing(flat_line(text, limit))
    return escape(flat, quote=False).replace("@", f"@{BREAK}")


def ours(text: str, limit: int) -> str:
    """A sentence of our own that names what `.vibe.yml` says."""
    return flat_line(text, limit).replace("@", f"@{BREAK}").replace("<", "&lt;")


def quoted(text: str, limit: int = _LONGEST_DETAIL, kind: str = "text") -> str:
    """Foreign text as a code block that it cannot close."""
    if len(text) > limit:
        text = text[:limit].rstrip() + "\n… (cut)"
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{kind}\n{text}\n{fence}"


_COMMAND = re.compile(r"^(\s*)/(?=agent\b)", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(r"<(?!/?(?:details|summary|br|sub|sup|kbd)\b)", re.IGNORECASE)
_FOLD = re.compile(r"<(/?)details\b", re.IGNORECASE)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*([^\n]*)$", re.MULTILINE)
# Signs that GitHub acts upon after it has read entities.
_ENTITY = re.compile(
    r"&(?:commat|num|sol|excl|#0*(?:64|35|47|33)|#x0*(?:40|23|2f|21));?", re.IGNORECASE
)


def foreign(text: str, limit: int = 20_000) -> str:
    """Foreign Markdown shown as Markdown, and harmless.

    Mentions, closing words, commands, pictures from elsewhere and hidden text lose
    their effect; what it opens, it closes.
    """
    text = _ENTITY.sub(lambda sign: unescape(sign[0]), clean(text).text)
    text = _TAG.sub("&lt;", text)
    text = text.replace("@", f"@{BREAK}").replace("![", "!\\[")
    text = closing_nothing(text)
    text = _COMMAND.sub(rf"\1{BREAK}/", text)
    if len(text) > limit:
        text = text[:limit].rstrip() + "\n\n… (cut)"
    return _folded(_fenced(text))


def _fenced(text: str) -> str:
    """With a code block closed that was left open; only a fence like its own can."""
    opened = ""
    for fence, rest in _FENCE.findall(text):
        if not opened:
            opened = fence
        elif fence.startswith(opened) and not rest.strip():
            opened = ""
    return f"{text}\n{opened}" if opened else text


def _folded(text: str) -> str:
    """With as many folds closed as opened, so that it cannot leave ours."""
    depth = 0

    def balanced(tag: re.Match[str]) -> str:
        nonlocal depth
        if not tag[1]:
            depth += 1
        elif not depth:
            return f"&lt;{tag[0][1:]}"
        else:
            depth -= 1
        return tag[0]

    text = _FOLD.sub(balanced, text)
    return text + "\n\n</details>" * depth


def code(text: str) -> str:
    """Foreign text as code on one line, whatever backticks are in it."""
    flat = " ".join(text.split())
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{flat}{space}{fence}"


def duration(span: timedelta) -> str:
    """``45s``, ``2m 14s``, ``1h 3m``."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m {seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m"


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
