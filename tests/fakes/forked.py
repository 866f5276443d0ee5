"""The product's processes, forked from one that has imported it already."""

import asyncio
import atexit
import functools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.fakes import killing


@functools.cache
def _nursery() -> "subprocess.Popen[bytes]":
    """The process that forks; one for each process of pytest's."""
    nursery = subprocess.Popen(
        [sys.executable, "-I", killing.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(nursery.wait)
    assert nursery.stdin is not None
    atexit.register(nursery.stdin.close)
    return nursery


class Forked:
    """What tests need of ``asyncio.subprocess.Process``."""

    def __init__(self, folder: Path) -> None:
        self._code = folder / "code"
        self.stdout: asyncio.StreamReader
        self.stderr: asyncio.StreamReader
        self.pid = 0
        self._folder = folder

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        environment: dict[str, str],
        points: Sequence[dict[str, Any]],
        *,
        below: Path,
        program: str = "",
    ) -> "Forked":
        """A command of the product, or a program that uses its parts."""
        made = cls(Path(mkdtemp(dir=below)))
        made.stdout = await _pipe(made._folder / "out")
        made.stderr = await _pipe(made._folder / "err")
        order = {
            "program": program,
            "arguments": arguments,
            "environment": environment,
            "points": points,
            "out": str(made._folder / "out"),
            "err": str(made._folder / "err"),
            "code": str(made._code),
        }
        nursery = _nursery()
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        nursery.stdin.write(json.dumps(order).encode() + b"\n")
        nursery.stdin.flush()
        made.pid = int(await asyncio.to_thread(nursery.stdout.readline))
        return made

    @property
    def returncode(self) -> int | None:
        return int(self._code.read_text()) if self._code.exists() else None

    async def wait(self) -> int:
        while (code := self.returncode) is None:  # noqa: ASYNC110 - a file tells it
            await asyncio.sleep(0.01)
        return code

    def send_signal(self, what: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, what)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    async def communicate(self) -> tuple[bytes, bytes]:
        out, err = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return out, err


async def _pipe(path: Path) -> asyncio.StreamReader:
    """What is written into a pipe, to its end.

    Without a transport: a child of a killed process may keep the pipe open for longer
    than the test's loop lives, and there would be a transport that nobody closed.
    """
    os.mkfifo(path)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 20)
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def ready() -> None:
        try:
            data = os.read(end, 1 << 16)
        except BlockingIOError:
            return
        if data:
            reader.feed_data(data)
        else:
            loop.remove_reader(end)
            os.close(end)
            reader.feed_eof()

    loop.add_reader(end, ready)
    return reader
