"""Reads whole boards, and makes events of cards that stand elsewhere than remembered.

Nothing is decided here: a card that was found is an event like any other. Where
nothing is at stake (no stage there, no run left behind) its place is only noted.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from vibeboard.domain.board import Actor, BoardKey, CardKey
from vibeboard.domain.workflow import Workflow
from vibeboard.engine.ports import (
    BoardCard,
    Cards,
    Clock,
    Marks,
    Remembered,
    Repositories,
    Sighting,
    Sightings,
)
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import AppAbsent, GitHubRefused, UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Board:
    """A board that `.vibe.yml` of some repositories name; ``field`` has its columns."""

    key: BoardKey
    field: str
    workflows: Mapping[str, Workflow]


@dataclass(frozen=True)
class Look:
    """What a look at a board found: columns by item, and what it made known."""

    columns: Mapping[str, str | None]
    told: int
    noted: int


class Boards:
    """The boards that the App's repositories work on."""

    def __init__(
        self,
        *,
        cards: Cards,
        repositories: Repositories,
        workflows: Workflows,
        sightings: Sightings,
        marks: Marks,
        clock: Clock,
    ) -> None:
        self._cards = cards
        self._repositories = repositories
        self._workflows = workflows
        self._sightings = sightings
        self._marks = marks
        self._clock = clock

    async def find(
        self, wanted: Callable[[BoardKey], bool]
    ) -> tuple[Sequence[Board], int]:
        """The wanted ones, and how many repositories were asked for theirs."""
        found: dict[tuple[BoardKey, str], dict[str, Workflow]] = {}
        installed = await self._repositories.installed()
        for repository in installed:
            try:
                workflow = (await self._workflows.read(repository)).workflow
            except (AppAbsent, GitHubRefused) as error:
                log.info(
                    "repository passed over",
                    extra={"repository": repository, "why": str(error)},
                )
                continue
            if workflow is None or workflow.board is None or not wanted(workflow.board):
                continue
            board = workflow.board, workflow.column_field
            found.setdefault(board, {})[repository] = workflow
        boards = [Board(key, field, named) for (key, field), named in found.items()]
        return boards, len(installed)

    async def read(
        self, board: Board, *, by: Actor | None, since: datetime | None = None
    ) -> Look | None:
        """Compare a board with what is remembered; None if it cannot be read.

        ``by`` answers for every move on it, and is None if nobody knows who moved.
        Cards that were never seen and came to their column before ``since``, or before
        the first such look, are taken to have always been there.
        """
        try:
            cards = await self._cards.on_board(board.key, field=board.field)
        except (AppAbsent, UserError, GitHubRefused) as error:
            log.warning(
                "board cannot be read",
                extra={"board": str(board.key), "why": str(error)},
            )
            return None
        if cards is None:
            log.warning("board cannot be read", extra={"board": str(board.key)})
            return None
        told = noted = 0
        for repository, workflow in board.workflows.items():
            here = [card for card in cards if card.key.repository == repository]
            remembered = await self._remembered(board, repository, here, by, since)
            moved = list(_moved(here, remembered, by))
            tell = [one for one in moved if one.is_at_stake(workflow)]
            note = [one for one in moved if not one.is_at_stake(workflow)]
            await self._sightings.note([(one.sighting, one.before) for one in note])
            for one in tell:
                await self._sightings.tell(one.sighting)
            told, noted = told + len(tell), noted + len(note)
        columns = {card.item: _column(card) for card in cards}
        return Look(columns, told, noted)

    async def _remembered(
        self,
        board: Board,
        repository: str,
        here: Sequence[BoardCard],
        by: Actor | None,
        since: datetime | None,
    ) -> Mapping[CardKey, Remembered]:
        """What is remembered; cards that were there before us are met first."""
        remembered = await self._sightings.remembered(repository)
        mark = _first_look(board, repository)
        first = by is not None and await self._marks.at(mark) is None
        met = [
            (_sighting(card, by), None)
            for card in here
            if card.key not in remembered and (first or _earlier(card, since))
        ]
        await self._sightings.note(met)
        if first:
            await self._marks.advance(mark, self._clock.now())
        return await self._sightings.remembered(repository) if met else remembered


@dataclass(frozen=True)
class _Moved:
    """A card that is not where it was."""

    sighting: Sighting
    before: Remembered | None

    def is_at_stake(self, workflow: Workflow) -> bool:
        """Whether a run may have to start or stop for it."""
        left = self.before is not None and bool(self.before.run)
        return left or workflow.stage_of(self.sighting.column) is not None


def _moved(
    here: Sequence[BoardCard],
    remembered: Mapping[CardKey, Remembered],
    by: Actor | None,
) -> Iterator[_Moved]:
    for card in here:
        before = remembered.get(card.key)
        if before is None or not _same(before.column, _column(card)):
            yield _Moved(_sighting(card, by), before)
    for key in sorted(remembered.keys() - {card.key for card in here}):
        before = remembered[key]
        if before.column is not None:
            mark = f"gone from {before.column} {before.run}"
            yield _Moved(Sighting(key, None, by, mark), before)


def _sighting(card: BoardCard, by: Actor | None) -> Sighting:
    mark = f"{card.item} {card.updated_at.isoformat()}"
    return Sighting(card.key, _column(card), by, mark)


def _column(card: BoardCard) -> str | None:
    return None if card.archived else card.column


def _earlier(card: BoardCard, since: datetime | None) -> bool:
    return since is not None and (card.set_at or card.updated_at) < since


def _first_look(board: Board, repository: str) -> str:
    """The mark that says that a repository's cards on a board are known."""
    name = f"{board.key} {board.field} {repository}".casefold()
    return f"board {sha256(name.encode()).hexdigest()[:40]}"


def _same(column: str | None, other: str | None) -> bool:
    return (column or "").casefold() == (other or "").casefold()
