"""Tells GitHub where a pull request's change can be looked at, or that it no more can.

What publishes it is the team's. This makes a deployment of it, which GitHub shows on
the pull request and tells whoever listens of.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from vibeboard.action import told
from vibeboard.action.event import Refused
from vibeboard.action.inputs import Reader
from vibeboard.action.retrying import tried
from vibeboard.clock import SystemClock
from vibeboard.domain.preview import PreviewState, address
from vibeboard.domain.redact import Redactor
from vibeboard.engine.ports import PullRequest
from vibeboard.errors import (
    GitHubRefused,
    SettingsInvalid,
    UserError,
    VibeboardError,
)
from vibeboard.github.app import ClientPorts
from vibeboard.github.deployments import Announcement
from vibeboard.github.job import client_of_job

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_STATES = {
    "success": PreviewState.READY,
    "failure": PreviewState.FAILED,
    "removed": PreviewState.GONE,
}
_CANCELLED = "cancelled"  # nobody knows then what is published
_MOST_TRIES = 5
_USAGE = 2


@dataclass(frozen=True)
class Wish:
    """What the job was given; ``state`` is None if it was cancelled."""

    repository: str
    api_url: str
    job: str
    pull_request: int
    state: PreviewState | None
    commit: str
    url: str
    token: str = field(repr=False)
    output: Path | None
    attempt: int = 1

    @property
    def environment(self) -> str:
        """What the deployments of the pull request are told apart by."""
        return f"preview/pr-{self.pull_request}"


def main(environment: Mapping[str, str]) -> int:
    """Do it; 1 if GitHub did not take it, 2 if the job was not set up rightly."""
    try:
        wish = read_wish(environment)
    except SettingsInvalid as error:
        for fault in str(error).splitlines():
            told.say(told.command("error", fault, title="Vibeboard"))
        return _USAGE
    told.mask([wish.token])
    try:
        deployment = asyncio.run(tried(partial(_tell, wish), _MOST_TRIES))
    except Refused as refused:
        told.say(told.command("notice", str(refused), title="Vibeboard"))
        return 0
    except GitHubRefused as refusal:
        why = f"GitHub answered {refusal.status_code}: {refusal}"
        told.say(told.command("error", why, title="Vibeboard"))
        return 1
    except VibeboardError as error:
        told.say(told.command("error", str(error), title="Vibeboard"))
        return 1
    given = {"deployment": str(deployment)} if deployment is not None else {}
    told.put_outputs(wish.output, given)
    return 0


def read_wish(environment: Mapping[str, str]) -> Wish:
    """What the job was given; raises SettingsInvalid with every fault."""
    read = Reader(environment)
    repository, state = read.own("GITHUB_REPOSITORY"), read.given("STATE") or "success"
    run = f"{repository}/actions/runs/{read.own('GITHUB_RUN_ID')}"
    number, commit = read.given("PULL_REQUEST").removeprefix("#"), read.given("COMMIT")
    url = read.given("URL")
    if not number.isdecimal():
        read.faults.append(f"the input `pull-request` is no number: {number!r}")
    if state not in {*_STATES, _CANCELLED}:
        known = ", ".join(_STATES)
        read.faults.append(f"the input `state` is {state!r}; it is one of {known}")
    if state in {"success", "failure"} and not _COMMIT.fullmatch(commit):
        read.faults.append(f"the input `commit` is no whole commit: {commit!r}")
    if state == "success" and not address(url):
        read.faults.append(f"the input `url` is no web address: {url!r}")
    wish = Wish(
        repository=repository,
        api_url=read.own("GITHUB_API_URL"),
        job=f"{read.own('GITHUB_SERVER_URL')}/{run}",
        pull_request=int(number) if number.isdecimal() else 0,
        state=_STATES.get(state),
        commit=commit,
        url=address(url),
        token=read.given("GITHUB_TOKEN"),
        output=read.file("GITHUB_OUTPUT"),
        attempt=read.number("GITHUB_RUN_ATTEMPT"),
    )
    if not wish.token:
        read.faults.append("the input `github-token` is empty")
    if read.faults:
        raise SettingsInvalid("\n".join(read.faults))
    return wish


async def _tell(wish: Wish) -> int | None:
    if wish.state is None:
        raise Refused("the job was cancelled: GitHub is told nothing of a preview")
    async with aiohttp.ClientSession() as session:
        client = client_of_job(
            wish.api_url,
            wish.token,
            session,
            clock=SystemClock(),
            repository=wish.repository,
            redactor=Redactor([wish.token]),
            shows_boards=False,
        )
        ports = ClientPorts(client)
        pull = await ports.pulls.read(wish.repository, wish.pull_request)
        if pull.from_a_fork:
            raise Refused("the pull request comes from a fork: it gets no preview")
        repository, environment = wish.repository, wish.environment
        if wish.state is PreviewState.GONE:
            return await ports.deployments.retire(repository, environment)
        _check(wish, pull)
        made = await ports.deployments.announce(
            repository,
            Announcement(environment, wish.commit, wish.state, wish.url, wish.job),
        )
        if wish.state is PreviewState.READY:
            await ports.deployments.retire(repository, environment, but=made)
        return made


def _check(wish: Wish, pull: PullRequest) -> None:
    """What was published must be what the pull request is now."""
    if not pull.is_open:
        raise UserError(
            f"#{pull.number} is closed: what was published is shown nowhere, and has "
            "to be taken down"
        )
    if pull.head != wish.commit:
        why = f"#{pull.number} has a newer commit than {wish.commit[:7]} by now"
        if wish.attempt > 1:  # that one's own run is over, and this one overwrote it
            raise UserError(f"{why}: run the workflow of {pull.head[:7]} again")
        raise Refused(f"{why}, which has a run of its own")
