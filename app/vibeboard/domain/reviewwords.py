"""How reviews are told. What specialists write is foreign text, and made harmless."""

from collections.abc import Sequence
from datetime import timedelta

from vibeboard.domain.evidence import Verdict
from vibeboard.domain.markdown import (
    count,
    duration,
    foreign,
    in_html,
    inline,
    ours,
)
from vibeboard.domain.review import Finding, ReviewResult, Severity

_LONGEST_LIST = 10
_VERDICTS = {
    Verdict.PASSED: "✅ passed",
    Verdict.FAILED: "❌ blocks",
    Verdict.INCONCLUSIVE: "⚠️ inconclusive",
}
_SIGNS = {
    Severity.CRITICAL: "🛑",
    Severity.MAJOR: "🔶",
    Severity.MINOR: "🔹",
    Severity.NOTE: "💬",
}
_WORST_FIRST = tuple(sorted(Severity, reverse=True))


def told(results: Sequence[ReviewResult], *, most: int = _LONGEST_LIST) -> list[str]:
    """All reviews, for a comment, a pull request or a check."""
    if not results:
        return []
    heads = ["Review", "Verdict", *(each.word.capitalize() for each in _WORST_FIRST)]
    rows = [
        [
            inline(one.review),
            _VERDICTS[one.verdict],
            *(str(one.count(each)) for each in _WORST_FIRST),
            duration(timedelta(seconds=one.seconds)),
        ]
        for one in results
    ]
    lines = [f"| {' | '.join(row)} |" for row in ([*heads, "Time"], *rows)]
    lines.insert(1, "|---" * (len(heads) + 1) + "|")
    for one in results:
        of = f" ({one.review})" if len(results) > 1 else ""
        lines += _details(one, most, of)
    return lines


def _details(result: ReviewResult, most: int, of: str) -> list[str]:
    name = inline(result.review)
    lines = []
    if result.fault is not None:
        lines += ["", f"**{name}** says nothing: {ours(result.fault, 500)}"]
    for found in result.findings[:most]:
        lines += _finding(found, of)
    more = len(result.findings) - most
    if more > 0:
        lines += ["", f"… and {count(more, 'more finding')} of {name}."]
    return lines


def _finding(found: Finding, of: str) -> list[str]:
    where = f" <sub>{in_html(place(found))}</sub>" if found.path else ""
    worth = f"{_SIGNS[found.severity]} {found.severity.word}{of}"
    title = f"{worth}: {in_html(found.title)}"
    return [
        "",
        f"<details><summary>{title}{where}</summary>",
        "",
        foreign(found.text, 4_000),
        "",
        "</details>",
    ]


def place(found: Finding) -> str:
    """Where it is, such as ``clock.py:3``."""
    line = f":{found.line}" if found.line is not None else ""
    return f"{found.path or ''}{line}"


def title(result: ReviewResult) -> str:
    """One line for a check run, or a gate."""
    if result.fault is not None:
        return "The review says nothing: inconclusive"
    counts = ((each, result.count(each)) for each in _WORST_FIRST)
    found = ", ".join(f"{number} {each.word}" for each, number in counts if number)
    return f"Found: {found}" if found else "Found nothing"


def objections(results: Sequence[ReviewResult]) -> str:
    """Why reviews keep a run from succeeding."""
    return "; ".join(objection(one) for one in results if one.objects)


def objection(result: ReviewResult) -> str:
    """Why a review keeps a card from going on."""
    return f"the review `{result.review}` {blocked(result)}"


def blocked(result: ReviewResult) -> str:
    """The same where the review is named already."""
    if result.fault is not None:
        return f"says nothing: {ours(result.fault, 300)}"
    found = len(result.blocking)
    first = result.blocking[0]
    worst = f"“{inline(first.title, 120)}”"
    more = f" and {count(found - 1, 'more finding')}" if found > 1 else ""
    at = f" ({inline(place(first))})" if first.path else ""
    return f"blocks: {worst}{at}{more}"
