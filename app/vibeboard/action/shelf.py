"""Sheets of cards, kept in the repository itself: one git ref a card.

Only who may write to the repository can change such a ref, which is not so of what
stands in comments. A sheet is written over the one that it was made from, or not at
all: then somebody else was quicker, and the change is made again on theirs.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from vibeboard.action import sheet as rules
from vibeboard.action.sheet import Change, Sheet
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Clock
from vibeboard.errors import StoreUnavailable, UserError
from vibeboard.runner.refs import GitRefs

log = logging.getLogger(__name__)

# So often other jobs' changes of a card are looked for while one works on it.
_LOOK_EVERY = timedelta(seconds=10)
_MOST_TRIES = 8


class Overtaken(Exception):  # noqa: N818 - an event
    """Somebody else wrote it meanwhile."""


@dataclass(frozen=True)
class Stored:
    """What stands in a place, and the version that a change of it has to name."""

    version: str = ""
    text: bytes | None = None


class Shelf(Protocol):
    """Where the text of sheets is kept."""

    async def read(self, card: CardKey, known: Stored) -> Stored:
        """What is kept of a card; ``known`` as it is if that is still so."""
        ...

    async def write(self, card: CardKey, text: bytes, over: Stored) -> Stored:
        """Keep it in the place of ``over``; raises Overtaken if that is gone."""
        ...


@dataclass
class _Open:
    """A sheet that is being worked with."""

    stored: Stored
    saved: Sheet
    seen_at: datetime
    # Made here and not yet worth a write; made again on what others have written.
    unsaved: list[Change] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def sheet(self) -> Sheet:
        now = self.saved
        for change in self.unsaved:
            now = change(now)
        return now


class Sheets:
    """Sheets as one job sees and changes them."""

    def __init__(
        self,
        shelf: Shelf,
        clock: Clock,
        *,
        worker: str,
        is_gone: Callable[[str], Awaitable[bool]],
        redact: Callable[[str], str],
    ) -> None:
        """``is_gone`` tells of another job by name; what such a one had is ours."""
        self._shelf = shelf
        self._clock = clock
        self._worker = worker
        self._is_gone = is_gone
        self._redact = redact
        self._opening = asyncio.Lock()
        self._open: dict[CardKey, _Open] = {}
        self.opened = asyncio.Event()  # set when there is one more
        self.bell = asyncio.Event()  # set when one may have something new to do

    @property
    def cards(self) -> tuple[CardKey, ...]:
        """The cards whose sheets are open."""
        return tuple(self._open)

    async def of(self, card: CardKey) -> Sheet:
        """A card's sheet, with what other jobs wrote until a moment ago."""
        found = await self._opened(card)
        if self._clock.now() - found.seen_at >= _LOOK_EVERY:
            async with found.lock:
                if self._clock.now() - found.seen_at >= _LOOK_EVERY:
                    await self._look(card, found)
        return found.sheet

    async def all(self) -> Sequence[Sheet]:
        """The sheets that are open, as ``of`` gives them."""
        return [await self.of(card) for card in self.cards]

    async def of_run(self, run: str) -> Sheet:
        """The sheet that has the run; raises KeyError if no open one does."""
        return await self.of(self.card_of(run))

    def card_of(self, run: str) -> CardKey:
        """The card that a run is about; raises KeyError."""
        for card, found in self._open.items():
            if any(one.id == run for one in found.sheet.runs):
                return card
        raise KeyError(run)

    async def change(self, card: CardKey, change: Change) -> Sheet:
        """Change the sheet and keep it, with all that was only noted until now."""
        found = await self._opened(card)
        async with found.lock:
            for _ in range(_MOST_TRIES):
                before = found.sheet
                after = change(before)
                if after == found.saved:
                    return after
                try:
                    await self._keep(card, found, after)
                except Overtaken:
                    log.info("card changed by another job", extra={"card": str(card)})
                    await self._look(card, found)
                else:
                    self.bell.set()
                    return after
        raise StoreUnavailable(f"{card} is changed too often by other jobs")

    async def note(self, card: CardKey, change: Change) -> None:
        """Change the sheet here; it is kept with the next change."""
        found = await self._opened(card)
        async with found.lock:
            change(found.sheet)  # raises what it raises, before it is kept
            found.unsaved.append(change)

    async def save(self) -> None:
        """Keep all that was noted."""
        for card in self.cards:
            await self.change(card, lambda sheet: sheet)

    async def _opened(self, card: CardKey) -> _Open:
        if card not in self._open:
            async with self._opening:
                if card not in self._open:
                    await self._take_up(card)
        return self._open[card]

    async def _take_up(self, card: CardKey) -> None:
        """Open the sheet; what jobs had that are gone is this one's from now on."""
        stored = await self._shelf.read(card, Stored())
        found = _Open(stored, _parse(card, stored), self._clock.now())
        gone = [
            other
            for other in sorted(rules.workers(found.saved) - {self._worker})
            if await self._is_gone(other)
        ]
        self._open[card] = found
        self.opened.set()
        for other in gone:
            log.info("takes over from a job that is gone", extra={"job": other})
            inherit = partial(rules.inherit, gone=other, worker=self._worker)
            await self.note(card, inherit)

    async def _look(self, card: CardKey, found: _Open) -> None:
        stored = await self._shelf.read(card, found.stored)
        found.seen_at = self._clock.now()
        if stored != found.stored:
            found.stored, found.saved = stored, _parse(card, stored)
            self.bell.set()

    async def _keep(self, card: CardKey, found: _Open, sheet: Sheet) -> None:
        text = self._redact(rules.dump(sheet).decode()).encode()
        found.stored = await self._shelf.write(card, text, found.stored)
        found.saved, found.seen_at = _parse(card, found.stored), self._clock.now()
        found.unsaved.clear()


class GitShelf:
    """Satisfies ``Shelf`` with refs of the repository."""

    def __init__(self, refs: GitRefs) -> None:
        self._refs = refs

    async def read(self, card: CardKey, known: Stored) -> Stored:
        """What is kept of a card; ``known`` as it is if that is still so."""
        found = await self._refs.read(ref_of(card), known=known.version)
        if found is None:
            return known
        version, text = found
        return Stored(version, text if version else None)

    async def write(self, card: CardKey, text: bytes, over: Stored) -> Stored:
        """Keep it in the place of ``over``; raises Overtaken if that is gone."""
        version = await self._refs.write(ref_of(card), text, over=over.version)
        if version is None:
            raise Overtaken(str(card))
        return Stored(version, text)


def _parse(card: CardKey, stored: Stored) -> Sheet:
    if stored.text is None:
        return Sheet(card)
    try:
        sheet = rules.load(stored.text)
    except ValueError as error:
        message = (
            f"what is remembered of {card} cannot be read; delete the ref "
            f"`{ref_of(card)}` to begin anew"
        )
        raise UserError(message) from error
    if sheet.format != rules.FORMAT:
        message = (
            f"what is remembered of {card} was written by a newer Vibeboard; use that "
            "version of the Action"
        )
        raise UserError(message)
    return sheet


def ref_of(card: CardKey) -> str:
    """The git ref of a card's sheet."""
    return f"refs/vibeboard/cards/{card.number}"
