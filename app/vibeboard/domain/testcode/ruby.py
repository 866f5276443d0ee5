"""Tests in Ruby: RSpec, Minitest and test-unit, by their indentation."""

import re

from vibeboard.domain.testcode.found import TestCode, TestFile
from vibeboard.domain.testcode.masking import masked

_BEGIN = re.compile(
    r"^(?P<indent>[ \t]*)(?:RSpec\.)?(?P<how>[xf]?)"
    r"(?:(?P<group>describe|context|feature|class)|(?P<test>it|specify|example|scenario|"
    r"test|should|pending|skip)|def\s+(?P<method>test_\w+[?!]?))\b(?P<rest>[^\n]*)",
    re.MULTILINE,
)
_TITLE = re.compile(r"\s*\(?\s*(?P<q>[\"'])(?P<title>(?:\\.|(?!(?P=q)).)*)(?P=q)")
_NAME = re.compile(r"\s*\(?\s*([\w:#.]+)")
_CHECK = re.compile(
    r"\b(?:expect|is_expected|assert\w*|refute\w*|must_\w+|wont_\w+|flunk)\b|\.should\b"
)
_OFF = re.compile(r"^\s*(?:skip|pending|omit)\b", re.MULTILINE)
_OFF_WORDS = re.compile(r"(?::|\b)(?:skip|pending)\b")


def read(text: str) -> TestFile:
    """The tests of a file."""
    code = masked(text, "ruby")
    open_: list[tuple[int, str, int]] = []
    tests: dict[str, TestCode] = {}
    focused = 0
    for found in _BEGIN.finditer(code):
        while open_ and open_[-1][0] <= found.start():
            open_.pop()
        end = _end(code, found)
        own = found["rest"].partition(" do")[0].partition("{")[0]
        off = found["how"] == "x" or found["test"] in ("pending", "skip")
        skips = int(off) + len(_OFF_WORDS.findall(own))
        title = _title(text, found)
        if title is None:
            continue  # `skip` inside of a test is counted with its body
        focused += found["how"] == "f"
        names = [name for _, name, _ in open_]
        if found["group"]:
            open_.append((end, title, skips))
            continue
        body = code[found.end("rest") : end] or found["rest"]
        test = TestCode(
            name=" > ".join([*names, title]),
            assertions=len(_CHECK.findall(body)),
            skips=skips + sum(more for *_, more in open_) + len(_OFF.findall(body)),
            empty=not body.strip(" \t\n;}"),
            body=" ".join(body.split()),
        )
        tests[test.name] = test
    return TestFile(tests, focused)


def _title(text: str, found: re.Match[str]) -> str | None:
    if found["method"]:
        return found["method"]
    title = _TITLE.match(text, found.start("rest"))
    if title is not None:
        return title["title"]
    name = _NAME.match(text, found.start("rest")) if found["group"] else None
    return name[1] if name else None


def _end(code: str, found: re.Match[str]) -> int:
    """Where the block ends: an ``end`` as far to the right as its beginning."""
    if "{" in found["rest"] and "}" in found["rest"]:
        return found.end()
    end = re.compile(rf"^{re.escape(found['indent'])}(?:end|}})\b?", re.MULTILINE)
    closing = end.search(code, found.end())
    return closing.start() if closing else len(code)
