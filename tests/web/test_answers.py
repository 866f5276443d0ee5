"""A run as other programs are told of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from vibeboard.domain.board import CardKey
from vibeboard.domain.comparison import compare
from vibeboard.domain.contract import Claim, shown
from vibeboard.domain.evidence import CaseResult, Coverage, Outcome, SuiteResult
from vibeboard.domain.gate import Requirement
from vibeboard.domain.preview import Preview, PreviewState
from vibeboard.domain.proof import Proof, progress
from vibeboard.domain.review import Finding, ReviewResult, Severity
from vibeboard.domain.run import Cost, Report, Run, RunState, Step
from vibeboard.engine.ports import StepEnded
from vibeboard.web.answers import RunAnswer, run_answer

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RUN = Run(
    "r1", CardKey("acme/clock", 7), "develop", "d1", "alice", RunState.QUEUED, AT, AT
)


def case(name: str, outcome: Outcome) -> CaseResult:
    return CaseResult(name, outcome, 1.0)


BASE = SuiteResult(
    "unit",
    (case("t::a", Outcome.FAILED), case("t::b", Outcome.PASSED)),
    1,
    seconds=2.0,
    coverage=Coverage(10, 5),
)
HEAD = SuiteResult(
    "unit",
    (case("t::a", Outcome.PASSED), case("t::b", Outcome.FAILED)),
    1,
    seconds=3.0,
    coverage=Coverage(10, 8),
)

SHOWN = Preview(7, "docs", "c0ffee", PreviewState.READY, "https://docs.example.org")


def test_a_run_that_waits_has_nothing_to_tell_yet() -> None:
    answer = run_answer(RUN, (), (), (), None)

    assert (answer.state, answer.suites, answer.gates) == ("queued", [], None)
    assert (answer.commit, answer.base, answer.cost.usd) == (None, None, None)


def test_what_a_run_found_out_is_told_whole() -> None:
    proof = Proof(
        "c0ffee",
        "ba5e",
        (HEAD.brief(),),
        (progress(compare(BASE, HEAD), BASE),),
        reviews=(
            ReviewResult(
                "security",
                (Finding(Severity.MAJOR, "It leaks", "Close it.", "a.py", 3),),
                blocks_on=None,
            ),
        ),
        criteria=shown(["AC1. It ticks."], {"AC1": Claim(("a",))}, [(HEAD, BASE)]),
    )
    report = Report(RunState.FAILED, reason="red", proof=proof, cost=Cost(usd=0.5))
    run = RUN.to(RunState.RUNNING, at=AT).to(RunState.FAILED, at=AT)
    ended = replace(run, report=report, step=Step.PUBLISH)
    gates = {"done": [Requirement("suite `unit`", met=False, said="red", waits=True)]}

    answer = run_answer(
        ended, [StepEnded("tests", 1, AT + timedelta(1))], [], [SHOWN], gates
    )
    told = RunAnswer.model_validate_json(answer.model_dump_json())

    assert told == answer
    (suite,) = told.suites
    assert (suite.verdict, suite.passed, suite.failed) == ("failed", 1, 1)
    assert (suite.coverage, suite.coverage_before) == (80.0, 50.0)
    assert suite.seconds_more == 1.0
    assert suite.changes["fixed"].tests == ["t::a"]
    assert suite.changes["newly failing"].tests == ["t::b"]
    (preview,) = told.previews
    assert (preview.state, preview.url) == ("ready", SHOWN.url)
    (review,) = told.reviews
    assert (review.verdict, review.blocks_on) == ("passed", "never")
    assert (review.findings[0].severity, review.findings[0].line) == ("major", 3)
    (criterion,) = told.criteria
    assert (criterion.standing, criterion.red_to_green) == ("proved", ["t::a"])
    assert told.gates is not None
    assert not told.gates[0].is_open
    assert told.steps[0].name == "tests"
    assert (told.reason, told.cost.usd, told.commit) == ("red", 0.5, "c0ffee")
