"""Case 3: what cannot be understood is kept; what is encoded is not even read."""

import gzip
import zlib
from pathlib import Path

from tests.faults.doors import served
from tests.web.door import headers_of
from tests.web.test_webhook import HOSTILE
from vibeboard.store.database import Database

BOMB = bytes(200_000_000)


async def test_case_03_encoded_bodies_are_refused_unread(
    database: Database, tmp_path: Path
) -> None:
    packed = {"gzip": gzip.compress(BOMB), "deflate": zlib.compress(BOMB)}
    async with served(database, tmp_path) as door:
        await door.send(b"{}")
        door.forget_the_most()
        before = door.memory()
        for coding, body in packed.items():
            headers = [*headers_of(body), ("Content-Encoding", coding)]
            assert (await door.send(body, headers)).status == 415
            # GitHub signs what it sends; a signature over the plain bytes is no better.
            headers = [*headers_of(BOMB), ("Content-Encoding", coding)]
            assert (await door.send(body, headers)).status == 415

        assert door.memory() - before < 64 * 1024 * 1024
        assert len(await door.rows()) == 1
    assert door.said == ""


async def test_case_03_hostile_bodies_are_one_row_each_and_no_failure(
    database: Database, tmp_path: Path
) -> None:
    kinds = ("application/json; charset=zzz", "application/x-www-form-urlencoded", "?")
    async with served(database, tmp_path) as door:
        for event in ("issues", "ping", "zebra"):
            for body in HOSTILE.values():
                answer = await door.send(body, headers_of(body, event=event))
                assert answer.status == 202
        for kind in kinds:
            bare = headers_of(b"a=b", without=["Content-Type"])
            answer = await door.send(b"a=b", [*bare, ("Content-Type", kind)])
            assert answer.status == 202

        rows = await door.rows()
        assert len(rows) == 3 * len(HOSTILE) + len(kinds)
        assert {row.body for row in rows} == {*HOSTILE.values(), b"a=b"}
    assert door.said == ""
