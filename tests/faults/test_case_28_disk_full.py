"""Case 28: a full disk refuses, spoils nothing, and is forgotten once there is room."""

import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.faults.doors import OwnDoor, served
from tests.faults.shaken import killed_server
from tests.faults.volumes import Volume, small_volume
from tests.faults.worlds import developed, make_doomed
from tests.web.door import headers_of
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database

DICE = random.Random(28)  # noqa: S311 - the same each time
BODIES = {f"g{number}": DICE.randbytes(30_000) for number in range(20)}


@asynccontextmanager
async def on_a_volume(kind: str) -> AsyncIterator[tuple[Volume, Database]]:
    """A database whose disk has little room."""
    if kind == "sqlite":
        with small_volume(8) as volume:
            database = open_database(f"sqlite:///{volume.path}/vibeboard.db")
            migrate.upgrade(database)
            yield volume, database
            await database.close()
        return
    with small_volume(160) as volume:
        folder = volume.path / "data"
        folder.mkdir(mode=0o700)
        with killed_server(folder) as server:
            database = open_database(server.url)
            migrate.upgrade(database)
            yield volume, database
            await database.close()


async def sent(door: OwnDoor) -> dict[str, int]:
    """The answers to all bodies, one after the other."""
    return {
        guid: (await door.send(body, headers_of(body, guid=guid))).status
        for guid, body in BODIES.items()
    }


async def kept(door: OwnDoor) -> set[str]:
    """What is stored; our own connections would want to write, on SQLite."""
    path = door.database.path
    if path is None:
        return {row.guid for row in await door.rows()}
    with closing(sqlite3.connect(path)) as plain:
        return {guid for (guid,) in plain.execute("SELECT guid FROM delivery")}


@pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
async def test_case_28_nothing_is_acknowledged_that_has_no_room(
    kind: str, tmp_path: Path
) -> None:
    async with (
        on_a_volume(kind) as (volume, database),
        served(database, tmp_path) as door,
    ):
        assert (await door.send(b"[]", headers_of(b"[]", guid="before"))).status == 202
        volume.fill()
        full = await sent(door)
        taken = {guid for guid, status in full.items() if status == 202}
        assert set(full.values()) <= {202, 503}
        assert full["g19"] == 503
        assert taken <= await kept(door) <= {"before", *BODIES}

        volume.free()
        again = await sent(door)
        assert set(again.values()) <= {200, 202}
        bodies = {row.guid: row.body for row in await door.rows()}
        assert bodies == BODIES | {"before": b"[]"}
        if database.path is not None:
            with closing(sqlite3.connect(database.path)) as plain:
                assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert "Traceback" not in door.said


@pytest.mark.thorough
async def test_case_28_a_run_without_room_fails_for_all_to_see_and_the_next_one_works(
    tmp_path: Path,
) -> None:
    with small_volume(24) as volume:
        world = await make_doomed(tmp_path, f"sqlite:///{tmp_path}/vibeboard.db")
        world.settings = {"data_dir": str(volume.path / "data")}
        await world.serve()
        first = world.card("Fits", "write a.txt a", "summary Wrote it.")
        first.moved_to("Development")
        await first.reaches("Review")
        volume.fill()
        second = world.card("Does not fit", "flood 1", "write b.txt b")
        second.moved_to("Development")
        await second.says("❌ failed", "No space left on device")
        await second.reaches("Attention")
        volume.free()
        third = world.card("Fits again", "write c.txt c", "summary Wrote it.")
        third.moved_to("Development")
        await third.reaches("Review")
        await world.is_quiet()
        made = world.made()
        await world.close()

    assert developed(first, third) <= made
    assert world.tracebacks() == []
