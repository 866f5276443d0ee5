"""Reads boards again and again that GitHub sends no webhooks about: people's own.

A board is read often while something moves on it and seldom while nothing does. One
question reads a hundred cards; what it costs is counted, and some of GitHub's points
are always left to others.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vibeboard.domain.board import Actor, BoardKey
from vibeboard.engine.boards import Board, Boards, Look
from vibeboard.engine.ports import CallCounter, Clock, Marks, PointsLeft, Sightings
from vibeboard.errors import RetryLater

log = logging.getLogger(__name__)

# When somebody last changed what boards there are.
CHANGED = "boards changed"
_SELDOM = timedelta(minutes=5)
_SLOWER = 1.5
_RESERVE = 0.2  # of the points an hour
_FIND_EVERY = timedelta(minutes=10)
# Asking every repository for its `.vibe.yml` costs a point each.
_ASKED_AN_HOUR = 250
_LOOK_EVERY = timedelta(seconds=5)


@dataclass
class Rhythm:
    """How long until a board is read again."""

    soonest: timedelta
    latest: timedelta = _SELDOM
    wait: timedelta = timedelta(0)

    def next(self, *, lively: bool) -> timedelta:
        """The soonest while it is lively, then longer and longer."""
        if lively or not self.wait:
            self.wait = self.soonest
        else:
            self.wait = min(self.wait * _SLOWER, max(self.latest, self.soonest))
        return self.wait


@dataclass
class _Polled:
    """A board that is polled, and what it looked like."""

    board: Board
    rhythm: Rhythm
    read_at: datetime
    due_at: datetime
    columns: Mapping[str, str | None] | None = None


@dataclass
class _Search:
    """When boards were last searched for, and when that is done again."""

    at: datetime | None = None
    again_at: datetime | None = None


Points = Callable[[], PointsLeft | None]


@dataclass
class Polling:
    """Polls the boards of one person, whose token is used."""

    boards: Boards
    sightings: Sightings
    marks: Marks
    counter: CallCounter
    points: Points
    clock: Clock
    person: str
    soonest: timedelta
    _polled: dict[tuple[BoardKey, str], _Polled] = field(default_factory=dict)
    _search: _Search = field(default_factory=_Search)

    def owns(self, board: BoardKey) -> bool:
        """Whether a board is this person's."""
        return board.owner.casefold() == self.person.casefold()

    async def turn(self) -> timedelta:
        """Read what is due; how long until somebody should look again."""
        now = self.clock.now()
        if await self._is_search_due(now):
            await self._find(now)
        busy = await self.sightings.busy()
        for polled in self._polled.values():
            works = bool(busy & polled.board.workflows.keys())
            if works:
                polled.due_at = min(polled.due_at, polled.read_at + self.soonest)
            if polled.due_at <= now:
                await self._poll(polled, now, busy=works)
        dues = [polled.due_at - now for polled in self._polled.values()]
        return min([_LOOK_EVERY, self.soonest, *dues])

    async def _is_search_due(self, now: datetime) -> bool:
        search = self._search
        if search.again_at is None or search.at is None or search.again_at <= now:
            return True
        changed = await self.marks.at(CHANGED)
        return changed is not None and changed >= search.at

    async def _find(self, now: datetime) -> None:
        found, asked = await self.boards.find(self.owns)
        cost = timedelta(hours=asked / _ASKED_AN_HOUR)
        self._search = _Search(at=now, again_at=now + max(_FIND_EVERY, cost))
        known, self._polled = self._polled, {}
        for board in found:
            name = board.key, board.field
            polled = known.get(name)
            if polled is None or polled.board.workflows != board.workflows:
                rhythm = Rhythm(self.soonest)
                polled = _Polled(board, rhythm, read_at=now, due_at=now)
            polled.board = board
            self._polled[name] = polled

    async def _poll(self, polled: _Polled, now: datetime, *, busy: bool) -> None:
        board = polled.board
        left = self.points()
        if left is not None and _is_scarce(left, now):
            log.warning(
                "board not read: few points left",
                extra={"board": str(board.key), "points": left.remaining},
            )
            polled.due_at = left.resets_at
            return
        polled.read_at = now
        with self.counter.counted() as calls:
            try:
                look = await self.boards.read(board, by=Actor(board.key.owner))
            except RetryLater as later:
                log.warning(
                    "board read later",
                    extra={"board": str(board.key), "why": str(later)},
                )
                polled.due_at = now + max(later.after, self.soonest)
                return
        news = look is not None and (look.told or polled.columns is None)
        self._take(polled, look, now, busy=busy)
        log.log(
            logging.INFO if news else logging.DEBUG,
            "board read",
            extra={
                "board": str(board.key),
                "moves": look.told if look is not None else 0,
                "points": calls.points,
                "again_in": (polled.due_at - now).total_seconds(),
            },
        )

    def _take(
        self, polled: _Polled, look: Look | None, now: datetime, *, busy: bool
    ) -> None:
        if look is None:
            polled.due_at = now + max(_SELDOM, self.soonest)
            return
        moved = polled.columns is not None and look.columns != polled.columns
        polled.columns = look.columns
        lively = moved or busy or bool(look.told)
        polled.due_at = now + polled.rhythm.next(lively=lively)


def _is_scarce(left: PointsLeft, now: datetime) -> bool:
    return left.remaining < left.limit * _RESERVE and now < left.resets_at
