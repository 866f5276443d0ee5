"""The short way in for what GitHub sends: whole, plain ``POST /webhook`` requests.

Python's time is what intake is made of, and half of it was aiohttp's: parsing for every
case, a task, a stream, a response. A connection starts here. As long as requests are of
the one ordinary shape that `_HEAD` spells out they are answered here; the first byte
that is not hands the connection to aiohttp, which knows the rest of HTTP and applies
the same rules (``webhook.py``).
"""

import asyncio
import re
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import cast

from aiohttp import web

from vibeboard.engine.ports import Kept
from vibeboard.web.webhook import BY_LOWER, Answer, Head, Webhook, no

_START = b"POST /webhook HTTP/1.1\r\n"
# Narrower than HTTP on purpose: nothing in it can be read in two ways.
_HEAD = re.compile(re.escape(_START) + rb"((?:[A-Za-z0-9-]++: [ -~]*+\r\n)++)\r\n")
_LONGEST_HEAD = 8192  # bytes, as aiohttp
_LARGEST = 1024 * 1024  # of a body; larger ones are streamed by aiohttp
_LONGEST_NUMBER = 7  # digits
_IDLE = 75.0  # seconds until a connection without requests is closed, as aiohttp
# What makes a request out of the ordinary, whatever its value.
_ODD = frozenset(
    {"connection", "content-encoding", "expect", "trailer", "transfer-encoding"}
    | {"upgrade", "te", "keep-alive"}
)
_TOO_SLOW = no(408, "the request did not arrive in time")


class Doors:
    """All the doors that are open; stands where aiohttp's own server would."""

    def __init__(self, webhook: Webhook, behind: web.Server) -> None:
        self.webhook = webhook
        self.behind = behind
        self.open: set[Door] = set()
        self.closing = False
        self._loop = asyncio.get_running_loop()
        self._every = min(1.0, webhook.read_deadline / 4)
        self._sweeping = self._loop.call_later(self._every, self._sweep)

    def __call__(self) -> asyncio.Protocol:
        """A protocol for a new connection."""
        return Door(self)

    def _sweep(self) -> None:
        """Close who is too slow; one timer for all costs nothing a request."""
        now = time.monotonic()
        for door in tuple(self.open):
            door.close_if_late(now)
        self._sweeping = self._loop.call_later(self._every, self._sweep)

    def pre_shutdown(self) -> None:
        """Close what is idle, and let the others end their request."""
        self.closing = True
        self._sweeping.cancel()
        for door in tuple(self.open):
            door.close_when_idle()
        self.behind.pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - aiohttp's
        """Wait for the requests that are being answered."""
        try:
            async with asyncio.timeout(timeout):
                while waiting := [d.answering for d in self.open if d.answering]:
                    await asyncio.wait(waiting)
                    await asyncio.sleep(0)
        except TimeoutError:
            pass
        for door in tuple(self.open):
            door.abort()
        await self.behind.shutdown(timeout)


class Door(asyncio.Protocol):
    """One connection, until something out of the ordinary comes."""

    __slots__ = (
        "_doors",
        "_head",
        "_needed",
        "_parts",
        "_since",
        "_size",
        "_transport",
        "answering",
    )

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._head: Head = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = 0
        self._since = 0.0
        self.answering: asyncio.Future[Kept] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        self._doors.open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being stored is stored all the same."""
        del exc
        self._doors.open.discard(self)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of several."""
        if self._parts:
            self._parts.append(data)
            self._size += len(data)
            if self._size < self._needed:
                return
            data = b"".join(self._parts)
            self._parts.clear()
        elif not self.answering:
            self._since = time.monotonic()
        if self.answering:
            self._wait_for(data, len(data))
            self._transport.pause_reading()
        else:
            self._read(data)

    def _wait_for(self, data: bytes, needed: int) -> None:
        self._parts.append(data)
        self._size = len(data)
        self._needed = needed

    def _read(self, data: bytes) -> None:
        found = _HEAD.match(data)
        if found is None:
            if _may_become_a_head(data):
                self._wait_for(data, len(data) + 1)
            else:
                self._hand_over(data)
            return
        head, length = _look(found[1])
        if head is None:
            self._hand_over(data)
            return
        body = found.end()
        end = body + length
        if len(data) < end:
            self._wait_for(data, end)
            return
        if len(data) > end:
            self._wait_for(data[end:], 0)
            self._transport.pause_reading()
        self._take(head, data[body:end])

    def _take(self, head: Head, body: bytes) -> None:
        keeping = self._doors.webhook.take(head, body)
        if isinstance(keeping, Answer):
            self._answer(keeping)
        else:
            self._head = head
            self.answering = asyncio.ensure_future(keeping)
            self.answering.add_done_callback(self._told)

    def _told(self, told: asyncio.Future[Kept]) -> None:
        webhook, error = self._doors.webhook, told.exception()
        if error is None:
            self._answer(webhook.kept(self._head, told.result()))
        else:
            self._answer(webhook.not_kept(self._head, error))

    def _answer(self, answer: Answer) -> None:
        self.answering = None
        transport = self._transport
        since, self._since = self._since, time.monotonic()
        self._doors.webhook.count(answer.outcome, answer.status, self._since - since)
        if transport.is_closing():
            return
        transport.write(_written(answer))
        if self._doors.closing:
            transport.close()
        elif self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            transport.resume_reading()
            self._read(data)

    def _hand_over(self, data: bytes) -> None:
        self._doors.open.discard(self)
        handler = self._doors.behind()
        self._transport.set_protocol(handler)
        handler.connection_made(self._transport)
        handler.data_received(data)

    def close_if_late(self, now: float) -> None:
        """Close a connection that is idle or trickles."""
        if self.answering:
            return
        late = now - self._since
        if self._parts and late > self._doors.webhook.read_deadline:
            self._doors.webhook.count(_TOO_SLOW.outcome, _TOO_SLOW.status, late)
            self._transport.write(_written(_TOO_SLOW))
            self._transport.close()
        elif late > _IDLE:
            self._transport.close()

    def close_when_idle(self) -> None:
        """Close now, or after the answer."""
        if not self.answering:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, answered or not."""
        self._transport.abort()


def _look(lines: bytes) -> tuple[Head | None, int]:
    """The head and the body's length; no head if it is out of the ordinary."""
    headers: dict[str, str] = {}
    for line in lines.decode("ascii").removesuffix("\r\n").split("\r\n"):
        name, _, value = line.partition(": ")
        lower = name.lower()
        if lower in headers or lower in _ODD:
            return None, 0
        headers[lower] = value.strip(" ")
    length = headers.get("content-length", "")
    if not (length.isdigit() and len(length) <= _LONGEST_NUMBER):
        return None, 0
    head = {name: headers[low] for low, name in BY_LOWER.items() if low in headers}
    return (head, int(length)) if int(length) <= _LARGEST else (None, 0)


def _may_become_a_head(data: bytes) -> bool:
    if len(data) < len(_START):
        return _START.startswith(data)
    whole = b"\r\n\r\n" in data or len(data) >= _LONGEST_HEAD
    return data.startswith(_START) and not whole


_REASONS = {status.value: status.phrase for status in HTTPStatus}


def _written(answer: Answer) -> bytes:
    return b"%b%d\r\n\r\n%b" % (
        _start_of(answer.status, int(time.time())),
        len(answer.body),
        answer.body,
    )


@lru_cache(maxsize=8)
def _start_of(status: int, second: int) -> bytes:
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Date: {formatdate(second, usegmt=True)}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        "Content-Length: "
    ).encode()
