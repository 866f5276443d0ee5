"""Refuses a damaged SQLite file before anything is built upon it."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from vibeboard.errors import SettingsInvalid

_PATIENCE = 3.0  # seconds; a file too large for it is checked as far as that goes
_STEPS = 10_000  # of SQLite's machine, between two looks at the clock


def refuse_damage(path: Path) -> None:
    """Raise SettingsInvalid if the file is no database, or a broken one."""
    if not path.exists():
        return
    found = _look(path)
    if found != "ok":
        message = (
            f"{path} is damaged ({found}). Nothing was changed. Move it away and put a "
            "backup in its place, or save what can be read with `sqlite3 FILE .recover`"
        )
        raise SettingsInvalid(message)


def _look(path: Path) -> str:
    ends_at = time.monotonic() + _PATIENCE
    try:
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > ends_at, _STEPS)
            found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        # Not done in time, or busy: nothing bad was seen.
        return (
            "ok"
            if "interrupted" in str(error) or "locked" in str(error)
            else str(error)
        )
    except sqlite3.DatabaseError as error:
        return str(error)
    return " ".join(found.split())
