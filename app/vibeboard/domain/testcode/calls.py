"""Tests that are calls with a title: JavaScript, TypeScript and Pest; and Ruby."""

import re
from dataclasses import dataclass, replace

from vibeboard.domain.testcode.brackets import DEEPEST, pairs
from vibeboard.domain.testcode.found import TestCode, TestFile
from vibeboard.domain.testcode.masking import masked

_CALL = re.compile(
    r"(?<![\w.$])(?P<how>[xf]?)(?P<what>describe|context|suite|it|test|specify)"
    r"(?P<more>(?:\s*\.\s*\w+)*)\s*(?=\()"
)
_TITLE = re.compile(
    r"\s*(?P<q>[\"'`])(?P<title>(?:\\.|(?!(?P=q))[^\\])*)(?P=q)", re.DOTALL
)
_ARGUMENTS = re.compile(r"\s*\(")
_GROUPS = {"describe", "context", "suite"}
_OFF = {"skip", "todo", "fixme", "fails", "failing", "fail", "skipIf", "runIf"}
_ROWS = {"each", "for"}
_KNOWN = _OFF | _ROWS | _GROUPS | {
    "only", "concurrent", "sequential", "serial", "parallel", "shuffle", "slow",
}  # fmt: skip
_CHECK = re.compile(
    r"\bexpect(?:\.(?:soft|poll))?\s*\(|\bassert(?:\.\w+)*\s*\(|\.should\b|"
    r"\bt\.(?!skip|test|todo|plan|step|before|after|context|log|pass)\w+\s*\("
)
_OFF_INSIDE = re.compile(r"\b(?:this|t|ctx|context)\.(?:skip|todo)\s*\(")
_PEST_OFF = re.compile(r"\)\s*->\s*(?:skip|todo)\s*\(")


@dataclass
class _Open:
    """A call that is not left yet."""

    title: str
    end: int
    skips: int
    test: TestCode | None


def read(text: str, language: str) -> TestFile:
    """The tests of a file of JavaScript or TypeScript, or of Pest."""
    code = masked(text, language)
    closed = pairs(code)
    open_: list[_Open] = []
    tests: dict[str, TestCode] = {}
    focused = 0
    for found in _CALL.finditer(code):
        words = [word.strip() for word in found["more"].split(".")[1:]]
        while open_ and open_[-1].end <= found.start():
            open_.pop()
        if not _KNOWN.issuperset(words) or len(open_) > DEEPEST:
            continue
        begin: int | None = found.end()
        if not _ROWS.isdisjoint(words) and "`" not in text[found.end("more") : begin]:
            begin = _behind(code, closed, found.end())
        title = _TITLE.match(text, begin + 1) if begin is not None else None
        off = found["how"] == "x" or not _OFF.isdisjoint(words)
        if begin is None or title is None:
            _turn_off(open_, tests, off=off)
            continue
        focused += found["how"] == "f" or "only" in words
        end = closed.get(begin, len(code))
        inside = len(_PEST_OFF.findall(code[end : end + 20])) + off
        one = _Open(title["title"], end, inside, None)
        open_.append(one)
        if found["what"] not in _GROUPS and _GROUPS.isdisjoint(words):
            one.test = _test(open_, code[title.end() : end])
            tests[one.test.name] = one.test
    return TestFile(tests, focused)


def _behind(code: str, closed: dict[int, int], table: int) -> int | None:
    """Where the arguments behind a table of rows begin."""
    found = _ARGUMENTS.match(code, closed[table] + 1)
    return found.end() - 1 if found else None


def _turn_off(open_: list[_Open], tests: dict[str, TestCode], *, off: bool) -> None:
    """Playwright's ``test.skip()`` inside a test or a group."""
    if not (off and open_):
        return
    around = open_[-1]
    around.skips += 1
    if around.test is not None:
        test = replace(around.test, skips=around.test.skips + 1)
        around.test = tests[test.name] = test


def _test(open_: list[_Open], body: str) -> TestCode:
    brace = body.find("{")
    inside = body[brace + 1 :].strip(" \t\n;})") if brace >= 0 else body.strip(" ,)")
    return TestCode(
        name=" > ".join(each.title for each in open_),
        assertions=len(_CHECK.findall(body)),
        skips=sum(each.skips for each in open_) + len(_OFF_INSIDE.findall(body)),
        empty=not inside,
        body=" ".join(body.split()),
    )
