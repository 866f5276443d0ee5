"""What holds of every gate, whatever was proved, approved and pushed, in any order.

A pull request's history is a list of deeds. What a gate sees of it is gathered as the
product does: evidence and words are kept by commit, and the newest commit is asked of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import assume, given
from hypothesis import strategies as st

from vibeboard.domain.comparison import combined
from vibeboard.domain.contract import Claim, Waiver, contract
from vibeboard.domain.evidence import CaseResult, FlakyPolicy, Outcome, SuiteResult
from vibeboard.domain.gate import Head, Vouch, judge, unmet
from vibeboard.domain.review import Finding, ReviewResult, Severity, standing
from vibeboard.domain.workflow import Agent, Cli, Gate, Prompt, Review, Suite

COMMITS = ["a" * 40, "b" * 40, "c" * 40]
PEOPLE = ["alice", "bob", "carol"]
ASKER = "alice"
UNIT, E2E = Suite("unit", "pytest", ("r",)), Suite("e2e", "npm test", ("e",))
LOOKER = Agent("claude", Cli.CLAUDE_CODE)
SECURITY = Review("security", LOOKER, Prompt(builtin="security"))
UX = Review("ux", LOOKER, Prompt(builtin="ux"), blocks_on=Severity.MINOR)
SPEC = ("AC1. It ticks.", "AC2. It tocks.")


@dataclass(frozen=True)
class SuiteRan:
    commit: str
    result: SuiteResult


@dataclass(frozen=True)
class Looked:
    commit: str
    result: ReviewResult


@dataclass(frozen=True)
class Approved:
    commit: str
    by: str


@dataclass(frozen=True)
class PassedOver:
    commit: str
    review: str
    by: str


Deed = SuiteRan | Looked | Approved | PassedOver

commits = st.sampled_from(COMMITS)
people = st.sampled_from(PEOPLE)
cases = st.builds(
    CaseResult, st.sampled_from(["t::a", "t::b", "t::c"]), st.sampled_from(Outcome)
)
results = st.builds(
    SuiteResult,
    suite=st.sampled_from([UNIT.name, E2E.name]),
    cases=st.lists(cases, max_size=3, unique_by=lambda one: one.id).map(tuple),
    exit_code=st.sampled_from([0, 1, None]),
    fault=st.none() | st.just("cut off"),
    policy=st.sampled_from(FlakyPolicy),
)
looks = st.builds(
    ReviewResult,
    review=st.sampled_from([SECURITY.name, UX.name]),
    findings=st.lists(
        st.builds(Finding, st.sampled_from(Severity), st.just("x"), st.just("y")),
        max_size=2,
    ).map(tuple),
    fault=st.none() | st.just("no file"),
)
deeds: st.SearchStrategy[Deed] = st.one_of(
    st.builds(SuiteRan, commits, results),
    st.builds(Looked, commits, looks),
    st.builds(Approved, commits, people),
    st.builds(PassedOver, commits, st.sampled_from([SECURITY.name, UX.name]), people),
)
histories = st.lists(deeds, max_size=12)
# Of one thing alone, so that many of them come close to opening a gate.
few = st.sampled_from(COMMITS[:2])
of_unit = results.map(lambda one: replace(one, suite=UNIT.name))
of_ux = st.builds(Looked, few, looks.map(lambda one: replace(one, review=UX.name))) | (
    st.builds(PassedOver, few, st.just(UX.name), people)
)
gates = st.builds(
    Gate,
    tests=st.lists(st.sampled_from([UNIT, E2E]), unique=True).map(tuple),
    reviews=st.lists(st.sampled_from([SECURITY, UX]), unique=True).map(tuple),
    approvals=st.integers(0, 2),
    criteria=st.booleans(),
)


def seen(history: Sequence[Deed], head: str) -> Head:
    """The pull request after all of it, with ``head`` as its newest commit."""
    tests: dict[str, list[SuiteResult]] = {}
    reviews: dict[str, list[ReviewResult]] = {}
    for deed in history:
        if isinstance(deed, SuiteRan) and deed.commit == head:
            tests.setdefault(deed.result.suite, []).append(deed.result)
        if isinstance(deed, Looked) and deed.commit == head:
            reviews.setdefault(deed.result.review, []).append(deed.result)
    approved = [deed for deed in history if isinstance(deed, Approved)]
    found = {name: combined(kept) for name, kept in tests.items()}
    blocks = {one.name: one.blocks_on for one in (SECURITY, UX)}
    claims = {"AC1": Claim(("t::a",)), "AC2": Claim(("t::b", "t::c"))}
    return Head(
        7,
        head,
        approved_by=frozenset(one.by for one in approved if one.commit == head),
        approved_before=frozenset(one.by for one in approved),
        asked_by=frozenset({ASKER}),
        results=found,
        reviews={
            name: replace(counted, blocks_on=blocks[name])
            for name, kept in reviews.items()
            if (counted := standing(kept)) is not None
        },
        passed_over={
            one.review: Vouch(one.review, one.by, "so")
            for one in history
            if isinstance(one, PassedOver) and one.commit == head
        },
        contract=contract(SPEC, claims, found.values()),
    )


def is_open(gate: Gate, head: Head | None) -> bool:
    return not unmet(judge(gate, head))


def passed(history: Sequence[Deed], head: str, suite: str) -> bool:
    """Whether a test of the suite passed on this very commit."""
    return any(
        case.outcome is Outcome.PASSED
        for deed in history
        if isinstance(deed, SuiteRan) and deed.commit == head
        if deed.result.suite == suite
        for case in deed.result.cases
    )


@given(st.lists(st.builds(SuiteRan, few, of_unit), max_size=3), few)
def test_no_gate_opens_without_a_test_that_passed_on_the_head(
    history: list[Deed], head: str
) -> None:
    if is_open(Gate(tests=(UNIT,)), seen(history, head)):
        assert passed(history, head, UNIT.name)


@given(gates, histories, commits)
def test_what_was_done_about_other_commits_opens_no_gate(
    gate: Gate, history: list[Deed], head: str
) -> None:
    own = [deed for deed in history if deed.commit == head]

    assert is_open(gate, seen(history, head)) == is_open(gate, seen(own, head))


@given(gates, histories, commits, commits)
def test_a_push_shuts_every_gate_that_asks_for_something(
    gate: Gate, history: list[Deed], old: str, new: str
) -> None:
    assume(gate.tests or gate.reviews or gate.approvals or gate.criteria)
    before = [deed for deed in history if deed.commit == old]
    assume(old != new)

    assert not is_open(gate, seen(before, new))


@given(st.integers(1, 3), histories, commits)
def test_who_asked_for_the_work_never_opens_a_gate_by_approving(
    wanted: int, history: list[Deed], head: str
) -> None:
    by_others = {
        deed.by
        for deed in history
        if isinstance(deed, Approved) and deed.commit == head and deed.by != ASKER
    }

    opened = is_open(Gate(approvals=wanted), seen(history, head))

    assert opened is (len(by_others) >= wanted)


@given(gates, histories, commits, st.randoms(use_true_random=False))
def test_the_order_of_evidence_and_words_does_not_matter(
    gate: Gate, history: list[Deed], head: str, random: object
) -> None:
    """Reviews aside: of several of one commit that say something the newest counts."""
    once: dict[tuple[str, str], Deed] = {}
    others: list[Deed] = []
    for deed in history:
        if isinstance(deed, Looked):
            once.setdefault((deed.commit, deed.result.review), deed)
        else:
            others.append(deed)
    kept = [*others, *once.values()]
    shuffled = list(kept)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random of hypothesis

    assert is_open(gate, seen(kept, head)) == is_open(gate, seen(shuffled, head))


@given(st.lists(of_ux, max_size=3), few)
def test_no_gate_opens_over_a_review_that_blocks_or_says_nothing(
    history: list[Deed], head: str
) -> None:
    looked = seen(history, head)
    if is_open(Gate(reviews=(UX,)), looked):
        result = looked.reviews.get(UX.name)
        fine = result is not None and result.fault is None and not result.blocking
        assert fine or UX.name in looked.passed_over


@given(gates)
def test_no_gate_opens_without_a_pull_request(gate: Gate) -> None:
    assert not is_open(gate, None)


@given(histories, commits, st.sampled_from(["AC1", "AC2"]))
def test_criteria_need_tests_that_passed_or_a_person(
    history: list[Deed], head: str, waived: str
) -> None:
    looked = seen(history, head)
    claims = {"AC1": Claim(("t::a",)), "AC2": Claim(("t::b", "t::c"))}
    waivers = {waived: Waiver("bob", "seen")}
    made = contract(SPEC, claims, looked.results.values(), waivers=waivers)

    if is_open(Gate(criteria=True), replace(looked, contract=made)):
        cases = [one for each in looked.results.values() for one in each.cases]
        for number in {"AC1", "AC2"} - {waived}:
            for name in claims[number].tests:
                found = [one.outcome for one in cases if one.id == name]
                assert Outcome.PASSED in found
                assert not any(outcome.bad for outcome in found)


@given(gates, histories)
def test_every_gate_opens_once_all_of_it_is_there(
    gate: Gate, history: list[Deed]
) -> None:
    head = "d" * 40
    green = tuple(CaseResult(f"t::{name}", Outcome.PASSED) for name in "abc")
    suites = (UNIT, E2E)
    history = [
        *history,
        *(SuiteRan(head, SuiteResult(suite.name, green, 0)) for suite in suites),
        *(Looked(head, ReviewResult(review.name)) for review in (SECURITY, UX)),
        *(Approved(head, who) for who in PEOPLE),
    ]

    assert is_open(gate, seen(history, head))
