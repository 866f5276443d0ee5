"""Reads how many lines the tests ran: Cobertura XML and lcov, told by their content.

Files are found by ``reports.find``. Several of them are one result: a line that any of
them saw run did run.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from vibeboard.domain.evidence import Coverage, FileCoverage
from vibeboard.errors import ReportUnreadable
from vibeboard.runner.reading import blocks, few, read_xml

MOST_FILES = 500
MOST_LINES = 2_000_000
MOST_SOURCES = 100_000
MOST_TOLD = 2000
_MOST_DEPTH = 50
_LONGEST = 10_000

_Lines = dict[int, bool]


def read_all(files: Iterable[Path], tree: Path) -> Coverage | None:
    """What all reports together say; None if there is none."""
    seen = _Seen(tree)
    paths = list(few(files, MOST_FILES, "coverage"))
    for path in paths:
        _read(path, tree, seen)
    return seen.coverage() if paths else None


class _Seen:
    """The lines of every file, and whether they ran."""

    def __init__(self, tree: Path) -> None:
        self._tree = tree
        self._files: dict[str, _Lines] = defaultdict(dict)
        self._names: dict[tuple[str, tuple[str, ...]], str] = {}
        self._count = 0

    def lines(self, path: str, sources: tuple[str, ...] = ()) -> _Lines:
        """The lines of ``path``, which may be told from one of the ``sources``."""
        key = (path, sources)
        if key not in self._names:
            if len(self._names) >= MOST_SOURCES:
                raise _too_much("files")
            self._names[key] = _inside(path, sources, self._tree)
        return self._files[self._names[key]]

    def add(self, lines: _Lines, number: int, *, ran: bool) -> None:
        """Note a line; it ran if any report says so."""
        if number not in lines:
            self._count += 1
            if self._count > MOST_LINES:
                raise _too_much("lines")
        lines[number] = lines.get(number, False) or ran

    def coverage(self) -> Coverage:
        """The sums; of the files, those with most lines that did not run."""
        told = [
            FileCoverage(path, len(lines), sum(lines.values()))
            for path, lines in self._files.items()
        ]
        told.sort(key=lambda each: (each.covered - each.lines, each.path))
        return Coverage(
            sum(each.lines for each in told),
            sum(each.covered for each in told),
            tuple(told[:MOST_TOLD]),
        )


def _too_much(what: str) -> ReportUnreadable:
    return ReportUnreadable(
        f"The coverage is of too many {what} to keep: leave out what is generated or "
        "of others."
    )


def _inside(path: str, sources: tuple[str, ...], tree: Path) -> str:
    """The path from the tree's top, where the file is in the tree; else as it is."""
    for start in ("", *sources):
        place = os.path.normpath(tree / start / path)
        if "\0" not in place and Path(place).is_relative_to(tree):
            try:
                if Path(place).is_file():
                    return str(Path(place).relative_to(tree))
            except OSError:  # a name that is too long for a file
                break
    return str(PurePosixPath(path[:_LONGEST]))


def _read(path: Path, tree: Path, seen: _Seen) -> None:
    name = str(path.relative_to(tree))
    content = blocks(path, tree)
    first = next(content, b"")
    whole = chain([first], content)
    if b"<" in first.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1] or not first.strip():
        read_xml(whole, name, _Cobertura(name, seen).attach, named_type=True)
    else:
        _lcov(whole, name, seen)


class _Cobertura:
    """Expat's handlers; lines of methods are those of their class once more.

    Not quite: istanbul has lines of methods that it does not count.
    """

    def __init__(self, name: str, seen: _Seen) -> None:
        self._name = name
        self._seen = seen
        self._depth = 0
        self._sources: list[str] = []
        self._source: list[str] | None = None
        self._lines: _Lines | None = None
        self._of_method = False

    def attach(self, parser: expat.XMLParserType) -> None:
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ReportUnreadable(
                f"`{self._name}` has elements more than {_MOST_DEPTH} deep, which no "
                "coverage tool writes: correct the `coverage` globs."
            )
        if tag == "line" and self._lines is not None:
            if not self._of_method:
                self._line(self._lines, attributes)
        elif tag == "methods":
            self._of_method = True
        elif tag == "class":
            path = attributes.get("filename", "")
            self._lines = self._seen.lines(path, tuple(self._sources)) if path else None
        elif tag == "source":
            self._source = []
        elif self._depth == 1 and tag != "coverage":
            raise ReportUnreadable(
                f"`{self._name}` is XML but no Cobertura report (it begins with "
                f"`<{tag[:40]}>`): correct the `coverage` globs."
            )

    def _line(self, lines: _Lines, attributes: dict[str, str]) -> None:
        number = _whole(attributes.get("number", ""))
        hits = _whole(attributes.get("hits", ""))
        if number is not None and hits is not None:
            self._seen.add(lines, number, ran=hits > 0)

    def _text(self, text: str) -> None:
        if self._source is not None and len(self._source) < _LONGEST:
            self._source.append(text)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "class":
            self._lines = None
        elif tag == "methods":
            self._of_method = False
        elif tag == "source" and self._source is not None:
            source = "".join(self._source).strip()
            if source and len(source) < _LONGEST and len(self._sources) < MOST_FILES:
                self._sources.append(source)
            self._source = None


def _lcov(content: Iterator[bytes], name: str, seen: _Seen) -> None:
    """``SF:path``, ``DA:line,hits`` and ``end_of_record``; the rest is not needed."""
    lines: _Lines | None = None
    whole = False
    for line in _split(content, name):
        kind, _, rest = line.partition(b":")
        if kind == b"SF":
            lines = seen.lines(rest.decode(errors="replace").strip())
        elif kind == b"DA" and lines is not None:
            number, hits, *_ = *rest.split(b",", 2), b""
            at = _whole(number.decode(errors="replace"))
            ran = hits.strip() not in (b"0", b"", b"=====")
            if at is not None:
                seen.add(lines, at, ran=ran and not hits.startswith(b"-"))
        elif line.strip() == b"end_of_record":
            lines, whole = None, True
    if not whole or lines is not None:
        raise ReportUnreadable(
            f"`{name}` is neither Cobertura XML nor lcov, or is cut off: the command "
            "must write it to its end."
        )


def _split(content: Iterator[bytes], name: str) -> Iterator[bytes]:
    rest = b""
    for block in content:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > _LONGEST:
            raise ReportUnreadable(
                f"`{name}` is no coverage report: it has a line without an end. "
                "Correct the `coverage` globs."
            )
    yield rest


def _whole(text: str) -> int | None:
    """A count; some tools go beyond nine digits, or write a hit as ``1.0``."""
    text = text.strip().partition(".")[0][:_MOST_DEPTH]
    return int(text) if text.isascii() and text.isdigit() else None
