"""Deployments: what others tell GitHub of where a commit runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from vibeboard.domain.preview import Preview, PreviewState, address
from vibeboard.errors import GitHubRefused
from vibeboard.github.answers import read
from vibeboard.github.client import Client
from vibeboard.github.connection import Connection
from vibeboard.github.objects import Deployment, DeploymentStatus

_MOST = 10  # of one commit, and of one environment
_LATEST = "1"  # GitHub lists the newest status first
_STATES = {
    "success": PreviewState.READY,
    "failure": PreviewState.FAILED,
    "error": PreviewState.FAILED,
    "inactive": PreviewState.GONE,
}


@dataclass(frozen=True)
class Announcement:
    """What GitHub is to be told of a preview; ``log`` is the job's page."""

    environment: str
    commit: str
    state: PreviewState
    url: str
    log: str


class GitHubDeployments:
    """Satisfies the port ``Deployments``."""

    def __init__(self, github: Client) -> None:
        self._github = github

    async def read(self, repository: str, number: int) -> Preview | None:
        """One as it stands; None if it is gone or gives people nothing to see."""
        installation, names = await self._github.of(repository)
        try:
            answer = await installation.getitem(
                "/repos/{owner}/{name}/deployments/{number}",
                {**names, "number": str(number)},
            )
        except GitHubRefused as refusal:
            if refusal.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise
        return await _preview(installation, names, read(Deployment, answer))

    async def of_commit(self, repository: str, commit: str) -> Sequence[Preview]:
        """Those of a commit, the newest few."""
        installation, names = await self._github.of(repository)
        answers = await installation.getitem(
            "/repos/{owner}/{name}/deployments{?sha,per_page}",
            {**names, "sha": commit, "per_page": str(_MOST)},
        )
        found = []
        for answer in answers:
            preview = await _preview(installation, names, read(Deployment, answer))
            if preview is not None:
                found.append(preview)
        return found

    async def announce(self, repository: str, one: Announcement) -> int:
        """Tell of a preview; the deployment's number."""
        installation, names = await self._github.of(repository)
        answer = await installation.post(
            "/repos/{owner}/{name}/deployments",
            names,
            {
                "ref": one.commit,
                "environment": one.environment,
                "auto_merge": False,
                "required_contexts": [],  # it is looked at before they have ended
                "transient_environment": True,
                "production_environment": False,
            },
        )
        made = read(Deployment, answer)
        ready = one.state is PreviewState.READY
        status = {
            "state": "success" if ready else "failure",
            "environment_url": one.url if ready else "",
            "log_url": one.log,
            "description": "The change can be looked at" if ready else "It failed",
        }
        await _report(installation, names, made.id, status)
        return made.id

    async def retire(
        self, repository: str, environment: str, *, but: int | None = None
    ) -> int | None:
        """Tell that an environment's earlier deployments are gone; the newest of them.

        GitHub does it itself for environments that are not transient.
        """
        installation, names = await self._github.of(repository)
        answers = await installation.getitem(
            "/repos/{owner}/{name}/deployments{?environment,per_page}",
            {**names, "environment": environment, "per_page": str(_MOST)},
        )
        found = [read(Deployment, answer).id for answer in answers]
        earlier = [one for one in found if one != but]
        for one in earlier:
            status = await _status(installation, names, one)
            if status is None or status.state != "inactive":
                await _report(installation, names, one, {"state": "inactive"})
        return max(earlier, default=None)


async def _report(
    connection: Connection, names: dict[str, str], number: int, status: dict[str, str]
) -> None:
    await connection.post(
        "/repos/{owner}/{name}/deployments/{number}/statuses",
        {**names, "number": str(number)},
        status,
    )


async def _status(
    connection: Connection, names: Mapping[str, str], number: int
) -> DeploymentStatus | None:
    """How a deployment stands; None if nobody has said so yet."""
    statuses: list[Any] = await connection.getitem(
        "/repos/{owner}/{name}/deployments/{number}/statuses{?per_page}",
        {**names, "number": str(number), "per_page": _LATEST},
    )
    return read(DeploymentStatus, statuses[0]) if statuses else None


async def _preview(
    connection: Connection, names: Mapping[str, str], one: Deployment
) -> Preview | None:
    if one.production_environment:
        return None
    status = await _status(connection, names, one.id)
    if status is None:
        return None
    state, url = _STATES.get(status.state), address(status.environment_url)
    if state is None or (state is PreviewState.READY and not url):
        return None
    return Preview(
        id=one.id,
        environment=one.environment,
        commit=one.sha,
        state=state,
        url=url,
        log=address(status.log_url or status.target_url),
    )
