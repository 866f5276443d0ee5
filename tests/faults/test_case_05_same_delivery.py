"""Case 5: the same delivery a hundred times is one delivery."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from localhub.webhooks import COURIER
from tests.faults.doors import served
from tests.faults.worlds import Doomed, developed
from tests.web.door import headers_of
from vibeboard.store import migrate, schema
from vibeboard.store.database import Database, open_database

BODY = b'{"action": "closed"}'


async def test_case_05_a_hundred_at_once_and_after_a_restart_are_kept_once(
    database: Database, tmp_path: Path
) -> None:
    headers = headers_of(BODY, guid="same")
    async with served(database, tmp_path) as door:
        answers = await asyncio.gather(*(door.send(BODY, headers) for _ in range(100)))
    async with served(database, tmp_path) as again:
        later = await again.send(BODY, headers)

    assert sorted(answer.status for answer in answers) == [200] * 99 + [202]
    assert (later.status, later.json["kept"]) == (200, "duplicate")
    (row,) = await door.rows()
    assert not row.conflict


@pytest.mark.postgres
async def test_case_05_two_processes_keep_it_once(
    postgres_url: str, tmp_path: Path
) -> None:
    database = open_database(postgres_url)
    migrate.upgrade(database)
    guids = [f"g{number}" for number in range(20)]
    async with (
        served(database, tmp_path) as one,
        served(database, tmp_path) as two,
    ):
        answers = await asyncio.gather(
            *(
                door.send(BODY, headers_of(BODY, guid=guid))
                for _ in range(5)
                for guid in guids
                for door in (one, two)
            )
        )

    assert {answer.status for answer in answers} == {200, 202}
    assert sum(answer.status == 202 for answer in answers) == len(guids)
    assert sorted(row.guid for row in await one.rows()) == sorted(guids)
    assert {one.said, two.said} <= {""}
    await database.close()


def grow_older(world: Doomed, by: timedelta) -> None:
    """Let everything in the server's database have happened earlier."""
    database = open_database(world.database_url)
    for table, *times in (
        (schema.delivery, "received_at", "settled_at"),
        (schema.run, "created_at", "changed_at"),
        (schema.effect, "performed_at"),
    ):
        (key,) = table.primary_key.columns
        with database.sync_engine.begin() as connection:
            for row in connection.execute(select(table)).all():
                values = {
                    name: row._mapping[name] - by
                    for name in times
                    if row._mapping[name] is not None
                }
                change = update(table).where(key == row._mapping[key.name])
                connection.execute(change.values(**values))
    database.sync_engine.dispose()


@pytest.mark.thorough
async def test_case_05_three_days_later_it_is_still_the_same(doomed: Doomed) -> None:
    doomed.settings |= {"keep_deliveries_days": "4"}
    await doomed.serve()
    card = doomed.card("Once", "write a.txt a", "summary Wrote it.")
    card.moved_to("Development")
    await card.reaches("Review")
    await doomed.is_quiet()
    await doomed.end()
    grow_older(doomed, timedelta(days=3, hours=1))

    await doomed.serve()
    courier = doomed.running.runner.app[COURIER]
    sent = list(doomed.hub.deliveries)
    for one in sent * 3:
        courier.redeliver(one)
    await doomed.is_quiet()

    again = [one for one in doomed.hub.deliveries if one.redelivery]
    assert len(again) == 3 * len(sent)
    assert {one.status_code for one in again} == {200}
    assert doomed.made() == developed(card)
    assert len(doomed.runs_kept()) == 1
