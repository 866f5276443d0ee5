"""Reads JUnit XML as test runners write it, and believes none of it blindly.

A report is data from code that an agent may have written: DTDs and entities, links
out of the tree and huge files are refused. What the cases prove is decided in
``domain/evidence.py``.
"""

import io
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse
from junitparser import Error, Failure, Skipped, TestCase

from vibeboard.domain.evidence import CaseResult, Outcome
from vibeboard.errors import ReportUnreadable

MOST_BYTES = 64 << 20
MOST_FILES = 5000
_MESSAGE = 1000
_DETAIL = 8000

_OUTCOMES = (
    (Error, Outcome.ERROR),
    (Failure, Outcome.FAILED),
    (Skipped, Outcome.SKIPPED),
)
_ROOTS = ("testsuites", "testsuite")
# Where pytest, Jest and Go say that a test failed: `path:12: …`, `(path:12:3)`.
_PLACES = (
    re.compile(r"^(?P<file>[^\s:()]+\.\w+):(?P<line>\d+): \w", re.MULTILINE),
    re.compile(r"\((?P<file>[^\s:()]+\.\w+):(?P<line>\d+):\d+\)"),
    re.compile(r"^\s+(?P<file>[^\s:()]+\.go):(?P<line>\d+): ", re.MULTILINE),
)


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
    seen: Counter[str] = Counter()
    cases = []
    for number, path in enumerate(files):
        if number >= MOST_FILES:
            raise ReportUnreadable(
                f"There are more than {MOST_FILES} report files: make the `report` "
                "globs match only this suite's."
            )
        for case in _read(path, tree):
            seen[case.id] += 1
            repeated = seen[case.id]
            cases.append(
                case if repeated == 1 else replace(case, id=f"{case.id} ({repeated})")
            )
    return tuple(cases)


def _read(path: Path, tree: Path) -> Iterator[CaseResult]:
    name = path.relative_to(tree)
    data = _bytes(path, name)
    if not data.strip():
        raise ReportUnreadable(
            f"`{name}` is empty: the command was cut off before it wrote its report, "
            "or writes no JUnit XML."
        )
    try:
        for position, (event, element) in enumerate(
            iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True)
        ):
            if position == 0 and element.tag not in _ROOTS:
                raise ReportUnreadable(
                    f"`{name}` is XML but no JUnit report (it begins with "
                    f"`<{str(element.tag)[:40]}>`): correct the `report` globs."
                )
            if event == "end" and element.tag == "testcase":
                yield _case(element, tree)
                element.clear()
    except DefusedXmlException as error:
        raise ReportUnreadable(
            f"`{name}` has a document type or entities, which no test report needs "
            "and which are refused."
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise ReportUnreadable(
            f"`{name}` is broken or cut off ({error}): the command must write it to "
            "its end."
        ) from error


def _bytes(path: Path, name: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise ReportUnreadable(f"`{name}` is no plain file.")
            if facts.st_size > MOST_BYTES:
                raise ReportUnreadable(
                    f"`{name}` is larger than {MOST_BYTES >> 20} MiB: let the suite "
                    "keep its output out of the report, or split it."
                )
            return file.read(MOST_BYTES)
    except OSError as error:
        raise ReportUnreadable(f"`{name}` cannot be read: {error.strerror}.") from error


def _case(element: Any, tree: Path) -> CaseResult:
    case = TestCase.fromelem(element)  # type: ignore[no-untyped-call]  # as above
    results = case.result
    outcome, result = next(
        (
            (outcome, found)
            for kind, outcome in _OUTCOMES
            for found in results
            if isinstance(found, kind)
        ),
        (Outcome.PASSED, None),
    )
    message = (result.message or "") if result is not None else ""
    detail = ((result.text or "") if result is not None else "").strip()
    if outcome in (Outcome.FAILED, Outcome.ERROR):
        output = filter(None, (case.system_out, case.system_err))
        detail = "\n\n".join([detail, *(text.strip() for text in output)]).strip()
    parts = (element.get("classname"), element.get("name"))
    file, line = _place(element, detail, tree)
    return CaseResult(
        id="::".join(filter(None, parts)) or "(a test without a name)",
        outcome=outcome,
        seconds=_seconds(element.get("time")),
        message=_cut(message or _first_line(detail), _MESSAGE),
        detail=_cut(detail, _DETAIL),
        file=file,
        line=line,
    )


def _place(element: Any, detail: str, tree: Path) -> tuple[str | None, int | None]:
    """Where the test failed, else where it stands; only a file of the tree."""
    stated = _inside(element.get("file"), tree)
    for pattern in _PLACES:
        for found in reversed(list(pattern.finditer(detail[:_DETAIL]))):
            file = _inside(found["file"], tree)
            if file is not None and stated in (None, file):
                return file, int(found["line"])
    number = element.get("line") or ""
    if stated is None or not number.isdecimal() or int(number) < 1:
        return stated, None
    return stated, int(number)


def _inside(file: str | None, tree: Path) -> str | None:
    if not file or "\0" in file:
        return None
    path = Path(os.path.normpath(tree / file))
    if path.is_relative_to(tree) and path.is_file():
        return str(path.relative_to(tree))
    return None


def _seconds(text: str | None) -> float:
    try:
        value = float((text or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _cut(text: str, most: int) -> str:
    """``text`` without its middle if it is long; both ends tell most."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[…]\n{text[-half:]}"
