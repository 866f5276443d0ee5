"""The operator's desk: the database, opened for a moment beside a running server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vibeboard.engine.ports import Clock
from vibeboard.errors import SettingsInvalid
from vibeboard.store import migrate
from vibeboard.store.audit import SqlAudit
from vibeboard.store.database import Database, open_database
from vibeboard.store.due import Due
from vibeboard.store.orders import SqlOrders
from vibeboard.store.overview import SqlOverview
from vibeboard.store.pauses import SqlPauses
from vibeboard.store.runs import SqlRuns
from vibeboard.store.spending import SqlSpending


@dataclass(frozen=True)
class Desk:
    """What lies on it. A running server sees what is changed within a second."""

    database: Database
    overview: SqlOverview
    orders: SqlOrders
    pauses: SqlPauses
    runs: SqlRuns
    audit: SqlAudit
    spending: SqlSpending


def existing(url: str) -> Database:
    """The database, if there is one of this version; raises SettingsInvalid."""
    database = open_database(url)
    if database.path is not None and not database.path.exists():
        message = f"there is no database at {database.path}; `vibeboard serve` makes it"
        raise SettingsInvalid(message)
    migrate.check(database)
    return database


@asynccontextmanager
async def opened(url: str, clock: Clock, *, by: str) -> AsyncIterator[Desk]:
    """Sit down at it; raises SettingsInvalid as ``existing`` does."""
    database = await asyncio.to_thread(existing, url)
    due = Due(database.engine, lambda: None)
    try:
        yield Desk(
            database,
            SqlOverview(database.engine),
            SqlOrders(due, clock, by=by),
            SqlPauses(database.engine, due, clock),
            SqlRuns(database.engine, due, clock),
            SqlAudit(database.engine),
            SqlSpending(database.engine, clock),
        )
    finally:
        await database.close()
