"""Takes out what nobody needs any more, a little at a time, and gives the room back.

Settled and given-up deliveries go with their effects, old lines of the audit go. Runs
stay: they are what is known of a card.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import DeliveryState
from vibeboard.store import schema
from vibeboard.store.database import Database
from vibeboard.store.indexed import UNENDED

# GitHub sends a delivery again for three days, under the GUID that we must still know.
SHORTEST = timedelta(days=4)

_DELIVERY = schema.delivery.c
_AUDIT = schema.audit.c
_RESULTS = (schema.suite_result, schema.review_result)
_SPENDING = schema.spending.c
_RUN = schema.run.c
_GONE = (
    DeliveryState.SETTLED.value,
    DeliveryState.FAILED.value,
    DeliveryState.UNREADABLE.value,
)
_BATCH = 100  # rows a transaction: writers wait for milliseconds
_REST = 0.05  # seconds between two transactions, for those who waited
_PAGES = 256  # given back to the disk at once
_LARGE_LOG = 16 * 1024 * 1024  # bytes; a smaller write-ahead log is left alone

Rest = Callable[[float], Awaitable[None]]


class SqlArchive:
    """What is old. Satisfies ``engine.housekeeping.Archive``."""

    def __init__(self, database: Database, *, rest: Rest = asyncio.sleep) -> None:
        self._database = database
        self._rest = rest

    async def forget_deliveries(self, before: datetime) -> int:
        """Take out deliveries received and done with before then; how many."""
        forgotten, last, more = 0, 0, True
        while more:
            async with self._database.engine.begin() as connection:
                gone, last, more = await _forget(connection, before, last)
            forgotten += gone
            await self._rest(_REST)
        return forgotten

    async def forget_audit(self, before: datetime) -> int:
        """Take out lines of the audit written before then; how many.

        What was spent before then goes with them.
        """
        spent = select(_SPENDING.run).where(_SPENDING.spent_at < before)
        await self._forget(schema.spending, _SPENDING.run, spent)
        old = select(_AUDIT.id).where(_AUDIT.at < before)
        return await self._forget(schema.audit, _AUDIT.id, old)

    async def forget_results(self, before: datetime) -> int:
        """Take out what suites and reviews gave before then; how many results.

        Previews that were heard of before then go with them.
        """
        seen = select(schema.preview.c.id).where(schema.preview.c.kept_at < before)
        await self._forget(schema.preview, schema.preview.c.id, seen)
        forgotten = 0
        for table in _RESULTS:
            old = select(table.c.id).where(table.c.kept_at < before)
            forgotten += await self._forget(table, table.c.id, old)
        return forgotten

    async def _forget(
        self, table: Table, key: ColumnElement[Any], old: Select[tuple[Any]]
    ) -> int:
        forgotten = 0
        while True:
            async with self._database.engine.begin() as connection:
                gone = await connection.execute(
                    delete(table).where(key.in_(old.limit(_BATCH)))
                )
            forgotten += gone.rowcount
            if gone.rowcount < _BATCH:
                return forgotten
            await self._rest(_REST)

    async def needed_runs(self, runs: Sequence[str], since: datetime) -> set[str]:
        """Those of the runs that have not ended, or ended since then."""
        async with self._database.engine.connect() as connection:
            return set(
                await connection.scalars(
                    select(_RUN.id).where(
                        _RUN.id.in_(runs),
                        _RUN.state.in_(UNENDED) | (_RUN.changed_at >= since),
                    )
                )
            )

    async def is_quiet(self, card: CardKey, since: datetime) -> bool:
        """Whether nothing runs on the card, and nothing ended there since then."""
        async with self._database.engine.connect() as connection:
            return not await connection.scalar(
                select(func.count()).where(
                    _RUN.repository == card.repository,
                    _RUN.number == card.number,
                    _RUN.state.in_(UNENDED) | (_RUN.changed_at >= since),
                )
            )

    async def give_room_back(self) -> int:
        """Make the SQLite file smaller, step by step; by how many bytes.

        PostgreSQL does this by itself.
        """
        path = self._database.path
        if path is None:
            return 0
        await asyncio.to_thread(_checkpoint, path)
        before = path.stat().st_size
        while await asyncio.to_thread(_vacuum, path):
            await self._rest(_REST)
        await asyncio.to_thread(_checkpoint, path)
        return max(before - path.stat().st_size, 0)


async def _forget(
    connection: AsyncConnection, before: datetime, after: int
) -> tuple[int, int, bool]:
    """One batch behind ``after``: how many went, the last one seen, whether to go on.

    Deliveries are looked at in the order they came, so that no look goes further than
    to the first that is too young.
    """
    columns = (
        _DELIVERY.id,
        _DELIVERY.received_at,
        _DELIVERY.settled_at,
        _DELIVERY.state,
    )
    rows = (
        await connection.execute(
            select(*columns)
            .where(_DELIVERY.id > after)
            .order_by(_DELIVERY.id)
            .limit(_BATCH)
        )
    ).all()
    old = [row for row in rows if row.received_at < before]
    gone = [
        row.id
        for row in old
        if row.state in _GONE and (row.settled_at or row.received_at) < before
    ]
    await connection.execute(
        delete(schema.effect).where(schema.effect.c.delivery.in_(gone))
    )
    await connection.execute(delete(schema.delivery).where(_DELIVERY.id.in_(gone)))
    more = len(rows) == _BATCH == len(old)
    return len(gone), rows[-1].id if rows else after, more


def _plain(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _vacuum(path: Path) -> bool:
    """Give some free pages back; whether there are more."""
    with closing(_plain(path)) as connection:
        # Each row that is fetched is a page.
        connection.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        incremental = connection.execute("PRAGMA auto_vacuum").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    return bool(incremental and free)


def _checkpoint(path: Path) -> None:
    """Copy the write-ahead log into the file, and empty it if it has become large."""
    log = path.with_name(f"{path.name}-wal")
    with closing(_plain(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if log.exists() and log.stat().st_size > _LARGE_LOG:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
