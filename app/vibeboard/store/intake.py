"""Keeps deliveries as they come: durable when the answer is given, many to one fsync.

Whatever waits when the disk is free goes in together, in one statement that is its own
transaction: a flood costs one flush a group, a single delivery one flush. SQLite is
written by a thread of its own (``sqlite_intake``), PostgreSQL over a connection of its
own (``postgres_intake``). What a delivery means is not asked here.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from vibeboard.engine.ports import Clock, Told
from vibeboard.store.database import Database
from vibeboard.store.line import Line
from vibeboard.store.postgres_intake import PostgresWriter
from vibeboard.store.sqlite_intake import SqliteWriter

# PostgreSQL is written to on the event loop. Compressing up to here costs it less than
# handing the interpreter over to another thread and back, and is done while the group
# before is flushed (measured: a fifth more than together); others would feel more.
_AT_ONCE = 64 * 1024  # bytes


class Writer(Protocol):
    """What takes the line into a database, group by group."""

    def wake(self) -> None:
        """Write what waits, or end if no more is taken."""
        ...

    async def ended(self) -> None:
        """Wait until it has stored what waited, and ended."""
        ...


class Intake:
    """Where deliveries are left to be kept."""

    def __init__(self, line: Line, writer: Writer) -> None:
        self._line = line
        self._writer = writer

    @property
    def groups(self) -> int:
        """How many groups were written so far, each with one flush."""
        return self._line.groups

    def keep(
        self,
        *,
        hook: str,
        guid: str,
        event: str,
        headers: Mapping[str, str],
        body: bytes,
        told: Told,
    ) -> None:
        """Store durably, then tell on the loop what became of it.

        Raises RetryLater at once, and tells nothing, while too much waits already.
        """
        self._line.put(hook, guid, event, headers, body, told)
        self._writer.wake()

    async def close(self) -> None:
        """Store what waits, take no more, and give the connection back."""
        self._line.closed = True
        self._writer.wake()
        await self._writer.ended()


def open_intake(
    database: Database, clock: Clock, on_kept: Callable[[], None] = lambda: None
) -> Intake:
    """The intake of this database; on the running loop.

    ``on_kept`` is called on the loop after each group that brought something new.
    """
    if database.path is not None:
        line = Line(clock, on_kept)
        return Intake(line, SqliteWriter(database.path, line))
    line = Line(clock, on_kept, pack_at_once=_AT_ONCE)
    return Intake(line, PostgresWriter(database.engine, line))
