"""Acceptance criteria are met by tests that ran and passed, not by words."""

import pytest

from vibeboard.domain import testwords
from vibeboard.domain.contract import (
    Claim,
    Contract,
    ProposalInvalid,
    Standing,
    Waiver,
    contract,
    proposal,
    shown,
)
from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult

SPEC = ("AC1. The clock ticks.", "AC2. It chimes. Loudly.")


def suite(**outcomes: Outcome) -> SuiteResult:
    cases = [CaseResult(f"test_clock::{name}", each) for name, each in outcomes.items()]
    return SuiteResult("unit", tuple(cases), exit_code=0)


GREEN = suite(ticks=Outcome.PASSED, chimes=Outcome.PASSED)
RED = suite(ticks=Outcome.PASSED, chimes=Outcome.FAILED)


def judged(
    claims: dict[str, list[str]],
    head: SuiteResult = GREEN,
    base: SuiteResult | None = None,
    waived: str | None = None,
) -> Contract:
    return contract(
        SPEC,
        {name: Claim(tuple(tests)) for name, tests in claims.items()},
        [head],
        base=None if base is None else [base],
        waivers={waived: Waiver("octocat", "by hand")} if waived else None,
    )


def test_criteria_whose_tests_passed_are_proved() -> None:
    found = judged({"AC1": ["test_clock::ticks"], "AC2": ["chimes"]})

    assert found.met
    assert [each.standing for each in found.criteria] == [Standing.PROVED] * 2
    assert found.criteria[1].text == "It chimes. Loudly."
    assert found.criteria[1].tests[0].cases[0].id == "test_clock::chimes"


@pytest.mark.parametrize(
    ("tests", "head", "standing"),
    [
        ([], GREEN, Standing.UNTIED),
        (["test_clock::strikes"], GREEN, Standing.MISSING),
        (["test_clock::chimes"], RED, Standing.NOT_PASSED),
        (["test_clock::chimes"], suite(chimes=Outcome.SKIPPED), Standing.NOT_PASSED),
        (["test_clock::ticks", "test_clock::chimes"], RED, Standing.NOT_PASSED),
        (["imes"], GREEN, Standing.MISSING),
        (["ticks", "nothing"], GREEN, Standing.MISSING),
    ],
)
def test_what_proves_nothing_leaves_the_criterion_open(
    tests: list[str], head: SuiteResult, standing: Standing
) -> None:
    found = judged({"AC1": ["ticks"], "AC2": tests}, head)

    assert found.criteria[1].standing is standing
    assert not found.met
    if head is not RED:
        assert found.criteria[1] in found.open


def test_a_name_that_two_tests_have_is_said_and_proves_nothing() -> None:
    twice = SuiteResult(
        "unit",
        (
            CaseResult("a::chimes", Outcome.PASSED),
            CaseResult("b::chimes", Outcome.PASSED),
        ),
    )

    found = judged({"AC2": ["chimes"]}, twice).criteria[1]

    assert found.standing is Standing.AMBIGUOUS
    assert [case.id for case in found.tests[0].cases] == ["a::chimes", "b::chimes"]


def test_a_test_that_failed_in_one_of_two_suites_has_failed() -> None:
    found = contract(SPEC, {"AC2": Claim(("chimes",))}, [GREEN, RED])

    assert found.criteria[1].standing is Standing.NOT_PASSED


def test_a_waiver_is_kept_with_who_and_why_and_a_proof_is_better() -> None:
    waived = judged({"AC1": ["ticks"]}, waived="ac2")
    proved = judged({"AC1": ["ticks"], "AC2": ["chimes"]}, waived="AC2")

    assert waived.met
    assert waived.criteria[1].standing is Standing.WAIVED
    assert waived.criteria[1].waiver == Waiver("octocat", "by hand")
    assert proved.criteria[1].standing is Standing.PROVED


def test_no_criteria_are_no_contract() -> None:
    assert not contract((), {}, [GREEN]).met


def test_a_claim_for_no_criterion_is_told() -> None:
    assert judged({"AC7": ["ticks"]}).unknown == ("AC7",)


@pytest.mark.parametrize(
    ("base", "proof"),
    [
        (RED, True),
        (suite(ticks=Outcome.PASSED), True),
        (GREEN, False),
        (suite(chimes=Outcome.SKIPPED), False),
        (None, False),
    ],
    ids=["failed", "missing", "passed", "skipped", "no base"],
)
def test_red_to_green_needs_a_red_base(
    base: SuiteResult | None, *, proof: bool
) -> None:
    found = judged({"AC2": ["chimes"]}, GREEN, base)

    assert found.criteria[1].red_to_green is proof


def test_what_is_shown_tells_of_the_base_only_where_it_ran() -> None:
    claims = {"AC1": Claim(("ticks", "rings")), "AC2": Claim(("chimes",))}
    loud = SuiteResult(
        "e2e", (CaseResult("e2e::rings", Outcome.PASSED, detail="x" * 999),), 0
    )
    broken = SuiteResult("e2e", fault="cut off")

    for pairs in (
        [(GREEN, RED), (loud, None)],
        [(loud, broken), (GREEN, RED)],
    ):
        first, second = shown(SPEC, claims, pairs)
        assert first.standing is second.standing is Standing.PROVED
        assert not first.red_to_green, "nobody knows what it was at the base"
        assert second.red_to_green
        assert first.tests[1].cases == (CaseResult("e2e::rings", Outcome.PASSED),)
    (first, _) = shown(SPEC, claims, [(GREEN, RED), (loud, loud)])
    assert not first.red_to_green


def test_criteria_are_told_in_a_table() -> None:
    claims = {"AC1": Claim(("ticks",)), "AC2": Claim(("chimes", "rings"))}
    head = suite(ticks=Outcome.PASSED, chimes=Outcome.PASSED)
    grown = suite(chimes=Outcome.FAILED)

    first, second = testwords.criteria(shown(SPEC, claims, [(head, grown)]))[2:]

    assert first == "| 🔴→🟢 | AC1. The clock ticks. | test\\_clock::ticks (new) |"
    assert second == (
        "| ❌ | AC2. It chimes. Loudly. | names a test that did not run; "
        "test\\_clock::chimes (failed at the base), rings |"
    )
    assert testwords.criteria(()) == []


def test_a_proposal_is_read() -> None:
    text = """{"criteria": {"ac-1": {"tests": [" a::b ", "a::b"], "evidence": "seen"},
                            "AC2": {}}}"""

    assert proposal(text) == {"AC1": Claim(("a::b",), "seen"), "AC2": Claim(())}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ("[" * 100_000, "no JSON"),
        (" " * 300_000, "larger than 256 KiB"),
        ("[]", "the file is no object"),
        ("{}", 'it has no "criteria"'),
        ('{"criteria": [], "x": 1}', 'the file has "x", which is not known'),
        ('{"criteria": []}', '"criteria" is no object'),
        ('{"criteria": {"one": {}}}', '"one" is no criterion'),
        ('{"criteria": {"AC1": {}, "ac1": {}}}', "AC1 is there twice"),
        ('{"criteria": {"AC1": []}}', "AC1 is no object"),
        ('{"criteria": {"AC1": {"test": []}}}', 'AC1 has "test"'),
        ('{"criteria": {"AC1": {"tests": "a"}}}', '"tests" of AC1'),
        ('{"criteria": {"AC1": {"tests": [1]}}}', '"tests" of AC1'),
        ('{"criteria": {"AC1": {"evidence": 1}}}', '"evidence" of AC1'),
        (
            '{"criteria": {"AC1": {"tests": [' + ",".join(['"a"'] * 101) + "]}}}",
            "more than 100 tests",
        ),
    ],
)
def test_what_is_no_proposal_says_where_and_why(text: str, why: str) -> None:
    with pytest.raises(ProposalInvalid) as refused:
        proposal(text)

    assert why in str(refused.value)
