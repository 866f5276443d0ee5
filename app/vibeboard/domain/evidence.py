"""Test reports turned into a verdict.

Parsing lives in ``runner/reports.py``. A verdict is never taken from an agent's
words or from an exit code alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What became of one test case."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


class Verdict(Enum):
    """What a suite proves. Inconclusive is never green."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class CaseResult:
    """One test case. ``seconds`` as the report says; ``detail`` may be long."""

    id: str
    outcome: Outcome
    seconds: float = 0.0
    message: str = ""
    detail: str = ""
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class SuiteResult:
    """What running one suite gave; ``fault`` says why there is no evidence."""

    suite: str
    cases: tuple[CaseResult, ...] = ()
    exit_code: int | None = None
    seconds: float = 0.0
    fault: str | None = None
    output_tail: str = ""

    def count(self, outcome: Outcome) -> int:
        """How many cases ended so."""
        return sum(1 for case in self.cases if case.outcome is outcome)

    @property
    def failures(self) -> tuple[CaseResult, ...]:
        """Cases that failed or could not be carried out."""
        bad = (Outcome.FAILED, Outcome.ERROR)
        return tuple(case for case in self.cases if case.outcome in bad)

    @property
    def verdict(self) -> Verdict:
        """Failed if anything failed; passed needs one passed case and exit 0."""
        if self.failures:
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
