"""Who opens the pull request: the App where its settings are, else a person's token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from vibeboard.cli.init.checkout import Origin
from vibeboard.clock import SystemClock
from vibeboard.engine.ports import PullRequest, Remote
from vibeboard.errors import AppAbsent, GitHubRefused, UserError
from vibeboard.github.answers import read
from vibeboard.github.app import GitHubPorts
from vibeboard.github.auth import PersonalCredential
from vibeboard.github.client import GitHub
from vibeboard.github.connection import Connection
from vibeboard.github.objects import RepositoryLinks
from vibeboard.github.pulls import propose
from vibeboard.github.transport import Access
from vibeboard.settings import names_an_app, person_token, read_settings

_CLOSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


@dataclass(frozen=True)
class Proposer:
    """Somebody who may push to a repository and open pull requests there."""

    remote: Remote
    repository: str
    connection: Connection

    async def open(self, *, branch: str, title: str, body: str) -> PullRequest:
        """The branch's pull request into the default branch."""
        return await propose(
            self.connection,
            _names(self.repository),
            branch=branch,
            base=self.remote.default_branch,
            title=title,
            body=body,
        )


@asynccontextmanager
async def proposing(origin: Origin) -> AsyncIterator[Proposer]:
    """Whoever may here; raises SettingsInvalid, or UserError if nobody may."""
    async with aiohttp.ClientSession() as session:
        try:
            if names_an_app():
                yield await _app(origin, session)
            else:
                yield await _person(origin, session)
        except AppAbsent as absent:
            message = f"{absent}: install it there, or use a token (unset VIBEBOARD_*)"
            raise UserError(message) from absent
        except GitHubRefused as refusal:
            if refusal.status_code not in _CLOSED:
                raise
            message = (
                f"{origin.repository} is closed to these credentials ({refusal}): they "
                "must be able to write contents and pull requests there"
            )
            raise UserError(message) from refusal


async def _app(origin: Origin, session: aiohttp.ClientSession) -> Proposer:
    settings = read_settings()
    github = GitHub(
        settings.github_api_url,
        settings.app_id,
        settings.private_key(),
        session,
        clock=SystemClock(),
    )
    # The person who typed the command looked at what it writes.
    remote = await GitHubPorts(github).repositories.remote(
        origin.repository, approved=True
    )
    installation, _ = await github.of(origin.repository)
    return Proposer(remote, origin.repository, installation)


async def _person(origin: Origin, session: aiohttp.ClientSession) -> Proposer:
    token = person_token(origin.host)
    if not origin.is_private_to_send:
        message = f"{origin.web} is not https: a token is not sent there"
        raise UserError(message)

    async def credential() -> str:
        return token

    connection = Connection(
        Access(session, origin.api_url),
        PersonalCredential(lambda: token),
        now=SystemClock().now,
    )
    answer = await connection.getitem(
        "/repos/{owner}/{name}", _names(origin.repository)
    )
    links = read(RepositoryLinks, answer)
    remote = Remote(links.clone_url, credential, links.default_branch)
    return Proposer(remote, origin.repository, connection)


def _names(repository: str) -> dict[str, str]:
    owner, _, name = repository.partition("/")
    return {"owner": owner, "name": name}
