"""What strangers send or leave unread is bounded, and GitHub gets in all the same."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from tests.web.door import Door, head, headers_of, opened, read_answer
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database
from vibeboard.web.door import Room, _form, _look

BODY = b'{"action": "closed"}'
KIB = 1024
ROOM = Room(ordinary=100, odd=100, parting=0.3)


@pytest.fixture
async def store(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Database]:
    """A database; nothing that strangers do is an error in the log."""
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    yield database
    await database.close()
    broken = [
        record
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR
    ]
    assert not broken, broken


def request(
    body: bytes = BODY,
    *,
    announced: int | None = None,
    signature: str | None = None,
    odd: bool = False,
) -> bytes:
    """A delivery; ``odd`` ones are for aiohttp."""
    length = str(len(body) if announced is None else announced)
    headers = [*headers_of(body, signature=signature), ("Content-Length", length)]
    if odd:
        headers.append(("Connection", "keep-alive"))
    return head("POST", "/webhook", headers) + body


class Crowd:
    """Strangers, each on a connection that stays open."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._stack = AsyncExitStack()
        self.readers: list[asyncio.StreamReader] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def grow(self, number: int, sent: bytes) -> None:
        """Let more of them connect and send this."""
        for _ in range(number):
            connected = self._door.connected()
            reader, writer = await self._stack.enter_async_context(connected)
            self.readers.append(reader)
            if sent:
                writer.write(sent)
                await writer.drain()

    async def hears(self) -> Sequence[bytes | None]:
        """What each was told before it was closed; None if it was not."""
        return await asyncio.gather(*(_heard(reader) for reader in self.readers))


async def _heard(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await asyncio.wait_for(reader.read(), 0.3)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


# --- Halves of requests ---------------------------------------------------------


async def test_halves_of_bodies_share_one_allowance_and_the_largest_has_to_go(
    store: Database,
) -> None:
    half = request(bytes(60 * KIB), announced=900 * KIB)
    async with (
        opened(store, most_arriving=1000 * KIB, room=ROOM) as door,
        Crowd(door) as crowd,
    ):
        await crowd.grow(50, half)
        told = await crowd.hears()

        assert told.count(None) <= 16
        refused = [one for one in told if one is not None]
        assert all(one.startswith(b"HTTP/1.1 503 ") for one in refused)
        # What is small finds room, in as many pieces as it comes.
        whole = request(bytes(20 * KIB))
        async with door.connected() as (reader, writer):
            for at in range(0, len(whole), 4 * KIB):
                writer.write(whole[at : at + 4 * KIB])
                await asyncio.sleep(0.01)
            assert (await read_answer(reader)).status == 202


async def test_what_left_or_was_given_up_takes_no_room(store: Database) -> None:
    half = request(bytes(90 * KIB), announced=900 * KIB)
    async with opened(store, most_arriving=100 * KIB, deadline=0.2, room=ROOM) as door:
        for _ in range(3):
            async with door.connected() as (_, writer):
                writer.write(half)
                await writer.drain()
        async with Crowd(door) as crowd:
            for _ in range(3):
                await crowd.grow(1, half)
                await asyncio.sleep(0.3)
            told = await crowd.hears()
        # And nothing of what was taken is still counted.
        for _ in range(3):
            assert (await door.send(bytes(90 * KIB))).status == 202

    assert {one and one[:13] for one in told} == {b"HTTP/1.1 408 "}


async def test_large_bodies_leave_some_of_the_allowance_to_ordinary_ones(
    store: Database,
) -> None:
    large = request(bytes(300 * KIB), announced=3000 * KIB, odd=True)
    async with (
        opened(
            store, most_arriving=1000 * KIB, room=replace(ROOM, parting=0.1)
        ) as door,
        Crowd(door) as crowd,
    ):
        await crowd.grow(4, large)
        told = await crowd.hears()

        assert len([one for one in told if one]) >= 1
        assert all(one.startswith(b"HTTP/1.1 503 ") for one in told if one)
        assert (await door.send(bytes(200 * KIB))).status == 202


async def test_who_hangs_up_amid_a_large_body_is_no_error(store: Database) -> None:
    large = request(bytes(30 * KIB), announced=3000 * KIB, odd=True)
    async with opened(store, room=ROOM) as door:
        async with Crowd(door) as crowd:
            await crowd.grow(3, large)
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)
        assert (await door.send(BODY)).status == 202


# --- Connections ----------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_who_begins_an_odd_request_has_to_end_it_in_time(
    store: Database, sent: bytes
) -> None:
    async with opened(store, deadline=0.3, room=ROOM) as door:
        async with Crowd(door) as crowd:
            await crowd.grow(3, sent)
            await asyncio.sleep(0.5)
            told = await crowd.hears()
        assert {one and one[:13] for one in told} == {b"HTTP/1.1 408 "}

        # Whoever made a whole one in time is none of them.
        async with door.connected() as (reader, writer):
            for _ in range(2):
                writer.write(head("GET", "/healthz", []))
                assert (await read_answer(reader)).status == 200
                await asyncio.sleep(0.5)


@pytest.mark.parametrize("sent", [b"", head("GET", "/healthz", [])])
async def test_an_idle_connection_is_closed_by_either_way(
    store: Database, sent: bytes
) -> None:
    room = replace(ROOM, idle=0.3)
    async with (
        opened(store, deadline=0.4, room=room) as door,
        Crowd(door) as crowd,
    ):
        await crowd.grow(3, sent)
        await asyncio.sleep(0.6)
        assert None not in await crowd.hears()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"POST /web", id="half a request"),
        pytest.param(request(signature="no"), id="refused"),
        pytest.param(b"G", id="half an odd request"),
        pytest.param(head("GET", "/healthz", []), id="idle after an odd request"),
    ],
)
async def test_of_too_many_connections_the_oldest_strangers_leave(
    store: Database, sent: bytes
) -> None:
    room = replace(ROOM, ordinary=20, odd=20, parting=60.0)
    async with opened(store, room=room) as door, door.connected() as (reader, writer):
        # GitHub's own connection is the oldest, and stays.
        writer.write(request())
        assert (await read_answer(reader)).status == 202
        async with Crowd(door) as crowd:
            for _ in range(8):
                await crowd.grow(10, sent)
                assert (await door.send(BODY)).status == 202
                alive = await door.send(b"", [], path="/healthz", method="GET")
                assert alive.status == 200
            told = await crowd.hears()
            writer.write(request())
            assert (await read_answer(reader)).status == 202

    assert told.count(None) <= 20
    if sent != request(signature="no"):
        assert None not in told[:50]


async def test_a_large_delivery_that_is_being_stored_is_not_cut_off(
    store: Database,
) -> None:
    room = replace(ROOM, odd=5)
    async with opened(store, room=room) as door, door.connected() as (reader, writer):
        async with store.engine.begin() as holding:
            await holding.exec_driver_sql("UPDATE delivery SET hook = hook")
            writer.write(request(odd=True))
            await asyncio.sleep(0.1)
            async with Crowd(door) as crowd:
                await crowd.grow(20, b"G")
        assert (await read_answer(reader)).status == 202


# --- Answers that nobody reads --------------------------------------------------


async def test_a_refusal_is_the_last_answer_however_many_requests_follow(
    store: Database,
) -> None:
    async with opened(store, room=ROOM) as door:
        for requests in (
            request(signature="no") * 2000,
            request() + request(signature="no") * 2000,
            request(signature="no", odd=True),
        ):
            async with door.connected() as (reader, writer):
                writer.write(requests)
                told = await asyncio.wait_for(reader.read(), 2)
                answers = told.split(b"HTTP/1.1 ")[1:]
                assert answers[-1].startswith(b"401 ")
                assert b"connection: close\r\n" in answers[-1].lower()
                assert len(answers) <= 2
        assert len(await door.rows()) == 1


async def test_many_deliveries_at_once_are_each_answered(store: Database) -> None:
    async with (
        opened(store, room=ROOM) as door,
        door.connected() as (reader, writer),
    ):
        writer.write(b"".join(request() for _ in range(500)))
        answers = [await read_answer(reader) for _ in range(500)]

    assert {answer.status for answer in answers} == {202}


async def test_who_reads_no_answers_is_closed(store: Database) -> None:
    again = request() * 3000
    async with opened(store, room=ROOM, buffer=4 * KIB) as door:
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KIB)
            stranger.setblocking(False)  # noqa: FBT003 - its only argument
            loop = asyncio.get_running_loop()
            await loop.sock_connect(stranger, ("127.0.0.1", door.port))

            async def send_for_ever() -> None:
                while True:
                    await loop.sock_sendall(stranger, again)

            with pytest.raises(ConnectionError):
                await asyncio.wait_for(send_for_ever(), 3)
        assert (await door.send(BODY)).status == 202


async def test_who_does_not_leave_after_a_refusal_is_put_out(store: Database) -> None:
    async with (
        opened(store, deadline=0.4, room=ROOM) as door,
        door.connected() as (reader, writer),
    ):
        writer.write(request(signature="no"))
        assert (await read_answer(reader)).status == 401

        async def send_for_ever() -> None:
            while True:
                writer.write(bytes(64 * KIB))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(send_for_ever(), 2)


@pytest.mark.parametrize(
    ("change", "into", "seen"),
    [
        (b": 1\r\n", b":  1 \r\n", True),
        (b"issues", b"X-GitHub-Event: push", True),
        (b"issues", b"", True),
        (b": 20\r\n\r\n", b": 020\r\n\r\n", True),
        (b": 20\r\n\r\n", b": +20\r\n\r\n", False),
        (b": 20\r\n\r\n", b": 12345678\r\n\r\n", False),
        (b": 20\r\n\r\n", b": 9999999\r\n\r\n", False),
        (b": 20\r\n\r\n", b": 20\r\nHost: b\r\n\r\n", False),
        (b": 20\r\n\r\n", b": 20\r\n", False),
        (b"issues", b"\x7f", False),
        (b"issues", b"a\tb", False),
        (b"issues", b"a\r\nX-More: b", False),
        (b"issues", b"a\nX-More: b", False),
        (b"X-GitHub-Event", b"x-github-event", False),
        (b"X-GitHub-Event", b"X-GitHub-Delivery", False),
        (b"Content-Type", b"Content-Encoding", False),
        (b"/webhook", b"/webhooks", False),
    ],
)
def test_the_usual_head_is_read_as_any_other(
    change: bytes, into: bytes, *, seen: bool
) -> None:
    given = request()
    assert change in given
    usual = _form(given.removesuffix(BODY))
    changed = given.replace(change, into, 1)

    found = usual.look(changed)

    assert (found is not None) is seen
    assert found in (None, _look(changed))


async def test_what_is_usual_is_learned_from_who_signs_alone(store: Database) -> None:
    async with opened(store) as door:
        doors = door.doors
        assert (await door.send(BODY, headers_of(BODY, signature=""))).status == 401
        assert doors.usual is None

        assert (await door.send(BODY)).status == 202
        first = doors.usual
        given = [*headers_of(BODY), ("X-Forwarded-For", "10.0.0.1")]
        assert (await door.send(BODY, given)).status == 202
        second = doors.usual
        assert (await door.send(BODY)).status == 202

        assert first is not None
        assert doors.usual is first is not second
