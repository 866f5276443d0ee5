"""Finds and reads JUnit XML as test runners write it, and believes none of it blindly.

A report is data from code that an agent may have written: links out of the tree are
refused here, what makes XML dangerous in ``reading.py``. What the cases prove is
decided in ``domain/evidence.py``; what each tool writes is told in
``docs/reference/test-reports.md``.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from vibeboard.domain.evidence import Attempt, CaseResult, together
from vibeboard.runner.dialects import Told
from vibeboard.runner.junit import MOST_DETAIL, Read, read_report
from vibeboard.runner.reading import cut, few

MOST_FILES = 5000
MOST_CASES = 500_000
_MESSAGE = 1000
_ALL_DETAILS = 32 << 20  # characters of messages and details in one suite
_SHORT = 100  # of a message when there is no room for more
_ID = 500

# Where pytest, Jest, Go, Vitest and PHPUnit say that a test failed. None of them may
# begin with what matches newlines: a text of blank lines would take minutes.
_PLACES = (
    re.compile(r"^(?P<file>[^\s:()]+\.\w+):(?P<line>\d+): \w", re.MULTILINE),
    re.compile(r"\((?P<file>[^\s:()]+\.\w+):(?P<line>\d+):\d+\)"),
    re.compile(r"^[ \t]+(?P<file>[^\s:()]+\.go):(?P<line>\d+): ", re.MULTILINE),
    re.compile(
        r"^[ \t]*(?:at |\u276f )?(?P<file>[^\s:()]+\.\w+):(?P<line>\d+):\d+$",
        re.MULTILINE,
    ),
    re.compile(r"^(?P<file>[^\s:()]+\.php):(?P<line>\d+)$", re.MULTILINE),
)
_ANY_PLACE = re.compile(r"\.\w+:\d+(?::|$)", re.MULTILINE)
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Found:
    """What the report globs of a suite led to."""

    files: tuple[Path, ...]
    refused: tuple[str, ...]


def find(tree: Path, globs: Sequence[str]) -> Found:
    """Report files below ``tree``; whatever a link leads to is refused."""
    files: dict[Path, None] = {}
    refused: list[str] = []
    for glob in globs:
        if Path(glob).is_absolute() or ".." in Path(glob).parts:
            refused.append(glob)
            continue
        for path in sorted(tree.glob(glob)):
            name = path.relative_to(tree)
            if any((tree / p).is_symlink() for p in (name, *name.parents)):
                refused.append(str(name))
            elif path.is_file():
                files[path] = None
    return Found(tuple(files), tuple(refused))


def remove_stale(tree: Path, globs: Sequence[str]) -> None:
    """Remove reports of an earlier run, so that they cannot pass for this one's."""
    for path in find(tree, globs).files:
        path.unlink()


def read_all(files: Iterable[Path], tree: Path) -> tuple[CaseResult, ...]:
    """The cases of several reports, with ids that are unique among them."""
    cases = _Cases(tree)
    for path in few(files, MOST_FILES, "report"):
        cases.take(read_report(path, tree, MOST_CASES - len(cases)))
    return cases.named()


class _Cases:
    """Gathers what reports tell; knows the tree, and how much may be kept."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._root = f"{tree}{os.sep}"
        self._room = _ALL_DETAILS
        self._files: dict[str, str | None] = {}
        self._cases: list[CaseResult] = []
        self._homes: list[str] = []
        self._unique: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def take(self, report: Read) -> None:
        """Add the cases of one report."""
        for told in report.cases:
            case = self._case(told)
            if report.unique is not None:
                place = self._unique.setdefault((report.unique, case.id), len(self))
                if place < len(self):
                    self._cases[place] = together((self._cases[place], case))
                    continue
            self._cases.append(case)
            self._homes.append(told.home)

    def named(self) -> tuple[CaseResult, ...]:
        """All cases; those of one name are told by their suite or file, then counted.

        All of them are told so, and not only the second: which one comes first says
        nothing.
        """
        cases = self._cases
        times = Counter(case.id for case in cases)
        if len(times) == len(cases):
            return tuple(cases)
        full = [
            case.id if times[case.id] == 1 or not home else f"{home}::{case.id}"
            for case, home in zip(cases, self._homes, strict=True)
        ]
        return tuple(
            case if case.id == name else replace(case, id=name)
            for case, name in zip(cases, _counted(full), strict=True)
        )

    def _case(self, told: Told) -> CaseResult:
        message, detail, file, line = told.message, told.detail, told.file, told.line
        if message or detail:
            message, detail = self._kept(message, detail)
        if file or detail:
            file, line = self._place(file, line, detail if told.outcome.bad else "")
        return CaseResult(
            self._id(told.name),
            told.outcome,
            told.seconds,
            message,
            detail,
            file,
            line,
            told.assertions,
            tuple(map(self._attempt, told.attempts)) if told.attempts else (),
        )

    def _attempt(self, told: Attempt) -> Attempt:
        message, detail = self._kept(told.message, told.detail)
        return replace(told, message=message, detail=detail)

    def _kept(self, message: str, detail: str) -> tuple[str, str]:
        """Both cut to their limits, and to what is left for the whole suite."""
        message = message or detail.partition("\n")[0]
        message = cut(message, min(_MESSAGE, max(self._room, _SHORT)))
        self._room = max(self._room - len(message), 0)
        detail = cut(detail, min(MOST_DETAIL, self._room))
        self._room = max(self._room - len(detail), 0)
        return message, detail

    def _id(self, name: str) -> str:
        """The name without what differs between two runs of the same commit."""
        if self._root in name:
            name = name.replace(self._root, "")
        if " at 0x" in name:
            name = _ADDRESS.sub("at 0x…", name)
        if len(name) > _ID:
            mark = sha256(name.encode()).hexdigest()[:12]
            name = f"{name[: _ID - 13]}…{mark}"
        return name

    def _place(
        self, file: str | None, line: int | None, detail: str
    ) -> tuple[str | None, int | None]:
        """Where the test failed, else where it stands; only a file of the tree."""
        stated = self._inside(file) if file else None
        if detail and _ANY_PLACE.search(detail):
            for pattern in _PLACES:
                for found in reversed(list(pattern.finditer(detail))):
                    path = self._inside(found["file"])
                    if path is not None and stated in (None, path):
                        return path, int(found["line"])
        return stated, line if stated else None

    def _inside(self, file: str) -> str | None:
        if file not in self._files:
            self._files[file] = _inside(file, self._tree)
        return self._files[file]


def _inside(file: str, tree: Path) -> str | None:
    path = Path(os.path.normpath(tree / file))
    try:
        if path.is_relative_to(tree) and path.is_file():
            return str(path.relative_to(tree))
    except OSError:  # a name that is too long for a file
        pass
    return None


def _counted(names: Iterable[str]) -> Iterable[str]:
    """Repeated names with a number behind them, which no other name has."""
    seen: Counter[str] = Counter()
    for name in names:
        told = name
        while seen[told]:
            seen[name] += 1
            told = f"{name} ({seen[name]})"
        seen[told] += 1
        yield told
