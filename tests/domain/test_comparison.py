"""What changed since the base, case by case."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibeboard.domain.comparison import Change, Comparison, combined, compare
from vibeboard.domain.evidence import (
    Attempt,
    CaseResult,
    FlakyPolicy,
    Outcome,
    SuiteResult,
    Verdict,
    together,
)

P, F, E, S = Outcome.PASSED, Outcome.FAILED, Outcome.ERROR, Outcome.SKIPPED
WAVERS = (Attempt(F), Attempt(P))


def suite(*cases: CaseResult, seconds: float = 1.0, exit_code: int = 0) -> SuiteResult:
    return SuiteResult("unit", cases, exit_code, seconds)


def case(name: str, outcome: Outcome | None, file: str | None = None) -> CaseResult:
    """``None`` is a case that wavers."""
    if outcome is None:
        return CaseResult(name, P, attempts=WAVERS)
    return CaseResult(name, outcome, file=file, line=3 if file else None)


def changes(comparison: Comparison) -> dict[str, Change]:
    return {
        each.id: change for change, all_ in comparison.changes.items() for each in all_
    }


@pytest.mark.parametrize(
    ("base", "head", "change"),
    [
        (P, P, Change.PASSING),
        (P, F, Change.NEWLY_FAILING),
        (P, E, Change.NEWLY_FAILING),
        (S, F, Change.NEWLY_FAILING),
        (F, P, Change.FIXED),
        (E, F, Change.STILL_FAILING),
        (P, S, Change.NEWLY_SKIPPED),
        (F, S, Change.NEWLY_SKIPPED),
        (S, P, Change.NO_LONGER_SKIPPED),
        (S, S, Change.SKIPPED),
        (P, None, Change.FLAKY),
        (F, None, Change.FLAKY),
        (None, None, Change.FLAKY),
        (None, P, Change.WAVERING),
        (None, F, Change.WAVERING),
    ],
)
def test_a_case_is_one_thing(
    base: Outcome | None, head: Outcome | None, change: Change
) -> None:
    found = compare(suite(case("a", base)), suite(case("a", head)))

    assert changes(found) == {"a": change}
    assert found.based


def test_cases_that_came_and_went() -> None:
    base = suite(case("x::gone", P), case("stays", P))
    head = suite(case("stays", P), case("y::alpha", P), case("y::fails", F))

    assert changes(compare(base, head)) == {
        "x::gone": Change.REMOVED,
        "stays": Change.PASSING,
        "y::alpha": Change.NEW,
        "y::fails": Change.NEWLY_FAILING,
    }


def test_without_a_base_nothing_is_new() -> None:
    head = suite(case("a", P), case("b", F), case("c", S), case("d", None))
    faulty = SuiteResult("unit", (case("a", F),), 1, fault="It was ended.")

    for base in (None, suite(), faulty):
        found = compare(base, head)
        assert not found.based
        assert changes(found) == {
            "a": Change.PASSING,
            "b": Change.FAILING,
            "c": Change.SKIPPED,
            "d": Change.FLAKY,
        }


def test_what_a_broken_run_did_not_reach_was_not_removed() -> None:
    head = SuiteResult("unit", (case("a", P),), 1, fault="It was ended.")

    found = compare(suite(case("a", P), case("b", P)), head)

    assert changes(found)["b"] is Change.NOT_RUN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (case("a::test_ticks", P), case("b::test_ticks", P)),
        (case("a::test_ticks", P, "a.py"), case("a::says_more", P, "a.py")),
        (case("a::test_clock_ticks", P), case("a::test_clock_ticked", P)),
    ],
    ids=["another class", "the same line", "a near name"],
)
def test_a_renamed_case_is_neither_removed_nor_new(
    old: CaseResult, new: CaseResult
) -> None:
    [found] = compare(suite(old), suite(new)).of(Change.RENAMED)

    assert (found.was, found.id) == (old.id, new.id)
    back = compare(suite(new), suite(old)).of(Change.RENAMED)
    assert [each.was for each in back] == [new.id]


def test_a_renamed_case_that_now_fails_is_newly_failing() -> None:
    found = compare(suite(case("a::tick", P)), suite(case("b::tick", F)))

    [failing] = found.of(Change.NEWLY_FAILING)
    assert failing.was == "a::tick"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a::test_1"], ["a::test_2"]),
        (["a::t[1]"], ["a::t[2]"]),
        (["a::tick"], ["b::tick", "c::tick"]),
        (["a::tick", "b::tick"], ["c::tick"]),
        (["a::test_clock_tick"], ["a::test_clock_ticks", "a::test_clock_ticked"]),
        (["a::one"], ["a::quite another"]),
    ],
)
def test_where_it_is_not_certain_nothing_was_renamed(
    old: list[str], new: list[str]
) -> None:
    base = suite(*(case(name, P) for name in old))
    head = suite(*(case(name, P) for name in new))

    assert compare(base, head).of(Change.RENAMED) == ()


def test_times_are_told_with_their_difference() -> None:
    base = suite(*(CaseResult(f"t{n}", P, 1.0) for n in range(9)), seconds=10)
    head = suite(*(CaseResult(f"t{n}", P, float(n)) for n in range(10)), seconds=12.5)

    found = compare(base, head)

    assert found.seconds == 2.5
    assert [(each.case.id, each.delta) for each in found.slowest] == [
        ("t9", None),
        ("t8", 7.0),
        ("t7", 6.0),
        ("t6", 5.0),
        ("t5", 4.0),
    ]


def test_many_cases_are_compared_at_once() -> None:
    base = suite(*(case(f"c{n % 999}::t{n}", P) for n in range(100_000)))
    head = suite(*(case(f"c{n % 999}::t{n}", F) for n in range(1000, 101_000)))
    begin = time.process_time()

    compare(base, head)

    assert time.process_time() - begin < 10


def test_names_of_hostile_length_and_number_take_no_long_time() -> None:
    base = suite(*(case("a" * 400 + "b" * n, P) for n in range(3000)))
    head = suite(*(case("a" * 400 + "c" * n, P) for n in range(1, 3000)))
    begin = time.process_time()

    compare(base, head)

    assert time.process_time() - begin < 20


# --- Several attempts ---------------------------------------------------------------


def test_attempts_of_a_suite_make_strong_flakiness() -> None:
    red = suite(case("a", F), case("b", P), exit_code=1)
    green = suite(case("a", P), case("b", P), exit_code=0)

    found = combined([red, green])

    assert [each.id for each in found.flaky] == ["a"]
    assert found.verdict is Verdict.PASSED
    assert found.judged(FlakyPolicy.FAIL) is Verdict.FAILED
    assert found.seconds == 2.0
    assert compare(None, found).of(Change.FLAKY)[0].id == "a"


def test_no_attempt_that_was_green_as_a_whole_is_none_together() -> None:
    one = suite(case("a", F), case("b", P), exit_code=1)
    other = suite(case("a", P), case("b", F), exit_code=1)

    assert combined([one, other]).verdict is Verdict.FAILED


def test_a_case_that_failed_and_was_not_reached_again_has_failed() -> None:
    red = suite(case("a", F), case("b", P), exit_code=1)
    without = suite(case("b", P))

    assert combined([red, without]).verdict is Verdict.FAILED


def test_a_fault_in_every_attempt_is_one() -> None:
    lost = SuiteResult("unit", (), 1, fault="no report")

    assert combined([lost, lost]).verdict is Verdict.INCONCLUSIVE
    assert combined([lost, suite(case("a", P))]).verdict is Verdict.PASSED


# --- Laws -----------------------------------------------------------------------------

outcomes = st.sampled_from([P, F, E, S, None])
suites = st.dictionaries(
    st.sampled_from(["a::t", "b::t", "a::tick", "a::ticks", "c::u[1]", "c::u[2]", "v"]),
    outcomes,
).map(lambda named: suite(*(case(n, o) for n, o in named.items())))
OPPOSITE = {
    Change.FIXED: {Change.NEWLY_FAILING},
    Change.STILL_FAILING: {Change.STILL_FAILING},
    Change.PASSING: {Change.PASSING},
    Change.SKIPPED: {Change.SKIPPED},
    Change.RENAMED: {Change.RENAMED},
    Change.NEW: {Change.REMOVED},
    Change.NO_LONGER_SKIPPED: {Change.NEWLY_SKIPPED},
}


@settings(deadline=None)
@given(suites, suites)
def test_every_case_is_in_exactly_one_class(
    base: SuiteResult, head: SuiteResult
) -> None:
    found = compare(base, head)

    told = [each for all_ in found.changes.values() for each in all_]
    now = [each.head.id for each in told if each.head]
    assert sorted(now) == sorted(each.id for each in head.cases)
    if found.based:
        then = [each.base.id for each in told if each.base]
        assert sorted(then) == sorted(each.id for each in base.cases)


@settings(deadline=None)
@given(suites, suites)
def test_the_other_way_round_is_the_opposite(
    base: SuiteResult, head: SuiteResult
) -> None:
    there, back = compare(base, head), compare(head, base)
    if not (there.based and back.based):
        return
    returned = {
        (each.head and each.head.id, each.base and each.base.id): change
        for change, all_ in back.changes.items()
        for each in all_
    }
    for change, opposites in OPPOSITE.items():
        for each in there.of(change):
            names = (each.base and each.base.id, each.head and each.head.id)
            assert returned[names] in opposites


@settings(deadline=None)
@given(suites, suites, st.randoms(use_true_random=False))
def test_the_order_of_cases_says_nothing(
    base: SuiteResult, head: SuiteResult, chance: st.DataObject
) -> None:
    def mixed(result: SuiteResult) -> SuiteResult:
        cases = list(result.cases)
        chance.shuffle(cases)  # type: ignore[attr-defined]  # a Random
        return suite(*cases)

    assert compare(mixed(base), mixed(head)).changes == compare(base, head).changes


@settings(deadline=None)
@given(st.lists(suites, min_size=1, max_size=4), st.permutations(range(4)))
def test_the_order_of_attempts_changes_no_verdict(
    attempts: list[SuiteResult], order: list[int]
) -> None:
    mixed = [attempts[at] for at in order if at < len(attempts)]

    for policy in FlakyPolicy:
        assert combined(mixed).judged(policy) is combined(attempts).judged(policy)


@settings(deadline=None)
@given(st.lists(outcomes.map(lambda o: case("t", o)), min_size=2, max_size=4))
def test_a_case_passed_only_if_one_of_its_goes_did(goes: list[CaseResult]) -> None:
    one = together(goes)

    passed = any(go.outcome is P for go in goes)
    assert (one.outcome is P) is passed
    if not passed:
        assert one.outcome.bad is any(go.outcome.bad for go in goes)


@settings(deadline=None)
@given(
    st.lists(outcomes.map(lambda o: case("t", o))),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(FlakyPolicy),
)
def test_nothing_is_green_without_one_that_passed(
    cases: list[CaseResult], exit_code: int | None, policy: FlakyPolicy
) -> None:
    verdict = SuiteResult("unit", tuple(cases), exit_code).judged(policy)

    if verdict is Verdict.PASSED:
        assert any(each.outcome is P for each in cases)
        assert not any(each.outcome.bad for each in cases)
        assert exit_code in (None, 0)
