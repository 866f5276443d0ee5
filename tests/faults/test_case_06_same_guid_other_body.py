"""Case 6: a GUID is one hook's; whoever reuses it with another body is flagged."""

import asyncio
from pathlib import Path

from tests.faults.doors import served
from tests.web.door import headers_of
from vibeboard.store.database import Database

BODY = b'{"action": "closed"}'
OTHER = b'{"action": "reopened"}'


async def test_case_06_the_guid_of_another_hook_is_another_delivery(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        answers = await asyncio.gather(
            *(
                door.send(body, headers_of(body, guid="shared", hook=hook))
                for hook, body in (("1", BODY), ("2", BODY), ("3", OTHER))
            )
        )

    assert {answer.status for answer in answers} == {202}
    rows = await door.rows()
    assert {(row.hook, row.body) for row in rows} == {
        ("1", BODY),
        ("2", BODY),
        ("3", OTHER),
    }
    assert not any(row.conflict for row in rows)


async def test_case_06_another_body_is_kept_out_and_flagged(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        first = await door.send(BODY, headers_of(BODY, guid="same"))
        second = await door.send(OTHER, headers_of(OTHER, guid="same"))
        third = await door.send(BODY, headers_of(BODY, guid="same"))

    assert (first.status, first.json["kept"]) == (202, "new")
    assert (second.status, second.json["kept"]) == (200, "conflict")
    assert (third.status, third.json["kept"]) == (200, "duplicate")
    (row,) = await door.rows()
    assert (row.body, row.conflict, row.state) == (BODY, True, "received")
    assert door.said.count("same delivery, other body") == 1
