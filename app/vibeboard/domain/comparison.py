"""What changed in a suite since the base, and several results of one commit as one.

Flaky is told in two strengths. *Strong*: the case passed and failed on the head commit
itself, within one report or among several attempts of the suite. *Weak*: it did so on
the base commit, and at the head it only passed or only failed; it is known to waver, so
that the one result proves less. Weak suspicion forgives nothing: a weak case that
failed has failed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from enum import Enum
from heapq import nsmallest

from vibeboard.domain.evidence import CaseResult, Outcome, SuiteResult, together

_SLOWEST = 5
_NEAR = 0.8
_MOST_PAIRS = 2_500  # of names compared letter by letter, in one class or file
_ALL_PAIRS = 50_000


class Change(Enum):
    """What became of a case since the base; each case is exactly one of these."""

    NEWLY_FAILING = "newly failing"  # also a new case that fails
    STILL_FAILING = "still failing"
    FAILING = "failing"  # and there is no base to compare with
    FIXED = "fixed"
    FLAKY = "flaky"  # strong
    WAVERING = "wavering"  # weak
    REMOVED = "removed"
    NOT_RUN = "not run"  # the head's suite has a fault, so that it may still exist
    NEWLY_SKIPPED = "newly skipped"
    NO_LONGER_SKIPPED = "no longer skipped"
    RENAMED = "renamed"  # and otherwise as before
    NEW = "new"
    PASSING = "passing"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Compared:
    """One case at the base and at the head; at least one of them is there."""

    change: Change
    base: CaseResult | None
    head: CaseResult | None

    @property
    def id(self) -> str:
        """Its name now, or the one that it had."""
        case = self.head or self.base
        assert case is not None
        return case.id

    @property
    def was(self) -> str | None:
        """Its name at the base, if it had another."""
        if self.base is None or self.head is None or self.base.id == self.head.id:
            return None
        return self.base.id


@dataclass(frozen=True)
class Slow:
    """One of the slowest cases; ``delta`` is None if the base did not have it."""

    case: CaseResult
    delta: float | None


@dataclass(frozen=True)
class Comparison:
    """All cases of base and head by what became of them, sorted by id.

    ``based`` says whether there was a base to compare with.
    """

    suite: str
    based: bool
    changes: Mapping[Change, tuple[Compared, ...]] = field(default_factory=dict)
    seconds: float | None = None  # more than at the base; negative if quicker
    slowest: tuple[Slow, ...] = ()

    def of(self, change: Change) -> tuple[Compared, ...]:
        """The cases that this became of."""
        return self.changes.get(change, ())


def compare(base: SuiteResult | None, head: SuiteResult) -> Comparison:
    """What changed from ``base`` to ``head``.

    A base without evidence is none. Time grows with the number of cases; only names in
    one class or file are compared letter by letter, and only a bounded number of them.
    """
    if base is None or base.fault is not None or not base.cases:
        pairs = [Compared(_unbased(case), None, case) for case in head.cases]
        return Comparison(
            head.suite, based=False, changes=_sorted(pairs), slowest=_slowest(pairs)
        )
    pairs = _pairs(base.cases, head.cases, whole=head.fault is None)
    return Comparison(
        head.suite,
        based=True,
        changes=_sorted(pairs),
        seconds=head.seconds - base.seconds,
        slowest=_slowest(pairs),
    )


def combined(attempts: Sequence[SuiteResult]) -> SuiteResult:
    """Several attempts of one suite on one commit as one result.

    A case that passed in any of them passed, and is flaky if it failed in another. The
    suite ended well if one attempt did; a fault counts if every attempt has one.
    """
    last = attempts[-1]
    if len(attempts) == 1:
        return last
    goes: defaultdict[str, list[CaseResult]] = defaultdict(list)
    for attempt in attempts:
        for case in attempt.cases:
            goes[case.id].append(case)
    sound = [attempt for attempt in attempts if attempt.fault is None]
    told = next((a for a in sound if a.exit_code in (0, None)), (sound or attempts)[-1])
    return replace(
        last,
        cases=tuple(
            one[0] if len(one) == 1 else together(one) for one in goes.values()
        ),
        exit_code=told.exit_code,
        seconds=sum(attempt.seconds for attempt in attempts),
        fault=told.fault,
        output_tail=told.output_tail,
        coverage=told.coverage,
    )


def _pairs(
    base: Iterable[CaseResult], head: Iterable[CaseResult], *, whole: bool
) -> list[Compared]:
    before = {case.id: case for case in base}
    after = {case.id: case for case in head}
    gone = [case for case in before.values() if case.id not in after]
    come = [case for case in after.values() if case.id not in before]
    was = _renamed(gone, come) if gone and come else {}
    moved = set(was.values())
    pairs = [
        Compared(Change.REMOVED if whole else Change.NOT_RUN, case, None)
        for case in gone
        if case.id not in moved
    ]
    for case in after.values():
        old = before.get(was.get(case.id, case.id))
        pairs.append(Compared(_change(old, case), old, case))
    return pairs


class _State(Enum):
    PASSED = 1
    FAILED = 2
    SKIPPED = 3
    FLAKY = 4


_CHANGES = {
    (_State.PASSED, _State.PASSED): Change.PASSING,
    (_State.PASSED, _State.FAILED): Change.NEWLY_FAILING,
    (_State.PASSED, _State.SKIPPED): Change.NEWLY_SKIPPED,
    (_State.FAILED, _State.PASSED): Change.FIXED,
    (_State.FAILED, _State.FAILED): Change.STILL_FAILING,
    (_State.FAILED, _State.SKIPPED): Change.NEWLY_SKIPPED,
    (_State.SKIPPED, _State.PASSED): Change.NO_LONGER_SKIPPED,
    (_State.SKIPPED, _State.FAILED): Change.NEWLY_FAILING,
    (_State.SKIPPED, _State.SKIPPED): Change.SKIPPED,
    (_State.FLAKY, _State.PASSED): Change.WAVERING,
    (_State.FLAKY, _State.FAILED): Change.WAVERING,
    (_State.FLAKY, _State.SKIPPED): Change.NEWLY_SKIPPED,
    (None, _State.PASSED): Change.NEW,
    (None, _State.FAILED): Change.NEWLY_FAILING,
    (None, _State.SKIPPED): Change.NEW,
}


def _change(base: CaseResult | None, head: CaseResult) -> Change:
    now = _state(head)
    if now is _State.FLAKY:
        return Change.FLAKY
    change = _CHANGES[_state(base) if base else None, now]
    same = change in (Change.PASSING, Change.SKIPPED)
    renamed = same and base is not None and base.id != head.id
    return Change.RENAMED if renamed else change


def _unbased(case: CaseResult) -> Change:
    match _state(case):
        case _State.FLAKY:
            return Change.FLAKY
        case _State.FAILED:
            return Change.FAILING
        case _State.SKIPPED:
            return Change.SKIPPED
        case _State.PASSED:
            return Change.PASSING


def _state(case: CaseResult) -> _State:
    if case.attempts and case.flaky:
        return _State.FLAKY
    if case.outcome.bad:
        return _State.FAILED
    return _State.SKIPPED if case.outcome is Outcome.SKIPPED else _State.PASSED


def _sorted(pairs: Iterable[Compared]) -> dict[Change, tuple[Compared, ...]]:
    changes: defaultdict[Change, list[Compared]] = defaultdict(list)
    for pair in pairs:
        changes[pair.change].append(pair)
    return {
        change: tuple(sorted(changes[change], key=lambda pair: pair.id))
        for change in Change
        if change in changes
    }


def _slowest(pairs: Iterable[Compared]) -> tuple[Slow, ...]:
    timed = ((-pair.head.seconds, pair.id, pair) for pair in pairs if pair.head)
    found = nsmallest(_SLOWEST, timed, key=lambda each: each[:2])
    return tuple(
        Slow(pair.head, pair.head.seconds - pair.base.seconds if pair.base else None)
        for _, _, pair in found
        if pair.head is not None
    )


# --- Renames ------------------------------------------------------------------


def _renamed(gone: list[CaseResult], come: list[CaseResult]) -> dict[str, str]:
    """New names with the old ones, where only one of each can be meant."""
    was: dict[str, str] = {}
    for key in (_own_name, _place):
        taken = set(was.values())
        old = _by([case for case in gone if case.id not in taken], key)
        new = _by([case for case in come if case.id not in was], key)
        for each, case in new.items():
            if each in old:
                was[case.id] = old[each].id
    return was | _near(gone, come, was)


def _by(
    cases: Iterable[CaseResult], key: Callable[[CaseResult], Hashable]
) -> dict[Hashable, CaseResult]:
    """The cases by a key that no other of them has."""
    keyed = [(key(case), case) for case in cases]
    times = Counter(each for each, _ in keyed)
    return {each: case for each, case in keyed if each and times[each] == 1}


def _own_name(case: CaseResult) -> Hashable:
    """The name without its class or file: a test that moved keeps it."""
    return case.id.rpartition("::")[2]


def _place(case: CaseResult) -> Hashable:
    """A name that stands where another stood, in the same class."""
    if case.file is None or case.line is None:
        return None
    home, _, name = case.id.rpartition("::")
    return case.file, case.line, home, name.partition("[")[2]


def _near(
    gone: list[CaseResult], come: list[CaseResult], was: Mapping[str, str]
) -> dict[str, str]:
    taken = set(was.values())
    old, new = defaultdict(list), defaultdict(list)
    for case in gone:
        if case.id not in taken:
            old[case.id.rpartition("::")[0]].append(case.id)
    for case in come:
        if case.id not in was:
            new[case.id.rpartition("::")[0]].append(case.id)
    found: dict[str, str] = {}
    left = _ALL_PAIRS
    for home in sorted(old.keys() & new.keys()):
        pairs = len(old[home]) * len(new[home])
        if pairs <= min(_MOST_PAIRS, left):
            left -= pairs
            found |= _nearest(old[home], new[home], len(home))
    return found


def _nearest(old: list[str], new: list[str], skip: int) -> dict[str, str]:
    """Each other's one near name; two that are near are none."""
    near = [
        (before, after)
        for before in old
        for after in new
        if _alike(before[skip:], after[skip:])
    ]
    once = Counter(before for before, _ in near)
    and_once = Counter(after for _, after in near)
    return {
        after: before
        for before, after in near
        if once[before] == 1 and and_once[after] == 1
    }


def _alike(one: str, other: str) -> bool:
    """Whether two names differ in little, and not in a parameter or a number."""
    if one.partition("[")[2] != other.partition("[")[2]:
        return False
    if [c for c in one if c.isdigit()] != [c for c in other if c.isdigit()]:
        return False
    first, second = sorted((one, other))  # its ratio depends on the order
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return (
        matcher.real_quick_ratio() >= _NEAR
        and matcher.quick_ratio() >= _NEAR
        and matcher.ratio() >= _NEAR
    )
