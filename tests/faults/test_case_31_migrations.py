"""Case 31: an upgrade keeps everything, happens once, and survives its own death."""

import signal
import subprocess
import sys
from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from tests.conftest import HandClock
from tests.faults import upgrade_program
from vibeboard.engine.ports import Delivery, Sorted
from vibeboard.errors import SettingsInvalid
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.workers import SqlWorkers

_AT = "2026-01-02 03:04:05.000006"
# Each delivery's state, and the states of its effects.
_DELIVERIES = {
    1: ("settled", ["done", "done"]),
    2: ("settled", ["done", "failed"]),
    3: ("settled", ["done", "pending"]),
    4: ("unreadable", []),
    5: ("received", []),
}
# Each run's state, and whether it may start.
_RUNS = {
    "r1": ("succeeded", True),
    "r2": ("failed", True),
    "r3": ("running", True),
    "r4": ("stopping", True),
    "r5": ("queued", True),
    "r6": ("queued", False),
}


@pytest.fixture
def first_version(database_url: str) -> str:
    """A database as the first version left it, with rows in every state."""
    database = open_database(database_url)
    command.upgrade(migrate._config(database), "0001")
    with database.sync_engine.begin() as connection:
        for number, (state, effects) in _DELIVERIES.items():
            _insert(
                connection, "delivery", id=number, hook="1", guid=f"guid-{number}",
                event="issues", headers="{}", body=f"body {number}".encode(),
                digest="0", received_at=_AT, state=state, reason="as it was",
                conflict=False,
            )  # fmt: skip
            for position, effect in enumerate(effects):
                _insert(
                    connection, "effect", key=f"show:{number}:{position}",
                    delivery=number, position=position, kind="ShowRun",
                    payload='{"run": "r1", "state": "queued"}', state=effect,
                )  # fmt: skip
        for number, (run, (state, dispatched)) in enumerate(_RUNS.items()):
            _insert(
                connection, "run", id=run, repository="acme/clock", number=number,
                stage="develop", cause="guid-1", asked_by="alice", state=state,
                instructions="", remarks="[]", config_commit="c", parallel=9,
                attempt=1, chain=0, created_at=_AT, changed_at=_AT,
                dispatched_at=_AT if dispatched else None,
            )  # fmt: skip
        _insert(
            connection, "card", repository="acme/clock", number=7, board_column="QA",
            seen_at=_AT,
        )  # fmt: skip
    database.sync_engine.dispose()
    return database_url


def _insert(connection: Any, table: str, **values: Any) -> None:
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    statement = text(f"INSERT INTO {table} ({names}) VALUES ({places})")  # noqa: S608 - ours
    connection.execute(statement, values)


def _kept(database: Database) -> list[tuple[Any, ...]]:
    """What the first version knew, as it reads now."""
    asked = (
        "SELECT id, hook, guid, event, body, reason FROM delivery ORDER BY id",
        "SELECT key, delivery, state FROM effect ORDER BY key",
        "SELECT id, number, state, attempt FROM run ORDER BY id",
        "SELECT * FROM card",
    )
    with database.sync_engine.connect() as connection:
        rows = [connection.execute(text(each)).all() for each in asked]
    return [tuple(row) for table in rows for row in table]


def _upgrading(url: str, *, killed_before: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, upgrade_program.__file__, url, str(killed_before)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_everything_is_kept_and_open_work_is_open_again(
    first_version: str, clock: HandClock
) -> None:
    database = open_database(first_version)
    before = _kept(database)

    assert migrate.upgrade(database) == ("0001", migrate.head(database))

    assert _kept(database) == before
    due = Due(database.engine, lambda: None)
    workers = SqlWorkers(database, due, clock, name="new", place="here")
    await workers.enter()
    deliveries = SqlDeliveryQueue(database.engine, due, clock, workers)
    runs = SqlRunQueue(database.engine, due, clock, workers, place="here")
    seen: list[bytes] = []

    def sort(delivery: Delivery) -> Sorted:
        seen.append(delivery.body)
        return Sorted("acme", "acme/clock#7")

    assert await deliveries.sort(sort) == 1
    assert seen == [b"body 5"]
    assert await deliveries.claim(10) == [3, 5]
    # Nothing holds the sixth any more.
    assert sorted(await runs.claim(10)) == ["r3", "r4", "r5", "r6"]
    await database.close()


async def test_two_at_once_are_one(first_version: str) -> None:
    database = open_database(first_version)
    before = _kept(database)
    both = [_upgrading(first_version) for _ in range(2)]
    for each in both:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=60) for each in both]

    assert [err for _, err in told] == ["", ""]
    ways = sorted(out.rsplit(" ", 1)[0] for out, _ in told)
    head = migrate.head(database)
    assert ways == [f"0001 {head}", f"{head} {head}"]
    assert _kept(database) == before
    await database.close()


@pytest.mark.thorough
@pytest.mark.timeout(300)
async def test_an_upgrade_that_is_killed_is_done_by_the_next(
    first_version: str,
) -> None:
    database = open_database(first_version)
    before = _kept(database)
    for last in range(5, 1000, 9):
        upgrading = _upgrading(first_version, killed_before=last)
        out, err = upgrading.communicate("go\n", timeout=60)
        if upgrading.returncode == 0:
            break
        assert (upgrading.returncode, err) == (-signal.SIGKILL, "")
        assert migrate.current(database) == "0001"
        assert _kept(database) == before

    assert out.startswith("0001 ")
    assert last > 40, "it was killed a few times in the middle of it"
    assert migrate.current(database) == migrate.head(database)
    assert _kept(database) == before
    await database.close()


async def test_an_older_binary_refuses_everything(first_version: str) -> None:
    database = open_database(first_version)
    migrate.upgrade(database)
    with database.sync_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for refusing in (
        migrate.upgrade,
        migrate.upgrade_apart,
        migrate.ready,
        migrate.check,
    ):
        with pytest.raises(SettingsInvalid, match=r"9999.*newer Vibeboard"):
            refusing(database)
    await database.close()
