"""What one JUnit XML report tells, in the dialects of the tools that write it.

There is no standard: the same thing is an attribute in one tool, an element in the
next, and missing in a third. Nothing here looks at the tree; that is ``reports.py``.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from vibeboard.domain.evidence import Attempt, Outcome
from vibeboard.errors import ReportUnreadable
from vibeboard.runner.reading import Text, blocks, read_xml

_MOST_DEPTH = 200
_MOST_ATTEMPTS = 20
_TEXT = 16_000

_ROOTS = ("testsuites", "testsuite")
_RESULTS = {
    "error": Outcome.ERROR,
    "failure": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
}
# Surefire's names for earlier goes at a test, which others took over.
_RETRIES = {
    "flakyError": Outcome.ERROR,
    "flakyFailure": Outcome.FAILED,
    "rerunError": Outcome.ERROR,
    "rerunFailure": Outcome.FAILED,
}
_OUTPUTS = ("system-out", "system-err")
_PARTS = frozenset((*_RESULTS, *_RETRIES, *_OUTPUTS))
_WORST = (Outcome.ERROR, Outcome.FAILED, Outcome.SKIPPED)
# GoogleTest, CTest and NUnit say in an attribute what others say in an element.
_NOT_RUN = frozenset(
    ("notrun", "disabled", "suppressed", "skipped", "ignored", "inconclusive")
)
_WENT_WRONG = frozenset(("fail", "failed", "failure", "error"))
# Node's reporter gives every test this class.
_SAYS_NOTHING = ("test", "suite")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?")


@dataclass(slots=True)
class Told:
    """One case as the report tells it; ``home`` is its suite and file."""

    name: str
    outcome: Outcome
    seconds: float
    home: str
    file: str | None
    line: int | None
    message: str = ""
    detail: str = ""
    assertions: int | None = None
    attempts: tuple[Attempt, ...] = ()


@dataclass
class Read:
    """What one report tells; whether a name that is repeated there was run again."""

    cases: list[Told] = field(default_factory=list)
    repeats_reruns: bool = False


@dataclass(slots=True)
class _Part:
    """An element of a case: a failure, an earlier attempt, an output."""

    tag: str
    attributes: Mapping[str, str]
    text: Text
    depth: int

    @property
    def message(self) -> str:
        return self.attributes.get("message", "")


@dataclass
class _Suite:
    name: str
    home: str
    file: str | None
    claims: int  # errors and failures that it says to have
    cases: int = 0


def read_report(path: Path, tree: Path, most: int) -> Read:
    """The cases of the report at ``path``; at most ``most`` of them."""
    name = str(path.relative_to(tree))
    reader = _Reader(name, most)
    read_xml(blocks(path, tree), name, reader.attach)
    return reader.read


class _Reader:
    """Expat's handlers: what is open, and what was read."""

    def __init__(self, name: str, most: int) -> None:
        self.read = Read()
        self._name = name
        self._most = most
        self._depth = 0
        self._suites: list[_Suite] = []
        self._case: Mapping[str, str] | None = None
        self._parts: list[_Part] = []
        self._open: _Part | None = None

    def attach(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if tag == "testcase" and self._open is None:
            self._case, self._parts = attributes, []
        elif tag in _PARTS and self._open is None:
            self._begin(tag, attributes)
        elif self._depth == 1 and tag not in _ROOTS:
            raise ReportUnreadable(
                f"`{self._name}` is XML but no JUnit report (it begins with "
                f"`<{tag[:40]}>`): correct the `report` globs."
            )
        elif self._depth > _MOST_DEPTH:
            raise ReportUnreadable(
                f"`{self._name}` has elements more than {_MOST_DEPTH} deep, which no "
                "test runner writes: correct the `report` globs."
            )
        elif self._case is None:
            self._outside(tag, attributes)

    def _outside(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "testsuite":
            self._suites.append(_suite(attributes, self._suites))
        elif tag == "property" and attributes.get("name") == "go.version":
            self.read.repeats_reruns = True

    def _begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._open = _Part(tag, attributes, Text(_TEXT), self._depth)
        self._parser.CharacterDataHandler = self._open.text.add

    def _end(self, tag: str) -> None:
        part = self._open
        if part is not None:
            if part.depth == self._depth:
                self._parser.CharacterDataHandler = None
                self._open = None
                self._close(part)
        elif tag == "testcase" and self._case is not None:
            self._add(_case(self._case, self._suites, self._parts))
            self._case = None
        elif tag == "testsuite" and self._case is None and self._suites:
            self._leave(self._suites.pop())
        self._depth -= 1

    def _close(self, part: _Part) -> None:
        if self._case is not None:
            self._parts.append(part)
        elif part.tag in ("error", "failure"):
            self._add(_of_suite(self._suites, [part]))

    def _leave(self, suite: _Suite) -> None:
        """A suite that could not begin: it has errors, and no case to show them."""
        if suite.claims and not suite.cases:
            self._suites.append(suite)
            self._add(_of_suite(self._suites, []))
            self._suites.pop()
        if self._suites:
            self._suites[-1].cases += suite.cases

    def _add(self, case: Told) -> None:
        if len(self.read.cases) >= self._most:
            raise ReportUnreadable(
                "The reports hold too many tests to keep: split the suite into several."
            )
        if self._suites:
            self._suites[-1].cases += 1
        self.read.cases.append(case)


def _suite(attributes: Mapping[str, str], around: list[_Suite]) -> _Suite:
    outer = around[-1] if around else None
    name = attributes.get("name", "")
    file = attributes.get("file") or (outer.file if outer else None)
    homes = [outer.home] if outer and outer.home else []
    if name and name not in homes:
        homes.append(name)
    claims = sum(_whole(attributes.get(each)) or 0 for each in ("errors", "failures"))
    return _Suite(name, "::".join(homes), file, claims)


def _case(
    attributes: Mapping[str, str], suites: list[_Suite], parts: list[_Part]
) -> Told:
    suite = suites[-1] if suites else None
    get = attributes.get
    classname = get("classname")
    file = get("file") or (suite.file if suite else None)
    home = (suite.home if suite else "") or file or ""
    if not classname or classname in _SAYS_NOTHING:
        classname = home
    told = Told(
        "::".join(filter(None, (classname, get("name")))) or "(a test without a name)",
        Outcome.PASSED,
        _seconds(get("time")),
        home,
        file,
        _whole(get("line")) or None,
        assertions=_whole(get("assertions")),
    )
    state = get("status") or get("result")
    if parts or state is not None:
        _judge(told, parts, (state or "").casefold())
    return told


def _judge(told: Told, parts: list[_Part], state: str) -> None:
    """Fill in how the case ended, and what was said about it."""
    results = [part for part in parts if part.tag in _RESULTS]
    outcomes = {_RESULTS[part.tag] for part in results}
    if outcomes:
        told.outcome = next(worst for worst in _WORST if worst in outcomes)
    elif state in _NOT_RUN:
        told.outcome = Outcome.SKIPPED
    elif state in _WENT_WRONG:
        told.outcome = Outcome.FAILED
    telling = [part for part in results if _RESULTS[part.tag] is told.outcome]
    texts = [str(part.text).strip() for part in telling]
    told.message = next((part.message for part in telling if part.message), "")
    retries = [part for part in parts if part.tag in _RETRIES]
    if retries:
        told.attempts = _attempts(told, "\n\n".join(texts), retries)
    if told.outcome.bad:
        outputs = (part for part in parts if part.tag in _OUTPUTS)
        texts += (str(part.text).strip() for part in outputs)
    told.detail = "\n\n".join(filter(None, texts))


def _attempts(told: Told, detail: str, retries: list[_Part]) -> tuple[Attempt, ...]:
    """All goes: earlier ones and the pass, or the first failure and later ones."""
    own = Attempt(told.outcome, told.seconds, told.message, detail)
    others = [
        Attempt(
            _RETRIES[part.tag],
            _seconds(part.attributes.get("time")),
            part.message,
            str(part.text).strip(),
        )
        for part in retries[:_MOST_ATTEMPTS]
    ]
    return (own, *others) if told.outcome.bad else (*others, own)


def _of_suite(suites: list[_Suite], parts: list[_Part]) -> Told:
    """The case that stands for a suite which could not begin or end."""
    suite = suites[-1] if suites else None
    told = Told(
        (suite.home if suite else "") or "(a suite without a name)",
        Outcome.ERROR,
        0.0,
        "",
        suite.file if suite else None,
        None,
    )
    _judge(told, parts, "error")
    told.message = told.message or "The suite reports an error, and no test."
    return told


def _whole(text: str | None) -> int | None:
    """A number of at most nine digits, as counters and lines have."""
    if text and len(text) < 10 and text.isascii() and text.isdigit():  # noqa: PLR2004
        return int(text)
    return None


def _seconds(text: str | None) -> float:
    """``0.5``, but also ``1,234.5`` (Surefire) and ``0,5`` (some locales)."""
    if not text:
        return 0.0
    if "," in text:
        whole = _THOUSANDS.fullmatch(text)
        text = text.replace(",", "" if whole else ".")
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
