"""Boards: where a card stands, and putting it somewhere else.

A column is known by its name. Options get new ids whenever their field is replaced
by API, so ids are read right before they are used and kept nowhere.
"""

from collections.abc import Mapping
from typing import Any

from vibeboard.domain import words
from vibeboard.domain.board import BoardKey, CardKey, Place
from vibeboard.engine.ports import BoardCard
from vibeboard.errors import AppAbsent, GitHubRefused, UserError
from vibeboard.github.answers import GraphQLError, absence, read
from vibeboard.github.client import Client
from vibeboard.github.connection import Connection
from vibeboard.github.documents import load
from vibeboard.github.objects import (
    BoardItem,
    BoardItems,
    ItemColumns,
    ItemNumber,
    Items,
    Option,
    SelectField,
)

_CARDS = load("cards_of_board")
_COLUMNS = load("columns_at_item")
_OF_BOARD = load("columns_of_board")
_MOVE = load("move_item")
_NUMBER = load("number_at_item")
_SET_NUMBER = load("set_number")
_STALE_OPTION = "does not belong to the field"


def places_of(items: Items) -> tuple[Place, ...]:
    """Where an issue stands; an archived item stands nowhere."""
    return tuple(
        Place(
            BoardKey(item.project.owner.login, item.project.number),
            item.id,
            item.field_value_by_name.name if item.field_value_by_name else None,
        )
        for item in items.nodes
        if item is not None and not item.is_archived
    )


class Boards:
    """Moves cards."""

    def __init__(self, github: Client) -> None:
        self._github = github

    async def columns(self, board: BoardKey, *, field: str) -> list[str] | None:
        """The names of a board's columns; None if there is nothing to read.

        Raises UserError for a board that nobody reads for us.
        """
        try:
            connection = await self._github.of_board(board)
        except AppAbsent as absent:
            raise UserError(words.board_out_of_reach(board)) from absent
        answer = await connection.graphql(
            _OF_BOARD, self._asked(board, field), tolerated=absence
        )
        project = _project(board, answer)
        field_found = read(SelectField, project.get("field") or {})
        if field_found.id is None:
            return None
        return [option.name for option in field_found.options]

    async def cards(self, board: BoardKey, *, field: str) -> list[BoardCard] | None:
        """All cards of a board; None if it or its field cannot be read."""
        connection = await self._github.of_board(board)
        found: list[BoardCard] = []
        asked = self._asked(board, field)
        after: str | None = None
        while True:
            answer = await connection.graphql(
                _CARDS, {**asked, "after": after}, tolerated=_not_shown
            )
            project = _project(board, answer)
            if not (project.get("field") or {}).get("id"):
                return None
            page = read(BoardItems, project.get("items"))
            cards = (_board_card(item) for item in page.nodes if item is not None)
            found += [card for card in cards if card is not None]
            if not page.page_info.has_next_page:
                return found
            after = page.page_info.end_cursor

    async def move(self, place: Place, column: str, *, field: str) -> None:
        """Put the card into ``column``, unless it has left its ``place`` by now."""
        connection = await self._github.of_board(place.board)
        try:
            await self._move(connection, place, column, field)
        except GitHubRefused as refusal:
            # Between our look and our move somebody replaced the columns.
            if _STALE_OPTION not in str(refusal):
                raise
            await self._move(connection, place, column, field)

    async def show_number(self, place: Place, number: float, *, field: str) -> None:
        """Put a number into a field of the card, if it has another one there."""
        connection = await self._github.of_board(place.board)
        answer = await connection.graphql(
            _NUMBER, {"item": place.item, "field": field}, tolerated=absence
        )
        if not answer.get("node"):
            return  # taken off the board meanwhile
        item = read(ItemNumber, answer["node"])
        found = item.project.field
        if found is None or found.id is None or found.data_type != "NUMBER":
            message = f"Board {place.board} has no number field “{field}”."
            raise UserError(message)
        value = item.field_value_by_name
        if item.is_archived or (value is not None and value.number == number):
            return
        await connection.graphql(
            _SET_NUMBER,
            {
                "project": item.project.id,
                "item": place.item,
                "field": found.id,
                "number": number,
            },
        )

    async def _move(
        self, connection: Connection, place: Place, column: str, field: str
    ) -> None:
        answer = await connection.graphql(
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
        names = {each.id: each.name for each in options.options}
        stands = names.get(value.option_id or "") if value is not None else None
        if (stands or "").casefold() != (place.column or "").casefold():
            return  # somebody was quicker, and knows better
        await connection.graphql(
            _MOVE,
            {
                "project": item.project.id,
                "item": place.item,
                "field": options.id,
                "option": option.id,
            },
        )

    def _asked(self, board: BoardKey, field: str) -> dict[str, object]:
        person = self._github.person_of(board)
        return {
            "owner": board.owner,
            "number": board.number,
            "field": field,
            "persons": person is not None and person.owns(board),
        }


def _project(board: BoardKey, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    owner = answer.get("user") or answer.get("organization")
    if owner is None:
        # The App is installed there, and it is no organization.
        raise UserError(words.persons_board(board))
    return owner.get("projectV2") or {}


def _not_shown(error: GraphQLError) -> bool:
    # A board may have cards of repositories that the App does not reach.
    of_an_item = error.type == "FORBIDDEN" and "items" in (error.path or ())
    return of_an_item or absence(error)


def _board_card(item: BoardItem) -> BoardCard | None:
    content, value = item.content, item.field_value_by_name
    if content is None or content.typename != "Issue" or content.repository is None:
        return None
    return BoardCard(
        key=CardKey(content.repository.name_with_owner, content.number),
        issue=content.id,
        item=item.id,
        column=value.name if value else None,
        archived=item.is_archived,
        updated_at=item.updated_at,
        set_by=value.creator.actor if value and value.creator else None,
        set_at=value.updated_at if value else None,
    )


def _column(options: list[Option], column: str, place: Place) -> Option:
    wanted = column.strip().casefold()
    for option in options:
        if option.name.strip().casefold() == wanted:
            return option
    names = ", ".join(f"“{option.name}”" for option in options) or "none"
    message = f"Board {place.board} has no column “{column}”. Its columns are: {names}."
    raise UserError(message)
