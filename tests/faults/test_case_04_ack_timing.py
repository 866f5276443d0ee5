"""Case 4: nobody is told "stored" before it is, whoever is slow or leaves."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import quantiles

import pytest
from sqlalchemy import func, select

from tests.faults.doors import OwnDoor, served
from tests.store.trouble import held, refusing
from tests.web.door import Answer, head, headers_of, opened, read_answer
from vibeboard.store.database import Database
from vibeboard.store.schema import delivery
from vibeboard.web.webhook import READ_DEADLINE

BODY = b'{"action": "closed"}'
LONGER_THAN_GITHUB_WAITS = 10.5  # seconds


@pytest.mark.thorough
async def test_case_04_a_slow_commit_is_waited_for(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        await door.send(BODY)
        async with held(database) as holder:
            answer = asyncio.create_task(door.send(BODY))
            for seconds in (3, LONGER_THAN_GITHUB_WAITS - 3):
                done, _ = await asyncio.wait([answer], timeout=seconds)
                assert not done
                assert await holder.scalar(select(func.count(delivery.c.id))) == 1
        assert (await answer).status == 202
        assert len(await door.rows()) == 2
    assert door.said == ""


async def test_case_04_a_commit_that_fails_is_told_and_may_be_tried_again(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        headers = headers_of(BODY)
        async with refusing(database):
            answers = await asyncio.gather(
                door.send(BODY, headers), *(door.send(BODY) for _ in range(9))
            )
            assert {answer.status for answer in answers} == {503}
            assert not any("secret" in answer.text for answer in answers)
            assert await door.rows() == []
        assert (await door.send(BODY, headers)).status == 202


async def test_case_04_who_leaves_at_any_byte_leaves_a_whole_delivery_or_none(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        whole = _whole(guid="once")
        for sent in range(len(whole)):
            async with door.connected() as (_, writer):
                writer.write(whole[:sent])
                await writer.drain()
        assert await door.rows() == []

        async with door.connected() as (_, writer):
            writer.write(whole)
            await writer.drain()

        again = await door.send(BODY, headers_of(BODY, guid="once"))
        assert again.status in (200, 202)
        assert [row.body for row in await door.rows()] == [BODY]
    assert door.said == ""


async def test_case_04_a_request_in_any_two_pieces_is_the_same_request(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door, door.connected() as (reader, writer):
        whole = _whole(guid="g")
        for cut in range(1, len(whole)):
            one = whole.replace(b"Delivery: g", b"Delivery: g%d" % cut)
            writer.write(one[:cut])
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(one[cut:])
            assert (await read_answer(reader)).status == 202
        # And many in one piece are answered in their order.
        guids = [f"h{number}" for number in range(50)]
        writer.write(b"".join(_whole(guid=guid) for guid in guids))
        answers = [await read_answer(reader) for _ in guids]

    assert [answer.json["delivery"] for answer in answers] == guids
    assert {answer.status for answer in answers} == {202}
    assert door.said == ""


async def test_case_04_two_hundred_who_trickle_hold_up_nobody(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door, AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(door.connected()) for _ in range(200)
        ]
        whole = _whole(guid="slow")
        for number, (_, writer) in enumerate(connections):
            writer.write(whole[: number % (len(whole) - 1) + 1])

        times = await _a_hundred_a_second(door)
        slow = [_end_of(reader) for reader, _ in connections]
        answers = await asyncio.wait_for(asyncio.gather(*slow), 12)

        assert quantiles(times, n=100)[98] < READ_DEADLINE / 2
        assert {answer.status for answer in answers} == {408}
        assert len(await door.rows()) == len(times)
    assert door.said == ""


async def test_case_04_thousands_of_refusals_in_one_piece_harm_nobody(
    database: Database, tmp_path: Path
) -> None:
    unsigned = head("POST", "/webhook", [("Content-Length", "0")])
    async with served(database, tmp_path) as door:
        for _ in range(5):
            async with door.connected() as (reader, writer):
                writer.write(unsigned * 5000)
                assert (await _end_of(reader)).status == 401
        assert (await door.send(BODY)).status == 202
        assert len(await door.rows()) == 1
    assert door.said == ""


async def test_case_04_the_deadline_counts_from_the_first_byte(
    database: Database,
) -> None:
    loop = asyncio.get_running_loop()
    async with opened(database, deadline=1.0) as door:
        for sent in _some_of(_whole(guid="slow")):
            async with door.connected() as (reader, writer):
                begun = loop.time()
                for byte in sent:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0)
                answer = await _end_of(reader)
                assert answer.status == 408
                assert loop.time() - begun < 3


def _whole(*, guid: str) -> bytes:
    headers = [*headers_of(BODY, guid=guid), ("Content-Length", str(len(BODY)))]
    return head("POST", "/webhook", headers) + BODY


def _some_of(whole: bytes) -> Iterator[bytes]:
    for length in (1, 30, len(whole) - len(BODY) - 1, len(whole) - 1):
        yield whole[:length]


async def _end_of(reader: asyncio.StreamReader) -> Answer:
    answer = await read_answer(reader)
    assert await reader.read() == b""
    return answer


async def _a_hundred_a_second(door: OwnDoor) -> list[float]:
    """How long each of a second's answers took."""
    loop = asyncio.get_running_loop()

    async def timed() -> float:
        begun = loop.time()
        assert (await door.send(BODY)).status == 202
        return loop.time() - begun

    async with asyncio.TaskGroup() as group:
        tasks = []
        for _ in range(100):
            tasks.append(group.create_task(timed()))
            await asyncio.sleep(0.01)
    return [task.result() for task in tasks]
