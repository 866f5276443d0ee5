"""A copy of the SQLite file, taken while it is in use."""

import os
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from vibeboard.errors import SettingsInvalid
from vibeboard.store.database import Database


def back_up(database: Database, file: Path) -> int:
    """Copy the database to a new file and check it; gives its size in bytes.

    Raises SettingsInvalid if the file is there, cannot be written or came out damaged,
    and for PostgreSQL, which has its own way.
    """
    if database.path is None:
        raise SettingsInvalid(_for_postgres(database, file))
    if file.exists():
        message = f"{file} is there already; a backup overwrites nothing"
        raise SettingsInvalid(message)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(database.path, unfinished)
        unfinished.rename(file)
    except (OSError, sqlite3.Error) as error:
        message = f"cannot make the backup {file}: {error}"
        raise SettingsInvalid(message) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return file.stat().st_size


def _copy(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as old,
        closing(sqlite3.connect(target)) as new,
    ):
        # All at once: a copy in parts begins anew whenever somebody writes. Readers
        # hold up no writer here.
        old.backup(new)
        new.execute("PRAGMA journal_mode = DELETE")  # one file, no other beside it
        found = new.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        message = f"the copy is damaged ({found}), and so is {source}, it seems"
        raise SettingsInvalid(message)
    with target.open("rb") as copied:
        os.fsync(copied.fileno())


def _for_postgres(database: Database, file: Path) -> str:
    url = database.url.set(drivername="postgresql")._replace(password=None)
    shown = shlex.quote(url.render_as_string(hide_password=False))
    command = f"pg_dump --format=custom --file={shlex.quote(str(file))} {shown}"
    return f"PostgreSQL makes its own backups: {command}"
