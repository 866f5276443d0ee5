"""Finds what GitHub sent and we do not have, and asks for it again.

GitHub never sends a webhook twice by itself. So its own list of deliveries, the good
ones too, is compared with ours: what was answered and then lost with a database is
found like what failed. Nothing is decided here: a delivery that comes again is like
any other. What cannot be had any more is reported, and the boards are read instead:
last, for a board tells where a card stands and not who moved it.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus

from vibeboard.domain.board import BoardKey
from vibeboard.engine.boards import Boards
from vibeboard.engine.ports import Clock, HookDeliveries, HookDelivery, Ledger, Marks
from vibeboard.errors import GitHubRefused

log = logging.getLogger(__name__)

_COMPARED = "deliveries compared"
# GitHub lists and sends again what is not older than this. Source: docs.github.com,
# "Redelivering webhooks".
_LISTED = timedelta(days=3)
# Clocks differ, and a delivery is listed a while after it was made.
_OVERLAP = timedelta(minutes=10)
# A younger attempt may still be on its way to the list, or to us.
_YOUNG = timedelta(minutes=1)
_SELDOM = timedelta(hours=6)
# How long boards are not read because deliveries are on their way.
_PATIENCE = timedelta(minutes=30)
_MOST_REFUSALS = 3
# GitHub bears some 180 such requests a minute.
_MOST_AT_ONCE = 100
_CHUNK = 400


@dataclass
class _Missing:
    """A delivery that we do not have: its newest attempt, and all before it."""

    newest: HookDelivery
    first_at: datetime
    attempts: int = 1
    refusals: int = 0

    def add(self, attempt: HookDelivery) -> None:
        """An older attempt at the same delivery."""
        self.first_at = min(self.first_at, attempt.delivered_at)
        self.attempts += 1
        self.refusals += _is_refusal(attempt)

    @property
    def refused(self) -> bool:
        """Whether we got it often enough and did not take it."""
        return self.refusals >= _MOST_REFUSALS

    def due_at(self, every: timedelta) -> datetime:
        """When to ask for it again: later each time, in case it is never to come."""
        young = min(_YOUNG, every)
        again = min(every * 2 ** (self.attempts - 2), _SELDOM)
        return self.newest.delivered_at + (young if self.attempts == 1 else again)


def _is_refusal(attempt: HookDelivery) -> bool:
    code = attempt.status_code
    return HTTPStatus.BAD_REQUEST <= code < HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass
class Reconciler:
    """Compares GitHub's deliveries with ours."""

    hook_deliveries: HookDeliveries
    ledger: Ledger
    marks: Marks
    boards: Boards
    clock: Clock
    every: timedelta
    polled: Callable[[BoardKey], bool]
    pause: Callable[[timedelta], Awaitable[None]]
    _asked: dict[str, datetime] = field(default_factory=dict)
    _lost: dict[str, tuple[_Missing, str]] = field(default_factory=dict)
    _waits_since: datetime | None = None

    async def turn(self) -> timedelta:
        """Compare once; how long until the next time."""
        now = self.clock.now()
        mark = await self.marks.at(_COMPARED) or await self.ledger.newest()
        if mark is None:  # a new database: what was before it is not ours
            await self.marks.advance(_COMPARED, now)
            return self.every
        listed_from = now - _LISTED
        missing = await self._missing(max(mark - _OVERLAP, listed_from))
        await self._fetch(missing, now)
        coming = [one for one in missing if one.newest.guid not in self._lost]
        gap = (mark, listed_from) if mark < listed_from else None
        if (self._lost or gap is not None) and self._waits_for(coming, now):
            return min(_YOUNG, self.every)
        await self._report(list(self._lost.values()), gap)
        self._lost.clear()
        until = min([now, *(one.first_at for one in coming)])
        await self.marks.advance(_COMPARED, max(mark, until))
        return self._next(coming, now)

    async def _fetch(self, missing: Sequence[_Missing], now: datetime) -> None:
        """Ask for what is due, and forget what has come."""
        guids = {one.newest.guid for one in missing}
        self._asked = {guid: at for guid, at in self._asked.items() if guid in guids}
        self._lost = {guid: one for guid, one in self._lost.items() if guid in guids}
        for one in missing:
            if one.refused:
                self._lost[one.newest.guid] = (one, _NOT_TAKEN)
        due = [one for one in missing if self._due_at(one) <= now]
        await self._ask_for([one for one in due if one.newest.guid not in self._lost])

    def _waits_for(self, coming: Sequence[_Missing], now: datetime) -> bool:
        """Whether deliveries may still come and say more than the boards would."""
        if not coming:
            self._waits_since = None
            return False
        self._waits_since = self._waits_since or now
        return now - self._waits_since < _PATIENCE

    def _due_at(self, one: _Missing) -> datetime:
        asked = self._asked.get(one.newest.guid)
        due = one.due_at(self.every)
        return due if asked is None else max(due, asked + self.every)

    def _next(self, missing: Sequence[_Missing], now: datetime) -> timedelta:
        """Sooner than usual if something waits for its time."""
        waits = [self._due_at(one) - now for one in missing]
        return max(min([self.every, *waits]), min(_YOUNG, self.every))

    async def _missing(self, since: datetime) -> Sequence[_Missing]:
        """What GitHub lists and we do not have, the oldest first."""
        found: dict[str, _Missing] = {}
        listed: list[HookDelivery] = []
        async for attempt in self.hook_deliveries.listed(since):
            listed.append(attempt)
            if len(listed) == _CHUNK:
                await self._sift(listed, found)
                listed = []
        await self._sift(listed, found)
        return sorted(found.values(), key=lambda one: one.first_at)

    async def _sift(
        self, listed: Iterable[HookDelivery], missing: dict[str, _Missing]
    ) -> None:
        listed = list(listed)
        known = await self.ledger.known([attempt.guid for attempt in listed])
        for attempt in listed:
            if attempt.guid in known:
                missing.pop(attempt.guid, None)
            elif attempt.guid in missing:
                missing[attempt.guid].add(attempt)
            else:
                missing[attempt.guid] = _Missing(
                    attempt, attempt.delivered_at, refusals=_is_refusal(attempt)
                )

    async def _ask_for(self, due: Sequence[_Missing]) -> None:
        """Have them sent again; those that GitHub cannot send are lost."""
        asked = 0
        for number, one in enumerate(due, start=1):
            guid = one.newest.guid
            try:
                await self.hook_deliveries.redeliver(one.newest.id)
            except GitHubRefused as refusal:
                why = f"GitHub answered {refusal.status_code}: {refusal}"
                self._lost[guid] = (one, why)
            else:
                self._asked[guid] = self.clock.now()
                asked += 1
            if number % _MOST_AT_ONCE == 0:
                await self.pause(min(_YOUNG, self.every))
        if asked:
            log.warning("missed deliveries asked for", extra={"deliveries": asked})

    async def _report(
        self,
        lost: Sequence[tuple[_Missing, str]],
        gap: tuple[datetime, datetime] | None,
    ) -> None:
        """Say what cannot be had, once the boards were read instead."""
        since = [one.first_at for one, _ in lost]
        if gap is not None:
            since.append(gap[0])
        if not since:
            return
        await self._read_boards(min(since))
        if gap is not None:
            log.error(
                "deliveries that GitHub no longer lists may be missing",
                extra={"since": gap[0].isoformat(), "until": gap[1].isoformat()},
            )
            await self.ledger.gap(*gap)
        for one, why in lost:
            log.error(
                "delivery lost",
                extra={
                    "delivery": one.newest.guid,
                    "event": one.newest.event,
                    "why": why,
                },
            )
            await self.ledger.lost(one.newest, why)

    async def _read_boards(self, since: datetime) -> None:
        boards, _ = await self.boards.find(lambda board: not self.polled(board))
        for board in boards:
            look = await self.boards.read(board, by=None, since=since)
            log.warning(
                "board read for what was missed",
                extra={
                    "board": str(board.key),
                    "moves": look.told if look is not None else 0,
                },
            )


_NOT_TAKEN = "we refused it each time it came"
