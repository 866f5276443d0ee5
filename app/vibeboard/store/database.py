"""Opens the database: SQLite embedded, PostgreSQL by URL.

SQLite gets WAL, full fsync and one writer at a time: every transaction that may write
begins IMMEDIATE, because one that reads first and writes later can otherwise be refused
half-way (and savepoints of the driver would lose atomicity).
"""

import asyncio
import fcntl
import logging
import os
import socket
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from vibeboard.errors import SettingsInvalid, StoreUnavailable
from vibeboard.store.outage import AsyncPool, Pool, tell_outages

log = logging.getLogger(__name__)

_READS = "vibeboard_reads"  # an execution option
_SQLITE_FLOOR = (3, 35, 0)  # RETURNING

# Of one process, besides a few that it never gives back; a PostgreSQL as it comes has
# 100 for all of them.
_CONNECTIONS: Any = {"pool_size": 10, "max_overflow": 15, "pool_timeout": 30}
# A server that vanished without a word, seen from here: after a silence of _IDLE it is
# asked _PROBES times, and what was sent to it must be acknowledged in _UNANSWERED.
_CONNECT = 10  # seconds
_IDLE, _BETWEEN, _PROBES = 10, 5, 3
_UNANSWERED = 20_000  # milliseconds
# Longer than any statement of ours waits for a lock; migrations use the other door.
_STATEMENT = 60  # seconds
_KEPT_EVERY = 5.0  # seconds between two looks whether our name is still ours


@dataclass(frozen=True)
class Database:
    """Two doors to one database: async, and sync for threads and migrations."""

    url: URL
    engine: AsyncEngine
    sync_engine: Engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path | None:
        """The SQLite file."""
        if not self.is_sqlite or self.url.database is None:
            return None
        return Path(self.url.database)

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()
        self.sync_engine.dispose()


def open_database(url: str, *, name: str = "") -> Database:
    """Open ``sqlite:///FILE`` or ``postgresql://…``; raises SettingsInvalid.

    PostgreSQL knows our sessions by the ``name`` of this process.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        message = (
            "the database URL cannot be read; write sqlite:////var/lib/vibeboard.db "
            "or postgresql://user:password@host/name"
        )
        raise SettingsInvalid(message) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return _open_sqlite(parsed)
    if backend == "postgresql":
        ours = {"application_name": session_name(name)}
        database = Database(
            parsed.set(drivername="postgresql"),
            create_async_engine(
                parsed.set(drivername="postgresql+asyncpg"),
                poolclass=AsyncPool,
                pool_pre_ping=True,
                connect_args={
                    "server_settings": ours,
                    "timeout": _CONNECT,
                    "command_timeout": _STATEMENT,
                },
                **_CONNECTIONS,
            ),
            create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                poolclass=Pool,
                pool_pre_ping=True,
                connect_args={
                    **ours,
                    "connect_timeout": _CONNECT,
                    "keepalives_idle": _IDLE,
                    "keepalives_interval": _BETWEEN,
                    "keepalives_count": _PROBES,
                    "tcp_user_timeout": _UNANSWERED,
                },
                **_CONNECTIONS,
            ),
        )
        event.listen(database.engine.sync_engine, "connect", _notice_silence)
        for each in (database.engine.sync_engine, database.sync_engine):
            event.listen(each, "connect", _flush_commits)
            tell_outages(each)
        return database
    message = f"the database {backend!r} is not supported: use sqlite or postgresql"
    raise SettingsInvalid(message)


def _open_sqlite(url: URL) -> Database:
    if sqlite3.sqlite_version_info < _SQLITE_FLOOR:
        wanted = ".".join(map(str, _SQLITE_FLOOR))
        message = (
            f"this Python ({sys.version.split()[0]}) has SQLite "
            f"{sqlite3.sqlite_version}, and {wanted} is needed. Use a Python with a "
            "newer SQLite, or a postgresql:// URL"
        )
        raise SettingsInvalid(message)
    if not url.database or url.database == ":memory:":
        message = "SQLite needs a file: sqlite:////var/lib/vibeboard/vibeboard.db"
        raise SettingsInvalid(message)
    path = Path(url.database)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot make the database's directory: {error}"
        raise SettingsInvalid(message) from error
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), poolclass=AsyncPool
    ).sync_engine
    sync_engine = create_engine(url.set(drivername="sqlite"), poolclass=Pool)
    for each in (engine, sync_engine):
        event.listen(each, "connect", _prepare_sqlite)
        event.listen(each, "begin", _begin)
        event.listen(each, "invalidate", _roll_back)
        tell_outages(each)
    return Database(url, _OneWriter(engine), sync_engine)


def _notice_silence(connection: Any, record: Any) -> None:
    """Let the kernel end a connection whose server is gone; asyncpg has no option."""
    del record
    transport = connection.driver_connection._transport  # noqa: SLF001 - see above
    ours: socket.socket | None = transport.get_extra_info("socket")
    if ours is None or ours.family == socket.AF_UNIX:
        return
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _IDLE),
        ("TCP_KEEPINTVL", _BETWEEN),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", _UNANSWERED),
    ):
        if number := getattr(socket, option, None):  # not on every system
            ours.setsockopt(socket.IPPROTO_TCP, number, value)


def _flush_commits(connection: Any, record: Any) -> None:
    """Have commits flushed to the disk before they are told of, whoever set what.

    Said for the session, so that nobody can take it back while it lives.
    """
    del record
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', CASE WHEN current IN ('off', 'local') "
        "THEN 'on' ELSE current END, false) "
        "FROM current_setting('synchronous_commit') AS current"
    )
    cursor.close()
    connection.commit()


def _prepare_sqlite(connection: Any, record: Any) -> None:
    del record
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        "busy_timeout = 30000",
        "auto_vacuum = INCREMENTAL",  # counts for a new file, and only before WAL
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    if not connection.get_execution_options().get(_READS, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    # As a statement it would be handed to the connection's thread three times: for a
    # cursor, for itself, and for the cursor's end. A whole read takes four besides.
    adapted: Any = connection.connection.dbapi_connection
    try:
        adapted.run_async(lambda driver: driver.execute("BEGIN"))
    except (sqlite3.Error, ValueError):
        connection.exec_driver_sql("BEGIN")  # whose errors are told as all others


def _roll_back(connection: Any, record: Any, error: BaseException | None) -> None:
    """End the transaction of a connection that is cut off, before it is closed.

    SQLite keeps a closed connection and its locks for as long as a statement of it
    lives, and a statement lives as long as the error that came out of it.
    """
    del record, error
    with suppress(sqlite3.Error):  # as far as it came
        connection.rollback()


class _OneWriter(AsyncEngine):
    """SQLite: transactions of ``begin`` write, and connections of ``connect`` read.

    There is one writer at a time. Those who wait in this process go in the order they
    came; left to SQLite they would sleep and try again, up to a tenth of a second each
    time.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._writing = AsyncEngine(engine)
        self._reading = AsyncEngine(engine.execution_options(**{_READS: True}))
        self._turn = asyncio.Lock()

    def connect(self) -> AsyncConnection:
        """A connection to read by, beside whoever writes."""
        return self._reading.connect()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that writes, once it is its turn."""
        async with self._turn, self._writing.begin() as connection:
            yield connection


@contextmanager
def connected(database: Database) -> Iterator[Connection]:
    """A first connection; raises SettingsInvalid if the database cannot be had."""
    try:
        connection = database.sync_engine.connect()
    except (DBAPIError, StoreUnavailable) as error:
        shown = database.url.render_as_string(hide_password=True)
        why = error.orig if isinstance(error, DBAPIError) else error.__cause__
        message = f"cannot open the database {shown}: {why}"
        raise SettingsInvalid(message) from error
    with connection:
        yield connection


@contextmanager
def only_process(database: Database, name: str) -> Iterator[None]:
    """Be the only process: of a SQLite file, or of this ``name`` on PostgreSQL.

    Raises SettingsInvalid, saying who holds it.
    """
    if database.path is None:
        with _only_name(database, name):
            yield
    else:
        with _only_file(database.path):
            yield


def lock_number(name: str) -> int:
    """A name as PostgreSQL's advisory locks want it."""
    digest = sha256(f"vibeboard {name}".encode()).digest()
    return int.from_bytes(digest[:8], signed=True)


def session_name(name: str) -> str:
    """What PostgreSQL calls the sessions of a process: 63 plain characters at most."""
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"vibeboard {digest} {name.encode('ascii', 'replace').decode()}"[:63]


@contextmanager
def _only_name(database: Database, name: str) -> Iterator[None]:
    held = _Name(database, name)
    if not held.take():
        held.close()
        message = (
            f"another Vibeboard called {name!r} uses this database; give this one "
            "its own --name"
        )
        raise SettingsInvalid(message)
    ended = threading.Event()
    keeper = threading.Thread(target=held.keep, args=(ended,), name="name", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join(_CONNECT)
        held.close()


class _Name:
    """The name of a process, held by a connection of its own for one thread at a time.

    Whoever loses the connection loses the name: it is taken again as soon as the
    database is back, before somebody else begins under it.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._lock = lock_number(f"process {name}")
        self._connection: Connection | None = None
        self._open = ExitStack()

    def take(self) -> bool:
        """Whether nobody else has it; raises SettingsInvalid without a database."""
        with ExitStack() as stack:
            connection = stack.enter_context(connected(self._database))
            # A name is not free for others before its process has ended.
            called = session_name(f"name {self._name}")
            apart = func.set_config("application_name", called, False)  # noqa: FBT003 - PostgreSQL's
            connection.execute(select(apart))
            if not connection.scalar(select(func.pg_try_advisory_lock(self._lock))):
                return False
            connection.commit()
            self._connection, self._open = connection, stack.pop_all()
        return True

    def keep(self, ended: threading.Event) -> None:
        """Take the name again whenever it was lost."""
        while not ended.wait(_KEPT_EVERY):
            try:
                self._keep()
            except (SQLAlchemyError, SettingsInvalid, StoreUnavailable) as error:
                log.warning(
                    "the name of this process is not held", extra={"why": str(error)}
                )

    def _keep(self) -> None:
        if self._connection is not None:
            try:
                self._connection.execute(select(1))
                self._connection.commit()
            except (SQLAlchemyError, StoreUnavailable):
                self.close()
        if self._connection is None and not self.take():
            log.error(
                "another Vibeboard has begun under the name of this one; give each its "
                "own --name",
                extra={"called": self._name},
            )

    def close(self) -> None:
        """Let go of it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError, StoreUnavailable):  # gone, and the lock too
                connection.execute(select(func.pg_advisory_unlock(self._lock)))
            with suppress(SQLAlchemyError, StoreUnavailable):
                connection.invalidate()
        self._open.close()


@contextmanager
def _only_file(path: Path) -> Iterator[None]:
    lock = path.with_suffix(path.suffix + ".lock")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            message = (
                f"{path} is in use by another Vibeboard (process {holder}). SQLite "
                "carries one process; stop that one, or use a postgresql:// URL for "
                "several"
            )
            raise SettingsInvalid(message) from None
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
