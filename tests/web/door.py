"""The webhook behind a real server on a real database, and raw HTTP to attack it."""

import asyncio
import hashlib
import hmac
import itertools
import json
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from aiohttp import web
from sqlalchemy import delete, select, text

from tests.conftest import HandClock
from vibeboard.github.signature import verify
from vibeboard.store import schema
from vibeboard.store.bodies import unpack
from vibeboard.store.database import Database
from vibeboard.store.intake import open_intake
from vibeboard.web.door import Doors, Room
from vibeboard.web.server import make_runner
from vibeboard.web.webhook import MOST_ARRIVING, Webhook

SECRET = b"the secret in use"
NEXT_SECRET = b"the secret that will replace it"
_NUMBERS = itertools.count(1)

Headers = Iterable[tuple[str, str | bytes]]


def sign(body: bytes, secret: bytes = SECRET) -> str:
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def headers_of(
    body: bytes,
    *,
    guid: str | None = None,
    event: str = "issues",
    hook: str = "1",
    signature: str | bytes | None = None,
    without: Sequence[str] = (),
) -> list[tuple[str, str | bytes]]:
    """The headers GitHub sends, all but those left out."""
    given: list[tuple[str, str | bytes]] = [
        ("Content-Type", "application/json"),
        ("X-GitHub-Event", event),
        ("X-GitHub-Delivery", guid or f"guid-{next(_NUMBERS)}"),
        ("X-GitHub-Hook-ID", hook),
        ("X-Hub-Signature-256", sign(body) if signature is None else signature),
    ]
    return [(name, value) for name, value in given if name not in without]


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Door:
    """A served webhook."""

    port: int
    database: Database
    through_aiohttp: bool = False
    woken: int = 0
    doors: Doors = field(init=False)

    async def out_of_order(self, *, broken: bool) -> None:
        """Let the database refuse every delivery, or take them again."""
        statement = (
            "CREATE TRIGGER broken BEFORE INSERT ON delivery BEGIN "
            "SELECT RAISE(ROLLBACK, 'out of order: /secret/path'); END"
        )
        async with self.database.engine.begin() as connection:
            await connection.execute(
                text(statement if broken else "DROP TRIGGER broken")
            )

    async def come_to_know(self) -> None:
        """Have had a delivery whose head looks as those of the tests do."""
        assert (await self.send(b"{}")).status == 202
        async with self.database.engine.begin() as connection:
            await connection.execute(delete(schema.delivery))
        self.woken = 0

    async def rows(self) -> list[Any]:
        """What is kept, oldest first, with the bodies as they came."""
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(
                select(schema.delivery).order_by(schema.delivery.c.id)
            )
            return [
                SimpleNamespace(
                    **{**row._mapping, "body": unpack(row.encoding, row.body)}
                )
                for row in rows
            ]

    @asynccontextmanager
    async def connected(
        self,
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        if self.through_aiohttp:
            # The first request out of the ordinary takes the connection there.
            writer.write(head("GET", "/healthz", []))
            await read_answer(reader)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def send(
        self,
        body: bytes,
        headers: Headers | None = None,
        *,
        chunked: int = 0,
        length: int | None = None,
        path: str = "/webhook",
        method: str = "POST",
    ) -> Answer:
        """One request on a connection of its own; ``length`` lies about the body."""
        given = list(headers_of(body) if headers is None else headers)
        if chunked:
            given.append(("Transfer-Encoding", "chunked"))
        else:
            given.append(
                ("Content-Length", str(len(body) if length is None else length))
            )
        async with self.connected() as (reader, writer):
            writer.write(head(method, path, given))
            sending = asyncio.create_task(_write(writer, body, chunked))
            try:
                async with asyncio.timeout(30):
                    return await read_answer(reader)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


def head(method: str, path: str, headers: Headers) -> bytes:
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: vibeboard"]
    for name, value in headers:
        raw = value if isinstance(value, bytes) else value.encode()
        lines.append(name.encode() + b": " + raw)
    return b"\r\n".join([*lines, b"", b""])


async def _write(writer: asyncio.StreamWriter, body: bytes, chunked: int) -> None:
    size = chunked or 1 << 20
    for at in range(0, len(body), size):
        part = body[at : at + size]
        writer.write(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
        await writer.drain()
    if chunked:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    raw = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(raw.split(" ", 2)[1])
    fields = dict(
        line.lower().split(": ", 1) for line in raw.split("\r\n")[1:] if ": " in line
    )
    text = await reader.readexactly(int(fields.get("content-length", "0")))
    return Answer(status, text.decode())


@asynccontextmanager
async def opened(
    database: Database,
    *,
    deadline: float = 8.0,
    through_aiohttp: bool = False,
    most_arriving: int = MOST_ARRIVING,
    room: Room | None = None,
    buffer: int | None = None,
) -> AsyncIterator[Door]:
    """Serve the webhook on ``database``.

    ``buffer`` is how many bytes the system keeps of answers that nobody reads.
    """
    door = Door(0, database, through_aiohttp)

    def wake() -> None:
        door.woken += 1

    intake = open_intake(database, HandClock(), wake)
    webhook = Webhook(
        intake,
        verify,
        [SECRET, NEXT_SECRET],
        read_deadline=deadline,
        most_arriving=most_arriving,
    )
    runner = make_runner(webhook, room=room)
    await runner.setup()
    door.doors = cast("Doors", runner.server)
    try:
        listening = socket.create_server(("127.0.0.1", 0))
        if buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        await web.SockSite(runner, listening).start()
        door.port = runner.addresses[0][1]
        yield door
    finally:
        await runner.cleanup()
        await intake.close()
