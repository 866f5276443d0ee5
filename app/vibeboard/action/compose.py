"""Wires a job that has no server: its token, its card's sheet, and the engine."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from vibeboard import wiring
from vibeboard.action.alone import Alone
from vibeboard.action.hands import hands_of
from vibeboard.action.inputs import Inputs
from vibeboard.action.memory import remember
from vibeboard.action.shelf import GitShelf, Sheets
from vibeboard.clock import SystemClock
from vibeboard.domain import words
from vibeboard.domain.redact import Redactor
from vibeboard.domain.run import Posting
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.places import Places
from vibeboard.engine.ports import Clock
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused, SettingsInvalid
from vibeboard.github.app import ClientPorts
from vibeboard.github.client import Client, Identity
from vibeboard.github.job import WorkflowRuns, checks_of, client_of_job
from vibeboard.github.translate import translate_job
from vibeboard.runner.git import Git
from vibeboard.runner.refs import GitRefs

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parts:
    """A job at work."""

    alone: Alone
    sheets: Sheets
    client: Client
    us: str


@asynccontextmanager
async def running(inputs: Inputs) -> AsyncIterator[Parts]:
    """Open everything for one job, and close it again."""
    await asyncio.to_thread(inputs.data.mkdir, parents=True, exist_ok=True)
    async with aiohttp.ClientSession() as session:
        clock = SystemClock()
        client, identity = await _client(inputs, session, clock)
        ports = ClientPorts(client)
        places = Places(inputs.data.resolve())
        git = Git(home=places.root / "git-home", path=inputs.path)
        await git.check_version()
        sheets = await _sheets(inputs, ports, git, places, clock)
        posting = Posting(
            inputs.workflow_run, inputs.url, clock.now(), inputs.attempt, begun=True
        )
        kept = remember(sheets, clock, posting, places.root / "steps")
        world = wiring.World(
            repositories=ports.repositories,
            cards=ports.cards,
            replies=ports.replies,
            deployments=ports.deployments,
            pulls=ports.pulls,
            checks=checks_of(ports, identity),
            counter=ports,
            us=identity.login,
        )
        hands = hands_of(inputs, places, git, identity.login)
        notes = await _notes(world, inputs)
        crew = wiring.crew_of(kept, world, hands.workspaces, clock, notes=notes)

        async def boards_changed() -> None:
            """Nobody watches boards here."""

        alone = Alone(
            sheets=sheets,
            memory=kept,
            advancer=wiring.advancer_of(
                crew,
                translate=lambda event, body, guid: translate_job(
                    event, body, guid=guid
                ),
                boards_changed=boards_changed,
            ),
            performer=wiring.performer_of(crew),
            executor=wiring.executor_of(
                kept,
                world,
                hands,
                workflows=crew.workflows,
                stops=crew.stops,
                tracking=crew.tracking,
                approvals=Approvals(kept.questions),
            ),
            stops=crew.stops,
            clock=clock,
            worker=inputs.worker,
        )
        yield Parts(alone, sheets, client, identity.login)


async def _client(
    inputs: Inputs, session: aiohttp.ClientSession, clock: Clock
) -> tuple[Client, Identity]:
    """GitHub by the job's tokens, and who we are there."""
    client = client_of_job(
        inputs.api_url,
        inputs.github_token,
        session,
        clock=clock,
        repository=inputs.repository,
        redactor=Redactor(inputs.secrets),
        shows_boards=bool(inputs.project_token),
    )
    identity = await _identity(client)
    await _take_project_token(client, inputs)
    return client, identity


async def _sheets(
    inputs: Inputs, ports: ClientPorts, git: Git, places: Places, clock: Clock
) -> Sheets:
    """What is remembered of cards, in the repository."""
    remote = await ports.repositories.remote(inputs.repository)
    refs = GitRefs(git, places.root / "sheets.git", remote.url, remote.credential)
    client = ports.github
    others = WorkflowRuns(client, inputs.repository, inputs.worker)
    return Sheets(
        GitShelf(refs),
        clock,
        worker=inputs.worker,
        is_gone=_nobody if inputs.is_news else others.is_gone,
        redact=client.redacted,
    )


async def _nobody(_: str) -> bool:
    """No job is gone for one that could not do what it left."""
    return False


async def _notes(world: wiring.World, inputs: Inputs) -> list[str]:
    """What people should know of every run of this job."""
    found = await Workflows(world.repositories).read(inputs.repository)
    board = found.workflow.board if found.workflow else None
    if board is None or inputs.project_token:
        return []
    return [words.board_unseen(board)]


async def _identity(client: Client) -> Identity:
    try:
        return await client.identity()
    except GitHubRefused as refusal:
        message = (
            "GitHub does not take the input `github-token` "
            f"({refusal.status_code}: {refusal})"
        )
        raise SettingsInvalid(message) from refusal


async def _take_project_token(client: Client, inputs: Inputs) -> None:
    if not inputs.project_token:
        return
    try:
        await client.take_token(lambda: inputs.project_token, everywhere=True)
    except GitHubRefused as refusal:
        message = (
            "GitHub does not take the input `project-token` "
            f"({refusal.status_code}: {refusal}); it is a personal access token with "
            "the scope `project`"
        )
        raise SettingsInvalid(message) from refusal
