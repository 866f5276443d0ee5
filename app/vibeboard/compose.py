"""Wires the parts: the one place that knows every one of them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import aiohttp

from vibeboard import wiring
from vibeboard.clock import SystemClock
from vibeboard.config.prices import read_prices
from vibeboard.domain.redact import Redactor
from vibeboard.domain.workflow import Runner
from vibeboard.engine import polling
from vibeboard.engine.advance import Advancer
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.boards import Boards
from vibeboard.engine.carry import Carriers
from vibeboard.engine.dispatch import Dispatcher
from vibeboard.engine.execute import Executor
from vibeboard.engine.housekeeping import Housekeeper, Keep
from vibeboard.engine.lender import Lender
from vibeboard.engine.places import Places
from vibeboard.engine.polling import Polling
from vibeboard.engine.ports import Caller, Calls
from vibeboard.engine.reconcile import Reconciler
from vibeboard.engine.reruns import Reruns
from vibeboard.engine.watch import Watch
from vibeboard.engine.wire import HomeRepositories
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused, SettingsInvalid
from vibeboard.github.app import GitHubPorts
from vibeboard.github.client import GitHub, Identity, Person
from vibeboard.github.fleet import GitHubFleet
from vibeboard.github.oidc import Issuer, JobProofs, issuer_of
from vibeboard.github.pace import Pace
from vibeboard.github.signature import verify
from vibeboard.github.translate import translate
from vibeboard.github.transport import sleep
from vibeboard.runner.agents.acp import AcpAgent
from vibeboard.runner.agents.claude import ClaudeAgent, find_claude
from vibeboard.runner.agents.codex import CodexAgent
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.agents.registry import RunnerAgents
from vibeboard.runner.environment import Environment, sweep
from vibeboard.runner.gateway.apis import SHAPES, Account, Provider
from vibeboard.runner.git import Git
from vibeboard.runner.sandbox.cell import Kind, Policy, Sandbox
from vibeboard.runner.sandbox.groups import Bounds
from vibeboard.runner.sandbox.view import View
from vibeboard.runner.workspace import GitWorkspaces
from vibeboard.runner.workspace import Identity as Committer
from vibeboard.settings import Machine, Settings
from vibeboard.store import migrate
from vibeboard.store.damage import refuse_damage
from vibeboard.store.database import Database, only_process, open_database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.gauges import SqlGauges
from vibeboard.store.intake import Intake, open_intake
from vibeboard.store.ledger import SqlLedger, SqlMarks
from vibeboard.store.lending import SqlLentRuns, SqlPostings
from vibeboard.store.locks import SqlLocks
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.notices import Notices
from vibeboard.store.orders import SqlOrders
from vibeboard.store.overview import SqlOverview
from vibeboard.store.pauses import SqlPauses
from vibeboard.store.previews import SqlPreviews
from vibeboard.store.questions import SqlQuestions
from vibeboard.store.results import SqlEvidence, SqlReviews
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.runs import SqlRuns
from vibeboard.store.sightings import SqlSightings
from vibeboard.store.spending import SqlSpending
from vibeboard.store.vouches import SqlVouches
from vibeboard.store.workers import SqlWorkers
from vibeboard.web.access import Access
from vibeboard.web.api import Api
from vibeboard.web.fleet import FleetCalls
from vibeboard.web.metrics import Metrics, MetricsPage
from vibeboard.web.readiness import Readiness
from vibeboard.web.webhook import Webhook

log = logging.getLogger(__name__)

_GIB = 1 << 30
# A machine elsewhere says every few seconds that it is alive.
_LENT_FOR = timedelta(seconds=75)


@dataclass(frozen=True)
class Parts:
    """A running Vibeboard."""

    deliveries: SqlDeliveries
    runs: SqlRuns
    ports: GitHubPorts
    workflows: Workflows
    webhook: Webhook
    dispatcher: Dispatcher
    housekeeper: Housekeeper
    readiness: Readiness
    metrics: MetricsPage
    api: Api
    fleet_calls: FleetCalls
    watch: Watch
    us: str


@dataclass(frozen=True)
class _Kept:
    """What is remembered, for this process and under its name."""

    intake: Intake
    deliveries: SqlDeliveries
    delivery_queue: SqlDeliveryQueue
    runs: SqlRuns
    run_queue: SqlRunQueue
    fleet_queue: SqlRunQueue
    workers: SqlWorkers
    locks: SqlLocks
    pauses: SqlPauses
    gauges: SqlGauges
    overview: SqlOverview
    archive: SqlArchive
    evidence: SqlEvidence
    reviews: SqlReviews
    vouches: SqlVouches
    previews: SqlPreviews
    questions: SqlQuestions
    orders: SqlOrders
    spending: SqlSpending
    ledger: SqlLedger
    marks: SqlMarks
    sightings: SqlSightings
    notices: Notices
    postings: SqlPostings
    lent: Callable[[Caller], SqlLentRuns]


@dataclass(frozen=True)
class _Crew:
    """What deciding and carrying out share."""

    kept: _Kept
    ports: GitHubPorts
    shared: wiring.Crew
    metrics: Metrics

    @property
    def us(self) -> str:
        """Our own login."""
        return self.shared.world.us


class _Bell:
    """Wakes the dispatcher, which is made after those who ring for it."""

    def __init__(self) -> None:
        self.answer: Callable[[], None] | None = None

    def __call__(self) -> None:
        if self.answer is not None:
            self.answer()


@asynccontextmanager
async def running(
    settings: Settings, machine: Machine, *, name: str
) -> AsyncIterator[Parts]:
    """Open everything, take up what was left unfinished, and close it all again.

    ``name`` tells this process from others on the same database.
    """
    _make_data_dir(settings)
    database = open_database(settings.database, name=name)
    try:
        with only_process(database, name):
            if database.path is not None:
                await asyncio.to_thread(refuse_damage, database.path)
            await asyncio.to_thread(migrate.ready, database)
            async with aiohttp.ClientSession() as session:
                github = GitHub(
                    settings.github_api_url,
                    settings.app_id,
                    settings.private_key(),
                    session,
                    clock=SystemClock(),
                    pace=partial(Pace, settings.writes_per_minute),
                    redactor=Redactor(settings.secrets()),
                )
                places = Places(settings.data_dir.resolve())
                door, bell = _Bell(), _Bell()
                kept = await _remember(
                    database, places, door, bell, name, settings.lease
                )
                ports = GitHubPorts(github)
                with ports.counted() as calls:
                    parts = await _wire(settings, machine, places, kept, ports, calls)
                    door.answer = parts.dispatcher.decisions.wake
                    bell.answer = parts.dispatcher.wake
                    kept.notices.start()
                    await parts.dispatcher.start()
                    try:
                        yield parts
                    finally:
                        await parts.dispatcher.close(settings.grace)
                        await kept.intake.close()
                        await kept.notices.close()
                        await kept.locks.close()
    finally:
        await database.close()


def _make_data_dir(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsInvalid(f"VIBEBOARD_DATA_DIR cannot be made: {error}") from error


async def _remember(
    database: Database,
    places: Places,
    door: _Bell,
    bell: _Bell,
    name: str,
    lease: timedelta,
) -> _Kept:
    clock, engine = SystemClock(), database.engine
    place = await asyncio.to_thread(places.identity)
    due = Due(engine, bell)
    workers = SqlWorkers(database, due, clock, name=name, place=place, lease=lease)
    return _Kept(
        intake=open_intake(database, clock, door),
        deliveries=SqlDeliveries(engine, due, clock),
        delivery_queue=SqlDeliveryQueue(engine, due, clock, workers),
        runs=SqlRuns(engine, due, clock),
        run_queue=SqlRunQueue(
            engine, due, clock, workers, place=place, runners=(Runner.OWN,)
        ),
        fleet_queue=SqlRunQueue(
            engine, due, clock, workers, place=place, runners=(Runner.ACTIONS,)
        ),
        workers=workers,
        locks=SqlLocks(database),
        pauses=SqlPauses(engine, due, clock),
        gauges=SqlGauges(database, clock, name=name),
        overview=SqlOverview(engine),
        archive=SqlArchive(database),
        evidence=SqlEvidence(engine, clock),
        reviews=SqlReviews(engine, clock),
        vouches=SqlVouches(engine),
        previews=SqlPreviews(engine, clock),
        questions=SqlQuestions(engine, due, clock),
        orders=SqlOrders(due, clock, by="a program, by the API"),
        spending=SqlSpending(engine, clock),
        ledger=SqlLedger(engine, clock),
        marks=SqlMarks(engine),
        sightings=SqlSightings(engine, due, clock),
        notices=Notices(database, bell),
        postings=SqlPostings(engine, due, clock, workers),
        lent=lambda caller: SqlLentRuns(
            engine,
            due,
            clock,
            posting=caller.posting,
            attempt=caller.attempt,
            term=_LENT_FOR,
        ),
    )


async def _wire(
    settings: Settings,
    machine: Machine,
    places: Places,
    kept: _Kept,
    ports: GitHubPorts,
    calls: Calls,
) -> Parts:
    metrics = Metrics(SystemClock(), kept.gauges.asked_at)
    metrics.watch_github(ports, calls)
    identity = await _identity(ports, settings)
    crew = await _crew(machine, places, kept, ports, metrics, identity)
    await asyncio.to_thread(sweep)
    carriers = _carriers(settings, crew, _executor(settings, machine, places, crew))
    dispatcher = Dispatcher(
        deliveries=kept.deliveries,
        delivery_queue=kept.delivery_queue,
        advancer=_advancer(crew, carriers),
        runs=kept.runs,
        run_queue=kept.run_queue,
        fleet_queue=kept.fleet_queue,
        executor=carriers,
        workers=kept.workers,
        clock=SystemClock(),
        runners=settings.runners,
        lease=settings.lease,
    )
    for name, pump in dispatcher.pumps.items():
        metrics.watch(name, pump)
    polls = _polling(settings, crew, await _person(ports, settings))
    reconciler = _reconciler(settings, crew, polls)
    turns = {"deliveries": reconciler.turn}
    if polls is not None:
        turns["boards"] = polls.turn
    return Parts(
        deliveries=kept.deliveries,
        runs=kept.runs,
        ports=ports,
        workflows=crew.shared.workflows,
        webhook=Webhook(
            kept.intake,
            verify,
            settings.webhook_secrets(),
            count=metrics.answered,
        ),
        dispatcher=dispatcher,
        housekeeper=Housekeeper(kept.archive, places, SystemClock(), _keep(settings)),
        readiness=Readiness(kept.gauges.write, lambda: dispatcher.idle),
        metrics=MetricsPage(metrics, kept.gauges.read, SystemClock()),
        api=_api(settings, kept, crew),
        fleet_calls=FleetCalls(_lender(settings, crew)),
        watch=Watch(kept.locks, **turns),
        us=identity.login,
    )


def _api(settings: Settings, kept: _Kept, crew: _Crew) -> Api:
    return Api(
        Access(settings.api_tokens()),
        run=kept.runs.get,
        steps=kept.overview.steps,
        questions=kept.questions.of,
        previews=kept.previews.of,
        gates=wiring.gatekeeper_of(crew.shared).gates,
        answering=Access(
            settings.api_answer_tokens(),
            setting="VIBEBOARD_API_ANSWER_TOKEN_FILE",
        ),
        answer=lambda question, said: kept.orders.answer(
            question, allowed=said.allow, note=said.note, for_run=said.for_run
        ),
    )


async def _crew(
    machine: Machine,
    places: Places,
    kept: _Kept,
    ports: GitHubPorts,
    metrics: Metrics,
    identity: Identity,
) -> _Crew:
    git = Git(home=places.root / "git-home", path=machine.path)
    await git.check_version()
    workspaces = GitWorkspaces(
        places.root / "workspaces",
        git=git,
        identity=Committer.of(identity.login),
    )
    world = wiring.World(
        repositories=ports.repositories,
        cards=ports.cards,
        replies=ports.replies,
        deployments=ports.deployments,
        pulls=ports.pulls,
        checks=ports.checks,
        counter=ports,
        us=identity.login,
    )
    shared = wiring.crew_of(kept, world, workspaces, SystemClock(), meter=metrics)
    return _Crew(kept, ports, shared, metrics)


def _carriers(settings: Settings, crew: _Crew, here: Executor) -> Carriers:
    """Who carries runs out: ``here``, and a fleet that has to reach us."""
    return Carriers(
        here,
        fleet=_fleet(settings, crew) if settings.public_url else None,
        runs=crew.kept.runs,
        postings=crew.kept.postings,
        tracker=crew.shared.tracking,
        clock=SystemClock(),
    )


def _fleet(settings: Settings, crew: _Crew) -> GitHubFleet:
    return GitHubFleet(
        crew.ports.github, server=settings.public_url, clock=SystemClock()
    )


def _lender(settings: Settings, crew: _Crew) -> Lender | None:
    """Who serves the fleet; nobody, where it cannot reach us."""
    if not settings.public_url:
        return None
    kept, ports, clock = crew.kept, crew.ports, SystemClock()
    return Lender(
        proofs=JobProofs(
            ports.github,
            Issuer(
                settings.actions_issuer or issuer_of(settings.github_api_url),
                ports.github.session,
                clock=clock,
            ),
            audience=f"vibeboard:{settings.public_url}",
            clock=clock,
        ),
        runs=kept.runs,
        repositories=ports.repositories,
        workflows=crew.shared.workflows,
        lent=kept.lent,
        ports={
            "runs": kept.runs,
            "repositories": HomeRepositories(ports.repositories, crew.us),
            "cards": ports.cards,
            "pulls": ports.pulls,
            "checks": ports.checks,
            "questions": kept.questions,
            "expenses": kept.spending,
            "evidence": kept.evidence,
            "reviews": kept.reviews,
            "tracker": crew.shared.tracking,
            "meter": crew.metrics,
        },
        counter=ports,
        reruns=Reruns(
            runs=kept.runs, fleet=_fleet(settings, crew), wishes=kept.deliveries
        ),
    )


def _advancer(crew: _Crew, carriers: Carriers) -> Advancer:
    marks = crew.kept.marks
    return wiring.advancer_of(
        crew.shared,
        translate=lambda event, body, guid: translate(event, body, guid=guid),
        boards_changed=lambda: marks.advance(polling.CHANGED, SystemClock().now()),
        recall=carriers.recall,
    )


def _boards(crew: _Crew) -> Boards:
    return Boards(
        cards=crew.ports.cards,
        repositories=crew.ports.repositories,
        workflows=crew.shared.workflows,
        sightings=crew.kept.sightings,
        marks=crew.kept.marks,
        clock=SystemClock(),
    )


def _reconciler(settings: Settings, crew: _Crew, polls: Polling | None) -> Reconciler:
    return Reconciler(
        hook_deliveries=crew.ports.hook_deliveries,
        ledger=crew.kept.ledger,
        marks=crew.kept.marks,
        boards=_boards(crew),
        clock=SystemClock(),
        every=settings.reconcile_every,
        polled=polls.owns if polls is not None else lambda _: False,
        pause=sleep,
    )


def _polling(settings: Settings, crew: _Crew, person: Person | None) -> Polling | None:
    if person is None:
        return None
    return Polling(
        boards=_boards(crew),
        sightings=crew.kept.sightings,
        marks=crew.kept.marks,
        counter=crew.ports,
        points=lambda: person.points,
        clock=SystemClock(),
        person=person.login,
        soonest=settings.poll_every,
    )


def _keep(settings: Settings) -> Keep:
    return Keep(
        deliveries=timedelta(days=settings.keep_deliveries_days),
        logs=timedelta(days=settings.keep_logs_days),
        audit=timedelta(days=settings.keep_audit_days),
        results=timedelta(days=settings.keep_results_days),
    )


def _executor(
    settings: Settings, machine: Machine, places: Places, crew: _Crew
) -> Executor:
    sandbox = _sandbox(settings, machine.path)
    shared = crew.shared
    hands = wiring.Hands(
        places=places,
        workspaces=shared.workspaces,
        sandbox=sandbox,
        agents=_agents(settings, sandbox),
        prices=read_prices(settings.prices_file),
    )
    return wiring.executor_of(
        crew.kept,
        shared.world,
        hands,
        workflows=shared.workflows,
        stops=shared.stops,
        tracking=shared.tracking,
        approvals=Approvals(crew.kept.questions),
        meter=crew.metrics,
    )


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


async def _person(ports: GitHubPorts, settings: Settings) -> Person | None:
    """Whose boards we may read as they would; SettingsInvalid for a bad token."""
    if settings.user_token_file is None:
        return None
    try:
        person = await ports.take_token(settings.user_token)
    except GitHubRefused as error:
        message = (
            f"{settings.github_api_url} does not take the token of "
            f"VIBEBOARD_USER_TOKEN_FILE ({error.status_code}: {error})"
        )
        raise SettingsInvalid(message) from error
    log.info("reads boards of a person", extra={"person": person.login})
    return person


def _sandbox(settings: Settings, path: str) -> Sandbox:
    """Cells as the operator wants them; raises SettingsInvalid."""
    accounts = []
    for name, (url, key) in settings.model_accounts().items():
        provider = Provider(name)
        accounts.append(Account(provider, url or SHAPES[provider].usual, key))
    sandbox = Sandbox(
        Environment(path),
        policy=Policy(settings.sandbox),
        accounts=accounts,
        view=View(
            path,
            more=settings.readable,
            hidden=(settings.data_dir.resolve(), *settings.secret_files),
        ),
        bounds=Bounds(
            memory=int(settings.run_memory_gb * _GIB),
            processes=settings.run_processes,
            cpus=settings.run_cpus,
            disk=int(settings.run_disk_gb * _GIB),
        ),
    )
    found = sandbox.found
    tell = log.info if found.kind is Kind.BUBBLEWRAP else log.warning
    bounds = found.groups if isinstance(found.groups, str) else "control groups"
    tell(
        "sandbox",
        extra={"kind": found.kind.value, "why": found.why, "bounds": bounds},
    )
    return sandbox


def _agents(settings: Settings, sandbox: Sandbox) -> RunnerAgents:
    return RunnerAgents(
        claude=ClaudeAgent(
            sandbox,
            program=find_claude(sandbox.path, chosen=settings.claude_path),
            hold=settings.hold,
        ),
        codex=CodexAgent(sandbox, program=settings.codex_path, hold=settings.hold),
        acp=AcpAgent(sandbox, hold=settings.hold),
        command=CommandAgent(sandbox),
    )
