"""The short way in for what GitHub sends: whole, plain ``POST /webhook`` requests.

Python's time is what intake is made of, and half of it was aiohttp's: parsing for every
case, a task, a stream, a response. A connection starts here. As long as requests are of
the one ordinary shape that `_HEAD` spells out they are answered here; the first byte
that is not hands the connection to aiohttp, which knows the rest of HTTP and applies
the same rules (``webhook.py``).

Strangers reach this, too. Nothing that they send or leave unread may grow without end:
a connection ends with the first refusal, requests that have not come whole share one
allowance, and when there are too many connections, the oldest that nobody has signed
anything on makes room.
"""

import asyncio
import re
import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, cast

from aiohttp import web

from vibeboard.engine.ports import Outcome
from vibeboard.web.webhook import (
    BY_LOWER,
    REFUSALS,
    TOO_MUCH,
    Answer,
    Head,
    Webhook,
    no,
)

_START = b"POST /webhook HTTP/1.1\r\n"
# Narrower than HTTP on purpose: nothing in it can be read in two ways.
_VALUE = rb"[ -~]*+"
_HEAD = re.compile(
    re.escape(_START) + rb"((?:[A-Za-z0-9-]++: " + _VALUE + rb"\r\n)++)\r\n"
)
_LONGEST_HEAD = 8192  # bytes, as aiohttp
_LARGEST = 1024 * 1024  # of a body; larger ones are streamed by aiohttp
_LONGEST_NUMBER = 7  # digits
# What makes a request out of the ordinary, whatever its value.
_ODD = frozenset(
    {"connection", "content-encoding", "expect", "trailer", "transfer-encoding"}
    | {"upgrade", "te", "keep-alive"}
)
_LENGTH = "content-length"
_COUNTS = {**BY_LOWER, _LENGTH: _LENGTH}
_Found = tuple[Head, int, int]  # the head, the body's length, and where it begins
_TOO_SLOW = no(408, "the request did not arrive in time")


@dataclass(frozen=True, slots=True)
class Room:
    """How many connections there may be, and for how long without a request."""

    ordinary: int
    odd: int  # of those that aiohttp has
    idle: float = 75.0  # seconds; longer than proxies keep theirs
    parting: float = 2.0  # seconds to read a refusal


def room_here() -> Room:
    """Half of the descriptors that this process may have, and never thousands."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        most = 1 << 20
    return Room(ordinary=min(2048, most * 3 // 8), odd=min(256, most // 8))


class Doors:
    """All the doors that are open; stands where aiohttp's own server would."""

    def __init__(self, webhook: Webhook, behind: web.Server, room: Room) -> None:
        self.webhook = webhook
        self.behind = behind
        self.open: dict[Door, None] = {}  # the oldest first, as in the two others
        self.closing = False
        self.answered = asyncio.Event()  # set after each answer while closing
        self._room = room
        self._parting: dict[_Parting, float] = {}
        # Those at aiohttp that have not made a request yet, and since when.
        self._unheard: dict[web.RequestHandler, float] = {}
        self.usual: _Form | None = None  # of a head that came signed
        self._make_request = behind.request_factory
        behind.request_factory = self._heard
        self._loop = asyncio.get_running_loop()
        self._every = min(1.0, webhook.read_deadline / 4)
        self._sweeping = self._loop.call_later(self._every, self._sweep)

    def __call__(self) -> asyncio.Protocol:
        """A protocol for a new connection."""
        return Door(self)

    def _heard(self, message: Any, payload: Any, handler: Any, *more: Any) -> Any:
        self._unheard.pop(handler, None)
        return self._make_request(message, payload, handler, *more)

    def _sweep(self) -> None:
        """Close who is too slow; one timer for all costs nothing a request."""
        now = time.monotonic()
        for door in tuple(self.open):
            door.close_if_late(now, self._room.idle)
        for parting, since in tuple(self._parting.items()):
            if now - since > self._room.parting:
                parting.abort()
        for handler, since in tuple(self._unheard.items()):
            self._close_if_late(handler, now - since)
        self._sweeping = self._loop.call_later(self._every, self._sweep)

    def _close_if_late(self, handler: web.RequestHandler, late: float) -> None:
        if handler.transport is None:
            del self._unheard[handler]
        elif late > self.webhook.read_deadline:
            del self._unheard[handler]
            self.webhook.count(_TOO_SLOW.outcome, _TOO_SLOW.status, late)
            handler.transport.write(_written(_TOO_SLOW))
            handler.force_close()

    def enter(self, door: "Door") -> None:
        """Let one more in; somebody else leaves if there is no room."""
        if len(self.open) + len(self._parting) >= self._room.ordinary:
            if self._parting:
                next(iter(self._parting)).abort()
            else:
                self._abort_the_oldest()
        self.open[door] = None

    def _abort_the_oldest(self) -> None:
        idle = (door for door in self.open if not door.answering)
        strangers = (door for door in self.open if not (door.known or door.answering))
        if oldest := next(strangers, None) or next(idle, None):
            oldest.abort()

    def make_room(self) -> None:
        """Refuse whoever has brought most of a request that is not whole.

        Small requests get in even while somebody fills all the room there is.
        """
        waiting = [door for door in self.open if not door.answering]
        max(waiting, key=lambda door: door.size).refuse(TOO_MUCH)

    def part(self, transport: asyncio.Transport) -> None:
        """Let its last answer be read; what it sends meanwhile is thrown away.

        Closed at once, the unread bytes would take the answer away from it.
        """
        if self.closing or transport.is_closing():
            transport.close()
            return
        parting = _Parting(self._parting, transport)
        self._parting[parting] = time.monotonic()
        transport.set_protocol(parting)
        transport.resume_reading()
        transport.write_eof()

    def hand_over(
        self, transport: asyncio.Transport, data: bytes, since: float
    ) -> None:
        """Let aiohttp have it; its oldest leaves if there is no room."""
        there = [
            (handler, its)
            for handler in self.behind.connections
            if (its := handler.transport) and not its.is_closing()
        ]
        if len(there) >= self._room.odd:
            idle = (its for who, its in there if who not in self.webhook.storing)
            if oldest := next(idle, None):
                oldest.abort()
        handler = self.behind()
        self._unheard[handler] = since
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(data)

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
                while any(door.answering for door in self.open):
                    self.answered.clear()
                    await self.answered.wait()
        except TimeoutError:
            pass
        for door in tuple(self.open):
            door.abort()
        for parting in tuple(self._parting):
            parting.abort()
        await self.behind.shutdown(timeout)


class _Parting(asyncio.Protocol):
    """One that was refused, and has not gone yet."""

    def __init__(
        self, all_of: dict["_Parting", float], transport: asyncio.Transport
    ) -> None:
        self._all = all_of
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        del exc
        self._all.pop(self, None)

    def abort(self) -> None:
        """Close at once."""
        self._all.pop(self, None)
        self._transport.abort()


class Door(asyncio.Protocol):
    """One connection, until something out of the ordinary comes."""

    __slots__ = (
        "_doors",
        "_head",
        "_needed",
        "_parts",
        "_since",
        "_transport",
        "answering",
        "known",
        "size",
    )

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._head: Head = {}
        self._parts: list[bytes] = []
        self._needed = 0
        self._since = 0.0
        self.size = 0  # bytes of `_parts`
        self.known = False  # whether anything came that was signed
        self.answering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._since = time.monotonic()
        self._doors.enter(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """What is being stored is stored all the same."""
        del exc
        self._joined()
        self._doors.open.pop(self, None)

    def pause_writing(self) -> None:
        """Nobody reads the answers."""
        self.abort()

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of several."""
        if self._parts:
            self._keep(data)
            if self.size < self._needed:
                return
            data = self._joined()
        elif not self.answering:
            self._since = time.monotonic()
        if self.answering:
            self._wait_for(data, len(data))
            self._transport.pause_reading()
        else:
            self._read(data)

    def _wait_for(self, data: bytes, needed: int) -> None:
        self._needed = needed
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._parts.append(data)
        self.size += len(data)
        webhook = self._doors.webhook
        webhook.arriving += len(data)
        if webhook.arriving > webhook.most_arriving and not self.answering:
            self._doors.make_room()

    def _joined(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        self._doors.webhook.arriving -= self.size
        self.size = 0
        return data

    def _read(self, data: bytes) -> None:
        usual = self._doors.usual
        found = usual.look(data) if usual else None
        is_usual = found is not None
        found = found or _look(data)
        if found is None:
            if _may_become_a_head(data):
                self._wait_for(data, len(data) + 1)
            else:
                self._hand_over(data)
            return
        head, length, body = found
        end = body + length
        if len(data) < end:
            self._wait_for(data, end)
            return
        self._take(head, data[body:end])
        if self.answering and not is_usual:  # so it was signed
            self._doors.usual = _form(data[:body])
        if len(data) > end and self.answering:
            self._wait_for(data[end:], 0)
            self._transport.pause_reading()

    def _take(self, head: Head, body: bytes) -> None:
        self._head = head
        self.answering = True
        refusal = self._doors.webhook.take(head, body, self._told)
        if refusal is not None:
            self._answer(refusal)

    def _told(self, told: Outcome) -> None:
        answer = self._doors.webhook.answer(self._head, told)
        self.known = self.known or answer.status < REFUSALS
        self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        self.answering = False
        if self._doors.closing:
            self._doors.answered.set()
        transport = self._transport
        since, self._since = self._since, time.monotonic()
        self._doors.webhook.count(answer.outcome, answer.status, self._since - since)
        if transport.is_closing():
            return
        transport.write(_written(answer))
        if answer.status >= REFUSALS:
            self._leave()
            self._doors.part(transport)
        elif self._doors.closing:
            transport.close()
        elif self._parts:
            data = self._joined()
            transport.resume_reading()
            self._read(data)

    def _hand_over(self, data: bytes) -> None:
        self._leave()
        self._doors.hand_over(self._transport, data, self._since)

    def _leave(self) -> None:
        self._joined()
        self._doors.open.pop(self, None)

    def refuse(self, answer: Answer) -> None:
        """Answer what has not come whole; nothing more is taken."""
        self._answer(answer)

    def close_if_late(self, now: float, idle: float) -> None:
        """Close a connection that is idle or trickles."""
        if self.answering:
            return
        late = now - self._since
        if self._parts and late > self._doors.webhook.read_deadline:
            self.refuse(_TOO_SLOW)
        elif late > idle:
            self.abort()

    def close_when_idle(self) -> None:
        """Close now, or after the answer."""
        if not self.answering:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, answered or not."""
        self._leave()
        self._transport.abort()


def _look(data: bytes) -> _Found | None:
    """Read any head; None if it is out of the ordinary, or not whole."""
    found = _HEAD.match(data)
    if found is None:
        return None
    pairs = _pairs(found[1])
    lower = [name.decode("ascii").lower() for name, _ in pairs]
    if len({*lower}) < len(lower) or not _ODD.isdisjoint(lower) or _LENGTH not in lower:
        return None
    kept = [_COUNTS.get(name) for name in lower]
    values = [value for _, value in pairs]
    return _read_values(zip(kept, values, strict=True), found.end())


def _pairs(lines: bytes) -> list[list[bytes]]:
    return [line.split(b": ", 1) for line in lines.split(b"\r\n")[:-1]]


def _read_values(pairs: Iterable[tuple[str | None, bytes]], body: int) -> _Found | None:
    head = {name: value.strip(b" ").decode("ascii") for name, value in pairs if name}
    length = head.pop(_LENGTH)
    if not (length.isdigit() and len(length) <= _LONGEST_NUMBER):
        return None
    return (head, int(length), body) if int(length) <= _LARGEST else None


class _Form:
    """The heads of these names in this order: found and read in one go.

    It takes a third of the time of reading any head. GitHub, and whatever stands
    before us, sends the same names with every delivery.
    """

    def __init__(self, names: Sequence[bytes]) -> None:
        self._kept: list[str] = []
        lines = b""
        for name in names:
            kept = _COUNTS.get(name.decode("ascii").lower())
            value = b"(" + _VALUE + b")" if kept else _VALUE
            lines += re.escape(name) + b": " + value + b"\r\n"
            self._kept += [kept] if kept else []
        self._pattern = re.compile(re.escape(_START) + lines + b"\r\n")

    def look(self, data: bytes) -> _Found | None:
        """Read a head; None if it is of another form."""
        found = self._pattern.match(data)
        if found is None:
            return None
        return _read_values(zip(self._kept, found.groups(), strict=True), found.end())


def _form(head: bytes) -> _Form:
    """Of a head that `_look` could read."""
    lines = head.removeprefix(_START).removesuffix(b"\r\n")
    return _form_of(tuple(name for name, _ in _pairs(lines)))


# Making one takes as long as many deliveries: strangers cannot have it done, nor those
# who take turns.
_form_of = lru_cache(maxsize=8)(_Form)


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
    close = "Connection: close\r\n" if status >= REFUSALS else ""
    return (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        f"Date: {formatdate(second, usegmt=True)}\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"{close}Content-Length: "
    ).encode()
