"""Sends deliveries over kept-alive connections as fast as they are answered.

A process of its own: ``python -m benchmarks.load --port 8000 --connections 16``. Every
request has a GUID of its own; after the warm-up, answers are counted for some seconds.
The last line printed is a JSON object of a ``Loaded``.
"""

import argparse
import asyncio
import itertools
import json
import time
from dataclasses import asdict, dataclass
from random import getrandbits
from typing import cast

import uvloop

from benchmarks.payloads import payloads


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

    def __init__(self, path: str, status: int) -> None:
        self.requests = itertools.cycle([one.request(path) for one in payloads()])
        self.good = b"HTTP/1.1 %d " % status
        self.seconds: list[float] = []
        self.wrong = 0
        self.running = True

    def next(self) -> bytes:
        first, second = next(self.requests)
        guid = b"%08x-cc78-11e3-81ab-%012x" % (getrandbits(32), getrandbits(48))
        return b"".join((first, guid, second))


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


async def _measure(given: argparse.Namespace) -> Loaded:
    load = _Load(given.path, given.status)
    loop = asyncio.get_running_loop()
    for _ in range(given.connections):
        await loop.create_connection(lambda: _Connection(load), "127.0.0.1", given.port)
    await asyncio.sleep(given.warm)
    load.seconds, load.wrong = [], 0
    begun = time.perf_counter()
    await asyncio.sleep(given.seconds)
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
    """Measure once and print it."""
    parser = argparse.ArgumentParser(prog="benchmarks.load")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="/webhook")
    parser.add_argument("--status", type=int, default=202)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--warm", type=float, default=0.5, help="seconds")
    parser.add_argument("--seconds", type=float, default=2.0)
    print(json.dumps(asdict(uvloop.run(_measure(parser.parse_args())))))


if __name__ == "__main__":
    main()
