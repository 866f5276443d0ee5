"""Looking for work reads what is open, however much has been settled."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import event

from tests.conftest import HandClock
from vibeboard.engine.ports import Sorted
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.workers import SqlWorkers


async def test_no_look_for_deliveries_reads_the_whole_table(
    tmp_path: Path, clock: HandClock
) -> None:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    due = Due(database.engine, lambda: None)
    workers = SqlWorkers(database, due, clock, name="one", place="here")
    queue = SqlDeliveryQueue(database.engine, due, clock, workers)
    asked: list[tuple[str, Any]] = []
    event.listen(
        database.engine.sync_engine,
        "before_cursor_execute",
        lambda *call: asked.append((call[2], call[3])),
    )

    await queue.sort(lambda _: Sorted())
    await queue.claim(3)
    await queue.next_due()
    await database.close()

    looks = [each for each in asked if not each[0].startswith("BEGIN")]
    assert len(looks) == 3
    plain = sqlite3.connect(f"{tmp_path}/vibeboard.db")
    plans = [
        step
        for statement, values in looks
        for *_, step in plain.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    ]
    plain.close()
    assert [
        step for step in plans if step.endswith(("SCAN delivery", "rowid<?)"))
    ] == []
