import pytest

from vibeboard.domain.comparison import Change, compare
from vibeboard.domain.evidence import (
    CaseResult,
    Coverage,
    FileCoverage,
    Outcome,
    SuiteResult,
    Verdict,
)
from vibeboard.domain.proof import progress, shortfalls
from vibeboard.domain.workflow import Suite


def suite(**kwargs: float) -> Suite:
    return Suite("unit", "x", ("r.xml",), coverage="c.xml", **kwargs)  # type: ignore[arg-type]  # numbers only


def covered(lines: int, of: int = 100) -> SuiteResult:
    passed = (CaseResult("t", Outcome.PASSED),)
    return SuiteResult("unit", passed, 0, coverage=Coverage(of, lines))


@pytest.mark.parametrize(
    ("asked", "now", "before", "found"),
    [
        ({"coverage_at_least": 80}, 80, None, 0),
        ({"coverage_at_least": 80}, 79, None, 1),
        ({"coverage_drop": 0}, 79, 80, 1),
        ({"coverage_drop": 1}, 79, 80, 0),
        ({"coverage_drop": 0}, 79, None, 0),
        ({"coverage_at_least": 90, "coverage_drop": 0}, 79, 80, 2),
        ({}, 1, 99, 0),
    ],
)
def test_coverage_falls_short(
    asked: dict[str, float], now: int, before: int | None, found: int
) -> None:
    base = covered(before) if before is not None else None

    assert len(shortfalls(suite(**asked), covered(now), base)) == found


def test_no_report_where_one_is_asked_for_falls_short() -> None:
    bare = SuiteResult("unit", (CaseResult("t", Outcome.PASSED),), 0)
    nothing = covered(0, of=0)

    for result in (bare, nothing):
        (said,) = shortfalls(suite(coverage_at_least=0), result, None)
        assert "c.xml" in said
    assert shortfalls(suite(), bare, None) == ()


def test_who_falls_short_is_not_green() -> None:
    short = SuiteResult(
        "unit", (CaseResult("t", Outcome.PASSED),), 0, shortfalls=("too little",)
    )

    assert short.verdict is Verdict.FAILED
    assert SuiteResult("unit", shortfalls=("x",)).verdict is Verdict.INCONCLUSIVE


def test_a_brief_result_counts_and_judges_as_the_whole_does() -> None:
    cases = [CaseResult(f"p{n}", Outcome.PASSED) for n in range(500)]
    cases += [CaseResult(f"f{n}", Outcome.FAILED) for n in range(90)]
    files = (FileCoverage("a.py", 10, 1),)
    whole = SuiteResult("unit", tuple(cases), 1, coverage=Coverage(10, 1, files))

    brief = whole.brief(most=20)

    assert len(brief.cases) == 20
    assert brief.coverage == Coverage(10, 1)
    assert (brief.failed, brief.verdict) == (90, Verdict.FAILED)
    assert brief.count(Outcome.PASSED) == 500
    assert brief.brief() == brief


def test_progress_counts_all_and_names_some() -> None:
    base = SuiteResult("unit", (CaseResult("old", Outcome.PASSED),), 0, 1.0)
    bad = tuple(CaseResult(f"f{n:03}", Outcome.FAILED, 2.0) for n in range(100))
    head = SuiteResult("unit", (CaseResult("old", Outcome.PASSED), *bad), 1, 5.0)

    short = progress(compare(base, head), base)

    assert short.count(Change.NEWLY_FAILING) == 100
    assert short.names[Change.NEWLY_FAILING][0] == "f000"
    assert len(short.names[Change.NEWLY_FAILING]) == 20
    assert Change.PASSING not in short.names
    assert short.seconds == 4.0
    assert len(short.slowest) == 5
