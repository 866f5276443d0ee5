"""Sends deliveries over kept-alive connections as fast as they are answered.

A process of its own, ``python -m benchmarks.load``: each line of input asks for one
measurement, ``{"port": 8000, "connections": 16}``, and is answered by the JSON of a
``Loaded``. Every request has a GUID of its own; after the warm-up, answers are counted
for some seconds.
"""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from random import getrandbits
from typing import Any, cast

import uvloop

from benchmarks.payloads import payloads

_GREGORIAN = 0x01B21DD213814000  # from 1582 to 1970, in 100 ns (RFC 9562)


@dataclass(frozen=True)
class Loaded:
    """What one round measured: requests a second, and milliseconds."""

    per_second: float
    p50: float
    p99: float
    answers: int
    wrong: int  # answers with another status than the one wanted, and lost connections


class _Load:
    """What the connections share: requests to send, and what was measured."""

    def __init__(self, requests: Sequence[tuple[bytes, bytes]], status: int) -> None:
        self.requests = itertools.cycle(requests)
        self.good = b"HTTP/1.1 %d " % status
        self.seconds: list[float] = []
        self.wrong = 0
        self.running = True

    def next(self) -> bytes:
        first, second = next(self.requests)
        return b"".join((first, _guid(), second))


def _guid() -> bytes:
    """As GitHub makes them: a UUID of version 1 whose time is in whole milliseconds.

    What follows the time is random. So are those that people published, up to 2022.
    """
    ticks = int(time.time() * 1000) * 10_000 + _GREGORIAN  # of 100 ns
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48
    rest = getrandbits(62)
    return b"%08x-%04x-1%03x-%04x-%012x" % (
        low,
        middle,
        high,
        0x8000 | rest >> 48,
        rest & 0xFFFFFFFFFFFF,
    )


class _Connection(asyncio.Protocol):
    """One request after the other, each as soon as the one before is answered."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._answer = b""
        self._at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._load.running:
            self._load.wrong += 1

    def data_received(self, data: bytes) -> None:
        load = self._load
        answer = self._answer + data if self._answer else data
        if not _whole(answer):
            self._answer = answer
            return
        self._answer = b""
        load.seconds.append(time.perf_counter() - self._at)
        if not answer.startswith(load.good):
            load.wrong += 1
        if load.running:
            self._send()

    def _send(self) -> None:
        self._at = time.perf_counter()
        self._transport.write(self._load.next())


def _whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return answer.endswith(b"0\r\n\r\n")
    line_end = head.find(b"\r\n", at)
    length = int(head[at + 15 : line_end if line_end > 0 else None])
    return len(answer) >= end + 4 + length


async def _measure(
    requests: Sequence[tuple[bytes, bytes]], given: Mapping[str, Any]
) -> Loaded:
    load = _Load(requests, given["status"])
    loop, port = asyncio.get_running_loop(), given["port"]
    for _ in range(given["connections"]):
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", port)
    await asyncio.sleep(given["warm"])
    load.seconds, load.wrong = [], 0
    begun = time.perf_counter()
    await asyncio.sleep(given["seconds"])
    took, seconds = time.perf_counter() - begun, sorted(load.seconds)
    load.running = False
    count = len(seconds)
    if not count:
        return Loaded(0, 0, 0, 0, load.wrong + 1)
    return Loaded(
        per_second=count / took,
        p50=seconds[count // 2] * 1000,
        p99=seconds[min(count * 99 // 100, count - 1)] * 1000,
        answers=count,
        wrong=load.wrong,
    )


def main() -> None:
    """Measure as each line of input asks: a JSON object of these options."""
    requests = [one.request("/webhook") for one in payloads()]
    usual = {"status": 202, "warm": 0.5, "seconds": 2.0}
    for line in sys.stdin:
        loaded = uvloop.run(_measure(requests, {**usual, **json.loads(line)}))
        print(json.dumps(asdict(loaded)), flush=True)


if __name__ == "__main__":
    main()
