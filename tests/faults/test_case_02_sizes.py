"""Case 2: everything up to GitHub's largest comes in, beyond it nothing does."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

from tests.faults.doors import OwnDoor, served
from tests.web.door import Answer, head, headers_of
from vibeboard.store.database import Database

MIB = 1024 * 1024
LARGEST = 25 * MIB


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - no secret


async def test_case_02_large_deliveries_are_kept_byte_for_byte(
    database: Database, tmp_path: Path
) -> None:
    bodies = [noise(int(1.1 * MIB)), noise(10_000_000), noise(int(24.9 * 1e6))]
    bodies += [b"x" * LARGEST, b""]
    async with served(database, tmp_path) as door:
        answers = [await door.send(body) for body in bodies]
        chunked = [await door.send(body, chunked=1 << 20) for body in bodies[2:]]
        assert {answer.status for answer in (*answers, *chunked)} == {202}
        tiny = b'{"one": "byte a chunk"}' * 40
        assert (await door.send(tiny, chunked=1)).status == 202

    assert [row.body for row in await door.rows()] == [*bodies, *bodies[2:], tiny]
    assert door.said == ""


async def test_case_02_what_is_larger_is_refused_and_costs_no_memory(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        await door.send(b"{}")
        door.forget_the_most()
        before = door.memory()
        async with asyncio.TaskGroup() as group:
            stalls = group.create_task(_longest_wait(door))
            announced = await door.send(b"", headers_of(b""), length=26 * MIB + 1)
            came = await door.send(bytes(30_000_000), chunked=1 << 20)
            stalls.cancel()
        grown = door.memory() - before

        assert (announced.status, came.status) == (413, 413)
        assert grown < 64 * MIB
        assert (await door.send(b"[]")).status == 202
        assert len(await door.rows()) == 2
    assert door.said == ""


async def test_case_02_many_large_ones_at_once_are_kept_or_told_to_come_again(
    database: Database, tmp_path: Path
) -> None:
    async with served(database, tmp_path) as door:
        await door.send(b"{}")
        body = b"y" * LARGEST

        answers: list[Answer] = await asyncio.gather(
            *(door.send(body, chunked=1 << 20) for _ in range(12))
        )

        assert {answer.status for answer in answers} <= {202, 503}
        taken = sum(answer.status == 202 for answer in answers)
        assert taken > 0
        assert len(await door.rows()) == 1 + taken
    assert "Traceback" not in door.said


async def test_case_02_halves_of_unsigned_bodies_share_a_bounded_memory(
    database: Database, tmp_path: Path
) -> None:
    half = head("POST", "/webhook", [("Content-Length", str(MIB))]) + bytes(MIB - 1)
    async with served(database, tmp_path) as door, AsyncExitStack() as stack:
        await door.send(b"{}")
        door.forget_the_most()
        before = door.memory()
        for _ in range(400):
            _, writer = await stack.enter_async_context(door.connected())
            writer.write(half)
            await writer.drain()
        answer = await door.send(noise(300_000))
        grown = door.memory() - before

        assert answer.status == 202
        # 200 MiB are shared; 400 halves are twice as much.
        assert grown < 280 * MIB
    assert door.said == ""


async def _longest_wait(door: OwnDoor) -> None:
    """Fail if the loop ever stands still for long; until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        asked = loop.time()
        await door.send(b"", [], path="/healthz", method="GET")
        # 100 ms on a quiet machine; tests share theirs with other tests.
        assert loop.time() - asked < 1
