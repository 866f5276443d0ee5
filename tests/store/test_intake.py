"""Deliveries go in as they came, in groups that share a flush, on both databases."""

import asyncio
import os
import random
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Row, select, text

from tests.conftest import HandClock
from tests.store.keeping import kept
from tests.store.trouble import held, refusing
from vibeboard.engine.ports import Kept
from vibeboard.errors import RetryLater
from vibeboard.store import line, schema, sqlite_intake
from vibeboard.store.bodies import PLAIN, ZSTD, unpack
from vibeboard.store.database import Database
from vibeboard.store.intake import Intake, open_intake

LARGEST = 25 * 1024 * 1024


@dataclass
class Mouth:
    """An intake, and what it did to the table."""

    database: Database
    woken: int = 0
    intake: Intake = field(init=False)

    def wake(self) -> None:
        self.woken += 1

    async def keep(
        self, guid: str, body: bytes = b"{}", *, hook: str = "1", event: str = "issues"
    ) -> Kept:
        headers = {"X-GitHub-Event": event}
        return await kept(
            self.intake, hook=hook, guid=guid, event=event, headers=headers, body=body
        )

    async def rows(self) -> list[Row[tuple[object, ...]]]:
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(
                select(schema.delivery).order_by(schema.delivery.c.id)
            )
            return list(rows)


@pytest.fixture
async def mouth(database: Database) -> AsyncIterator[Mouth]:
    opened = Mouth(database)
    opened.intake = open_intake(database, HandClock(), opened.wake)
    yield opened
    await opened.intake.close()


async def test_a_delivery_waits_for_its_sorting_as_it_came(mouth: Mouth) -> None:
    assert await mouth.keep("g1", b'{"a": 1}', hook="7", event="push") is Kept.NEW

    (row,) = await mouth.rows()
    assert (row.hook, row.guid, row.event) == ("7", "g1", "push")
    assert row.headers == {"X-GitHub-Event": "push"}
    assert (row.state, row.conflict, row.ordering_key) == ("received", False, None)
    assert row.received_at.tzinfo is not None
    assert mouth.woken == 1


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        pytest.param(b"", PLAIN, id="nothing"),
        pytest.param(b"\0", PLAIN, id="NUL"),
        pytest.param(b"\xff\xfe\x00\x80" * 1000, ZSTD, id="no text"),
        pytest.param(random.Random(1).randbytes(9000), PLAIN, id="noise"),  # noqa: S311 - the same each time
        pytest.param(b"x" * 511, PLAIN, id="too small to be compressed"),
        pytest.param(b'{"a": "\xc3\xa9"}' * 5000, ZSTD, id="JSON"),
    ],
)
async def test_a_body_is_kept_byte_for_byte(
    mouth: Mouth, body: bytes, encoding: int
) -> None:
    await mouth.keep("g1", body)

    (row,) = await mouth.rows()
    assert row.encoding == encoding
    assert unpack(row.encoding, row.body) == body


async def test_githubs_largest_goes_in_beside_small_ones(mouth: Mouth) -> None:
    noise = random.Random(2).randbytes(LARGEST // 2)  # noqa: S311 - no secret
    bodies = [noise + noise, b"{}", b"z" * LARGEST]

    await asyncio.gather(*(mouth.keep(f"g{n}", b) for n, b in enumerate(bodies)))

    kept = {row.guid: unpack(row.encoding, row.body) for row in await mouth.rows()}
    assert [kept[f"g{n}"] for n in range(3)] == bodies


async def test_what_waits_together_shares_a_flush_and_wakes_once(mouth: Mouth) -> None:
    async with held(mouth.database):
        waiting = [asyncio.ensure_future(mouth.keep(f"g{n}")) for n in range(100)]
        # One group per connection is under way, and all others wait behind.
        await asyncio.sleep(0)

    assert set(await asyncio.gather(*waiting)) == {Kept.NEW}
    assert len(await mouth.rows()) == 100
    assert mouth.intake.groups == mouth.woken < 20


async def test_copies_in_one_group_are_one_delivery(mouth: Mouth) -> None:
    async with held(mouth.database):
        waiting = [asyncio.ensure_future(mouth.keep("same")) for _ in range(50)]
        waiting += [asyncio.ensure_future(mouth.keep("same", b"[]"))]
        waiting += [asyncio.ensure_future(mouth.keep(f"g{n}")) for n in range(10)]
        await asyncio.sleep(0)

    outcomes = await asyncio.gather(*waiting)

    assert outcomes.count(Kept.NEW) == 11
    assert outcomes.count(Kept.DUPLICATE) == 49
    assert outcomes[50] is Kept.CONFLICT
    same, *others = sorted(await mouth.rows(), key=lambda row: row.guid != "same")
    assert (same.body, same.conflict) == (b"{}", True)
    assert not any(row.conflict for row in others)


async def test_what_is_known_wakes_nobody(mouth: Mouth) -> None:
    large, other = b"[1]" * 1000, b"[2]" * 1000
    outcomes = [await mouth.keep("g1", body) for body in (large, large, other, large)]

    assert outcomes == [Kept.NEW, Kept.DUPLICATE, Kept.CONFLICT, Kept.DUPLICATE]
    assert mouth.woken == 1
    (row,) = await mouth.rows()
    assert unpack(row.encoding, row.body) == large
    assert row.conflict
    assert await mouth.keep("g1", other, hook="2") is Kept.NEW


async def test_a_group_that_cannot_be_stored_is_refused_whole(mouth: Mouth) -> None:
    async with refusing(mouth.database):
        refused = await asyncio.gather(
            *(mouth.keep(f"g{n}") for n in range(20)), return_exceptions=True
        )
        assert all(isinstance(one, Exception) for one in refused)
        assert await mouth.rows() == []

    assert await mouth.keep("g1") is Kept.NEW
    assert mouth.woken == 1


async def test_one_that_cannot_be_stored_does_not_keep_the_others_out(
    mouth: Mouth,
) -> None:
    async with refusing(mouth.database, guid="poison"):
        outcomes = await asyncio.gather(
            *(mouth.keep(guid) for guid in ("g1", "poison", "g2")),
            return_exceptions=True,
        )

    assert (outcomes[0], outcomes[2]) == (Kept.NEW, Kept.NEW)
    assert isinstance(outcomes[1], Exception)
    assert sorted(row.guid for row in await mouth.rows()) == ["g1", "g2"]


async def test_who_leaves_while_it_is_stored_takes_nothing_back(mouth: Mouth) -> None:
    async with held(mouth.database):
        waiting = asyncio.ensure_future(mouth.keep("g1"))
        await asyncio.sleep(0)
        waiting.cancel()
    await mouth.intake.close()

    assert [row.guid for row in await mouth.rows()] == ["g1"]


async def test_too_much_is_refused_and_then_taken_again(
    mouth: Mouth, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "MOST_WAITING", 1000)
    async with held(mouth.database):
        waiting = asyncio.ensure_future(mouth.keep("g1", b"x" * 900))
        await asyncio.sleep(0)
        with pytest.raises(RetryLater):
            await mouth.keep("g2", b"x" * 101)

    assert await waiting is Kept.NEW
    assert await mouth.keep("g2", b"x" * 101) is Kept.NEW


async def test_closing_stores_what_waits_and_takes_no_more(mouth: Mouth) -> None:
    async with held(mouth.database):
        waiting = [asyncio.ensure_future(mouth.keep(f"g{n}")) for n in range(30)]
        await asyncio.sleep(0)
    await mouth.intake.close()

    assert set(await asyncio.gather(*waiting)) == {Kept.NEW}
    assert len(await mouth.rows()) == 30
    with pytest.raises(RetryLater):
        await mouth.keep("late")


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priorities here")
async def test_who_copies_the_write_ahead_log_gives_way_to_the_others(
    mouth: Mouth,
) -> None:
    if mouth.database.path is None:
        return  # PostgreSQL sees to its own
    await mouth.keep("g1")

    nice = {
        thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
        for thread in threading.enumerate()
    }

    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert nice["copier"] == min(19, ours + 5)
    assert nice["intake"] == ours


@pytest.mark.parametrize("allowed", [True, False])
async def test_the_write_ahead_log_begins_anew_while_deliveries_come(
    database: Database, monkeypatch: pytest.MonkeyPatch, *, allowed: bool
) -> None:
    if database.path is None:
        return  # PostgreSQL sees to its own
    if not allowed:
        monkeypatch.setattr(os, "setpriority", _forbidden)
    mouth = Mouth(database)
    mouth.intake = open_intake(database, HandClock(), mouth.wake)
    monkeypatch.setattr(line, "_MOST_ROWS", 4)
    monkeypatch.setattr(sqlite_intake, "_COPY", 32)
    monkeypatch.setattr(sqlite_intake, "_LONG", 128)
    noise = random.Random(3)  # noqa: S311 - no secret
    sent = {f"g{n}": noise.randbytes(3000) for n in range(2000)}

    # The writer has no rest in which the log could be copied to its end.
    await asyncio.gather(*(mouth.keep(guid, body) for guid, body in sent.items()))

    rows = {row.guid: row.body for row in await mouth.rows()}
    log, whole = size(Path(f"{database.path}-wal")), size(database.path)
    await mouth.intake.close()

    assert rows == sent
    assert log < whole / 2


@pytest.mark.parametrize("trouble", [sqlite3.OperationalError, MemoryError])
async def test_a_log_that_cannot_be_copied_keeps_nobody_waiting(
    mouth: Mouth, monkeypatch: pytest.MonkeyPatch, trouble: type[Exception]
) -> None:
    def fails(_: sqlite3.Connection) -> int:
        raise trouble

    monkeypatch.setattr(line, "_MOST_ROWS", 4)
    monkeypatch.setattr(sqlite_intake, "_COPY", 32)
    monkeypatch.setattr(sqlite_intake, "_LONG", 128)
    monkeypatch.setattr(sqlite_intake, "_copy", fails)

    async with asyncio.timeout(20):
        told = await asyncio.gather(*(mouth.keep(f"g{n}") for n in range(300)))

    assert set(told) == {Kept.NEW}


def _forbidden(*_: object) -> None:
    raise PermissionError


def size(path: Path) -> int:
    return path.stat().st_size


async def test_a_lost_connection_costs_one_group(mouth: Mouth) -> None:
    if mouth.database.is_sqlite:
        return  # it has no connection to lose
    await mouth.keep("g1")
    async with mouth.database.engine.begin() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )

    outcomes = [await _tried(mouth, f"h{n}") for n in range(6)]

    assert outcomes[-1] is Kept.NEW
    assert sum(isinstance(one, Exception) for one in outcomes) <= 2


async def _tried(mouth: Mouth, guid: str) -> Kept | Exception:
    try:
        return await mouth.keep(guid)
    except Exception as error:  # noqa: BLE001 - whatever the driver says
        return error
