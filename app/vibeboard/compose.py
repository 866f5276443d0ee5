"""Wires the parts: the one place that knows every one of them."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from vibeboard.engine.advance import Advancer
from vibeboard.engine.briefing import Briefing
from vibeboard.engine.durable import Durable
from vibeboard.engine.execute import Executor, Places
from vibeboard.engine.inspector import Inspector
from vibeboard.engine.perform import Performer
from vibeboard.engine.publish import Publisher
from vibeboard.engine.stops import Stops
from vibeboard.engine.tracking import Tracking
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused, SettingsInvalid
from vibeboard.github.app import GitHubPorts
from vibeboard.github.client import GitHub, Identity
from vibeboard.github.signature import verify
from vibeboard.github.translate import translate
from vibeboard.runner.agents.claude import ClaudeAgent, find_claude
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.agents.registry import RunnerAgents
from vibeboard.runner.environment import Environment, sweep
from vibeboard.runner.git import Git
from vibeboard.runner.suites import ShellSuites
from vibeboard.runner.workspace import GitWorkspaces
from vibeboard.runner.workspace import Identity as Committer
from vibeboard.settings import Machine, Settings
from vibeboard.store import migrate
from vibeboard.store.database import Database, only_process, open_database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.locks import SqlLocks
from vibeboard.store.runs import SqlRuns
from vibeboard.web.webhook import Webhook

log = logging.getLogger(__name__)

_EMBEDDED = "embedded"


class SystemClock:
    """The present."""

    def now(self) -> datetime:
        """Now, aware and in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class Parts:
    """A running Vibeboard."""

    deliveries: SqlDeliveries
    runs: SqlRuns
    ports: GitHubPorts
    workflows: Workflows
    webhook: Webhook
    us: str


@asynccontextmanager
async def running(
    settings: Settings, machine: Machine, *, name: str
) -> AsyncIterator[Parts]:
    """Open everything, take up what was left unfinished, and close it all again.

    ``name`` tells this process from others on the same database.
    """
    _make_data_dir(settings)
    database = open_database(settings.database)
    try:
        with only_process(database, name):
            await asyncio.to_thread(migrate.ready, database)
            async with aiohttp.ClientSession() as session:
                github = GitHub(
                    settings.github_api_url,
                    settings.app_id,
                    settings.private_key(),
                    session,
                    clock=SystemClock(),
                )
                parts, durable = await _wire(
                    settings, machine, database, GitHubPorts(github), name
                )
                await durable.launch()
                try:
                    yield parts
                finally:
                    await durable.close()
    finally:
        await database.close()


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsInvalid(f"VIBEBOARD_DATA_DIR cannot be made: {error}") from error


async def _wire(
    settings: Settings,
    machine: Machine,
    database: Database,
    ports: GitHubPorts,
    name: str,
) -> tuple[Parts, Durable]:
    clock = SystemClock()
    root = settings.data_dir.resolve()
    places = Places(root)
    durable = Durable(
        database.sync_engine,
        # SQLite has one process at a time, whatever it is called: the next one
        # goes on with all that the last one left.
        executor=_EMBEDDED if database.is_sqlite else name,
        runners=settings.runners,
        place=await asyncio.to_thread(places.identity),
    )
    deliveries = SqlDeliveries(database.engine, durable.enqueue, clock)
    runs = SqlRuns(database.engine, durable.enqueue, clock)
    identity = await _identity(ports, settings)
    workflows = Workflows(ports.repositories)
    stops = Stops(runs)
    tracking = Tracking(
        runs=runs,
        replies=ports.replies,
        workflows=workflows,
        locks=SqlLocks(database),
        clock=clock,
    )
    workspaces = GitWorkspaces(
        root / "workspaces",
        git=Git(home=root / "git-home", path=machine.path),
        identity=Committer(
            identity.login, f"{identity.login}@users.noreply.github.com"
        ),
    )
    await asyncio.to_thread(sweep)
    environment = Environment(machine.path)
    performer = Performer(
        deliveries=deliveries,
        cards=ports.cards,
        replies=ports.replies,
        inspector=Inspector(
            cards=ports.cards,
            checks=ports.checks,
            pulls=ports.pulls,
            repositories=ports.repositories,
            workflows=workflows,
        ),
        tracking=tracking,
        stops=stops,
        workspaces=workspaces,
    )
    advancer = Advancer(
        deliveries=deliveries,
        runs=runs,
        cards=ports.cards,
        pulls=ports.pulls,
        repositories=ports.repositories,
        workflows=workflows,
        performer=performer,
        translate=lambda event, body, guid: translate(event, body, guid=guid),
        us=identity.login,
    )
    executor = Executor(
        runs=runs,
        cards=ports.cards,
        repositories=ports.repositories,
        workspaces=workspaces,
        agents=_agents(settings, environment),
        suites=ShellSuites(environment),
        workflows=workflows,
        briefing=Briefing(
            runs=runs,
            cards=ports.cards,
            repositories=ports.repositories,
            workflows=workflows,
        ),
        publisher=Publisher(
            cards=ports.cards,
            repositories=ports.repositories,
            workspaces=workspaces,
            pulls=ports.pulls,
            checks=ports.checks,
        ),
        tracking=tracking,
        stops=stops,
        places=places,
    )
    durable.register(advance=advancer.advance, carry_out=executor.carry_out)
    webhook = Webhook(deliveries, verify, settings.webhook_secrets())
    return Parts(deliveries, runs, ports, workflows, webhook, identity.login), durable


async def _identity(ports: GitHubPorts, settings: Settings) -> Identity:
    """Who we are; raises SettingsInvalid if GitHub does not take the key."""
    try:
        return await ports.identity()
    except GitHubRefused as error:
        message = (
            f"{settings.github_api_url} does not take this key for App "
            f"{settings.app_id} ({error.status_code}: {error}); VIBEBOARD_APP_ID and "
            "VIBEBOARD_PRIVATE_KEY_FILE must belong together"
        )
        raise SettingsInvalid(message) from error


def _agents(settings: Settings, environment: Environment) -> RunnerAgents:
    model = {
        "ANTHROPIC_API_KEY": settings.anthropic_api_key(),
        "ANTHROPIC_BASE_URL": settings.anthropic_base_url,
    }
    return RunnerAgents(
        claude=ClaudeAgent(
            environment,
            model_env={name: value for name, value in model.items() if value},
            program=find_claude(environment.path, chosen=settings.claude_path),
        ),
        command=CommandAgent(environment),
    )
