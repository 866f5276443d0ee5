"""Databases that are taken away and given back, as real ones are."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.conftest import own_postgres


class Shaken(Protocol):
    """A database of one's own."""

    url: str

    async def shake(self, seconds: float) -> str:
        """Take it away for a while; what was done."""
        ...


@dataclass
class LockedFile:
    """A SQLite file that somebody else writes to."""

    url: str

    async def shake(self, seconds: float) -> str:
        path = self.url.removeprefix("sqlite:///")
        opened = sqlite3.connect(
            path, isolation_level=None, timeout=30, check_same_thread=False
        )
        with closing(opened) as lock:
            await asyncio.to_thread(lock.execute, "BEGIN EXCLUSIVE")
            await asyncio.sleep(seconds)
            lock.execute("ROLLBACK")
        return "locked"


@dataclass
class KilledServer:
    """A PostgreSQL whose processes die and which begins anew."""

    server: Any
    url: str = ""

    def __post_init__(self) -> None:
        self.url = self.server.get_uri()

    async def shake(self, seconds: float) -> str:
        await asyncio.to_thread(self.kill)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(self.begin_anew)
        return "killed"

    def kill(self) -> None:
        """Let the server die at once."""
        pid = self.server.get_pid()
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)

    def begin_anew(self) -> None:
        """Start it as after a power failure."""
        # Its children end by themselves, and until then it does not start.
        for tries in range(20):
            try:
                self.server.ensure_postgres_running()
            except subprocess.SubprocessError:
                if tries == 19:
                    raise
            else:
                return


@contextmanager
def on_file(folder: Path) -> Iterator[LockedFile]:
    """A SQLite file in the folder."""
    yield LockedFile(f"sqlite:///{folder}/vibeboard.db")


@contextmanager
def killed_server(folder: Path | None = None) -> Iterator[KilledServer]:
    """A PostgreSQL that no other test uses; in ``folder`` or one of its own."""
    with own_postgres(folder) as server:
        yield KilledServer(server)


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - the same each time
