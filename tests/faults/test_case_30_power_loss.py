"""Case 30: what was acknowledged is there after the power went, and nothing is torn."""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import text

from tests.conftest import HandClock
from tests.faults.writer import writing
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.intake import Intake
from vibeboard.store.line import Line
from vibeboard.store.sqlite_intake import SqliteWriter

_ROUNDS = 25
_FULL = 2


def _recovered(file: Path) -> set[str]:
    with closing(sqlite3.connect(file)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {guid for (guid,) in plain.execute("SELECT guid FROM delivery")}


def _tear(log: Path, flushed: int, dice: random.Random) -> None:
    """Drop or spoil what need not have reached the disk: all behind ``flushed``."""
    size = log.stat().st_size
    os.truncate(log, dice.randint(flushed, max(size, flushed)))
    if dice.random() < 0.5:
        with log.open("ab") as file:
            file.write(dice.randbytes(dice.randint(1, 9000)))


def test_acknowledged_deliveries_survive_a_torn_log(tmp_path: Path) -> None:
    dice = random.Random(30)  # noqa: S311 - the same each time
    file = tmp_path / "vibeboard.db"
    log = tmp_path / "vibeboard.db-wal"
    lost, torn = 0, 0
    with writing(file) as writer:
        for number in range(1, _ROUNDS + 1):
            writer.reaches(number * 40)
            # In this order: what is acknowledged lies within the log as it is then.
            acked = writer.acked()
            flushed = log.stat().st_size
            copy = tmp_path / f"copy-{number}.db"
            shutil.copyfile(file, copy)
            copied_log = copy.with_name(f"{copy.name}-wal")
            shutil.copyfile(log, copied_log)
            torn += copied_log.stat().st_size > flushed
            _tear(copied_log, flushed, dice)

            lost += len(acked - _recovered(copy))
            copy.unlink()

    assert lost == 0
    assert torn, "something was being written at that moment"


async def test_every_connection_waits_for_the_disk(
    tmp_path: Path, clock: HandClock
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    assert database.path is not None
    line = Line(clock, lambda: None)
    writer = SqliteWriter(database.path, line)
    found = {"intake": writer._connected().execute("PRAGMA synchronous").fetchone()[0]}
    async with database.engine.connect() as connection:
        found["engine"] = await connection.scalar(text("PRAGMA synchronous"))
    with database.sync_engine.connect() as plain:
        found["lease"] = plain.scalar(text("PRAGMA synchronous"))
    writer._connected().close()
    writer._connection = None
    await Intake(line, writer).close()
    await database.close()

    assert set(found.values()) == {_FULL}, found
