"""Sees when a cell fills the disk.

The volume is asked each second, which costs nothing; the cell's folders are only gone
through when the volume has lost a good part of what the cell may use.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

_LOOK_EVERY = 1.0
_PART = 8  # of what it may use: so much less room, and it is measured


class DiskWatch:
    """Watches ``places``, on one volume: ``most`` bytes and ``files`` together."""

    def __init__(self, places: Sequence[Path], most: int, files: int) -> None:
        self._places = tuple(places)
        self._most = most
        self._files = files
        self.reached = False

    async def over(self) -> None:
        """Return when they hold more; never before."""
        room = (0, 0)
        while not self.reached:
            now = await asyncio.to_thread(_room, self._places[0])
            lost = room[0] - now[0], room[1] - now[1]
            if room == (0, 0):
                room = now
            elif lost[0] > self._most // _PART or lost[1] > self._files // _PART:
                held, files = await asyncio.to_thread(_held, self._places)
                self.reached = held > self._most or files > self._files
                room = now
            await asyncio.sleep(0 if self.reached else _LOOK_EVERY)


def _room(place: Path) -> tuple[int, int]:
    """Bytes and files that the volume has room for."""
    volume = os.statvfs(place)
    return volume.f_bavail * volume.f_frsize, volume.f_favail


def _held(places: Sequence[Path]) -> tuple[int, int]:
    """Bytes and files below the places; nothing that goes meanwhile is a fault."""
    held = files = 0
    waiting = [str(place) for place in places]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    held += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue
    return held, files
