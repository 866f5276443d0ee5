"""Boards: where a card stands, and putting it somewhere else.

A column is known by its name. Options get new ids whenever their field is replaced
by API, so ids are read right before they are used and kept nowhere.
"""

from vibeboard.domain.board import BoardKey, Place
from vibeboard.errors import GitHubRefused, UserError
from vibeboard.github.answers import absence, read
from vibeboard.github.client import GitHub, Installation
from vibeboard.github.documents import load
from vibeboard.github.objects import IssueNode, ItemColumns, Option, SelectField

_COLUMNS = load("columns_at_item")
_OF_BOARD = load("columns_of_board")
_MOVE = load("move_item")
_STALE_OPTION = "does not belong to the field"


def places_of(issue: IssueNode) -> tuple[Place, ...]:
    """Where the issue stands; an archived item stands nowhere."""
    return tuple(
        Place(
            BoardKey(item.project.owner.login, item.project.number),
            item.id,
            item.field_value_by_name.name if item.field_value_by_name else None,
        )
        for item in issue.project_items.nodes
        if item is not None and not item.is_archived
    )


class Boards:
    """Moves cards."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def columns(self, board: BoardKey, *, field: str) -> list[str] | None:
        """The names of a board's columns; None if there is nothing to read."""
        try:
            installation = await self._github.installation(board.owner)
        except GitHubRefused:
            return None
        answer = await installation.graphql(
            _OF_BOARD,
            {"owner": board.owner, "number": board.number, "field": field},
            tolerated=absence,
        )
        project = (answer.get("organization") or {}).get("projectV2") or {}
        field_found = read(SelectField, project.get("field") or {})
        if field_found.id is None:
            return None
        return [option.name for option in field_found.options]

    async def move(self, place: Place, column: str, *, field: str) -> None:
        """Put the card at ``place`` into ``column``; nothing if it is there."""
        installation = await self._github.installation(place.board.owner)
        try:
            await self._move(installation, place, column, field)
        except GitHubRefused as refusal:
            # Between our look and our move somebody replaced the columns.
            if _STALE_OPTION not in str(refusal):
                raise
            await self._move(installation, place, column, field)

    async def _move(
        self, installation: Installation, place: Place, column: str, field: str
    ) -> None:
        answer = await installation.graphql(
            _COLUMNS, {"item": place.item, "field": field}, tolerated=absence
        )
        if not answer.get("node"):
            message = f"The card is no longer on board {place.board}."
            raise UserError(message)
        item = read(ItemColumns, answer["node"])
        if item.is_archived:
            message = f"The card is archived on board {place.board}."
            raise UserError(message)
        options = item.project.field
        if options is None or options.id is None:
            message = f"Board {place.board} has no single-select field “{field}”."
            raise UserError(message)
        option = _column(options.options, column, place)
        value = item.field_value_by_name
        if value is not None and value.option_id == option.id:
            return
        await installation.graphql(
            _MOVE,
            {
                "project": item.project.id,
                "item": place.item,
                "field": options.id,
                "option": option.id,
            },
        )


def _column(options: list[Option], column: str, place: Place) -> Option:
    wanted = column.strip().casefold()
    for option in options:
        if option.name.strip().casefold() == wanted:
            return option
    names = ", ".join(f"“{option.name}”" for option in options) or "none"
    message = f"Board {place.board} has no column “{column}”. Its columns are: {names}."
    raise UserError(message)
