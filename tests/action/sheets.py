"""Deliveries and runs as a job keeps them, in the words of ``tests.store.ledgers``."""

from pathlib import Path
from typing import Any

from tests.store.ledgers import CARD, start
from vibeboard.action.memory import remember
from vibeboard.action.shelf import Overtaken, Sheets, Stored
from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import Effect, StartRun
from vibeboard.domain.run import Posting, Report, Run, RunState
from vibeboard.engine.ports import Clock, Decision


class Cupboard:
    """Satisfies ``Shelf`` in memory, for several jobs."""

    def __init__(self) -> None:
        self.kept: dict[CardKey, Stored] = {}
        self.writes = 0

    async def read(self, card: CardKey, known: Stored) -> Stored:
        del known
        return self.kept.get(card, Stored())

    async def write(self, card: CardKey, text: bytes, over: Stored) -> Stored:
        if self.kept.get(card, Stored()).version != over.version:
            raise Overtaken(str(card))
        self.writes += 1
        self.kept[card] = Stored(str(self.writes), text)
        return self.kept[card]


class SheetLedger:
    """What one job sees and does; ``number`` tells it from others."""

    def __init__(
        self,
        shelf: Cupboard,
        clock: Clock,
        folder: Path,
        *,
        number: int = 1,
        gone: frozenset[str] = frozenset(),
    ) -> None:
        posting = Posting(number, f"https://h/{number}", clock.now(), begun=True)

        async def is_gone(worker: str) -> bool:
            return worker in gone

        self.sheets = Sheets(
            shelf,
            clock,
            worker=posting.life,
            is_gone=is_gone,
            redact=lambda text: text.replace("hunter2-hunter2", "[redacted]"),
        )
        kept = remember(self.sheets, clock, posting, folder / f"steps-{number}")
        self.kept = kept
        self.deliveries, self.runs = kept.deliveries, kept.runs
        self.run_queue, self.questions = kept.run_queue, kept.questions
        self._given = 0

    async def decided(self, *effects: Effect, **given: Any) -> int:
        """A delivery with this decision."""
        self._given += 1
        made = await self.deliveries.keep("1", f"g{self._given}", "issues", b"{}")
        cards = (getattr(effect, "card", None) for effect in effects)
        given.setdefault("card", next(filter(None, cards), CARD))
        await self.deliveries.settle(made.id, Decision(effects, "test", **given))
        return made.id

    async def begun(self, effect: StartRun | None = None) -> Run:
        """A run that this job has, in its first attempt."""
        await self.decided(effect or start())
        (claimed,) = await self.run_queue.claim(1)
        return await self.run_queue.begin(claimed)

    async def end(self, run: str, state: RunState = RunState.SUCCEEDED) -> None:
        begun = await self.run_queue.begin(run)
        await self.runs.end(begun, Report(state))
