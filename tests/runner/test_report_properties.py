"""What holds of every report, whatever is in it and however it is cut into files."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from vibeboard.domain.evidence import (
    Attempt,
    CaseResult,
    Coverage,
    FileCoverage,
    FlakyPolicy,
    Outcome,
    SuiteResult,
    Verdict,
)
from vibeboard.runner import reports

ENDS = {
    "": Outcome.PASSED,
    "<failure message='late'>why</failure>": Outcome.FAILED,
    "<error/>": Outcome.ERROR,
    "<skipped/>": Outcome.SKIPPED,
    "<flakyFailure/>": Outcome.PASSED,
    "<failure/><rerunFailure/>": Outcome.FAILED,
    "<system-out>said</system-out>": Outcome.PASSED,
}
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]),
    max_size=5,
)


@dataclass(frozen=True)
class Written:
    """A case in a report; the same name may come again."""

    suite: str
    classname: str
    name: str
    end: str

    @property
    def xml(self) -> str:
        names = f"name={quoteattr(self.name)} classname={quoteattr(self.classname)}"
        return (
            f"<testsuite name={quoteattr(self.suite)}>"
            f"<testcase {names}>{self.end}</testcase></testsuite>"
        )


CASES = st.lists(
    st.builds(Written, NAMES, NAMES, NAMES, st.sampled_from(list(ENDS))), max_size=12
)


def read(files: list[list[Written]], exit_code: int = 0) -> SuiteResult:
    with TemporaryDirectory() as folder:
        tree = Path(folder)
        paths = []
        for number, cases in enumerate(files):
            path = tree / f"{number}.xml"
            inner = "".join(case.xml for case in cases)
            path.write_text(f"<testsuites>{inner}</testsuites>", encoding="utf-8")
            paths.append(path)
        return SuiteResult("unit", reports.read_all(paths, tree), exit_code)


def told(result: SuiteResult) -> tuple[object, ...]:
    counts = [result.count(outcome) for outcome in Outcome]
    verdicts = [result.judged(policy) for policy in FlakyPolicy]
    return counts, len(result.flaky), verdicts


@settings(deadline=None, max_examples=60)
@given(CASES, st.integers(1, 4), st.sampled_from([0, 1]), st.integers(0, 99))
def test_mixing_and_splitting_reports_changes_nothing(
    cases: list[Written], parts: int, exit_code: int, seed: int
) -> None:
    mixed = list(cases)
    Random(seed).shuffle(mixed)  # noqa: S311 - not for secrets
    split = [mixed[part::parts] for part in range(parts)]

    assert told(read(split, exit_code)) == told(read([cases], exit_code))


@settings(deadline=None, max_examples=60)
@given(CASES)
def test_every_case_is_kept_under_a_name_of_its_own(cases: list[Written]) -> None:
    result = read([cases])

    assert len({case.id for case in result.cases}) == len(cases)
    assert sorted(case.outcome.value for case in result.cases) == sorted(
        ENDS[case.end].value for case in cases
    )


@settings(deadline=None, max_examples=60)
@given(CASES, st.sampled_from([0, 1]), st.sampled_from(FlakyPolicy))
def test_no_report_is_green_without_a_case_that_passed(
    cases: list[Written], exit_code: int, policy: FlakyPolicy
) -> None:
    result = read([cases], exit_code)

    if result.judged(policy) is Verdict.PASSED:
        assert result.count(Outcome.PASSED) > 0
        assert not result.failures
        assert exit_code == 0


RESULTS = TypeAdapter(tuple[SuiteResult, ...])


def test_what_is_stored_comes_back_the_same() -> None:
    attempts = (Attempt(Outcome.FAILED, 1.0, "late"), Attempt(Outcome.PASSED))
    case = CaseResult("a", Outcome.PASSED, assertions=3, attempts=attempts)
    coverage = Coverage(2, 1, (FileCoverage("a.py", 2, 1),))
    result = SuiteResult("unit", (case,), 0, coverage=coverage)

    assert RESULTS.validate_json(RESULTS.dump_json((result,))) == (result,)


@pytest.mark.parametrize("extra", ["", ', "file": "a.py", "line": 3'])
def test_what_was_stored_before_is_still_read(extra: str) -> None:
    case = f'{{"id": "a", "outcome": "passed", "seconds": 0.5{extra}}}'
    row = f'[{{"suite": "unit", "cases": [{case}], "exit_code": 0, "fault": null}}]'

    [result] = RESULTS.validate_json(row)

    assert result.verdict is Verdict.PASSED
    assert result.cases[0].attempts == ()
    assert result.coverage is None
