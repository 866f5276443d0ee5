"""Case 5: the same delivery a hundred times is one delivery."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.doors import served
from tests.web.door import headers_of
from vibeboard.store import migrate
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
