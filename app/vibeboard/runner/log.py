"""Keeps what a child prints: one raw file a run, and a small index beside it.

Bytes are appended as they come, so garbage, binary data and a line without an end
cost nothing extra. The index holds the offset of every 256th line, so that a reader
can jump. A log is cut at its cap, with a mark; what is dropped is counted.
Readers tail by offset. What the lines mean is not known here.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

CAP = 64 << 20
STRIDE = 256
_OFFSET = struct.Struct("<Q")


def index_of(log: Path) -> Path:
    """Where a log's index is kept."""
    return log.with_name(log.name + ".index")


class RunLog:
    """The writing end of a log. A log that exists is continued."""

    def __init__(self, path: Path, *, cap: int = CAP) -> None:
        self.path = path
        self.dropped = 0
        self._cap = cap
        self._held = bytearray()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab", buffering=0)
        self._size = self._file.tell()
        self._lines = count_lines(path)
        self._at_line_start = self._size == 0 or last_bytes(path, 1) == b"\n"
        # An index that lags behind its log is of no use, and cheap to make again.
        self._index: BinaryIO = index_of(path).open("wb", buffering=0)
        for offset in _line_offsets(path):
            self._index.write(_OFFSET.pack(offset))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def size(self) -> int:
        """How many bytes the file has."""
        return self._size

    @property
    def cut(self) -> bool:
        """Whether something did not fit."""
        return self._size > self._cap

    def append(self, chunk: bytes) -> None:
        """Add a piece of the stream, cut anywhere."""
        if self._held:
            end = chunk.find(b"\n") + 1
            if end:
                self._write(chunk[:end])
                self._release()
                chunk = chunk[end:]
        self._write(chunk)

    def aside(self, chunk: bytes) -> None:
        """Add a piece of a second stream, without tearing a line of the first."""
        self._held += chunk
        if self._at_line_start or len(self._held) > 1 << 16:
            self._release()

    def close(self) -> None:
        """Write what was held back and close the files."""
        self._release()
        self._file.close()
        self._index.close()

    def _release(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        if not held:
            return
        start = b"" if self._at_line_start else b"\n"
        end = b"" if held.endswith(b"\n") else b"\n"
        self._write(start + held + end)

    def _write(self, chunk: bytes) -> None:
        fitting = chunk[: max(0, self._cap - self._size)]
        if fitting:
            self._note_lines(fitting)
            self._file.write(fitting)
            self._size += len(fitting)
            self._at_line_start = fitting.endswith(b"\n")
        if len(fitting) < len(chunk):
            self.dropped += len(chunk) - len(fitting)
            if not self.cut:
                mark = f"\n[cut here: the log reached {self._cap} bytes]\n".encode()
                self._file.write(mark)
                self._size += len(mark)
                self._at_line_start = True

    def _note_lines(self, chunk: bytes) -> None:
        missing = STRIDE - self._lines % STRIDE
        count = chunk.count(b"\n")
        position = -1
        rest = count
        while rest >= missing:
            for _ in range(missing):
                position = chunk.index(b"\n", position + 1)
            self._index.write(_OFFSET.pack(self._size + position + 1))
            rest -= missing
            missing = STRIDE
        self._lines += count


@dataclass(frozen=True)
class Piece:
    """A piece of a log and where the next one begins."""

    text: str
    next_offset: int


def read(path: Path, offset: int = 0, *, limit: int = 1 << 16) -> Piece:
    """What stands at ``offset``; never half a character unless it stays half.

    Bytes that are no UTF-8 come as U+FFFD.
    """
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(limit)
    whole = data[: len(data) - _unfinished(data)] or data
    return Piece(whole.decode(errors="replace"), offset + len(whole))


def line_offset(path: Path, line: int) -> int:
    """Where line ``line`` (from 0) begins; the end of the log if it is shorter."""
    known = index_of(path).read_bytes()
    entry = min(line // STRIDE, len(known) // _OFFSET.size)
    offset = _OFFSET.unpack_from(known, (entry - 1) * _OFFSET.size)[0] if entry else 0
    with path.open("rb") as file:
        file.seek(offset)
        for _ in range(line - entry * STRIDE):
            if not file.readline():
                break
        return file.tell()


def last_bytes(path: Path, count: int) -> bytes:
    """The last ``count`` bytes."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - count))
        return file.read()


def count_lines(path: Path) -> int:
    """How many lines have ended."""
    count = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            count += chunk.count(b"\n")
    return count


class Tail:
    """The last bytes of a stream, in memory."""

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._data = bytearray()

    def append(self, chunk: bytes) -> None:
        """Add a piece and forget what no longer fits."""
        self._data += chunk[-self._size :]
        del self._data[: -self._size]

    @property
    def text(self) -> str:
        """What was kept, as text."""
        return self._data.decode(errors="replace")

    def lines(self, count: int) -> str:
        """The last lines that are not blank."""
        kept = [line.rstrip() for line in self.text.splitlines() if line.strip()]
        return "\n".join(kept[-count:])


def _line_offsets(path: Path) -> list[int]:
    offsets = []
    lines = 0
    position = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            start = chunk.find(b"\n")
            while start >= 0:
                lines += 1
                if lines % STRIDE == 0:
                    offsets.append(position + start + 1)
                start = chunk.find(b"\n", start + 1)
            position += len(chunk)
    return offsets


def _unfinished(data: bytes) -> int:
    """How many bytes at the end are the beginning of a UTF-8 character."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte < 0x80:  # noqa: PLR2004 - ASCII
            return 0
        if byte >= 0xC0:  # noqa: PLR2004 - a lead byte
            length = 2 + (byte >= 0xE0) + (byte >= 0xF0)  # noqa: PLR2004 - UTF-8's lengths
            return back if length > back else 0
    return 0
