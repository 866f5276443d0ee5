"""Reads files that code of an agent wrote, a block at a time.

Nothing here knows what a report means. Expat is asked directly, because trees of
100,000 tests take memory and time; what makes XML dangerous is refused where it begins.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from xml.parsers import expat

from vibeboard.errors import ReportUnreadable

MOST_BYTES = 64 << 20
# Expat looks at an unfinished token again with every block: few and large ones keep a
# token of 64 MiB from taking minutes.
BLOCK = 1 << 20

MOST_TOGETHER = 512 << 20

Prepare = Callable[[expat.XMLParserType], None]


def few(files: Iterable[Path], most: int, kind: str) -> Iterator[Path]:
    """The files, as long as they are not too many or too large together."""
    size = 0
    for number, path in enumerate(files):
        with suppress(OSError):  # which is told when it is opened
            size += path.lstat().st_size
        if number >= most or size > MOST_TOGETHER:
            raise ReportUnreadable(
                f"There are more than {most} {kind} files, or more than "
                f"{MOST_TOGETHER >> 20} MiB: make the `{kind}` globs match only this "
                "suite's."
            )
        yield path


def blocks(path: Path, tree: Path) -> Iterator[bytes]:
    """The content of a plain file, which is neither a link nor too large.

    Opened without waiting, because a pipe may lie in the place of the file.
    """
    name = path.relative_to(tree)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
            facts = os.fstat(handle)
            if not stat.S_ISREG(facts.st_mode):
                raise ReportUnreadable(f"`{name}` is no plain file.")
            if facts.st_size > MOST_BYTES:
                raise ReportUnreadable(
                    f"`{name}` is larger than {MOST_BYTES >> 20} MiB: let the suite "
                    "keep its output out of the report, or split it."
                )
            for _ in range(MOST_BYTES // BLOCK):  # it may still grow
                if block := file.read(BLOCK):
                    yield block
    except OSError as error:
        raise ReportUnreadable(f"`{name}` cannot be read: {error.strerror}.") from error


class Text:
    """A text that may be endless, of which both ends are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._size = 0

    def add(self, part: str) -> None:
        """Append to it."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > 8 * self._limit:
            whole = "".join(self._parts)
            self._parts = [whole[: self._limit], whole[-self._limit :]]
            self._size = 2 * self._limit

    def take(self) -> str:
        """What was kept of it; it is empty then."""
        whole = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        return whole


def cut(text: str, most: int) -> str:
    """``text`` without its middle if it is long; both ends tell most."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[…]\n{text[-half:]}" if half else ""


def read_xml(
    content: Iterator[bytes], name: str, prepare: Prepare, *, named_type: bool = False
) -> None:
    """Feed a document to the handlers that ``prepare`` sets.

    Raises ReportUnreadable, with the way out, for what is no XML, cut off, or declares
    anything; ``named_type`` allows to name a document type, which is not looked at.
    """

    def refuse(*doctype: object) -> None:
        declares = doctype[-1]
        if declares or not named_type:
            raise ReportUnreadable(
                f"`{name}` has a document type or entities, which no report needs and "
                "which are refused: let the command write it without."
            )

    first = next(content, b"")
    if not first.strip():
        raise ReportUnreadable(
            f"`{name}` is empty: the command was cut off before it wrote its report, "
            "or writes none of this kind."
        )
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.buffer_size = 1 << 16
    parser.StartDoctypeDeclHandler = refuse
    prepare(parser)
    try:
        parser.Parse(first, False)  # noqa: FBT003 - expat takes it by position
        for block in content:
            parser.Parse(block, False)  # noqa: FBT003 - as above
        parser.Parse(b"", True)  # noqa: FBT003 - as above
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ReportUnreadable(
            f"`{name}` is broken or cut off ({error}): the command must write it to "
            "its end, as XML in the encoding it names and without control characters."
        ) from error
