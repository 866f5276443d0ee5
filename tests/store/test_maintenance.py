"""What is old goes in small steps, and nothing goes that is needed."""

import os
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select

from tests.conftest import HandClock
from vibeboard.domain.board import CardKey
from vibeboard.engine.housekeeping import Housekeeper, Keep
from vibeboard.engine.places import Places
from vibeboard.store import migrate, schema
from vibeboard.store.database import Database, open_database
from vibeboard.store.maintenance import SqlArchive

LONG_AGO = timedelta(days=40)
LATELY = timedelta(days=2)
LIMIT = timedelta(days=30)


async def _rest(_: float) -> None:
    pass


@pytest.fixture
def archive(database: Database) -> SqlArchive:
    return SqlArchive(database, rest=_rest)


async def _deliveries(
    database: Database, clock: HandClock, rows: Sequence[tuple[str, timedelta]]
) -> None:
    """Deliveries by state and how long ago, each with an effect."""
    async with database.engine.begin() as connection:
        for number, (state, ago) in enumerate(rows, 1):
            done = state not in ("received", "decided")
            await connection.execute(
                insert(schema.delivery).values(
                    id=number, hook="1", guid=f"guid-{number}", event="issues",
                    headers={}, body=b"x" * 2000, state=state,
                    received_at=clock.now() - ago,
                    settled_at=clock.now() - ago if done else None,
                )
            )  # fmt: skip
            await connection.execute(
                insert(schema.effect).values(
                    key=f"effect-{number}", delivery=number, position=0,
                    kind="ShowRun", payload={}, state="done",
                )
            )  # fmt: skip


async def _left(database: Database, column: Any) -> list[Any]:
    async with database.engine.connect() as connection:
        return sorted(await connection.scalars(select(column)))


async def test_only_old_deliveries_go_that_are_done_with(
    database: Database, archive: SqlArchive, clock: HandClock
) -> None:
    states = ("settled", "failed", "unreadable", "parked", "received", "decided")
    old = [(state, LONG_AGO) for state in states]
    young = [(state, LATELY) for state in states]
    await _deliveries(database, clock, [*old, *young])

    assert await archive.forget_deliveries(clock.now() - LIMIT) == 3

    kept = [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert await _left(database, schema.delivery.c.id) == kept
    assert await _left(database, schema.effect.c.delivery) == kept


async def test_what_was_settled_lately_stays_however_old_it_is(
    database: Database, archive: SqlArchive, clock: HandClock
) -> None:
    await _deliveries(database, clock, [("settled", LONG_AGO)])
    async with database.engine.begin() as connection:
        await connection.execute(
            schema.delivery.update().values(settled_at=clock.now() - LATELY)
        )

    assert await archive.forget_deliveries(clock.now() - LIMIT) == 0


async def test_no_transaction_takes_out_more_than_a_hundred(
    database: Database, archive: SqlArchive, clock: HandClock
) -> None:
    await _deliveries(database, clock, [("settled", LONG_AGO)] * 250)
    deleted: list[int] = []
    event.listen(
        database.engine.sync_engine,
        "after_cursor_execute",
        lambda *call: (
            deleted.append(call[1].rowcount)
            if call[2].startswith("DELETE FROM delivery")
            else None
        ),
    )

    assert await archive.forget_deliveries(clock.now() - LIMIT) == 250

    assert deleted == [100, 100, 50]


async def test_old_lines_of_the_audit_go(
    database: Database, archive: SqlArchive, clock: HandClock
) -> None:
    async with database.engine.begin() as connection:
        for ago in (LONG_AGO, LATELY):
            await connection.execute(
                insert(schema.audit).values(
                    at=clock.now() - ago, actor="alice", action="said", subject="x"
                )
            )

    assert await archive.forget_audit(clock.now() - LIMIT) == 1
    assert len(await _left(database, schema.audit.c.id)) == 1


async def test_the_file_becomes_smaller_and_the_log_empty(
    tmp_path: Path, clock: HandClock
) -> None:
    file = tmp_path / "new.db"
    database = open_database(f"sqlite:///{file}")
    migrate.upgrade(database)
    await _deliveries(database, clock, [("settled", LONG_AGO)] * 900)
    archive = SqlArchive(database, rest=_rest)
    await archive.give_room_back()
    full = file.stat().st_size

    await archive.forget_deliveries(clock.now() - LIMIT)
    given = await archive.give_room_back()

    assert given > full / 2
    assert file.stat().st_size == full - given
    await database.close()
    with sqlite3.connect(file) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    plain.close()


async def _run(
    database: Database,
    clock: HandClock,
    run: str,
    number: int,
    state: str,
    ago: timedelta,
) -> None:
    at: datetime = clock.now() - ago
    async with database.engine.begin() as connection:
        await connection.execute(
            insert(schema.run).values(
                id=run, repository="acme/clock", number=number, stage="develop",
                cause=run, asked_by="alice", state=state, instructions="",
                remarks=[], config_commit="", parallel=1, attempt=1, chain=0,
                created_at=at, changed_at=at,
            )
        )  # fmt: skip


async def test_raw_logs_and_homes_go_where_nothing_runs(
    database: Database, archive: SqlArchive, clock: HandClock, tmp_path: Path
) -> None:
    await _run(database, clock, "old", 1, "succeeded", LONG_AGO)
    await _run(database, clock, "going-on", 2, "running", LONG_AGO)
    await _run(database, clock, "lately", 3, "failed", LATELY)
    root = tmp_path / "data"
    folders = [root / "runs" / run for run in ("old", "going-on", "lately", "unknown")]
    folders += [root / "homes" / "acme" / "clock" / str(n) for n in (1, 2, 3)]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "agent-1.log").write_text("…")
        os.utime(folder, (0, 0))
    keep = Keep(deliveries=LIMIT, logs=LIMIT, audit=LIMIT, results=LIMIT)

    await Housekeeper(archive, Places(root), clock, keep).clean_up()

    left = sorted(str(f.relative_to(root)) for f in folders if f.exists())
    assert left == [
        "homes/acme/clock/2", "homes/acme/clock/3", "runs/going-on", "runs/lately",
    ]  # fmt: skip
    async with database.engine.connect() as connection:
        runs = await connection.scalar(select(func.count()).select_from(schema.run))
    assert runs == 3, "what is known of cards stays"
    assert await archive.is_quiet(CardKey("acme/clock", 1), clock.now() - LIMIT)
