"""Tells what time will mend of a database's troubles from what is our fault.

A database that restarts, is locked, or whose disk is full is one that works later:
those who use it hear ``StoreUnavailable`` and come again. All other errors stay what
they are.
"""

import logging
import sqlite3
from typing import Any

import asyncpg
from sqlalchemy import (
    AsyncAdaptedQueuePool,
    Engine,
    PoolProxiedConnection,
    QueuePool,
    event,
)
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as NoneFree

from vibeboard.errors import StoreUnavailable

_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
# Classes of SQLSTATE: connection, rolled back by the server, short of resources, not
# now, stopped by an operator, an error outside of PostgreSQL. And: read-only just now.
_POSTGRES = ("08", "40", "53", "55", "57", "58", "25006")


class Pool(QueuePool):
    """Connections; that none becomes free in time is an outage like any other."""

    def connect(self) -> PoolProxiedConnection:
        """Wait for a free one."""
        try:
            return super().connect()
        except NoneFree as error:
            raise _unavailable(error) from error


class AsyncPool(AsyncAdaptedQueuePool):
    """The same for the event loop."""

    def connect(self) -> PoolProxiedConnection:
        """Wait for a free one."""
        try:
            return super().connect()
        except NoneFree as error:
            raise _unavailable(error) from error


def tell_outages(engine: Engine) -> None:
    """Let this engine raise StoreUnavailable for what time will mend.

    Its pool is one of the two above.
    """
    event.listen(engine, "handle_error", _failed)
    for pool in (Pool, AsyncPool):
        logging.getLogger(f"{pool.__module__}.{pool.__name__}").addFilter(_is_news)
    event.listen(engine, "do_connect", _connect)


def _is_news(record: logging.LogRecord) -> bool:
    # A connection that is gone cannot be closed in good order; nobody minds.
    error = record.exc_info[1] if record.exc_info else None
    return error is None or not (isinstance(error, StoreUnavailable) or _passes(error))


def told(error: Exception) -> Exception:
    """What a driver says, for those who use it without an engine."""
    if not _passes(error):
        return error
    unavailable = _unavailable(error)
    unavailable.__cause__ = error
    return unavailable


def _passes(error: BaseException) -> bool:
    """Whether the error may be gone when the same is tried again."""
    if isinstance(error, StoreUnavailable):
        return False
    if isinstance(error, asyncpg.InterfaceError):
        return "closed" in str(error)
    if isinstance(error, asyncpg.InternalClientError):
        return True  # the driver, about a connection that was cut off in the middle
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE
    state = getattr(error, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_POSTGRES)
    return isinstance(error, OSError)


def _failed(context: ExceptionContext) -> None:
    error = context.original_exception
    # Whoever is cancelled loses the connection as well, and is to be cancelled.
    if context.is_pre_ping or not isinstance(error, Exception):
        return
    if isinstance(error, TimeoutError):
        # To roll back would be one more answer to wait for. What else goes through
        # this pool may be well.
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False
    if context.is_disconnect or _passes(error):
        raise _unavailable(error) from error


def _connect(
    dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]
) -> Any:
    del record
    try:
        return dialect.connect(*arguments, **parameters)
    except Exception as error:
        # psycopg gives no SQLSTATE to a connection that was never made.
        never_made = getattr(error, "sqlstate", "") is None
        if _passes(error) or never_made:
            raise _unavailable(error) from error
        raise


def _unavailable(error: BaseException) -> StoreUnavailable:
    why = str(error).strip().partition("\n")[0]
    return StoreUnavailable(f"the database cannot be used now: {why}")
