"""Our own words on issues and pull requests, each said once.

Comments have no natural key, so every one of ours ends with a hidden marker. It
counts only in a comment that our own bot wrote: anybody can copy a marker. Before
a comment is created we look for it, and again when the answer to its creation was
lost; only the next attempt may write it again. Of many texts for one comment that
wait for their turn, only the last is written.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus

from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Marker
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.answers import absence, read
from vibeboard.github.client import Client, Installation
from vibeboard.github.documents import load
from vibeboard.github.objects import (
    CommentNode,
    CommentPage,
    CreatedComment,
    ReviewComment,
)
from vibeboard.github.remarks import remarks
from vibeboard.github.text import marked, topic_of
from vibeboard.github.turns import Turn, Turns

_NEWEST = load("newest_comments")
_COMMENT = "/repos/{owner}/{name}/issues/comments/{comment}"
# After this, all of GitHub knows a new comment.
_NEW = timedelta(minutes=1)
_MOST_NEW = 1_000


class GitHubReplies:
    """Satisfies the port ``Replies``."""

    def __init__(self, github: Client) -> None:
        self._github = github
        self._saying: Turns[str, int] = Turns()
        self._amending: Turns[str, bool] = Turns()
        self._answering: Turns[str, None] = Turns()
        self._new: OrderedDict[int, datetime] = OrderedDict()

    async def ensure(
        self, card: CardKey, marker: Marker, body: str, *, known: int | None = None
    ) -> int:
        """Post once, or edit the comment that has the marker; gives its id."""
        return await self._saying.share(
            (card, marker.topic),
            marked(self._github.redacted(body), marker.topic),
            partial(self._say, card, marker.topic, known),
        )

    async def _say(
        self, card: CardKey, topic: str, known: int | None, turn: Turn[str]
    ) -> int:
        installation, names = await self._github.of(card.repository)
        thread = {**names, "number": str(card.number)}
        if known is not None and await self._edit(installation, names, known, turn):
            return known
        found = await self._find(installation, thread, topic)
        if found is None:
            return await self._create(installation, thread, topic, turn)
        await self._bring(installation, names, found, turn)
        return found.full_database_id

    async def amend(self, card: CardKey, marker: Marker, body: str) -> bool:
        """Edit the comment that has the marker; False if we never said it."""
        return await self._amending.share(
            (card, marker.topic),
            marked(self._github.redacted(body), marker.topic),
            partial(self._amend, card, marker.topic),
        )

    async def _amend(self, card: CardKey, topic: str, turn: Turn[str]) -> bool:
        installation, names = await self._github.of(card.repository)
        thread = {**names, "number": str(card.number)}
        found = await self._find(installation, thread, topic)
        if found is not None:
            return await self._bring(installation, names, found, turn)
        turn.take()
        return False

    async def _bring(
        self,
        installation: Installation,
        names: dict[str, str],
        found: CommentNode,
        turn: Turn[str],
    ) -> bool:
        """Bring a comment up to date; False if somebody has just deleted it."""
        there = True
        if _normal(found.body) != turn.value:
            there = await self._edit(installation, names, found.full_database_id, turn)
        turn.take()
        return there

    async def react(
        self, repository: str, comment: int, content: str, *, review: bool
    ) -> None:
        """React to a comment; GitHub keeps one of a kind, and a deleted one none."""
        installation, names = await self._github.of(repository)
        kind = "pulls" if review else "issues"
        try:
            await installation.post(
                f"/repos/{{owner}}/{{name}}/{kind}/comments/{{comment}}/reactions",
                {**names, "comment": str(comment)},
                {"content": content},
            )
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise

    async def answer_review(
        self, repository: str, pull_request: int, comment: int, body: str
    ) -> None:
        """Reply in a review comment's thread, once."""
        await self._answering.share(
            (repository, comment),
            self._github.redacted(body),
            partial(self._answer, repository, pull_request, comment),
        )

    async def _answer(
        self, repository: str, pull_request: int, comment: int, turn: Turn[str]
    ) -> None:
        topic = f"review={comment}"
        installation, names = await self._github.of(repository)
        thread = {**names, "number": str(pull_request)}
        said = await remarks(installation, thread)
        asked = next((one for one in said if one.id == comment), None)
        if asked is None or await self._answered(said, topic):
            return
        first = asked.in_reply_to_id or asked.id  # replies take no replies
        try:
            await installation.post(
                "/repos/{owner}/{name}/pulls/{number}/comments/{comment}/replies",
                {**thread, "comment": str(first)},
                {"body": marked(turn.take(), topic)},
            )
        except GitHubUnavailable:
            if not await self._answered(await remarks(installation, thread), topic):
                raise

    async def _answered(self, said: list[ReviewComment], topic: str) -> bool:
        us = (await self._github.identity()).login
        return any(
            remark.user is not None
            and remark.user.login == us
            and topic_of(remark.body or "") == topic
            for remark in said
        )

    async def _create(
        self,
        installation: Installation,
        thread: dict[str, str],
        topic: str,
        turn: Turn[str],
    ) -> int:
        try:
            answer = await installation.post(
                "/repos/{owner}/{name}/issues/{number}/comments",
                thread,
                lambda: {"body": turn.take()},
            )
        except GitHubUnavailable:
            found = await self._find(installation, thread, topic)
            if found is None:
                raise
            return found.full_database_id
        comment = read(CreatedComment, answer).id
        self._new[comment] = self._github.now()
        if len(self._new) > _MOST_NEW:
            self._new.popitem(last=False)
        return comment

    async def _edit(
        self,
        installation: Installation,
        names: dict[str, str],
        comment: int,
        turn: Turn[str],
    ) -> bool:
        """Replace a comment's text; False if somebody deleted the comment."""
        created = self._new.get(comment)
        try:
            await installation.patch(
                _COMMENT,
                {**names, "comment": str(comment)},
                lambda: {"body": turn.take()},
                exists=created is not None and self._github.now() - created < _NEW,
            )
        except GitHubRefused as refusal:
            if refusal.status_code == HTTPStatus.NOT_FOUND:
                return False
            raise
        return True

    async def _find(
        self, installation: Installation, thread: dict[str, str], topic: str
    ) -> CommentNode | None:
        us = (await self._github.identity()).login
        async for comment in _newest_first(installation, thread):
            author = comment.author
            if author is None or author.actor.login != us:
                continue
            if topic_of(comment.body) == topic:
                return comment
        return None


def _normal(body: str) -> str:
    return body.replace("\r\n", "\n")


async def _newest_first(
    installation: Installation, thread: dict[str, str]
) -> AsyncIterator[CommentNode]:
    variables = {**thread, "number": int(thread["number"]), "before": None}
    while True:
        # One of issue and pull request has this number; the other is NOT_FOUND.
        answer = await installation.graphql(_NEWEST, variables, tolerated=absence)
        repository = answer.get("repository") or {}
        thing = repository.get("issue") or repository.get("pullRequest")
        if thing is None:
            message = "the issue or pull request is gone"
            raise GitHubRefused(message, status_code=HTTPStatus.NOT_FOUND)
        page = read(CommentPage, thing.get("comments"))
        for comment in reversed(page.nodes):
            if comment is not None:
                yield comment
        if not page.page_info.has_previous_page:
            return
        variables["before"] = page.page_info.start_cursor
