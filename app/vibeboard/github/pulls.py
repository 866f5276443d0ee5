"""Pull requests: one a branch, opened as a draft and kept up to date."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from vibeboard.engine.ports import PullRequest, PullView, ReviewComment
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.answers import read
from vibeboard.github.client import Client
from vibeboard.github.connection import Connection
from vibeboard.github.objects import ChangedFile, Pull
from vibeboard.github.pull_view import view
from vibeboard.github.remarks import remarks, thread_of
from vibeboard.github.text import LONGEST_BODY, cut, one_line

_LONGEST_TITLE = 256


class GitHubPulls:
    """Satisfies the port ``Pulls``."""

    def __init__(self, github: Client) -> None:
        self._github = github

    async def of_branch(self, repository: str, branch: str) -> PullRequest | None:
        """The open pull request of a branch of this repository, else the newest."""
        installation, names = await self._github.of(repository)
        return await _of_branch(installation, names, branch)

    async def read(self, repository: str, number: int) -> PullRequest:
        """The pull request as it stands."""
        installation, names = await self._github.of(repository)
        answer = await installation.getitem(
            "/repos/{owner}/{name}/pulls/{number}",
            {**names, "number": str(number)},
            exists=True,  # a pull request can be too new, but not be deleted
        )
        return _pull_request(read(Pull, answer))

    async def ensure(
        self, repository: str, *, branch: str, base: str, title: str, body: str
    ) -> PullRequest:
        """Open a draft, or update the open one's body."""
        installation, names = await self._github.of(repository)
        text = cut(self._github.redacted(body), LONGEST_BODY)
        found = await _of_branch(installation, names, branch)
        if found is None or not found.is_open:
            wanted = {
                "head": branch,
                "base": base,
                "title": one_line(self._github.redacted(title), _LONGEST_TITLE),
                "body": text,
            }
            found = await _open(installation, names, wanted)
        if found.body.replace("\r\n", "\n") == text:
            return found
        return await _write_body(installation, names, found.number, text)

    async def of_commit(self, repository: str, commit: str) -> PullRequest | None:
        """The open pull request whose newest commit this is."""
        installation, names = await self._github.of(repository)
        answers = installation.getiter(
            "/repos/{owner}/{name}/commits/{commit}/pulls{?per_page}",
            {**names, "commit": commit, "per_page": "100"},
        )
        found = [_pull_request(read(Pull, answer)) async for answer in answers]
        heads = (one for one in found if one.is_open and one.head == commit)
        return next((one for one in heads if not one.from_a_fork), None)

    async def write_body(self, repository: str, number: int, body: str) -> None:
        """Put another text into a pull request."""
        installation, names = await self._github.of(repository)
        text = cut(self._github.redacted(body), LONGEST_BODY)
        await _write_body(installation, names, number, text)

    async def files(self, repository: str, number: int) -> Sequence[str]:
        """Paths that a pull request changes."""
        installation, names = await self._github.of(repository)
        answers = installation.getiter(
            "/repos/{owner}/{name}/pulls/{number}/files{?per_page}",
            {**names, "number": str(number), "per_page": "100"},
            exists=True,
        )
        return [read(ChangedFile, answer).filename async for answer in answers]

    async def view(self, repository: str, number: int) -> PullView:
        """All that decides about a pull request, whole or not at all."""
        installation, names = await self._github.of(repository)
        us = await self._github.identity()
        return await view(installation, names, number, us=us)

    async def thread(
        self, repository: str, number: int, comment: int
    ) -> Sequence[ReviewComment]:
        """The thread of a review comment, oldest first; empty if that is gone."""
        installation, names = await self._github.of(repository)
        everything = await remarks(installation, {**names, "number": str(number)})
        return thread_of(everything, comment)


async def propose(
    connection: Connection,
    names: dict[str, str],
    *,
    branch: str,
    base: str,
    title: str,
    body: str,
) -> PullRequest:
    """Open a pull request that is ready for review, or give the branch's open one."""
    found = await _of_branch(connection, names, branch, base)
    if found is not None and found.is_open:
        return found
    wanted = {"head": branch, "base": base, "title": title, "body": body}
    answer = await connection.post("/repos/{owner}/{name}/pulls", names, wanted)
    return _pull_request(read(Pull, answer))


async def _of_branch(
    connection: Connection,
    names: dict[str, str],
    branch: str,
    base: str | None = None,
) -> PullRequest | None:
    """The open pull request of a branch, else the newest; into ``base`` if given."""
    answers = connection.getiter(
        "/repos/{owner}/{name}/pulls{?head,state,sort,direction,per_page}",
        {
            **names,
            "head": f"{names['owner']}:{branch}",
            "state": "all",
            "sort": "created",
            "direction": "desc",
            "per_page": "100",
        },
    )
    # The filter knows owners only, and an owner may have a fork of its own.
    found = [read(Pull, answer) async for answer in answers]
    ours = [
        _pull_request(pull)
        for pull in found
        if pull.head.ref == branch
        and not pull.from_a_fork
        and base in (None, pull.base.ref)
    ]
    return next((one for one in ours if one.is_open), ours[0] if ours else None)


async def _write_body(
    connection: Connection, names: dict[str, str], number: int, text: str
) -> PullRequest:
    answer = await connection.patch(
        "/repos/{owner}/{name}/pulls/{number}",
        {**names, "number": str(number)},
        {"body": text},
    )
    return _pull_request(read(Pull, answer))


async def _open(
    connection: Connection, names: dict[str, str], wanted: dict[str, Any]
) -> PullRequest:
    """Open a draft; whoever opened it first, there is one."""
    try:
        answer = await _create(connection, names, wanted)
    except (GitHubUnavailable, GitHubRefused) as error:
        if isinstance(error, GitHubRefused) and "already exists" not in str(error):
            raise
        found = await _of_branch(connection, names, wanted["head"], wanted["base"])
        if found is None or not found.is_open:
            raise
        return found
    return _pull_request(read(Pull, answer))


async def _create(
    connection: Connection, names: dict[str, str], wanted: dict[str, Any]
) -> Any:
    url = "/repos/{owner}/{name}/pulls"
    try:
        return await connection.post(url, names, {**wanted, "draft": True})
    except GitHubRefused as refusal:
        # Private repositories of some plans have no drafts.
        no_drafts = "draft" in str(refusal).lower()
        if refusal.status_code != HTTPStatus.UNPROCESSABLE_ENTITY or not no_drafts:
            raise
        return await connection.post(url, names, wanted)


def _pull_request(pull: Pull) -> PullRequest:
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        # A fork's branch may bear the name of one of ours, and is not ours.
        branch=pull.head.label or ":" if pull.from_a_fork else pull.head.ref,
        head=pull.head.sha,
        is_open=pull.state == "open",
        is_draft=pull.draft,
        merged=pull.merged_at is not None,
        body=pull.body or "",
    )
