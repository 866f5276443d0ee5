"""Children to start, and ways to see what became of them."""

import asyncio
import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from vibeboard.runner.process import Command, Limits

ENV = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}


class Output:
    """Collects what a child prints; a test can wait for a word in it."""

    def __init__(self) -> None:
        self.data = b""
        self._grown = asyncio.Event()

    def __call__(self, chunk: bytes) -> None:
        self.data += chunk
        self._grown.set()

    async def has(self, word: bytes) -> None:
        async with asyncio.timeout(20):
            while word not in self.data:
                self._grown.clear()
                await self._grown.wait()


def shell(script: str, tmp_path: Path, stdin: bytes = b"") -> Command:
    return Command(["bash", "-c", script], cwd=tmp_path, env=ENV, stdin=stdin)


def seconds(wall: float, grace: float = 0.5) -> Limits:
    return Limits(timedelta(seconds=wall), grace=timedelta(seconds=grace))


async def gone(pid: int) -> None:
    """Wait until a process is no longer there."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


# A daemon that is no longer in any group or session of its ancestors, and deaf.
DAEMON = """
import os, signal, sys, time
here, there = os.pipe()
if os.fork():
    os.read(here, 1)
    os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("daemon", os.getpid(), flush=True)
os.write(there, b".")
time.sleep(600)
"""


def daemon(tmp_path: Path) -> str:
    (tmp_path / "daemon.py").write_text(DAEMON)
    return f"{sys.executable} {tmp_path}/daemon.py"


def daemon_pid(output: Output) -> int:
    words = output.data.split()
    return int(words[words.index(b"daemon") + 1])


def working_in(folder: Path) -> list[int]:
    """Living processes whose working directory is ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found
