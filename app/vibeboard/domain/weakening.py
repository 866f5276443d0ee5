"""What somebody did to the tests: removed, turned off, weakened, by name.

A finding is no verdict: tests are removed for good reasons too. It is what a person
should look at before they believe that everything is green.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from vibeboard.domain.testcode.files import (
    MOST_TEXT,
    is_test_file,
    is_test_setup,
    read,
    setup_of,
)
from vibeboard.domain.testcode.found import TestCode, TestFile, Unparsable

__all__ = [
    "ChangedFile",
    "Harm",
    "Weakening",
    "is_test_file",
    "is_test_setup",
    "weakenings",
]


class Harm(Enum):
    """What was done to a test, or to how tests run."""

    REMOVED = "removed"
    SKIPPED = "newly skipped"
    EMPTIED = "emptied"  # it checks nothing any more
    WEAKENED = "weakened"  # fewer assertions
    FEWER_CASES = "fewer cases"  # fewer sets of parameters
    FOCUSED = "focused"  # an `.only` keeps the others from running
    SETUP = "test set-up changed"
    UNREADABLE = "unreadable"  # what was done cannot be told


@dataclass(frozen=True)
class ChangedFile:
    """A file before and after; None where it was not or is no more."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Weakening:
    """One finding; the counts are of assertions, cases or focused tests."""

    file: str
    test: str | None
    harm: Harm
    before: int | None = None
    after: int | None = None


def weakenings(files: Iterable[ChangedFile]) -> tuple[Weakening, ...]:
    """What was done to the tests in all changed files, by file and name.

    A test that moved to another file or got another name, with the same body, was not
    removed.
    """
    found: list[Weakening] = []
    read_twice: list[_Both] = []
    for file in sorted(files, key=lambda each: each.path):
        if is_test_setup(file.path):
            found += _of_setup(file)
        elif is_test_file(file.path) or _has_tests_inside(file):
            try:
                read_twice.append(_both(file))
            except Unparsable:
                found.append(Weakening(file.path, None, Harm.UNREADABLE))
    found += _of_tests(read_twice)
    return tuple(
        sorted(found, key=lambda each: (each.file, each.test or "", each.harm.value))
    )


def _has_tests_inside(file: ChangedFile) -> bool:
    """Rust keeps tests beside the code that they are of."""
    return file.path.endswith(".rs") and "#[test]" in (file.before or "")


@dataclass(frozen=True)
class _Both:
    path: str
    before: TestFile
    after: TestFile


def _both(file: ChangedFile) -> _Both:
    return _Both(file.path, _read(file.path, file.before), _read(file.path, file.after))


def _read(path: str, text: str | None) -> TestFile:
    if text is None:
        return TestFile({})
    if len(text) > MOST_TEXT:
        raise Unparsable("too long")
    return read(path, text)


def _of_setup(file: ChangedFile) -> list[Weakening]:
    same = setup_of(file.path, file.before) == setup_of(file.path, file.after)
    return [] if same else [Weakening(file.path, None, Harm.SETUP)]


def _of_tests(files: Sequence[_Both]) -> list[Weakening]:
    new = _New(files)
    found: list[Weakening] = []
    for file in files:
        found += _focus(file)
        for name, test in file.before.tests.items():
            now = file.after.tests.get(name) or new.place_of(test)
            if now is None:
                removed = Weakening(file.path, name, Harm.REMOVED, test.assertions, 0)
                found.append(removed)
            else:
                found += _harms(file.path, test, now)
    return found


class _New:
    """The tests that were not there before, by body and by name."""

    def __init__(self, files: Iterable[_Both]) -> None:
        self._bodies: defaultdict[str, list[TestCode]] = defaultdict(list)
        self._names: defaultdict[str, list[TestCode]] = defaultdict(list)
        for file in files:
            for name, test in file.after.tests.items():
                if name not in file.before.tests:
                    self._names[name].append(test)
                    if not test.empty:
                        self._bodies[test.body].append(test)

    def place_of(self, test: TestCode) -> TestCode | None:
        """The one new test that this one may have become."""
        for found in (self._bodies.get(test.body), self._names.get(test.name)):
            if found is not None and len(found) == 1:
                return found[0]
        return None


def _harms(path: str, was: TestCode, now: TestCode) -> list[Weakening]:
    found = []

    def add(harm: Harm, before: int, after: int) -> None:
        found.append(Weakening(path, was.name, harm, before, after))

    if now.skips > was.skips:
        add(Harm.SKIPPED, was.skips, now.skips)
    if (was.assertions and not now.assertions) or (now.empty and not was.empty):
        add(Harm.EMPTIED, was.assertions, now.assertions)
    elif now.assertions < was.assertions:
        add(Harm.WEAKENED, was.assertions, now.assertions)
    if was.cases is not None and now.cases is not None and now.cases < was.cases:
        add(Harm.FEWER_CASES, was.cases, now.cases)
    return found


def _focus(file: _Both) -> list[Weakening]:
    before, after = file.before.focused, file.after.focused
    if after <= before:
        return []
    return [Weakening(file.path, None, Harm.FOCUSED, before, after)]
