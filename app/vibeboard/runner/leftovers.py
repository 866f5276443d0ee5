"""Ends what an earlier attempt left running in a workspace.

A worker that was killed takes its agents along, but not at once; one that only stands
still does not take them along at all. Whoever works next in the same tree ends them.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from vibeboard.runner.leash import descendants
from vibeboard.runner.process import LEASH

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.05
_PATIENCE = 15.0  # seconds: more than a leash takes that is asked to end


async def end_leftovers(tree: Path) -> None:
    """Return once no leash holds anything in ``tree`` any more."""
    asked: set[int] = set()
    waited = 0.0
    while found := await asyncio.to_thread(_leashes, tree):
        for pid in found - asked:
            log.warning("ends what an earlier attempt left", extra={"pid": pid})
            _send(pid, tree, signal.SIGTERM)
            _send(pid, tree, signal.SIGCONT)
        if waited > _PATIENCE:
            for pid in found:
                _kill(pid, tree)
        asked |= found
        await asyncio.sleep(_LOOK_EVERY)
        waited += _LOOK_EVERY


def _leashes(tree: Path) -> set[int]:
    return {pid for pid in _processes() if _is_leash(pid, tree)}


def _processes() -> Iterator[int]:
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            yield int(entry.name)


def _is_leash(pid: int, tree: Path) -> bool:
    """Whether it holds a command in the tree; the dead stand nowhere."""
    process = Path("/proc", str(pid))
    with suppress(OSError):
        if (process / "cwd").readlink() == tree:
            return os.fsencode(LEASH) in (process / "cmdline").read_bytes().split(b"\0")
    return False


def _send(pid: int, tree: Path, what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            # Looked at again, because numbers of processes are used again.
            if _is_leash(pid, tree):
                signal.pidfd_send_signal(handle, what)
        finally:
            os.close(handle)


def _kill(leash: int, tree: Path) -> None:
    if _is_leash(leash, tree):
        for pid in descendants(leash):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _send(leash, tree, signal.SIGKILL)
