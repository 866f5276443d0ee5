"""One GitHub App: who it is, where it is installed, and calls on its behalf.

One object for the whole process, because tokens, clocks and limits are shared.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp

from vibeboard.engine.ports import Clock
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github import objects
from vibeboard.github.answers import read
from vibeboard.github.auth import (
    EVERYTHING,
    AppCredential,
    InstallationCredential,
    Scope,
    Token,
)
from vibeboard.github.connection import Access, Connection
from vibeboard.github.pace import Pace
from vibeboard.github.transport import Retries

_FULL_NAME = re.compile(r"(?P<owner>[A-Za-z0-9_-]+)/(?P<name>[A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Identity:
    """Who we are on GitHub. ``login`` is what our comments are signed with."""

    app_id: int
    slug: str
    name: str
    url: str

    @property
    def login(self) -> str:
        """The login of the App's bot account."""
        return f"{self.slug}[bot]"


class Installation(Connection):
    """The App on one account: what it reads and writes there."""

    def __init__(
        self,
        access: Access,
        credential: InstallationCredential,
        app: AppCredential,
        facts: objects.InstallationFacts,
    ) -> None:
        super().__init__(access, credential, now=app.now, pace=Pace())
        self.id = facts.id
        self.owner = facts.owner
        self.permissions: Mapping[str, str] = facts.permissions
        self._credential = credential

    async def token(self, scope: Scope = EVERYTHING) -> str:
        """A token that is valid now, to be used at once and never kept."""
        return await self._credential.token(scope)


class GitHub:
    """One App on one GitHub, github.com or an Enterprise Server.

    ``app_id`` is the client id or the numeric id; ``private_key`` is PEM text.
    """

    def __init__(
        self,
        api_url: str,
        app_id: str,
        private_key: str,
        session: aiohttp.ClientSession,
        *,
        clock: Clock,
        retries: Retries | None = None,
    ) -> None:
        self._access = Access(session, api_url, retries or Retries())
        self._credential = AppCredential(app_id, private_key, clock)
        self._installations: dict[str, Installation] = {}
        self._looking_up = asyncio.Lock()
        self._identity: Identity | None = None
        self.app = Connection(self._access, self._credential, now=self._credential.now)

    @property
    def calls(self) -> Counter[str]:
        """How many requests went out, by purpose."""
        return self._access.calls

    async def identity(self) -> Identity:
        """Who we are; asked once."""
        if self._identity is None:
            app = read(objects.App, await self.app.getitem("/app", {}))
            self._identity = Identity(app.id, app.slug, app.name, app.html_url)
        return self._identity

    async def installations(self) -> Sequence[Installation]:
        """Everywhere the App is installed and not suspended."""
        answers = self.app.getiter("/app/installations{?per_page}", {"per_page": "100"})
        found = [read(objects.InstallationFacts, answer) async for answer in answers]
        return [self._know(facts) for facts in found if facts.suspended_at is None]

    async def installation(self, owner: str) -> Installation:
        """The App on ``owner``'s account; refused (404) if it is not installed."""
        async with self._looking_up:
            known = self._installations.get(owner.lower())
            return known or self._know(await self._look_up(owner))

    async def of(self, repository: str) -> tuple[Installation, dict[str, str]]:
        """Whose installation serves ``owner/name``, and both names for a route."""
        names = _FULL_NAME.fullmatch(repository)
        if names is None or names["name"] in {".", ".."}:
            message = f"not a repository: {repository!r}"
            raise ValueError(message)
        return await self.installation(names["owner"]), names.groupdict()

    async def _look_up(self, owner: str) -> objects.InstallationFacts:
        try:
            found = await self.app.getitem(
                "/orgs/{owner}/installation", {"owner": owner}
            )
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise
            found = await self.app.getitem(
                "/users/{owner}/installation", {"owner": owner}
            )
        return read(objects.InstallationFacts, found)

    def _know(self, facts: objects.InstallationFacts) -> Installation:
        known = self._installations.get(facts.owner.lower())
        if known is None or known.id != facts.id:
            known = self._installations[facts.owner.lower()] = self._connect(facts)
        return known

    def _connect(self, facts: objects.InstallationFacts) -> Installation:
        async def mint(scope: Scope) -> Token:
            try:
                answer = await self.app.post(
                    "/app/installations/{id}/access_tokens",
                    {"id": str(facts.id)},
                    scope.request(),
                )
            except GitHubRefused as refusal:
                if refusal.status_code != HTTPStatus.NOT_FOUND:
                    raise
                # Removed and installed again, the App has another id there: the
                # next attempt asks for it.
                self._installations.pop(facts.owner.lower(), None)
                message = f"installation {facts.id} on {facts.owner} is gone"
                raise GitHubUnavailable(message) from refusal
            minted = read(objects.MintedToken, answer)
            return Token(minted.token, self._credential.now(), minted.expires_at)

        credential = InstallationCredential(mint, self._credential.now)
        return Installation(self._access, credential, self._credential, facts)
