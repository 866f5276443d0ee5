"""Tests in Ruby: RSpec, Minitest and test-unit, by their indentation."""

import re
from bisect import bisect
from collections import defaultdict

from vibeboard.domain.testcode.brackets import DEEPEST
from vibeboard.domain.testcode.found import TestCode, TestFile
from vibeboard.domain.testcode.masking import masked

_BEGIN = re.compile(
    r"^(?P<indent>[ \t]*)(?:RSpec\.)?(?P<how>[xf]?)"
    r"(?:(?P<group>describe|context|feature|class)|(?P<test>it|specify|example|scenario|"
    r"test|should|pending|skip)|def\s+(?P<method>test_\w+[?!]?))\b(?P<rest>[^\n]*)",
    re.MULTILINE,
)
_END = re.compile(r"^([ \t]*)(?:end\b|\})", re.MULTILINE)
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
    ends = _Ends(code)
    begins = [found for found in _BEGIN.finditer(code) if not _is_word(found)]
    after = [*(found.start() for found in begins), len(code)]
    for found, next_one in zip(begins, after[1:], strict=True):
        while open_ and open_[-1][0] <= found.start():
            open_.pop()
        end = ends.of(found)
        own = found["rest"].partition(" do")[0].partition("{")[0]
        off = found["how"] == "x" or found["test"] in ("pending", "skip")
        skips = int(off) + len(_OFF_WORDS.findall(own))
        title = _title(text, found)
        if title is None:
            continue
        focused += found["how"] == "f"
        names = [name for _, name, _ in open_]
        if found["group"]:
            if len(open_) < DEEPEST:
                open_.append((end, title, skips))
            continue
        body = code[found.end("rest") : min(end, next_one)] or found["rest"]
        test = TestCode(
            name=" > ".join([*names, title]),
            assertions=len(_CHECK.findall(body)),
            skips=skips + sum(more for *_, more in open_) + len(_OFF.findall(body)),
            empty=not body.strip(" \t\n;}"),
            body=" ".join(body.split()),
        )
        tests[test.name] = test
    return TestFile(tests, focused)


def _is_word(found: re.Match[str]) -> bool:
    """Whether it is a ``skip`` inside of a test, which is counted with its body."""
    block = "{" in found["rest"] or found["rest"].rstrip().endswith((" do", "|"))
    return found["test"] in ("pending", "skip") and not block


def _title(text: str, found: re.Match[str]) -> str | None:
    if found["method"]:
        return found["method"]
    title = _TITLE.match(text, found.start("rest"))
    if title is not None:
        return title["title"]
    name = _NAME.match(text, found.start("rest")) if found["group"] else None
    return name[1] if name else None


class _Ends:
    """Where blocks end: an ``end`` as far to the right as the beginning."""

    def __init__(self, code: str) -> None:
        self._last = len(code)
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for found in _END.finditer(code):
            self._places[found[1]].append(found.start())

    def of(self, found: re.Match[str]) -> int:
        if "{" in found["rest"] and "}" in found["rest"]:
            return found.end()
        places = self._places[found["indent"]]
        at = bisect(places, found.start())
        return places[at] if at < len(places) else self._last
