"""Case 32: a damaged file is refused, and a backup under load is whole."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.writer import writing
from vibeboard.errors import SettingsInvalid
from vibeboard.store import migrate
from vibeboard.store.backup import back_up
from vibeboard.store.damage import refuse_damage
from vibeboard.store.database import open_database


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A database with a few thousand deliveries, at rest."""
    file = tmp_path / "vibeboard.db"
    with writing(file) as writer:
        writer.reaches(2000)
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def _overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


@pytest.mark.parametrize(
    ("at", "data"),
    [
        pytest.param(0, b"no database at all", id="the head"),
        pytest.param(4096 * 40, b"\xff" * 4096 * 3, id="pages in the middle"),
        pytest.param(4096 * 3, b"\0" * 4096, id="a page of a table's root"),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(
    full: Path, at: int, data: bytes
) -> None:
    refuse_damage(full)
    _overwrite(full, at, data)
    before = full.read_bytes()

    with pytest.raises(SettingsInvalid, match=r"is damaged .* backup in its place"):
        refuse_damage(full)

    assert full.read_bytes() == before


@pytest.mark.thorough
def test_a_file_that_was_cut_short_is_refused(full: Path) -> None:
    with full.open("r+b") as opened:
        opened.truncate(full.stat().st_size // 2)

    with pytest.raises(SettingsInvalid, match="is damaged"):
        refuse_damage(full)


def test_backups_under_load_are_whole(tmp_path: Path) -> None:
    file = tmp_path / "vibeboard.db"
    with writing(file) as writer:
        for number in range(1, 11):
            writer.reaches(number * 100)
            acked = writer.acked()
            copy = tmp_path / f"backup-{number}.db"
            back_up(open_database(f"sqlite:///{file}"), copy)

            with closing(sqlite3.connect(copy)) as plain:
                assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                kept = {g for (g,) in plain.execute("SELECT guid FROM delivery")}
            assert acked <= kept
            assert [path.name for path in tmp_path.glob(f"{copy.name}*")] == [copy.name]
            assert copy.stat().st_mode & 0o077 == 0


def test_a_restored_backup_serves(full: Path, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{full}")
    copy = tmp_path / "backup.db"
    back_up(database, copy)

    restored = open_database(f"sqlite:///{copy}")
    migrate.ready(restored)
    assert migrate.current(restored) == migrate.head(restored)
    restored.sync_engine.dispose()
    with writing(copy) as writer:
        writer.reaches(100)


@pytest.mark.thorough
def test_a_backup_overwrites_nothing(full: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.db"
    there.write_text("precious")

    with pytest.raises(SettingsInvalid, match="overwrites nothing"):
        back_up(open_database(f"sqlite:///{full}"), there)

    assert there.read_text() == "precious"


def test_a_damaged_database_gives_no_backup(full: Path, tmp_path: Path) -> None:
    _overwrite(full, 4096 * 40, b"\xff" * 4096 * 3)
    copy = tmp_path / "backup.db"

    with pytest.raises(SettingsInvalid, match="damaged"):
        back_up(open_database(f"sqlite:///{full}"), copy)

    assert list(tmp_path.glob("*backup*")) == []


def test_postgresql_is_backed_up_by_its_own_program(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from vibeboard.store.backup import back_up;"
        "from vibeboard.store.database import open_database;"
        "back_up(open_database('postgresql://me:secret@host/vibe'), Path('x.dump'))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    ).stderr  # fmt: skip

    command = "pg_dump --format=custom --file=x.dump postgresql://me@host/vibe"
    assert command in told
    assert "secret" not in told
