"""What an agent prints, kept: a run's log against reading only, and against rows.

A child prints a file of JSON lines as agents write them. The same pipe is read each
time; the time is taken from its first piece to its end. Rows are kept as a naive
product would: decoded, a row a line in SQLite with a write-ahead log, committed one by
one or a hundred together. Its flushes are left out (synchronous = NORMAL), because the
log does not flush either: both outlive the process and not the machine.
"""

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from random import Random
from statistics import median

import uvloop

from benchmarks.machine import scratch
from benchmarks.table import numbers, print_ratios, print_table, ratio
from vibeboard.runner import process
from vibeboard.runner.log import RunLog

_TOGETHER = 100
_WORDS = ("look", "at", "the", "clock", "and", "make", "its", "test", "pass", "again")
_LIMITS = process.Limits(wall=timedelta(minutes=5))

Sink = Callable[[bytes], None]
Way = Callable[[Path, ExitStack], Sink]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios."""
    asked = numbers("logs", "Agent output kept.", arguments, lines=100_000, rounds=5)
    with scratch() as folder:
        source = folder / "printed"
        source.write_bytes(_printed(asked["lines"]))
        times: dict[str, list[float]] = {name: [] for name in _WAYS}
        for number in range(asked["rounds"]):
            for name, way in _WAYS.items():
                kept = folder / f"{name}{number}"
                kept.mkdir()
                times[name].append(uvloop.run(_seconds(source, way, kept)))
                shutil.rmtree(kept)
        size = source.stat().st_size
    speed = {name: size / median(each) / 1e6 for name, each in times.items()}
    print_table(
        ("kept how", "MB/s", "of the limit"),
        [(name, each, f"{each / speed[_DROPPED]:.2f}") for name, each in speed.items()],
    )
    print_ratios(
        {
            name: ratio(times[other], times[_LOG])  # of speeds, from times
            for name, other in (
                ("log_vs_drop", _DROPPED),
                ("log_vs_row_a_line", _ROWS),
                ("log_vs_batched_rows", _BATCHES),
            )
        }
    )
    return 0


async def _seconds(source: Path, way: Way, kept: Path) -> float:
    """From the first piece to the last one kept."""
    stop = asyncio.Event()
    begun: list[float] = []
    with ExitStack() as opened:
        sink = way(kept, opened)

        def timed(chunk: bytes) -> None:
            if not begun:
                begun.append(time.perf_counter())
            sink(chunk)

        ended = await process.run(
            process.Command(["cat", str(source)], source.parent, dict(os.environ)),
            limits=_LIMITS,
            stop=stop,
            stdout=timed,
        )
        assert ended.exit_code == 0
        sink(b"")
        return time.perf_counter() - begun[0]


def _drop(folder: Path, opened: ExitStack) -> Sink:
    del folder, opened
    return lambda _: None


def _log(folder: Path, opened: ExitStack) -> Sink:
    return opened.enter_context(RunLog(folder / "agent.log")).append


class _Rows:
    """Each line a row, ``together`` in one transaction."""

    def __init__(self, folder: Path, together: int, opened: ExitStack) -> None:
        self._together = together
        self._lines: list[tuple[str]] = []
        self._rest = b""
        path = folder / "lines.db"
        self._database = sqlite3.connect(path, isolation_level=None)
        opened.enter_context(closing(self._database))
        self._database.execute("PRAGMA journal_mode = WAL").fetchall()
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, text TEXT)")

    def append(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._lines += [(line.decode(),) for line in lines]
        whole = len(self._lines) if not chunk else self._together
        while self._lines and len(self._lines) >= whole:
            some, self._lines = self._lines[:whole], self._lines[whole:]
            self._write(some)

    def _write(self, lines: list[tuple[str]]) -> None:
        insert = "INSERT INTO line (text) VALUES (?)"
        if len(lines) == 1:
            self._database.execute(insert, lines[0])
            return
        self._database.execute("BEGIN")
        self._database.executemany(insert, lines)
        self._database.execute("COMMIT")


def _rows(folder: Path, opened: ExitStack) -> Sink:
    return _Rows(folder, 1, opened).append


def _batches(folder: Path, opened: ExitStack) -> Sink:
    return _Rows(folder, _TOGETHER, opened).append


_DROPPED = "read and dropped"
_LOG = "run log"
_ROWS = "a row and a commit a line"
_BATCHES = f"rows, {_TOGETHER} a commit"
_WAYS: dict[str, Way] = {
    _DROPPED: _drop,
    _LOG: _log,
    _BATCHES: _batches,
    _ROWS: _rows,
}


def _printed(lines: int) -> bytes:
    """As many lines, most of them short and some long; the same every time."""
    chance = Random(1)  # noqa: S311 - the same text every time is what is wanted
    written = []
    for number in range(lines):
        text = " ".join(chance.choices(_WORDS, k=chance.choice((20, 40, 60, 200))))
        said = {"type": "assistant", "message": {"id": number, "text": text}}
        written.append(json.dumps(said))
    return "\n".join(written).encode() + b"\n"
