"""INSERT … ON CONFLICT: both databases have it, and SQLAlchemy a class for each.

To look first and insert after is no way: somebody may insert in between.
"""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


def inserting(
    connection: AsyncConnection, table: Table
) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that can be told what to do about a row that is there."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)
