"""Once a day, takes out what nobody needs any more: rows, raw logs, agents' homes."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from vibeboard.domain.board import CardKey
from vibeboard.engine.ending import end
from vibeboard.engine.places import Places
from vibeboard.engine.ports import Clock
from vibeboard.errors import StoreUnavailable

log = logging.getLogger(__name__)

_EVERY = timedelta(days=1)
_AGAIN = timedelta(minutes=10)
_BATCH = 100


@dataclass(frozen=True)
class Keep:
    """How long what is done with is kept."""

    deliveries: timedelta
    logs: timedelta
    audit: timedelta
    results: timedelta


class Archive(Protocol):
    """What is remembered and may be old."""

    async def forget_deliveries(self, before: datetime) -> int:
        """Take out deliveries received and done with before then; how many."""
        ...

    async def forget_audit(self, before: datetime) -> int:
        """Take out lines of the audit written before then; how many."""
        ...

    async def forget_results(self, before: datetime) -> int:
        """Take out what suites and reviews gave before then; how many results."""
        ...

    async def needed_runs(self, runs: Sequence[str], since: datetime) -> set[str]:
        """Those of the runs that have not ended, or ended since then."""
        ...

    async def is_quiet(self, card: CardKey, since: datetime) -> bool:
        """Whether nothing runs on the card, and nothing ended there since then."""
        ...

    async def give_room_back(self) -> int:
        """Make the database's file smaller; by how many bytes."""
        ...


class Housekeeper:
    """Keeps this process's database and files from growing for ever."""

    def __init__(
        self, archive: Archive, places: Places, clock: Clock, keep: Keep
    ) -> None:
        self._archive = archive
        self._places = places
        self._clock = clock
        self._keep = keep

    @asynccontextmanager
    async def on_duty(self) -> AsyncIterator[None]:
        """Keep house meanwhile, now and every day."""
        task = asyncio.create_task(self._keep_house())
        try:
            yield
        finally:
            await end(task)

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.clean_up()
                wait = _EVERY
            except StoreUnavailable as away:
                log.warning("could not clean up", extra={"why": str(away)})
                wait = _AGAIN
            except Exception:
                log.exception("could not clean up")
                wait = _AGAIN
            await asyncio.sleep(wait.total_seconds())

    async def clean_up(self) -> None:
        """Do it once."""
        now, keep = self._clock.now(), self._keep
        gone = {
            "deliveries": await self._archive.forget_deliveries(now - keep.deliveries),
            "audit": await self._archive.forget_audit(now - keep.audit),
            "results": await self._archive.forget_results(now - keep.results),
            "logs": await self._forget_logs(now - keep.logs),
            "homes": await self._forget_homes(now - keep.logs),
        }
        if any(gone.values()):
            room = await self._archive.give_room_back()
            log.info("cleaned up", extra={**gone, "bytes": room})

    async def _forget_logs(self, before: datetime) -> int:
        """Take out the raw output of runs that ended long ago."""
        old = await asyncio.to_thread(_older, self._places.root / "runs", before)
        forgotten = 0
        for at in range(0, len(old), _BATCH):
            batch = old[at : at + _BATCH]
            needed = await self._archive.needed_runs([p.name for p in batch], before)
            for path in batch:
                if path.name not in needed:
                    forgotten += await asyncio.to_thread(_remove, path)
        return forgotten

    async def _forget_homes(self, before: datetime) -> int:
        """Take out the agents' homes on cards where nothing has run for long."""
        homes = self._places.root / "homes"
        forgotten = 0
        for path in await asyncio.to_thread(lambda: sorted(homes.glob("*/*/*"))):
            owner, name, number = path.parts[-3:]
            if not number.isdecimal():
                continue
            card = CardKey(f"{owner}/{name}", int(number))
            if await self._archive.is_quiet(card, before):
                forgotten += await asyncio.to_thread(_remove, path)
        return forgotten


def _older(folder: Path, before: datetime) -> list[Path]:
    """What has not been written into since then; a run's folder may be just made."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    )


def _remove(path: Path) -> int:
    shutil.rmtree(path, ignore_errors=True)
    return 0 if path.exists() else 1
