"""One GitHub App: who it is, where it is installed, and calls on its behalf.

One object for the whole process, because tokens, clocks and limits are shared. A job
of GitHub Actions (``job.py``) stands in for the App where there is none.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

import aiohttp

from vibeboard.domain.board import BoardKey
from vibeboard.domain.redact import Redactor
from vibeboard.engine.ports import Clock, PointsLeft
from vibeboard.errors import AppAbsent, GitHubRefused, GitHubUnavailable
from vibeboard.github import objects
from vibeboard.github.answers import read, suspended
from vibeboard.github.auth import (
    EVERYTHING,
    AppCredential,
    InstallationCredential,
    PersonalCredential,
    PrivateKey,
    Scope,
    Token,
)
from vibeboard.github.connection import Connection
from vibeboard.github.limits import GRAPHQL, Quota
from vibeboard.github.pace import Pace, Pause
from vibeboard.github.transport import Access, Retries, sleep
from vibeboard.github.turns import Turn, Turns

_FULL_NAME = re.compile(r"(?P<owner>[A-Za-z0-9_-]+)/(?P<name>[A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Identity:
    """Who we are on GitHub. ``login`` is what our comments are signed with."""

    app_id: int
    slug: str
    name: str
    url: str
    is_app: bool = True

    @property
    def login(self) -> str:
        """The login of the App's bot account, or of a person."""
        return f"{self.slug}[bot]" if self.is_app else self.slug


class Grantor(Protocol):
    """Who gives tokens for accounts: the App, or a job that has one token."""

    def now(self) -> datetime:
        """The present by GitHub's clock."""
        ...

    async def identity(self) -> Identity:
        """Who we are."""
        ...

    async def installations(self) -> Sequence[objects.InstallationFacts]:
        """Every account that we reach."""
        ...

    async def look_up(self, owner: str) -> objects.InstallationFacts:
        """One account; AppAbsent if we do not reach it."""
        ...

    async def mint(self, facts: objects.InstallationFacts, scope: Scope) -> Token:
        """A token for it."""
        ...


class Installation(Connection):
    """The App on one account: what it reads and writes there."""

    def __init__(
        self, access: Access, app: Grantor, facts: objects.InstallationFacts
    ) -> None:
        self._app = app
        self._facts = facts
        self._credential = InstallationCredential(self._mint, app.now, access.pause)
        super().__init__(
            access,
            self._credential,
            now=app.now,
            pace=access.pace(),
            account=facts.owner,
        )

    @property
    def id(self) -> int:
        """GitHub's number of the installation; another one once installed again."""
        return self._facts.id

    @property
    def owner(self) -> str:
        """The login of the account."""
        return self._facts.owner

    @property
    def permissions(self) -> Mapping[str, str]:
        """What the account grants, when GitHub was last asked."""
        return self._facts.permissions

    def learn(self, facts: objects.InstallationFacts) -> None:
        """Go by what GitHub says of the installation now."""
        self._facts = facts

    async def token(self, scope: Scope = EVERYTHING) -> str:
        """A token that is valid now, to be used at once and never kept."""
        return await self._credential.token(scope)

    async def _mint(self, scope: Scope) -> Token:
        try:
            return await self._app.mint(self._facts, scope)
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise
        # Removed and installed again, the App has another id there.
        facts = await self._app.look_up(self.owner)
        if facts.id == self.id:
            message = f"GitHub does not know installation {self.id}"
            raise AppAbsent(self.owner, message)
        self.learn(facts)
        return await self._app.mint(facts, scope)


class App(Connection):
    """The App's own calls: who it is, where it is installed, its tokens there."""

    def __init__(self, access: Access, credential: AppCredential) -> None:
        super().__init__(access, credential, now=credential.now)
        self._credential = credential

    def now(self) -> datetime:
        """The present by GitHub's clock, as far as we know it."""
        return self._credential.now()

    async def identity(self) -> Identity:
        """Who the App is."""
        app = read(objects.App, await self.getitem("/app", {}))
        return Identity(app.id, app.slug, app.name, app.html_url)

    async def installations(self) -> Sequence[objects.InstallationFacts]:
        """Everywhere the App is installed, suspended or not."""
        answers = self.getiter("/app/installations{?per_page}", {"per_page": "100"})
        return [read(objects.InstallationFacts, answer) async for answer in answers]

    async def look_up(self, owner: str) -> objects.InstallationFacts:
        """The App on ``owner``'s account; AppAbsent if suspended or not there."""
        found = await self._of_account("/orgs/{owner}/installation", owner)
        found = found or await self._of_account("/users/{owner}/installation", owner)
        if found is None:
            message = f"the App is not installed on {owner}"
            raise AppAbsent(owner, message)
        facts = read(objects.InstallationFacts, found)
        if facts.suspended_at is not None:
            message = f"the App is suspended on {owner}"
            raise AppAbsent(owner, message)
        return facts

    async def _of_account(self, url: str, owner: str) -> object:
        try:
            return await self.getitem(url, {"owner": owner})
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.NOT_FOUND:
                raise
            return None

    async def mint(self, facts: objects.InstallationFacts, scope: Scope) -> Token:
        """A new token; AppAbsent where the installation is suspended."""
        try:
            answer = await self.post(
                "/app/installations/{id}/access_tokens",
                {"id": str(facts.id)},
                scope.request(),
                repeatable=True,
            )
        except GitHubRefused as refusal:
            if suspended(refusal):
                raise AppAbsent(facts.owner, str(refusal)) from refusal
            if refusal.status_code == HTTPStatus.UNAUTHORIZED:
                # Whoever changes the App's key gives us the new one soon.
                message = f"GitHub does not take the App's key: {refusal}"
                raise GitHubUnavailable(message, after=_KEY_CHANGES) from refusal
            raise
        minted = read(objects.MintedToken, answer)
        return Token(minted.token, self.now(), minted.expires_at)


_KEY_CHANGES = timedelta(minutes=1)


class Person(Connection):
    """A person who lent us a token: no App sees boards of people."""

    def __init__(
        self,
        access: Access,
        token: Callable[[], str],
        app: Grantor,
        *,
        everywhere: bool = False,
    ) -> None:
        """``everywhere`` if boards of others are read with the token, too."""
        credential = PersonalCredential(token)
        super().__init__(access, credential, now=app.now, pace=access.pace())
        self.login = ""
        self._everywhere = everywhere

    async def introduce(self) -> None:
        """Learn whose token it is."""
        self.login = read(objects.User, await self.getitem("/user", {})).login

    @property
    def points(self) -> PointsLeft | None:
        """What is left of the person's points; None before the first use."""
        quota = self.quotas.get(GRAPHQL)
        if quota is None:
            return None
        return PointsLeft(quota.limit, quota.remaining, quota.resets_at)

    def owns(self, board: BoardKey) -> bool:
        """Whether a board is this person's own."""
        return board.owner.lower() == self.login.lower()

    def reads(self, board: BoardKey) -> bool:
        """Whether a board is read with this person's token."""
        return self._everywhere or self.owns(board)


class Client:
    """All that is reached of one GitHub, github.com or an Enterprise Server.

    ``redactor`` knows what must not be shown. ``shows_boards`` says whether issues may
    be asked where they stand on boards of organizations.
    """

    def __init__(
        self,
        access: Access,
        grantor: Grantor,
        redactor: Redactor | None = None,
        *,
        shows_boards: bool = True,
    ) -> None:
        self._access = access
        self._grantor = grantor
        self._redactor = redactor or Redactor()
        self._installations: dict[str, Installation] = {}
        self._looking_up: Turns[None, Installation] = Turns()
        self._identity: Identity | None = None
        self._person: Person | None = None
        self.shows_boards = shows_boards

    @property
    def session(self) -> aiohttp.ClientSession:
        """What requests are made with."""
        return self._access.session

    @property
    def calls(self) -> Counter[str]:
        """How many requests went out, by purpose."""
        return self._access.calls

    @property
    def quotas(self) -> Mapping[str, Mapping[str, Quota]]:
        """What is left of the primary limits: by account, then by resource."""
        known = self._installations.values()
        return {one.owner: one.quotas for one in known if one.quotas}

    def redacted(self, text: str) -> str:
        """Text for others to read, without secrets."""
        return self._redactor.redact(text)

    def now(self) -> datetime:
        """The present by GitHub's clock, as far as we know it."""
        return self._grantor.now()

    async def identity(self) -> Identity:
        """Who we are; asked once."""
        if self._identity is None:
            self._identity = await self._grantor.identity()
        return self._identity

    async def installations(self) -> Sequence[Installation]:
        """Everywhere the App is installed and not suspended."""
        found = await self._grantor.installations()
        return [self._know(facts) for facts in found if facts.suspended_at is None]

    async def installation(self, owner: str) -> Installation:
        """The App on ``owner``'s account; AppAbsent if suspended or not there."""
        known = self._installations.get(owner.lower())
        if known is not None:
            return known

        async def look_up(turn: Turn[None]) -> Installation:
            # Who came while another asked for those before finds it here.
            found = self._installations.get(owner.lower())
            if found is None:
                found = self._know(await self._grantor.look_up(owner))
            turn.take()
            return found

        return await self._looking_up.share(owner.lower(), None, look_up)

    async def take_token(
        self, token: Callable[[], str], *, everywhere: bool = False
    ) -> Person:
        """Use a person's token from now on, for that person's own boards.

        ``everywhere``: for all boards.
        """
        person = Person(self._access, token, self._grantor, everywhere=everywhere)
        await person.introduce()
        self._person = person
        return person

    def person_of(self, board: BoardKey) -> Person | None:
        """Who lent us a token, if the board is read with it."""
        person = self._person
        return person if person is not None and person.reads(board) else None

    async def of_board(self, board: BoardKey) -> Connection:
        """Who reads and changes a board for us; AppAbsent if nobody does."""
        return self.person_of(board) or await self.installation(board.owner)

    async def of(self, repository: str) -> tuple[Installation, dict[str, str]]:
        """Whose installation serves ``owner/name``, and both names for a route."""
        names = _FULL_NAME.fullmatch(repository)
        if names is None or names["name"] in {".", ".."}:
            message = f"not a repository: {repository!r}"
            raise ValueError(message)
        return await self.installation(names["owner"]), names.groupdict()

    def _know(self, facts: objects.InstallationFacts) -> Installation:
        known = self._installations.get(facts.owner.lower())
        if known is None:
            known = Installation(self._access, self._grantor, facts)
            self._installations[facts.owner.lower()] = known
        known.learn(facts)
        return known


class GitHub(Client):
    """One App.

    ``app_id`` is the client id or the numeric id; ``private_key`` is PEM text, or
    what reads it when it may have changed.
    """

    def __init__(
        self,
        api_url: str,
        app_id: str,
        private_key: PrivateKey,
        session: aiohttp.ClientSession,
        *,
        clock: Clock,
        retries: Retries | None = None,
        pause: Pause = sleep,
        pace: Callable[[], Pace] = Pace,
        redactor: Redactor | None = None,
    ) -> None:
        access = Access(session, api_url, retries or Retries(), pause, pace)
        self.app = App(access, AppCredential(app_id, private_key, clock))
        super().__init__(access, self.app, redactor)
