"""How tests are told: tables, what changed since the base, what was done to tests.

Names and messages are foreign text, and go through ``markdown`` first.
"""

from collections.abc import Sequence
from datetime import timedelta

from vibeboard.domain.comparison import Change
from vibeboard.domain.contract import Criterion, Standing, Tied
from vibeboard.domain.evidence import (
    CaseResult,
    Outcome,
    SuiteResult,
    Verdict,
    verdict_of,
)
from vibeboard.domain.markdown import count, duration, in_html, inline, ours, quoted
from vibeboard.domain.proof import Progress, Proof, SlowCase
from vibeboard.domain.weakening import Harm, Weakening

_LONGEST_LIST = 10
_VERDICTS = {
    Verdict.PASSED: "✅ passed",
    Verdict.FAILED: "❌ failed",
    Verdict.INCONCLUSIVE: "⚠️ inconclusive",
}
# What is told of a comparison, in this order; the rest is no news.
_TOLD = {
    Change.NEWLY_FAILING: "❌ newly failing",
    Change.STILL_FAILING: "❌ failing as at the base",
    Change.FLAKY: "🎲 flaky: failed and passed on this commit",
    Change.WAVERING: "🎲 failed and passed at the base",
    Change.FIXED: "✅ fixed",
    Change.REMOVED: "🗑️ removed",
    Change.NOT_RUN: "⚠️ not run",
    Change.NEWLY_SKIPPED: "⏭️ newly skipped",
    Change.RENAMED: "✏️ renamed",
    Change.NEW: "🆕 new",
}
_HARMS = {
    Harm.REMOVED: "removed",
    Harm.SKIPPED: "newly skipped",
    Harm.EMPTIED: "checks nothing any more",
    Harm.WEAKENED: "has fewer assertions",
    Harm.FEWER_CASES: "has fewer cases",
    Harm.FOCUSED: "keeps other tests from running",
    Harm.SETUP: "sets up tests, and was changed",
    Harm.UNREADABLE: "cannot be read",
}


STANDINGS = {
    Standing.PROVED: "is proved",
    Standing.WAIVED: "is accepted without proof",
    Standing.UNTIED: "is tied to no test",
    Standing.MISSING: "names a test that did not run",
    Standing.AMBIGUOUS: "names a test by a name that several have",
    Standing.NOT_PASSED: "names a test that did not pass",
}


def criteria(found: Sequence[Criterion]) -> list[str]:
    """How acceptance criteria stand, and which tests went from red to green."""
    if not found:
        return []
    lines = ["| | Criterion | Tests |", "|---|---|---|"]
    for one in found:
        sign = "🔴→🟢" if one.red_to_green else "✅"
        said = [] if one.met else [STANDINGS[one.standing]]
        said += [", ".join(map(_tied, one.tests))] if one.tests else []
        row = (sign if one.met else "❌", f"{one.number}. {inline(one.text)}")
        lines.append(f"| {' | '.join((*row, '; '.join(said)))} |")
    return lines


def _tied(tied: Tied) -> str:
    name = inline(tied.cases[0].id if len(tied.cases) == 1 else tied.claimed, 300)
    if not tied.red_to_green:
        return name
    return f"{name} ({'new' if tied.before is None else 'failed at the base'})"


def told(proof: Proof) -> list[str]:
    """Everything that a proof says, for a comment, a pull request or a check."""
    if not proof.results:
        return list(_weakened(proof.weakened))
    return [
        *_table(proof.results, proof.progress),
        *_changes(proof.progress),
        *_weakened(proof.weakened),
        *(line for result in proof.results for line in _details(result)),
    ]


def _table(results: Sequence[SuiteResult], compared: Sequence[Progress]) -> list[str]:
    covered = any(result.coverage for result in results)
    head = ["Suite", "Verdict", "Passed", "Failed", "Skipped", "Time"]
    head += ["Coverage"] if covered else []
    rows = []
    beside = {one.suite: one for one in compared}
    for result in results:
        base = beside.get(result.suite, Progress(result.suite, based=False))
        row = [
            inline(result.suite),
            _VERDICTS[result.verdict],
            f"{result.count(Outcome.PASSED)}",
            f"{result.failed}{_delta_of_failures(base)}",
            f"{result.count(Outcome.SKIPPED)}",
            f"{duration(timedelta(seconds=result.seconds))}{_delta_of_time(base)}",
        ]
        rows.append([*row, _coverage(result, base)] if covered else row)
    lines = [f"| {' | '.join(row)} |" for row in (head, *rows)]
    return [lines[0], "|---" * len(head) + "|", *lines[1:]]


def _delta_of_failures(base: Progress) -> str:
    new, fixed = base.count(Change.NEWLY_FAILING), base.count(Change.FIXED)
    parts = [f"{new} new"] if new and base.based else []
    parts += [f"{fixed} fixed"] if fixed else []
    return f" ({', '.join(parts)})" if parts else ""


def _delta_of_time(base: Progress) -> str:
    if base.seconds is None or abs(base.seconds) < 1:
        return ""
    sign = "+" if base.seconds > 0 else "−"  # noqa: RUF001 - a minus, as people read it
    return f" ({sign}{duration(timedelta(seconds=abs(base.seconds)))})"


def _coverage(result: SuiteResult, base: Progress) -> str:
    percent = result.covered
    if percent is None:
        return "none"
    before = base.covered_before
    delta = "" if before is None else f" ({percent - before:+.1f})"
    return f"{percent:.1f} %{delta}"


def _changes(compared: Sequence[Progress]) -> list[str]:
    lines: list[str] = []
    several = len(compared) > 1
    for one in compared:
        of = f" in {inline(one.suite)}" if several else ""
        for change, said in _TOLD.items():
            names = one.names.get(change, ())
            if names:
                lines += _names(f"{said}{of}", names, one.count(change))
        lines += _slowest(one.slowest, of)
    return lines


def _names(said: str, names: Sequence[str], number: int) -> list[str]:
    shown = [f"- {inline(name, 300)}" for name in names]
    if number > len(shown):
        shown.append(f"- … and {number - len(shown)} more")
    summary = f"<details><summary>{said}: {count(number, 'test')}</summary>"
    return ["", summary, "", *shown, "", "</details>"]


def _slowest(slow: Sequence[SlowCase], of: str) -> list[str]:
    notable = [case for case in slow if case.seconds >= 1]
    if not notable:
        return []
    lines = ["", f"<details><summary>⏱️ slowest{of}</summary>", ""]
    for case in notable:
        delta = "" if case.delta is None else f" ({case.delta:+.1f} s)"
        lines.append(f"- {case.seconds:.1f} s{delta}: {inline(case.id, 300)}")
    return [*lines, "", "</details>"]


def _weakened(found: Sequence[Weakening]) -> list[str]:
    if not found:
        return []
    lines = ["", "> [!WARNING]", "> **The tests themselves were changed:**", ">"]
    for one in found[:_LONGEST_LIST]:
        counts = ""
        if one.before is not None and one.after is not None:
            counts = f" ({one.before} → {one.after})"
        name = inline(f"{one.test} in {one.file}" if one.test else one.file, 300)
        lines.append(f"> - {name} {_HARMS[one.harm]}{counts}")
    more = len(found) - _LONGEST_LIST
    return [*lines, f"> - … and {more} more"] if more > 0 else lines


def _details(result: SuiteResult) -> list[str]:
    lines: list[str] = []
    name = inline(result.suite)
    lines += [f"\n**{name}**: {ours(short, 500)}" for short in result.shortfalls]
    if result.fault:
        lines += ["", f"**{name}**: {ours(result.fault, 500)}"]
        if result.output_tail:
            lines += [
                "<details><summary>The end of its output</summary>",
                "",
                quoted(result.output_tail),
                "",
                "</details>",
            ]
    for case in result.failures[:_LONGEST_LIST]:
        lines += _failure(case)
    more = result.failed - min(len(result.failures), _LONGEST_LIST)
    if more > 0:
        lines += ["", f"… and {more} more failures of {name}."]
    return lines


def _failure(case: CaseResult) -> list[str]:
    message = in_html(case.message or "no message", 160)
    return [
        "",
        f"<details><summary>❌ {in_html(case.id)}: {message}</summary>",
        "",
        quoted(case.detail or case.message or "no detail"),
        "",
        "</details>",
    ]


def title(results: Sequence[SuiteResult]) -> str:
    """One line for a check run."""
    if not results:
        return "No test suite is configured for this stage"
    passed = sum(result.count(Outcome.PASSED) for result in results)
    failed = sum(result.failed for result in results)
    verdict = verdict_of(results)
    if verdict is Verdict.PASSED:
        wavered = sum(len(result.flaky) for result in results)
        flaky = f", {wavered} of them flaky" if wavered else ""
        return f"{count(passed, 'test')} passed{flaky}"
    if verdict is Verdict.FAILED:
        return f"{failed} of {passed + failed} tests failed" if failed else "Not green"
    return "The tests prove nothing: inconclusive"


def objections(results: Sequence[SuiteResult]) -> str:
    """Why tests keep a run from succeeding, or a gate shut."""
    return "; ".join(filter(None, map(objection, results)))


def objection(result: SuiteResult) -> str:
    """Why a suite is not green; nothing if it is."""
    if result.verdict is Verdict.PASSED:
        return ""
    if result.verdict is Verdict.INCONCLUSIVE:
        why = result.fault or "no test passed"
        return f"`{result.suite}` proves nothing: {inline(why, 300)}"
    if result.failed:
        total = result.failed + result.count(Outcome.PASSED)
        return f"{result.failed} of {total} tests of `{result.suite}` failed"
    if result.shortfalls:
        return f"`{result.suite}`: {inline('; '.join(result.shortfalls), 300)}"
    return f"{count(len(result.flaky), 'test')} of `{result.suite}` failed and passed"
