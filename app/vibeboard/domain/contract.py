"""Acceptance criteria as a contract: each is proved by tests, waived, or open.

An agent proposes which tests prove which criterion; what it proposes is checked against
what ran. Only the ids of tests prove something: its words are kept for people to read.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from typing import Any

from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult

FILE = ".vibe/out/criteria.json"
MOST_BYTES = 256 << 10
_MOST_TESTS = 100
_WORDS = 2000
_SHOWN = 5
_SEPARATOR = re.compile(r"::|/|\.| [>\u203a] ")


class ProposalInvalid(ValueError):  # noqa: N818 - an event
    """What the agent wrote is no proposal; the message says where and why."""


@dataclass(frozen=True)
class Claim:
    """What is said to prove one criterion."""

    tests: tuple[str, ...]
    evidence: str = ""


@dataclass(frozen=True)
class Waiver:
    """A person's word that a criterion need not be proved."""

    by: str
    reason: str


class Standing(Enum):
    """How a criterion stands. Only proved and waived ones let work pass."""

    PROVED = "proved"
    WAIVED = "waived"
    UNTIED = "untied"  # no test is named
    MISSING = "missing"  # a test is named that did not run
    AMBIGUOUS = "ambiguous"  # a name that several tests have
    NOT_PASSED = "not passed"


@dataclass(frozen=True)
class Tied:
    """A claimed test and the cases that it can mean; ``before`` is its base."""

    claimed: str
    cases: tuple[CaseResult, ...]
    before: CaseResult | None = None
    based: bool = False

    @property
    def passed(self) -> bool:
        """Whether it is one test, and that passed."""
        return len(self.cases) == 1 and self.cases[0].outcome is Outcome.PASSED

    @property
    def red_to_green(self) -> bool:
        """Whether it passes now, and failed or was missing at the base."""
        red = self.before is None or self.before.outcome.bad
        return self.based and self.passed and red

    def brief(self) -> "Tied":
        """The same without what its cases printed."""
        cases = tuple(_named(case) for case in self.cases)
        return replace(self, cases=cases, before=self.before and _named(self.before))


@dataclass(frozen=True)
class Criterion:
    """One criterion of the spec and how it stands."""

    number: str
    text: str
    standing: Standing
    tests: tuple[Tied, ...] = ()
    evidence: str = ""
    waiver: Waiver | None = None

    @property
    def met(self) -> bool:
        """Whether it keeps nobody from going on."""
        return self.standing in (Standing.PROVED, Standing.WAIVED)

    @property
    def red_to_green(self) -> bool:
        """Whether a test that proves it did not pass before the change."""
        return any(tied.red_to_green for tied in self.tests)

    def brief(self) -> "Criterion":
        """The same with what people are shown of it."""
        return replace(self, tests=tuple(tied.brief() for tied in self.tests))


@dataclass(frozen=True)
class Contract:
    """All criteria of a spec; ``unknown`` are claims for others."""

    criteria: tuple[Criterion, ...]
    unknown: tuple[str, ...] = ()

    @property
    def open(self) -> tuple[Criterion, ...]:
        """The criteria that are neither proved nor waived."""
        return tuple(each for each in self.criteria if not each.met)

    @property
    def met(self) -> bool:
        """Whether there are criteria, and none is open."""
        return bool(self.criteria) and not self.open


def proposal(text: str) -> dict[str, Claim]:
    """What the agent wrote: ``{"criteria": {"AC1": {"tests": [id], …}}}``.

    Raises ProposalInvalid.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise ProposalInvalid(f"it is larger than {MOST_BYTES >> 10} KiB")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProposalInvalid(f"it is no JSON: {error}") from error
    found = _object(data, "the file", {"criteria"})
    if "criteria" not in found:
        raise ProposalInvalid('it has no "criteria"')
    claims: dict[str, Claim] = {}
    for name, claim in _object(found["criteria"], '"criteria"').items():
        number = criterion_number(name)
        if number is None:
            raise ProposalInvalid(f"{_shown(name)} is no criterion: write AC1, AC2, …")
        if number in claims:
            raise ProposalInvalid(f"{number} is there twice")
        claims[number] = _claim(claim, number)
    return claims


def contract(
    criteria: Sequence[str],
    claims: Mapping[str, Claim],
    results: Iterable[SuiteResult],
    *,
    base: Iterable[SuiteResult] | None = None,
    waivers: Mapping[str, Waiver] | None = None,
) -> Contract:
    """How each of ``criteria`` (``AC1. …``) stands after these results.

    Without ``base`` nothing is said of red and green.
    """
    tests = _Tests(results)
    before = None if base is None else _Tests(base)
    waived = {
        criterion_number(name) or name: waiver
        for name, waiver in (waivers or {}).items()
    }
    found = []
    for line in criteria:
        number, _, text = line.partition(". ")
        claim = claims.get(number, Claim(()))
        tied = tuple(_tied(each, tests, before) for each in claim.tests)
        waiver = waived.get(number)
        found.append(
            Criterion(
                number, text, _standing(tied, waiver), tied, claim.evidence, waiver
            )
        )
    known = {each.number for each in found}
    return Contract(tuple(found), tuple(sorted(claims.keys() - known)))


def shown(
    criteria: Sequence[str],
    claims: Mapping[str, Claim],
    pairs: Iterable[tuple[SuiteResult, SuiteResult | None]],
) -> tuple[Criterion, ...]:
    """How criteria stand after suites that ran on the head and, most of them, the base.

    A suite that proves nothing of the base says nothing of red and green.
    """
    pairs = list(pairs)
    sound = [(head, base) for head, base in pairs if base and not base.fault]
    whole = contract(criteria, claims, [head for head, _ in pairs])
    compared = contract(
        criteria, claims, [head for head, _ in sound], base=[base for _, base in sound]
    )
    return tuple(
        replace(one, tests=tuple(map(_better, one.tests, beside.tests))).brief()
        for one, beside in zip(whole.criteria, compared.criteria, strict=True)
    )


def _better(tied: Tied, compared: Tied) -> Tied:
    """The one that tells of the base, where it means the same cases."""
    return compared if compared.cases == tied.cases else tied


def _named(case: CaseResult) -> CaseResult:
    return CaseResult(case.id, case.outcome)


def _standing(tied: Sequence[Tied], waiver: Waiver | None) -> Standing:
    if tied and all(each.passed for each in tied):
        return Standing.PROVED
    if waiver is not None:
        return Standing.WAIVED
    if not tied:
        return Standing.UNTIED
    if any(not each.cases for each in tied):
        return Standing.MISSING
    if any(len(each.cases) > 1 for each in tied):
        return Standing.AMBIGUOUS
    return Standing.NOT_PASSED


def _tied(claimed: str, tests: "_Tests", before: "_Tests | None") -> Tied:
    cases = tests.named(claimed)
    if before is None or len(cases) != 1:
        return Tied(claimed, cases)
    old = before.exactly(cases[0].id)
    return Tied(claimed, cases, old, based=True)


class _Tests:
    """All cases by id, and by what their ids end with."""

    def __init__(self, results: Iterable[SuiteResult]) -> None:
        self._by_id: defaultdict[str, list[CaseResult]] = defaultdict(list)
        for result in results:
            for case in result.cases:
                self._by_id[case.id].append(case)

    @cached_property
    def _by_end(self) -> Mapping[str, list[str]]:
        ends: defaultdict[str, list[str]] = defaultdict(list)
        for name in sorted(self._by_id):
            for found in _SEPARATOR.finditer(name):
                ends[name[found.end() :]].append(name)
        return ends

    def exactly(self, name: str) -> CaseResult | None:
        """The case of this id; of two suites, one that failed."""
        found = self._by_id.get(name)
        return max(found, key=lambda case: case.outcome.bad) if found else None

    def named(self, name: str) -> tuple[CaseResult, ...]:
        """The cases that ``name`` can mean: by their ids, or else by their ends.

        Two suites may run the same case: then it is one, and the worse outcome counts.
        """
        exact = self.exactly(name)
        if exact is not None:
            return (exact,)
        meant = self._by_end.get(name, [])[:_SHOWN]
        found = (self.exactly(each) for each in meant)
        return tuple(case for case in found if case is not None)


def _claim(data: Any, number: str) -> Claim:
    claim = _object(data, number, {"tests", "evidence"})
    tests = claim.get("tests", [])
    if not isinstance(tests, list) or not all(isinstance(t, str) for t in tests):
        raise ProposalInvalid(f'"tests" of {number} is no list of test ids')
    if len(tests) > _MOST_TESTS:
        raise ProposalInvalid(f"{number} names more than {_MOST_TESTS} tests")
    evidence = claim.get("evidence", "")
    if not isinstance(evidence, str):
        raise ProposalInvalid(f'"evidence" of {number} is no text')
    names = dict.fromkeys(name for test in tests if (name := test.strip()))
    return Claim(tuple(names), evidence[:_WORDS])


def _object(data: Any, name: str, allowed: set[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise ProposalInvalid(f"{name} is no object")
    others = sorted(data.keys() - allowed) if allowed is not None else []
    if others:
        raise ProposalInvalid(f"{name} has {_shown(others[0])}, which is not known")
    return data


def criterion_number(name: str) -> str | None:
    """``AC1`` however it is written: ``ac-1``, ``AC01``, ``AC1.``."""
    head = name.strip().rstrip(".:").casefold()
    digits = head.removeprefix("ac").lstrip(" -")
    plain = head.startswith("ac") and digits.isascii() and digits.isdigit()
    return f"AC{int(digits)}" if plain and len(digits) <= len("9999") else None


def _shown(text: str) -> str:
    return json.dumps(text[:40])
