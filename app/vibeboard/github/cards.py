"""Cards: issues as the engine knows them, with their places on boards."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from vibeboard.domain.board import Actor, BoardKey, Card, CardKey, Comment, Place
from vibeboard.engine.ports import BoardCard
from vibeboard.errors import GitHubRefused
from vibeboard.github.answers import GraphQLError, absence, read
from vibeboard.github.boards import Boards, places_of
from vibeboard.github.client import Client, Person
from vibeboard.github.documents import load
from vibeboard.github.objects import GHOST, IssueComment, IssueNode, PlacesNode
from vibeboard.github.text import LONGEST_BODY, cut

_OF_ISSUE = load("card_of_issue", "card_parts", "card_places")
_PLACES = load("places_of_issue", "card_places")
_OF_NODE = load("card_of_node")

# The field of a new board whose options are its columns.
STATUS = "Status"


class GitHubCards:
    """Satisfies the port ``Cards``."""

    def __init__(self, github: Client) -> None:
        self._github = github
        self._boards = Boards(github)

    async def read(
        self, card: CardKey, *, field: str = STATUS, board: BoardKey | None = None
    ) -> Card | None:
        """The card with its places; None if gone or not an issue."""
        installation, names = await self._github.of(card.repository)
        variables = {**names, "number": card.number, "field": field}
        answer = await installation.graphql(_OF_ISSUE, variables, tolerated=_may_miss)
        issue = (answer.get("repository") or {}).get("issue")
        person = self._github.person_of(board) if board is not None else None
        if issue is None or person is None:
            return _card(issue, _places if self._github.shows_boards else _nowhere)
        theirs = await self._on_persons_boards(person, issue["id"], field)
        return _card(issue, lambda _: theirs)

    async def _on_persons_boards(
        self, person: Person, issue: str, field: str
    ) -> tuple[Place, ...]:
        answer = await person.graphql(
            _PLACES, {"id": issue, "field": field}, tolerated=_may_miss
        )
        if not answer.get("node"):
            # Not the same as standing nowhere: that would stop what is running.
            message = f"the token of {person.login} cannot read this issue"
            raise GitHubRefused(message, status_code=HTTPStatus.FORBIDDEN)
        return places_of(read(PlacesNode, answer["node"]).project_items)

    async def at(self, owner: str, issue: str) -> CardKey | None:
        """Which card an issue's node id is, as ``owner`` sees it; None if gone."""
        installation = await self._github.installation(owner)
        answer = await installation.graphql(
            _OF_NODE, {"id": issue}, tolerated=_may_miss
        )
        node = answer.get("node")
        if node is None or node.get("__typename") != "Issue":
            return None
        return CardKey(node["repository"]["nameWithOwner"], node["number"])

    async def columns(self, board: BoardKey, *, field: str) -> Sequence[str] | None:
        """The board's columns in order; None if it or its field cannot be read."""
        return await self._boards.columns(board, field=field)

    async def on_board(
        self, board: BoardKey, *, field: str
    ) -> Sequence[BoardCard] | None:
        """All cards of a board, a request a hundred; None if it cannot be read."""
        return await self._boards.cards(board, field=field)

    async def move(self, place: Place, column: str, *, field: str) -> None:
        """Put the card into ``column``; doing it twice does nothing more."""
        await self._boards.move(place, column, field=field)

    async def show_number(self, place: Place, number: float, *, field: str) -> None:
        """Put a number into a field of the card; doing it twice does nothing more."""
        await self._boards.show_number(place, number, field=field)

    async def comments(self, card: CardKey) -> Sequence[Comment]:
        """All comments, oldest first."""
        installation, names = await self._github.of(card.repository)
        answers = installation.getiter(
            "/repos/{owner}/{name}/issues/{number}/comments{?per_page}",
            {**names, "number": str(card.number), "per_page": "100"},
        )
        return [_comment(read(IssueComment, answer)) async for answer in answers]

    async def comment(self, repository: str, comment: int) -> Comment | None:
        """One comment as it stands now; None if somebody deleted it."""
        installation, names = await self._github.of(repository)
        try:
            answer = await installation.getitem(
                "/repos/{owner}/{name}/issues/comments/{comment}",
                {**names, "comment": str(comment)},
            )
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None
        return _comment(read(IssueComment, answer))

    async def write_body(self, card: CardKey, body: str) -> None:
        """Replace the issue's text."""
        installation, names = await self._github.of(card.repository)
        await installation.patch(
            "/repos/{owner}/{name}/issues/{number}",
            {**names, "number": str(card.number)},
            {"body": cut(self._github.redacted(body), LONGEST_BODY)},
        )


def _may_miss(error: GraphQLError) -> bool:
    # An issue may stand on somebody's own board, too, which the App cannot read.
    unreadable = error.type == "FORBIDDEN" and {"projectItems", "nodes"} <= set(
        error.path or ()
    )
    return unreadable or absence(error)


def _places(issue: IssueNode) -> tuple[Place, ...]:
    items = issue.project_items.nodes
    if items and not any(items):
        # Not the same as standing nowhere: that would stop what is running.
        message = f"no board of {issue.url} can be read"
        raise GitHubRefused(message, status_code=HTTPStatus.FORBIDDEN)
    return places_of(issue.project_items)


def _nowhere(issue: IssueNode) -> tuple[Place, ...]:
    """Where an issue stands for those who may not know it."""
    del issue
    return ()


def _card(
    node: Mapping[str, Any] | None, places: Callable[[IssueNode], tuple[Place, ...]]
) -> Card | None:
    if node is None or node.get("__typename", "Issue") != "Issue":
        return None
    issue = read(IssueNode, node)
    labels = issue.labels.nodes if issue.labels else []
    return Card(
        key=CardKey(issue.repository.name_with_owner, issue.number),
        node_id=issue.id,
        title=issue.title,
        body=issue.body,
        url=issue.url,
        author=issue.author.actor if issue.author else GHOST,
        is_open=not issue.closed,
        labels=tuple(label.name for label in labels if label is not None),
        places=places(issue),
    )


def _comment(comment: IssueComment) -> Comment:
    author: Actor = comment.user.actor if comment.user else GHOST
    return Comment(comment.id, author, comment.body or "", comment.created_at)
