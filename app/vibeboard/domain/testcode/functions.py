"""Tests that are functions: Go, Java, Kotlin, C#, PHP and Rust."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from vibeboard.domain.testcode.brackets import DEEPEST, Block, blocks, pairs
from vibeboard.domain.testcode.found import TestCode, TestFile
from vibeboard.domain.testcode.masking import masked

_LONGEST_HEAD = 1500
_METHOD = re.compile(r"(?<![@\w.])(`[^`\n]+`|\w+)\s*(?:<[^<>]*>)?\s*$")
_CONTAINER = re.compile(r"\b(?:class|object|mod|trait|record)\s+(\w+)")


@dataclass(frozen=True)
class Dialect:
    """How a language says that a function is a test, is off, or checks something.

    Without ``name`` it stands before the parameters. ``told`` is looked for in comments
    too, ``file_off`` in the whole text.
    """

    hidden: str
    name: re.Pattern[str] | None
    mark: re.Pattern[str] | None
    off: re.Pattern[str]
    off_inside: re.Pattern[str]
    check: re.Pattern[str]
    told: re.Pattern[str] | None = None
    file_off: re.Pattern[str] | None = None


_JVM = Dialect(
    hidden="java",
    name=None,
    mark=re.compile(r"@(?:\w+\.)*(?:\w*Test|TestFactory|TestTemplate)\b"),
    off=re.compile(r"@(?:\w+\.)*(?:Disabled\w*|Ignored?|EnabledIf\w*)\b"),
    off_inside=re.compile(r"\b(?:assume\w*|abort)\s*\("),
    check=re.compile(r"\b(?:assert\w*|verify\w*|fail|expect\w*|should\w*)\s*[({<]"),
)
DIALECTS: Mapping[str, Dialect] = {
    "go": Dialect(
        hidden="go",
        name=re.compile(r"\bfunc\s+((?:Test|Example|Fuzz)\w*)\s*\("),
        mark=None,
        off=re.compile(r"(?!)"),
        off_inside=re.compile(r"\bt\.Skip(?:f|Now)?\s*\("),
        check=re.compile(
            r"\b[tb]\.(?:Error|Fatal|Fail)\w*\s*\(|\b(?:assert|require|is|qt)\.\w+\s*\("
            r"|\bt\.Run\s*\("
        ),
        file_off=re.compile(r"^//\s*\+build\b|^//go:build\b", re.MULTILINE),
    ),
    "java": _JVM,
    "csharp": Dialect(
        hidden="csharp",
        name=None,
        mark=re.compile(
            r"\[\s*[^\]]*\b(?:Test|TestCase|TestCaseSource|Fact|Theory|TestMethod|"
            r"DataTestMethod)\b"
        ),
        off=re.compile(r"\[\s*(?:Ignore|Explicit)\b|\bSkip\s*="),
        off_inside=re.compile(
            r"\bAssert\.(?:Ignore|Inconclusive|Skip\w*)\s*\(|\bSkip\.\w+\s*\("
        ),
        check=re.compile(
            r"\b\w*Assert\.(?!Ignore|Inconclusive|Skip)\w+\s*[(<]|\.Should\w*\s*\(|"
            r"\.Verify\w*\s*\("
        ),
    ),
    "php": Dialect(
        hidden="php",
        name=re.compile(r"\bfunction\s+(\w+)\s*\("),
        mark=re.compile(r"\bfunction\s+test|#\[[^\]]*\bTest\b"),
        off=re.compile(r"#\[[^\]]*\bRequires\w*"),
        off_inside=re.compile(r"\bmarkTest(?:Skipped|Incomplete)\s*\("),
        check=re.compile(r"(?:->|::)\s*(?:assert|expect|should|fail)\w*\s*\("),
        told=re.compile(r"@test\b"),
    ),
    "rust": Dialect(
        hidden="rust",
        name=re.compile(r"\bfn\s+(\w+)"),
        mark=re.compile(r"#\[\s*(?:\w+::)*(?:test|rstest|test_case|quickcheck)\b"),
        off=re.compile(r"#\[\s*(?:ignore\b|cfg\s*\((?!\s*test\s*\)))"),
        off_inside=re.compile(r"(?!)"),
        check=re.compile(r"\b(?:debug_)?assert\w*!|\bpanic!|\bshould_panic\b"),
    ),
}


def read(text: str, language: str) -> TestFile:
    """The tests of a file."""
    dialect = DIALECTS[language]
    code = masked(text, dialect.hidden)
    off = len(dialect.file_off.findall(text)) if dialect.file_off else 0
    open_: list[tuple[Block, str, int]] = []
    tests: dict[str, TestCode] = {}
    for block in blocks(code):
        while open_ and open_[-1][0].end <= block.begin:
            open_.pop()
        start = max(block.head, block.begin - _LONGEST_HEAD)
        head = code[start : block.begin]
        skips = len(dialect.off.findall(head))
        container = _CONTAINER.search(head)
        name = _name(dialect, head, text[start : block.begin])
        if name is not None:
            outer = "::".join(each for _, each, _ in open_)
            inside = off + skips + sum(more for *_, more in open_)
            test = _test(dialect, code, block, f"{outer}::{name}" if outer else name)
            tests[test.name] = replace(test, skips=test.skips + inside)
        elif container is not None and len(open_) < DEEPEST:
            open_.append((block, container[1], skips))
    return TestFile(tests)


def _name(dialect: Dialect, head: str, told: str) -> str | None:
    """The test's name, if this is the head of one."""
    marked = dialect.mark is None or dialect.mark.search(head)
    if not marked and not (dialect.told and dialect.told.search(told)):
        return None
    if dialect.name is None:
        return _before_parameters(head)
    found = dialect.name.search(head)
    return found[1] if found else None


def _before_parameters(head: str) -> str | None:
    """The first name before parentheses that is no annotation's."""
    closed = pairs(head)
    end = 0
    for at, close in sorted(closed.items()):
        if at < end:
            continue
        end = close
        found = _METHOD.search(head, max(0, at - 200), at) if head[at] == "(" else None
        if found is not None:
            return found[1].strip("`")
    return None


def _test(dialect: Dialect, code: str, block: Block, name: str) -> TestCode:
    body = code[block.begin + 1 : block.end]
    return TestCode(
        name=name,
        assertions=len(dialect.check.findall(body)),
        skips=len(dialect.off_inside.findall(body)),
        empty=not body.strip(),
        body=" ".join(body.split()),
    )
