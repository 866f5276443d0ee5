"""A job of GitHub Actions, by the one token that it was given.

It stands where the App stands for a server. The token may be the job's own
(``github-actions[bot]``), one that an App gave it, or a person's.
"""

import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus

import aiohttp

from vibeboard.domain.redact import Redactor
from vibeboard.engine.ports import CheckRun, Checks, Clock
from vibeboard.errors import AppAbsent, GitHubRefused
from vibeboard.github import objects
from vibeboard.github.answers import read
from vibeboard.github.app import ClientPorts
from vibeboard.github.auth import PersonalCredential, Scope, Token
from vibeboard.github.client import Client, Identity
from vibeboard.github.connection import Connection
from vibeboard.github.documents import load
from vibeboard.github.transport import Access, Retries

log = logging.getLogger(__name__)

_VIEWER = load("viewer")
_BOT = "[bot]"
# A job on a runner of somebody's own lives so long at most, and the token with it.
_LIFE = timedelta(days=5)


class Job(Connection):
    """Satisfies ``Grantor`` with the job's token; it reaches one account."""

    def __init__(
        self, access: Access, token: str, clock: Clock, *, repository: str
    ) -> None:
        super().__init__(access, PersonalCredential(lambda: token), now=clock.now)
        self._token = token
        self._clock = clock
        self._owner = repository.partition("/")[0]

    def now(self) -> datetime:
        """The present, by this machine's clock."""
        return self._clock.now()

    async def identity(self) -> Identity:
        """Whose token it is; a person is no App, and has no number of one."""
        try:
            person = read(objects.User, await self.getitem("/user", {}))
        except GitHubRefused as refusal:
            if refusal.status_code != HTTPStatus.FORBIDDEN:
                raise
        else:
            return Identity(_NO_APP, person.login, person.login, "", is_app=False)
        # Tokens of Apps may not ask for /user, and are told their bot here.
        viewer = (await self.graphql(_VIEWER, {}))["viewer"]
        slug = read(objects.User, viewer).login.removesuffix(_BOT)
        app = read(objects.App, await self.getitem("/apps/{slug}", {"slug": slug}))
        return Identity(app.id, app.slug, app.name, app.html_url)

    async def installations(self) -> Sequence[objects.InstallationFacts]:
        """The account that the job's repository belongs to."""
        return [self._facts()]

    async def look_up(self, owner: str) -> objects.InstallationFacts:
        """The same, if it is that account; AppAbsent if not."""
        if owner.casefold() != self._owner.casefold():
            raise AppAbsent(owner, f"the job's token is not for {owner}")
        return self._facts()

    async def mint(self, facts: objects.InstallationFacts, scope: Scope) -> Token:
        """The job's token: it is what it is, whatever is asked for."""
        del facts, scope
        now = self.now()
        return Token(self._token, now, now + _LIFE)

    def _facts(self) -> objects.InstallationFacts:
        return objects.InstallationFacts(
            id=_NO_APP, account=objects.InstalledOn(login=self._owner)
        )


_NO_APP = 0


def client_of_job(
    api_url: str,
    token: str,
    session: aiohttp.ClientSession,
    *,
    clock: Clock,
    repository: str,
    redactor: Redactor,
    shows_boards: bool,
) -> Client:
    """All that the job's token reaches."""
    access = Access(session, api_url, Retries())
    job = Job(access, token, clock, repository=repository)
    return Client(access, job, redactor, shows_boards=shows_boards)


class NoChecks:
    """Satisfies ``Checks`` for a person's token: GitHub lets Apps alone make them."""

    async def put(self, repository: str, check: CheckRun) -> int:
        """Make nothing."""
        del repository, check
        return 0


def checks_of(ports: ClientPorts, identity: Identity) -> Checks:
    """How check runs are made with the job's token."""
    return ports.checks if identity.is_app else NoChecks()


class WorkflowRuns:
    """Tells what became of other jobs, which are named by their workflow runs."""

    def __init__(self, client: Client, repository: str, us: str) -> None:
        self._client = client
        self._repository = repository
        self._us = us

    async def is_gone(self, worker: str) -> bool:
        """Whether that job has ended; what GitHub does not tell is taken as no."""
        found, ours = _WORKER.fullmatch(worker), _WORKER.fullmatch(self._us)
        if found is None or ours is None:
            return False
        if found["run"] == ours["run"]:
            # Attempts of a workflow run follow each other.
            return int(found["attempt"]) < int(ours["attempt"])
        installation, names = await self._client.of(self._repository)
        try:
            answer = await installation.getitem(
                "/repos/{owner}/{name}/actions/runs/{run}",
                {**names, "run": found["run"]},
            )
        except GitHubRefused as refusal:
            if refusal.status_code == HTTPStatus.NOT_FOUND:
                return True  # deleted by somebody
            log.warning(
                "cannot see another job: this one needs the permission `actions: read`",
                extra={"job": worker, "why": str(refusal)},
            )
            return False
        seen = read(objects.WorkflowRun, answer)
        return seen.status == "completed" or seen.run_attempt > int(found["attempt"])


_WORKER = re.compile(r"actions-(?P<run>[0-9]+)-(?P<attempt>[0-9]+)")
