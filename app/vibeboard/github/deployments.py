"""Deployments: what others tell GitHub of where a commit runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from vibeboard.domain.preview import Preview, PreviewState, address
from vibeboard.errors import GitHubRefused
from vibeboard.github.answers import read
from vibeboard.github.client import Client
from vibeboard.github.connection import Connection
from vibeboard.github.objects import Deployment, DeploymentStatus

_MOST = 10  # of one commit
_LATEST = "1"  # GitHub lists the newest status first
_NOT_FOUND = 404
_STATES = {
    "success": PreviewState.READY,
    "failure": PreviewState.FAILED,
    "error": PreviewState.FAILED,
    "inactive": PreviewState.GONE,
}


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
            if refusal.status_code == _NOT_FOUND:
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
            deployment = read(Deployment, answer)
            if deployment.production_environment:
                continue
            preview = await _preview(installation, names, deployment)
            if preview is not None:
                found.append(preview)
        return found


async def _preview(
    connection: Connection, names: Mapping[str, str], one: Deployment
) -> Preview | None:
    statuses: list[Any] = await connection.getitem(
        "/repos/{owner}/{name}/deployments/{number}/statuses{?per_page}",
        {**names, "number": str(one.id), "per_page": _LATEST},
    )
    if not statuses:
        return None
    status = read(DeploymentStatus, statuses[0])
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
