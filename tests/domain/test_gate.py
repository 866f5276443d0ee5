from dataclasses import replace
from datetime import UTC, datetime

import pytest

from vibeboard.domain.board import CardKey
from vibeboard.domain.contract import Claim, Waiver, contract
from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult
from vibeboard.domain.gate import Head, Vouch, askers, judge, unmet
from vibeboard.domain.review import Finding, ReviewResult, Severity
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import (
    REVIEWS,
    VERIFY,
    Agent,
    Cli,
    Gate,
    Prompt,
    Review,
    Suite,
)

AT = datetime(2026, 1, 2, tzinfo=UTC)
UNIT = Suite("unit", "pytest", ("r.xml",))
E2E = Suite("e2e", "pytest", ("e.xml",))
GREEN = SuiteResult("unit", (CaseResult("t", Outcome.PASSED),), 0)
RED = SuiteResult("unit", (CaseResult("t", Outcome.FAILED),), 1)
NOTHING = SuiteResult("unit", fault="The report holds no test.")
HEAD = Head(7, "c0ffee" * 6 + "abcd", base="main", asked_by=frozenset({"alice"}))


def said(gate: Gate, head: Head | None) -> list[str]:
    return [f"{one.name}: {one.said}" for one in unmet(judge(gate, head))]


def test_nothing_asked_for_is_met() -> None:
    assert judge(Gate(), HEAD) == ()


def test_without_a_pull_request_every_gate_is_shut() -> None:
    assert said(Gate(), None) == ["pull request: there is none"]


@pytest.mark.parametrize(
    ("result", "now", "told"),
    [
        (GREEN, False, []),
        (RED, False, ["1 of 1 tests of `unit` failed (on `c0ffeec`)"]),
        (NOTHING, False, ["`unit` proves nothing: The report holds no test."]),
        (None, False, ["has not run on `c0ffeec`, the newest commit"]),
        (None, True, ["runs on `c0ffeec`"]),
    ],
)
def test_a_suite_must_be_green_on_this_head(
    result: SuiteResult | None, told: list[str], *, now: bool
) -> None:
    results = {"unit": result} if result is not None else {}
    head = replace(HEAD, results=results, tested_now=now)

    found = said(Gate(tests=(UNIT,)), head)

    assert len(found) == len(told)
    assert all(part in whole for part, whole in zip(told, found, strict=True))


def test_each_suite_is_asked_for() -> None:
    head = replace(HEAD, results={"unit": GREEN})

    (only,) = unmet(judge(Gate(tests=(UNIT, E2E)), head))

    assert only.name == "suite `e2e`"


def approved(*logins: str, before: tuple[str, ...] = ()) -> Head:
    return replace(
        HEAD,
        approved_by=frozenset(logins),
        approved_before=frozenset({*logins, *before}),
    )


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (approved("bob", "carol"), []),
        (approved("bob"), ["1 of 2 (bob)"]),
        (approved("alice", "bob"), ["alice asked for the work, and does not count"]),
        (approved("bob", before=("carol",)), ["carol approved an earlier commit"]),
        (
            replace(approved("bob", "carol"), objected_by=frozenset({"dave"})),
            ["dave asked for changes"],
        ),
    ],
)
def test_approvals_are_of_this_head_and_not_by_who_asked(
    head: Head, told: list[str]
) -> None:
    found = said(Gate(approvals=2), head)

    assert len(found) == len(told)
    assert all(part in whole for part, whole in zip(told, found, strict=True))


def test_to_review_the_work_is_not_to_ask_for_it() -> None:
    def by(login: str, stage: str, cause: str) -> Run:
        state = RunState.SUCCEEDED
        return Run("r", CardKey("a/b", 7), stage, cause, login, state, AT, AT)

    runs = [
        by("alice", "develop", "moved-2026"),
        by("bob", "develop", "comment-3"),
        by("carol", "develop", "review-4"),
        by("dan", "develop", "review-comment-5"),
        by("erin", "develop", "reject-comment-6"),
        by("frank", VERIFY, "comment-7"),
        by("grace", REVIEWS, "comment-8"),
        by("heidi", VERIFY, f"push-{HEAD.commit}"),
    ]

    assert askers(runs) == {"alice", "bob", "heidi"}


def test_a_head_may_have_to_be_up_to_date() -> None:
    gate = Gate(up_to_date=True)

    assert said(gate, HEAD) == []
    assert said(gate, replace(HEAD, behind=2)) == [
        "up to date: 2 commits of main missing"
    ]
    assert said(gate, replace(HEAD, behind=2, merged=True)) == []


@pytest.mark.parametrize(
    ("is_open", "merged", "told"),
    [
        (True, False, ["merged: #7 is open"]),
        (False, False, ["merged: #7 was closed without being merged"]),
        (False, True, []),
    ],
)
def test_it_may_have_to_be_merged(
    told: list[str], *, is_open: bool, merged: bool
) -> None:
    head = replace(HEAD, is_open=is_open, merged=merged)

    assert said(Gate(merged=True), head) == told


SPEC = ("AC1. It ticks.", "AC2. It tocks.", "AC3. It rings.")


def test_each_criterion_must_be_proved_or_accepted() -> None:
    claims = {"AC1": Claim(("t",)), "AC2": Claim(("gone",))}
    waivers = {"AC3": Waiver("bob", "heard it")}
    made = contract(SPEC, claims, [GREEN], waivers=waivers)

    (only,) = said(Gate(criteria=True), replace(HEAD, contract=made))

    assert "2 of 3" in only
    assert "AC3 by bob" in only
    assert "AC2 names a test that did not run" in only
    whole = contract(SPEC[:1], claims, [GREEN])
    assert said(Gate(criteria=True), replace(HEAD, contract=whole)) == []


def test_no_criteria_prove_nothing() -> None:
    for made in (None, contract((), {}, [GREEN])):
        (only,) = said(Gate(criteria=True), replace(HEAD, contract=made))
        assert "the issue has none" in only


SECURITY = Review("security", Agent("a", Cli.COMMAND), Prompt(text="look"))
HOLE = Finding(Severity.CRITICAL, "A shell runs it", "Quote it.", "clock.py", 3)
FINE = ReviewResult("security")
OVER = {"security": Vouch("security@c0ffee", "bob", "It is a test's.")}


@pytest.mark.parametrize(
    ("head", "told", "way"),
    [
        (
            HEAD,
            "was not made of `c0ffeec`, the newest commit",
            "`/agent retry reviews`",
        ),
        (
            replace(HEAD, reviews={"security": replace(FINE, findings=(HOLE,))}),
            "blocks: “A shell runs it” (clock.py:3) (in `c0ffeec`)",
            "`/agent approve security <reason>`",
        ),
        (
            replace(HEAD, reviews={"security": replace(FINE, fault="no file")}),
            "says nothing: no file (in `c0ffeec`)",
            "`/agent retry reviews`",
        ),
        (replace(HEAD, tested_now=True), "was not made of", "`/agent retry reviews`"),
        (
            replace(HEAD, reviewed_now=frozenset({"security"})),
            "looks at `c0ffeec`",
            "",
        ),
    ],
)
def test_a_review_must_have_been_made_of_this_head(
    head: Head, told: str, way: str
) -> None:
    (only,) = unmet(judge(Gate(reviews=(SECURITY,)), head))

    assert only.name == "review `security`"
    assert told in only.said
    assert way in only.way
    assert only.waits is not bool(way)


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (replace(HEAD, reviews={"security": FINE}), "Found nothing in `c0ffeec`"),
        (replace(HEAD, passed_over=OVER), "passed over by bob: It is a test's."),
        (
            replace(
                HEAD,
                reviews={"security": replace(FINE, findings=(HOLE,))},
                passed_over=OVER,
            ),
            "passed over by bob",
        ),
    ],
)
def test_a_review_was_made_or_passed_over(head: Head, told: str) -> None:
    (only,) = judge(Gate(reviews=(SECURITY,)), head)

    assert only.met
    assert told in only.said
