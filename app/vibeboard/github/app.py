"""All that the engine needs of GitHub, built on one client."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from vibeboard.engine.ports import Calls
from vibeboard.github import accounting
from vibeboard.github.cards import GitHubCards
from vibeboard.github.checks import GitHubChecks
from vibeboard.github.client import Client, GitHub, Identity, Installation, Person
from vibeboard.github.deployments import GitHubDeployments
from vibeboard.github.hook_deliveries import GitHubHookDeliveries
from vibeboard.github.limits import Quota
from vibeboard.github.manifest import missing
from vibeboard.github.pulls import GitHubPulls
from vibeboard.github.replies import GitHubReplies
from vibeboard.github.repositories import GitHubRepositories


class ClientPorts:
    """The engine's ports on GitHub, one client behind them all."""

    def __init__(self, github: Client) -> None:
        self.github = github
        self.repositories = GitHubRepositories(github)
        self.cards = GitHubCards(github)
        self.replies = GitHubReplies(github)
        self.pulls = GitHubPulls(github)
        self.deployments = GitHubDeployments(github)
        self.checks = GitHubChecks(github)

    def counted(self) -> AbstractContextManager[Calls]:
        """Count what is called inside, in child tasks too; counts may nest."""
        return accounting.counted()

    @property
    def calls(self) -> Mapping[str, int]:
        """How many requests went out since the start, by purpose."""
        return self.github.calls

    @property
    def quotas(self) -> Mapping[str, Mapping[str, Quota]]:
        """What is left of GitHub's primary limits: by account, then by resource."""
        return self.github.quotas

    async def take_token(
        self, token: Callable[[], str], *, everywhere: bool = False
    ) -> Person:
        """Use a person's token from now on, for that person's own boards, or all."""
        return await self.github.take_token(token, everywhere=everywhere)

    async def identity(self) -> Identity:
        """Who we are on GitHub."""
        return await self.github.identity()


class GitHubPorts(ClientPorts):
    """The same for an App, and what only an App is told."""

    def __init__(self, github: GitHub) -> None:
        super().__init__(github)
        self.hook_deliveries = GitHubHookDeliveries(github)

    async def installations(self) -> Sequence[Installation]:
        """Everywhere the App is installed."""
        return await self.github.installations()

    async def missing_permissions(self, *, fleet: bool = False) -> Sequence[str]:
        """What the App needs and an account did not grant, in words.

        ``fleet`` says whether runs are given to GitHub Actions.
        """
        return [
            f"{need.permission}: {need.access} on {installation.owner} ({need.reason})"
            for installation in await self.installations()
            for need in missing(installation.permissions, fleet=fleet)
        ]
