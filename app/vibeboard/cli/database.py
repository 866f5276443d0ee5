"""``vibeboard db``: upgrade, back up, purge."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import typer

from vibeboard.cli.desk import at_the_desk
from vibeboard.clock import SystemClock
from vibeboard.errors import UserError
from vibeboard.settings import read_settings
from vibeboard.store import migrate
from vibeboard.store.backup import back_up
from vibeboard.store.database import open_database
from vibeboard.store.desk import existing
from vibeboard.store.maintenance import SHORTEST, SqlArchive

_MEBIBYTE = 1024**2
_SPAN = re.compile(r"([0-9]{1,5})d")


def run_upgrade() -> int:
    """Bring the database to this version's schema."""
    database = open_database(read_settings().database)
    before, after = migrate.upgrade_apart(database)
    if before == after:
        typer.echo(f"the database is at {after} already")
    else:
        typer.echo(f"the database went from {before or 'empty'} to {after}")
    return 0


def run_backup(file: Path) -> int:
    """Copy the database to a new file."""
    url = read_settings().database
    database = open_database(url)
    size = back_up(existing(url) if database.is_sqlite else database, file)
    typer.echo(f"{file}: {size / _MEBIBYTE:.1f} MiB, checked")
    return 0


def run_purge(older_than: str) -> int:
    """Take out what was done with before that."""
    settings = read_settings()
    given = _SPAN.fullmatch(older_than) if older_than else None
    if older_than and given is None:
        message = (
            f"{older_than!r} is no time to keep: write a number of days, as in 30d"
        )
        raise UserError(message)
    days = int(given[1]) if given else settings.keep_deliveries_days
    if timedelta(days=days) < SHORTEST:
        message = (
            f"{days}d is too short: GitHub may send deliveries again that are younger "
            f"than {SHORTEST.days} days, and they must be known then"
        )
        raise UserError(message)
    audit = max(days, settings.keep_audit_days)
    return asyncio.run(_purge(timedelta(days=days), timedelta(days=audit)))


async def _purge(deliveries: timedelta, audit: timedelta) -> int:
    now = SystemClock().now()
    async with at_the_desk() as desk:
        archive = SqlArchive(desk.database)
        gone = await archive.forget_deliveries(now - deliveries)
        lines = await archive.forget_audit(now - audit)
        room = await archive.give_room_back()
    typer.echo(
        f"taken out: {gone} deliveries, {lines} lines of the audit; "
        f"{room / _MEBIBYTE:.1f} MiB given back to the disk"
    )
    return 0
