"""What single tools write into JUnit XML, and mean otherwise.

Each of these was seen in a report that the tool wrote; they are kept in
``tests/runner/corpus``. Everything that several tools share is in ``junit.py``.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vibeboard.domain.evidence import Attempt, Outcome

UNTOLD = "An earlier attempt, of which the report does not say why it failed."

_BATS = re.compile(r"begin \d+ (?P<name>.+)", re.DOTALL)
_CTEST_SKIPS = ("SKIP_", "Disabled")


@dataclass(slots=True)
class Told:
    """One case as the report tells it; ``home`` is its suite or file."""

    name: str
    outcome: Outcome
    seconds: float
    home: str
    file: str | None
    line: int | None = None
    message: str = ""
    detail: str = ""
    assertions: int | None = None
    attempts: tuple[Attempt, ...] = ()

    @property
    def as_attempts(self) -> tuple[Attempt, ...]:
        """All goes at it, also if there was only one."""
        one = Attempt(self.outcome, self.seconds, self.message, self.detail)
        return self.attempts or (one,)


def unique_within(attributes: Mapping[str, str], path: Path) -> str | None:
    """Where Surefire has each name once, apart from tests that it ran again.

    With nested classes it writes the first go into one file and the next into another.
    """
    schema = attributes.get("xsi:noNamespaceSchemaLocation", "")
    return str(path.parent) if "surefire" in schema else None


def could_not_run(attributes: Mapping[str, str], message: str) -> bool:
    """Whether CTest failed a test that its report calls skipped."""
    return (
        attributes.get("status") == "notrun"
        and "result" not in attributes  # GoogleTest
        and bool(message)
        and not message.startswith(_CTEST_SKIPS)
    )


def repair(suite: str, claimed: int | None, cases: Sequence[Told]) -> Sequence[Told]:
    """The cases of a suite which has more of them than it counts itself."""
    if claimed is None or claimed >= len(cases):
        return cases
    if suite == "pytest":
        return _grouped(cases, lambda case: (case.home, case.name))
    if suite.endswith(".bats"):
        return _without_beginnings(cases)
    return cases


def _grouped(
    cases: Iterable[Told], key: Callable[[Told], tuple[str, str]]
) -> list[Told]:
    """pytest-rerunfailures: each go is a case, and only the last says how it ended."""
    groups: dict[tuple[str, str], list[Told]] = {}
    for case in cases:
        groups.setdefault(key(case), []).append(case)
    return [told for group in groups.values() for told in _reruns(group)]


def _reruns(goes: Sequence[Told]) -> list[Told]:
    earlier = [go for go in goes[:-1] if go.outcome is Outcome.PASSED]
    last = [go for go in goes if go not in earlier]
    if not earlier:
        return last
    return [_after(earlier, last[0]), *last[1:]]


def _after(earlier: Iterable[Told], last: Told) -> Told:
    failed = [Attempt(Outcome.FAILED, each.seconds, UNTOLD) for each in earlier]
    return replace(last, attempts=(*failed, *last.as_attempts))


def _without_beginnings(cases: Sequence[Told]) -> list[Told]:
    """Bats: a test that is tried again leaves a case called ``begin 5 its name``."""
    begun: dict[str, list[Told]] = {}
    rest = []
    for case in cases:
        head, _, name = case.name.rpartition("::")
        match = _BATS.fullmatch(name)
        if match is None:
            rest.append(case)
        else:
            begun.setdefault("::".join(filter(None, (head, match["name"]))), []).append(
                case
            )
    return [
        _after(begun[case.name], case) if case.name in begun else case for case in rest
    ]
