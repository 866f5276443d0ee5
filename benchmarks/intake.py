"""Intake with a full fsync, against Probot that stores nothing and against the disk.

Every server is a process of its own and gets the same deliveries from one load
generator, one server after the other, round by round, so that whatever else the machine
does befalls all of them.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import probot
from benchmarks.load import Loaded
from benchmarks.machine import free_port, postgres, scratch
from benchmarks.table import numbers, print_ratios, print_table, ratio, say

_CONNECTIONS = (16, 64)
_WARM = 0.3  # seconds before each measurement
_SECONDS = 1.0  # many short rounds: a machine's speed changes within seconds
_START = 30.0  # seconds a server may take to listen


@dataclass(frozen=True)
class _Server:
    name: str
    port: int
    status: int  # of a good answer


class _Generator:
    """The load generator, and what it is asked for."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def load(self, server: _Server, connections: int) -> Loaded:
        """One measurement."""
        asked = {"port": server.port, "status": server.status, "warm": _WARM}
        asked |= {"connections": connections, "seconds": _SECONDS}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Loaded(**json.loads(self._process.stdout.readline()))


@contextmanager
def _generator() -> Iterator[_Generator]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield _Generator(process)
        assert process.stdin
        process.stdin.close()


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios; 1 if any answer was wrong."""
    asked = numbers("intake", "Deliveries kept.", arguments, rounds=12)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        generator = stack.enter_context(_generator())
        servers = _started(stack, folder, generator)
        measured = _rounds(servers, generator, asked["rounds"])
    show(measured)
    return 1 if any(one.wrong for ones in measured.values() for one in ones) else 0


_Measured = Mapping[tuple[str, int], list[Loaded]]


def _started(stack: ExitStack, folder: Path, generator: _Generator) -> list[_Server]:
    probot.install()
    peer = _faster_node(stack, generator)
    database = stack.enter_context(postgres())
    servers = [peer]
    for name, url in (
        ("limit", f"limit:{folder / 'limit.log'}"),
        ("sqlite", f"sqlite:///{folder / 'vibeboard.db'}"),
        ("postgres", database),
    ):
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.intake_server", url, str(port)]
        stack.enter_context(_running(command, {}, port))
        servers.append(_Server(name, port, 202))
    return servers


def _faster_node(stack: ExitStack, generator: _Generator) -> _Server:
    """Probot on the quickest Node there is: a peer should be met at its best."""
    found: list[tuple[float, str, Path]] = []
    for node in probot.nodes():
        port = free_port()
        with _running(*probot.command(node, port), port):
            server = _Server("probot", port, probot.STATUS)
            generator.load(server, 16)  # its compiler warms up
            found.append(
                (generator.load(server, 64).per_second, probot.version(node), node)
            )
    if not found:
        say("node is missing: install Node.js to run Probot")
        sys.exit(2)
    _, chosen, node = max(found)
    say(f"Probot runs on Node {chosen.strip()}, the quicker of {len(found)}")
    port = free_port()
    stack.enter_context(_running(*probot.command(node, port), port))
    return _Server("probot", port, probot.STATUS)


def _rounds(
    servers: Sequence[_Server], generator: _Generator, rounds: int
) -> _Measured:
    measured: dict[tuple[str, int], list[Loaded]] = {}
    for server in servers:
        generator.load(server, 64)  # logs reach their length, compilers warm up
    for number in range(rounds):
        for connections in _CONNECTIONS:
            # Each comes first in some round.
            turn = number % len(servers)
            for server in [*servers[turn:], *servers[:turn]]:
                loaded = generator.load(server, connections)
                measured.setdefault((server.name, connections), []).append(loaded)
    return measured


def show(measured: _Measured) -> None:
    """Print the table of medians, and the ratios."""
    speed, late = (
        {key: median(getattr(one, field) for one in ones) for key, ones in all_of}
        for field, all_of in (
            ("per_second", measured.items()),
            ("p99", measured.items()),
        )
    )
    names = sorted({name for name, _ in measured})
    header = ["", *(f"req/s @{c}" for c in _CONNECTIONS)]
    header += [f"p99 ms @{c}" for c in _CONNECTIONS] + ["stores"]
    rows = [
        [
            name,
            *(f"{speed[name, c]:,.0f}" for c in _CONNECTIONS),
            *(late[name, c] for c in _CONNECTIONS),
            "no" if name == "probot" else "fsync",
        ]
        for name in names
    ]
    wrong = sum(one.wrong for ones in measured.values() for one in ones)
    print_table(header, rows)
    say(f"wrong answers: {wrong}")
    print_ratios(
        {
            f"{us}{kind}_vs_{them}_c{c}": ratio(
                (getattr(one, field) for one in measured[us, c]),
                (getattr(one, field) for one in measured[them, c]),
            )
            for kind, field in (("", "per_second"), ("_p99", "p99"))
            for us in ("sqlite", "postgres")
            for them in ("probot", "limit")
            for c in _CONNECTIONS
        }
    )


@contextmanager
def _running(
    command: Sequence[str], environment: Mapping[str, str], port: int
) -> Iterator[None]:
    root = Path(__file__).parents[1]
    process = subprocess.Popen(command, cwd=root, env={**os.environ, **environment})
    try:
        _wait_for(process, port)
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    message = f"{process.args!r} does not listen"
    raise RuntimeError(message)
