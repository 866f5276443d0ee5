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
from vibeboard.runner.dialects import Told, could_not_run, repair, unique_within
from vibeboard.runner.reading import Text, blocks, cut, read_xml

MOST_DETAIL = 8000
_MOST_DEPTH = 200
_DIGITS = 9
_MOST_ATTEMPTS = 20

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
_WENT_WRONG = {
    "fail": Outcome.FAILED,
    "failed": Outcome.FAILED,
    "failure": Outcome.FAILED,
    "error": Outcome.ERROR,
}
# Node's reporter gives every test this class.
_SAYS_NOTHING = ("test", "suite")
_NO_NAME = "(a test without a name)"
_NO_CASE = (
    "The report counts an error that no test of it shows: a part of the suite could "
    "not begin, as when it does not build."
)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?")


@dataclass
class Read:
    """What one report tells.

    ``unique`` names where each test has one name, so that a repeated one was run again.
    """

    cases: list[Told] = field(default_factory=list)
    unique: str | None = None


@dataclass(slots=True)
class _Part:
    """An element of a case that says how it went: a failure, an earlier attempt."""

    tag: str
    attributes: Mapping[str, str]
    text: str

    @property
    def message(self) -> str:
        return self.attributes.get("message", "")


@dataclass
class _Suite:
    name: str
    home: str
    file: str | None
    begin: int  # of the cases read, the first that is in it
    claims: int  # errors and failures that it says to have
    tests: int | None


_NO_SUITE = _Suite("", "", None, 0, 0, None)


def read_report(path: Path, tree: Path, most: int) -> Read:
    """The cases of the report at ``path``; at most ``most`` of them."""
    name = str(path.relative_to(tree))
    reader = _Reader(path, name, most)
    read_xml(blocks(path, tree), name, reader.attach)
    return reader.read


class _Reader:
    """Expat's handlers: what is open, and what was read."""

    def __init__(self, path: Path, name: str, most: int) -> None:
        self.read = Read()
        self._path = path
        self._name = name
        self._most = most
        self._depth = 0
        self._suites: list[_Suite] = []
        self._case: Mapping[str, str] | None = None
        self._parts: list[_Part] = []
        self._outputs: list[str] = []
        self._open: Mapping[str, str] | None = None  # attributes of a part
        self._open_at = 0
        self._text = Text(MOST_DETAIL)
        self._add_text = self._text.add
        self._claims = 0

    def attach(self, parser: expat.XMLParserType) -> None:
        self._parser = parser
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ReportUnreadable(
                f"`{self._name}` has elements more than {_MOST_DEPTH} deep, which no "
                "test runner writes: correct the `report` globs."
            )
        if tag == "testcase" and self._open is None:
            self._case, self._parts, self._outputs = attributes, [], []
        elif tag in _PARTS and self._open is None:
            self._open, self._open_at = attributes, self._depth
            self._parser.CharacterDataHandler = self._add_text
        elif self._depth == 1 and tag not in _ROOTS:
            raise ReportUnreadable(
                f"`{self._name}` is XML but no JUnit report (it begins with "
                f"`<{tag[:40]}>`): correct the `report` globs."
            )
        elif self._case is None:
            self._outside(tag, attributes)

    def _outside(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag == "testsuite":
            begin = len(self.read.cases)
            self._suites.append(_suite(attributes, self._suites, begin))
            self.read.unique = self.read.unique or unique_within(attributes, self._path)
        elif tag == "testsuites":
            self._claims = _whole(attributes.get("errors")) or 0
        elif tag == "property" and attributes.get("name") == "go.version":
            self.read.unique = str(self._path)  # Go numbers repeated names itself

    def _end(self, tag: str) -> None:
        if self._open is not None:
            if self._open_at == self._depth:
                self._parser.CharacterDataHandler = None
                self._close(tag, self._open, self._text.take())
                self._open = None
        elif tag == "testcase" and self._case is not None:
            suite = self._suites[-1] if self._suites else _NO_SUITE
            self._add(_case(self._case, suite, self._parts, self._outputs))
            self._case = None
        elif self._case is None:
            self._leave(tag)
        self._depth -= 1

    def _close(self, tag: str, attributes: Mapping[str, str], text: str) -> None:
        if tag in _OUTPUTS:
            self._outputs.append(text)
        elif self._case is not None:
            self._parts.append(_Part(tag, attributes, text))
        elif tag in _WENT_WRONG:
            self._add(_of_suite(self._suites, [_Part(tag, attributes, text)]))

    def _leave(self, tag: str) -> None:
        """End a suite; one that could not begin has errors and no case to show them."""
        cases = self.read.cases
        if tag == "testsuite" and self._suites:
            suite = self._suites[-1]
            if suite.claims and suite.begin == len(cases):
                self._add(_of_suite(self._suites, []))
            own = cases[suite.begin :]
            repaired = repair(suite.name, suite.tests, own)
            if len(repaired) != len(own):
                cases[suite.begin :] = repaired
            self._suites.pop()
        elif tag == "testsuites" and self._claims and not any(map(_is_error, cases)):
            self._add(_of_suite([], []))

    def _add(self, case: Told) -> None:
        cases = self.read.cases
        if len(cases) >= self._most:
            raise ReportUnreadable(
                "The reports hold too many tests to keep: split the suite into several."
            )
        cases.append(case)


def _is_error(case: Told) -> bool:
    return case.outcome is Outcome.ERROR


def _suite(attributes: Mapping[str, str], around: list[_Suite], begin: int) -> _Suite:
    outer = around[-1] if around else None
    name = attributes.get("name", "")
    file = attributes.get("file") or (outer.file if outer else None)
    homes = [outer.home] if outer and outer.home else []
    if name and name not in homes:
        homes.append(name)
    claims = sum(_whole(attributes.get(each)) or 0 for each in ("errors", "failures"))
    tests = _whole(attributes.get("tests"))
    return _Suite(name, "::".join(homes), file, begin, claims, tests)


def _case(
    attributes: Mapping[str, str],
    suite: _Suite,
    parts: list[_Part],
    outputs: list[str],
) -> Told:
    get = attributes.get
    name = get("name")
    classname = get("classname")
    file = get("file") or suite.file
    home = suite.home or file or ""
    if not classname or classname in _SAYS_NOTHING:
        classname = home
    told = Told(
        f"{classname}::{name}" if classname and name else classname or name or _NO_NAME,
        Outcome.PASSED,
        _seconds(get("time")),
        home,
        file,
    )
    if "line" in attributes:
        told.line = _whole(attributes["line"]) or None
    if "assertions" in attributes:
        told.assertions = _whole(attributes["assertions"])
    state = get("status") or get("result")
    if parts or state:
        _judge(told, parts, outputs, (state or "").casefold())
        if told.outcome is Outcome.SKIPPED and could_not_run(attributes, told.message):
            told.outcome = Outcome.ERROR
    return told


def _judge(told: Told, parts: list[_Part], outputs: list[str], state: str) -> None:
    """Fill in how the case ended, and what was said about it."""
    results = [part for part in parts if part.tag in _RESULTS]
    outcomes = {_RESULTS[part.tag] for part in results}
    if outcomes:
        told.outcome = next(worst for worst in _WORST if worst in outcomes)
    elif state in _NOT_RUN:
        told.outcome = Outcome.SKIPPED
    elif state in _WENT_WRONG:
        told.outcome = _WENT_WRONG[state]
    telling = [part for part in results if _RESULTS[part.tag] is told.outcome]
    texts = [_text(part.text) for part in telling]
    told.message = next((part.message for part in telling if part.message), "")
    retries = [part for part in parts if part.tag in _RETRIES]
    if retries:
        told.attempts = _attempts(told, "\n\n".join(texts), retries)
    if told.outcome.bad:
        texts += map(_text, outputs)
    told.detail = cut("\n\n".join(filter(None, texts)), MOST_DETAIL)


def _attempts(told: Told, detail: str, retries: list[_Part]) -> tuple[Attempt, ...]:
    """All goes: earlier ones and the pass, or the first failure and later ones."""
    own = Attempt(told.outcome, told.seconds, told.message, detail)
    others = [
        Attempt(
            _RETRIES[part.tag],
            _seconds(part.attributes.get("time")),
            part.message,
            _text(part.text),
        )
        for part in retries[:_MOST_ATTEMPTS]
    ]
    return (own, *others) if told.outcome.bad else (*others, own)


def _text(text: str) -> str:
    return cut(text.strip(), MOST_DETAIL)


def _of_suite(suites: list[_Suite], parts: list[_Part]) -> Told:
    """The case that stands for a suite which could not begin or end."""
    suite = suites[-1] if suites else None
    name = (suite.home if suite else "") or "(the suite itself)"
    told = Told(
        name,
        Outcome.ERROR,
        0.0,
        name,
        suite.file if suite else None,
    )
    _judge(told, parts, [], "error")
    told.message = told.message or told.detail.partition("\n")[0] or _NO_CASE
    return told


def _whole(text: str | None) -> int | None:
    """A number of few digits, as counters and lines have."""
    if text and len(text) <= _DIGITS and text.isascii() and text.isdigit():
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
