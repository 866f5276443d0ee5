"""Processes of a job: found by what they inherit, ended as GitHub's runner does."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

TO_TERMINATE = 7.5
"""Seconds from SIGINT to SIGTERM."""
TO_KILL = 2.5
"""Seconds from SIGTERM to the end."""
TRACKING = "RUNNER_TRACKING_ID"
"""By this, in the environment of all that a job starts, GitHub's runner knows it."""


def send(number: signal.Signals, *pids: int) -> None:
    """Send a signal to those that still live."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


async def end(pids: list[int]) -> None:
    """End processes as GitHub's runner does."""
    for number, patience in (
        (signal.SIGINT, TO_TERMINATE),
        (signal.SIGTERM, TO_KILL),
    ):
        send(number, *pids)
        if await _gone(pids, patience):
            return
    send(signal.SIGKILL, *pids)


async def _gone(pids: list[int], patience: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while set(pids) & _parents().keys():  # noqa: ASYNC110 - nobody tells of them
                await asyncio.sleep(0.05)
            return True
    return False


def _parents() -> dict[int, int]:
    """List the processes that live, each with its parent."""
    found = {}
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            text = (place / "stat").read_text(errors="replace")
            state, parent = text.rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found[int(place.name)] = int(parent)
    return found


def children(parent: int) -> list[int]:
    """List the processes that one has started itself."""
    return [pid for pid, its in _parents().items() if its == parent]


def belonging(tracking: str) -> set[int]:
    """List the processes with a mark in their environment, and all below them."""
    parents = _parents()
    mark = f"{TRACKING}={tracking}".encode()
    found = {pid for pid in parents if mark in _environment_of(pid)}
    below = found
    while below:
        below = {pid for pid, its in parents.items() if its in below} - found
        found |= below
    return found


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
