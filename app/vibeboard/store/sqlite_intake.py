"""Intake into SQLite: one thread, one connection, one statement a group.

A statement with a row for each delivery is its own transaction, so that inserting and
flushing are one call, during which the event loop has the interpreter to itself: a
statement a row would ask for the interpreter after each. Two writers would starve each
other (measured: p99 of half a second), so there is one.
"""

import asyncio
import os
import sqlite3
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue

from vibeboard.engine.ports import Kept, Outcome
from vibeboard.store import outage
from vibeboard.store.bodies import Packer
from vibeboard.store.line import Line, Waiting, compared, firsts

# Pages of the write-ahead log. Copying them into the database holds up whoever does
# it (measured: 100 ms for 64 MB), so another thread does it every so often. The log
# begins anew when it is long: then that thread copies what came while it copied, and
# once more, until the writer, whom everybody waits for, has only a little left to copy
# (measured: 6 ms, and 27 without).
_COPY = 8_192
_LONG = 16_384
_AGAIN = 2
_NICER = 5  # than the others; it still gets a third of what each of them gets
_PASSING = (sqlite3.Error, MemoryError)  # the latter is SQLITE_NOMEM
_ROW = "(?, ?, ?, ?, ?, ?, ?)"
_COLUMNS = "hook, guid, event, headers, body, encoding, received_at"


class SqliteWriter:
    """Satisfies ``Writer``."""

    def __init__(self, path: Path, line: Line) -> None:
        self._path = path
        self._line = line
        self._loop = asyncio.get_running_loop()
        self._packer = Packer()
        self._connection: sqlite3.Connection | None = None
        self._copier = _Copier(path)
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._called = False
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Write what waits, or end if no more is taken."""
        if not self._called:
            self._called = True
            self._calls.put(None)

    async def ended(self) -> None:
        """Wait until the thread has stored what waited, and ended."""
        await asyncio.to_thread(self._thread.join)
        # What the thread told us last is still on its way to those who wait.
        await asyncio.sleep(0)

    def _run(self) -> None:
        while not self._line.closed:
            self._calls.get()
            self._called = False  # whoever comes from now on calls again
            while group := self._line.take():
                outcomes = self._store(group)
                self._loop.call_soon_threadsafe(self._line.tell, group, outcomes)
                self._copier.written(len(group))
                if self._copier.log_is_long and self._connection is not None:
                    self._copier.restart(self._connection)
        self._copier.close()
        if self._connection is not None:
            self._connection.close()

    def _store(self, group: Sequence[Waiting]) -> Sequence[Outcome]:
        try:
            return self._store_together(group)
        except (sqlite3.DataError, sqlite3.IntegrityError, OverflowError) as error:
            # One of them cannot be stored, whatever the others are.
            if len(group) == 1:
                return [error]
            return [self._store([waiting])[0] for waiting in group]
        except Exception as error:  # noqa: BLE001 - all are told that it was not stored
            return [outage.told(error)] * len(group)

    def _store_together(self, group: Sequence[Waiting]) -> Sequence[Outcome]:
        connection = self._connected()
        rows = firsts(group)
        values: list[object] = []
        packed = self._packer.pack_all([waiting.body for waiting in rows])
        for waiting, (encoding, body) in zip(rows, packed, strict=True):
            values += (
                waiting.hook,
                waiting.guid,
                waiting.event,
                waiting.headers,
                body,
                encoding,
                waiting.received_at.isoformat(" ", "microseconds"),
            )
        inserted = connection.execute(_insert(len(rows)), values).rowcount
        if inserted == len(group):
            return [Kept.NEW] * inserted
        return [self._compare(connection, waiting) for waiting in group]

    def _compare(self, connection: sqlite3.Connection, waiting: Waiting) -> Outcome:
        encoding, body, received_at = connection.execute(
            "SELECT encoding, body, received_at FROM delivery "
            "WHERE hook = ? AND guid = ?",
            waiting.key,
        ).fetchone()
        since = datetime.fromisoformat(received_at)
        kept = compared(waiting, (encoding, body), since)
        if kept is Kept.CONFLICT:
            connection.execute(
                "UPDATE delivery SET conflict = 1 WHERE hook = ? AND guid = ?",
                waiting.key,
            )
        return kept

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = _connect(self._path)
        return self._connection


class _Copier:
    """Copies the write-ahead log into the database beside the writer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = 0
        self._calls: SimpleQueue[int] = SimpleQueue()
        self._rests = threading.Event()
        self._rests.set()
        self.log_is_long = False
        self._thread = threading.Thread(target=self._run, name="copier", daemon=True)
        self._thread.start()

    def written(self, rows: int) -> None:
        """Some rows are in the log; a row is about two pages."""
        self._rows += rows
        if self._rows > _LONG // 2:
            self._rests.wait()  # on a busy machine the log would grow without end
        if self._rows > _COPY // 2 and self._rests.is_set() and not self.log_is_long:
            self._rows = 0
            self._rests.clear()
            self._calls.put(1)

    def restart(self, connection: sqlite3.Connection) -> None:
        """Copy the little that is left, so that the next write begins a new log."""
        if self._rests.is_set():
            self.log_is_long = False
            with suppress(*_PASSING):
                _copy(connection)

    def close(self) -> None:
        """Copy no more."""
        self._calls.put(0)
        self._thread.join()

    def _run(self) -> None:
        _give_way()
        connection = None
        while self._calls.get():
            # What cannot be copied now stays in the log, where it is just as safe.
            with suppress(*_PASSING):
                connection = connection or _connect(self._path)
                if _copy(connection) > _LONG:
                    for _ in range(_AGAIN):
                        _copy(connection)
                    self.log_is_long = True
            self._rests.set()
        if connection is not None:
            connection.close()


def _give_way() -> None:
    # Deliveries wait for the writer, and nobody for this thread: on the same processor
    # it kept the writer out for a whole slice (measured: 3 to 4 ms, at every copy).
    if sys.platform != "linux":  # where the whole process has one priority
        return
    nice = os.getpriority(os.PRIO_PROCESS, 0) + _NICER
    with suppress(OSError):  # forbidden, and it only takes longer
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


def _copy(connection: sqlite3.Connection) -> int:
    """Copy what there is, and tell how many pages the log has."""
    copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(copied[1])


def _connect(path: Path) -> sqlite3.Connection:
    # Each of the two is made in one thread and used in that one alone.
    connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    for pragma in (
        "busy_timeout = 30000",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _insert(rows: int) -> str:
    places = ", ".join([_ROW] * rows)
    return (
        f"INSERT INTO delivery ({_COLUMNS}) VALUES {places} "  # noqa: S608 - no data
        "ON CONFLICT DO NOTHING"
    )
