"""Test reports turned into a verdict.

Parsing lives in ``runner/reports.py`` and ``runner/coverage.py``; what changed since
the base lives in ``comparison.py``. A verdict is never taken from an agent's words or
from an exit code alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum


class Outcome(Enum):
    """What became of one test case."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def bad(self) -> bool:
        """Whether it failed or could not be carried out."""
        return self in _BAD


_BAD = (Outcome.FAILED, Outcome.ERROR)
_DECIDES = (Outcome.PASSED, Outcome.ERROR, Outcome.FAILED, Outcome.SKIPPED)


class Verdict(Enum):
    """What a suite proves. Inconclusive is never green."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class FlakyPolicy(Enum):
    """What a case that failed and passed on one commit does to the verdict.

    Where it may pass, it is still told by name.
    """

    PASS = "pass"  # noqa: S105 - no password
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One of several goes at a case on one commit."""

    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One test case. ``seconds`` as the report says; ``detail`` may be long.

    ``attempts`` are all goes at it, in order, if there was more than one; the outcome
    is then passed if any of them passed.
    """

    id: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    detail: str = ""
    file: str | None = None
    line: int | None = None
    assertions: int | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def goes(self) -> tuple[Attempt, ...]:
        """All attempts, also if there was only one."""
        one = Attempt(self.outcome, self.seconds, self.message, self.detail)
        return self.attempts or (one,)

    @property
    def flaky(self) -> bool:
        """Whether it both passed and failed on the same commit."""
        outcomes = {attempt.outcome for attempt in self.attempts}
        return Outcome.PASSED in outcomes and not outcomes.isdisjoint(_BAD)


def together(goes: Sequence[CaseResult]) -> CaseResult:
    """Several goes at one case on one commit as one; it passed if any of them did."""
    decides = min(goes, key=lambda go: _DECIDES.index(go.outcome))
    attempts = tuple(attempt for go in goes for attempt in go.goes)
    return replace(decides, attempts=attempts)


@dataclass(frozen=True)
class FileCoverage:
    """The lines of one file that could run, and those that did."""

    path: str
    lines: int
    covered: int


@dataclass(frozen=True)
class Coverage:
    """The lines that could run, and those that did; ``files`` may be cut short."""

    lines: int
    covered: int
    files: tuple[FileCoverage, ...] = ()

    @property
    def percent(self) -> float | None:
        """The share of lines that ran; None if none could, which proves nothing."""
        return 100 * self.covered / self.lines if self.lines else None


@dataclass(frozen=True)
class SuiteResult:
    """What running one suite gave; ``fault`` says why there is no evidence.

    ``shortfalls`` say what the suite asks for besides its cases and did not get.
    ``totals`` count the cases where only some of them are kept (see ``brief``).
    """

    suite: str
    cases: tuple[CaseResult, ...] = ()
    exit_code: int | None = None
    seconds: float = 0.0
    fault: str | None = None
    output_tail: str = ""
    coverage: Coverage | None = None
    policy: FlakyPolicy = FlakyPolicy.PASS
    shortfalls: tuple[str, ...] = ()
    totals: Mapping[Outcome, int] | None = None

    def count(self, outcome: Outcome) -> int:
        """How many cases ended so."""
        if self.totals is not None:
            return self.totals.get(outcome, 0)
        return sum(1 for case in self.cases if case.outcome is outcome)

    @property
    def covered(self) -> float | None:
        """The per cent of lines that ran; None where nothing tells."""
        return self.coverage.percent if self.coverage is not None else None

    @property
    def failed(self) -> int:
        """How many cases failed or could not be carried out."""
        return sum(map(self.count, _BAD))

    def brief(self, most: int = 50) -> "SuiteResult":
        """The same with what people are shown of it: what failed and what wavered.

        The verdict and the counts stay what they are.
        """
        kept = [*self.failures[:most], *self.flaky[:most]]
        coverage = self.coverage and replace(self.coverage, files=())
        totals = {outcome: self.count(outcome) for outcome in Outcome}
        cases = tuple(dict.fromkeys(kept))
        return replace(self, cases=cases, coverage=coverage, totals=totals)

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """Cases that failed or could not be carried out."""
        return tuple(case for case in self.cases if case.outcome in _BAD)

    @property
    def flaky(self) -> tuple[CaseResult, ...]:
        """Cases that both passed and failed on this commit."""
        return tuple(case for case in self.cases if case.attempts and case.flaky)

    @property
    def verdict(self) -> Verdict:
        """The verdict by the suite's own policy."""
        return self.judged(self.policy)

    def judged(self, flaky: FlakyPolicy) -> Verdict:
        """Failed if anything failed; passed needs one passed case and exit 0.

        A flaky case is forgiven only where the command forgave it too: with another
        exit code than 0 it failed.
        """
        wavered = self.flaky
        unforgiven = flaky is FlakyPolicy.FAIL or self.exit_code not in (0, None)
        if self.failures or (wavered and unforgiven):
            return Verdict.FAILED
        if self.shortfalls and self.fault is None and self.count(Outcome.PASSED):
            return Verdict.FAILED
        if self.fault is not None or not self.count(Outcome.PASSED):
            return Verdict.INCONCLUSIVE
        if self.exit_code not in (0, None):
            # The command says no while its report says yes: believe neither.
            return Verdict.INCONCLUSIVE
        return Verdict.PASSED


def verdict_of(results: Iterable[SuiteResult]) -> Verdict | None:
    """The worst verdict of several suites; None when no suite was asked for."""
    verdicts = {result.verdict for result in results}
    for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED):
        if verdict in verdicts:
            return verdict
    return None
