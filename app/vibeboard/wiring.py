"""Puts the engine together over whatever remembers and whatever speaks to GitHub.

A server has a database and an App behind it, a job of GitHub Actions its card's sheet
and a token, or the server itself, from afar.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from vibeboard.domain.budget import Prices
from vibeboard.domain.events import Event
from vibeboard.engine.advance import Advancer
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.asker import Asker
from vibeboard.engine.briefing import Briefing
from vibeboard.engine.execute import Executor
from vibeboard.engine.gatekeeper import Gatekeeper
from vibeboard.engine.inspector import Inspector
from vibeboard.engine.meter import Meter
from vibeboard.engine.perform import Performer
from vibeboard.engine.places import Places
from vibeboard.engine.ports import (
    Agents,
    CallCounter,
    Cards,
    Checks,
    Clock,
    Deliveries,
    Deployments,
    Evidence,
    Expenses,
    Locks,
    Pauses,
    Previews,
    Pulls,
    Questions,
    Replies,
    Repositories,
    Reviews,
    Runs,
    TakenRuns,
    Tracker,
    Vouches,
)
from vibeboard.engine.previewer import Previewer
from vibeboard.engine.prove import Prover
from vibeboard.engine.publish import Publisher
from vibeboard.engine.purse import Purses
from vibeboard.engine.specialists import Specialists
from vibeboard.engine.stops import Stops
from vibeboard.engine.tracking import Tracking
from vibeboard.engine.workflows import Workflows
from vibeboard.runner.sandbox.cell import Sandbox
from vibeboard.runner.suites import ShellSuites
from vibeboard.runner.workspace import GitWorkspaces


class KeptOfRuns(Protocol):
    """What is remembered of runs, as far as carrying them out takes it."""

    @property
    def runs(self) -> Runs: ...
    @property
    def run_queue(self) -> TakenRuns: ...
    @property
    def questions(self) -> Questions: ...
    @property
    def spending(self) -> Expenses: ...
    @property
    def evidence(self) -> Evidence: ...
    @property
    def reviews(self) -> Reviews: ...


class Kept(KeptOfRuns, Protocol):
    """What is remembered."""

    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def vouches(self) -> Vouches: ...
    @property
    def previews(self) -> Previews: ...
    @property
    def pauses(self) -> Pauses: ...
    @property
    def locks(self) -> Locks: ...


@dataclass(frozen=True)
class Work:
    """GitHub, as far as carrying out takes it, and who we are there."""

    repositories: Repositories
    cards: Cards
    pulls: Pulls
    checks: Checks
    counter: CallCounter
    us: str


@dataclass(frozen=True)
class World(Work):
    """GitHub, and who we are there."""

    replies: Replies
    deployments: Deployments


@dataclass(frozen=True)
class Hands:
    """What runs are carried out with, on this machine."""

    places: Places
    workspaces: GitWorkspaces
    sandbox: Sandbox
    agents: Agents
    prices: Prices


@dataclass(frozen=True)
class Crew:
    """What deciding and carrying out share."""

    kept: Kept
    world: World
    workflows: Workflows
    workspaces: GitWorkspaces
    stops: Stops
    tracking: Tracking
    meter: Meter | None = None


def crew_of(
    kept: Kept,
    world: World,
    workspaces: GitWorkspaces,
    clock: Clock,
    *,
    notes: Sequence[str] = (),
    meter: Meter | None = None,
) -> Crew:
    """Put together what the others share; ``notes`` are told with every run."""
    workflows = Workflows(world.repositories)
    tracking = Tracking(
        runs=kept.runs,
        replies=world.replies,
        workflows=workflows,
        locks=kept.locks,
        pauses=kept.pauses,
        expenses=kept.spending,
        previews=kept.previews,
        clock=clock,
        notes=notes,
    )
    stops = Stops(kept.runs)
    return Crew(kept, world, workflows, workspaces, stops, tracking, meter)


def advancer_of(
    crew: Crew,
    *,
    translate: Callable[[str, bytes, str], Event | None],
    boards_changed: Callable[[], Awaitable[None]],
    recall: Callable[[str], Awaitable[None]] | None = None,
) -> Advancer:
    """What takes a delivery all the way; ``recall`` as of the performer."""
    kept, world = crew.kept, crew.world
    return Advancer(
        deliveries=kept.deliveries,
        runs=kept.runs,
        cards=world.cards,
        pulls=world.pulls,
        questions=kept.questions,
        previews=kept.previews,
        repositories=world.repositories,
        workflows=crew.workflows,
        performer=performer_of(crew, recall),
        gatekeeper=gatekeeper_of(crew),
        locks=kept.locks,
        translate=translate,
        boards_changed=boards_changed,
        us=world.us,
        meter=crew.meter,
    )


def gatekeeper_of(crew: Crew) -> Gatekeeper:
    """What looks at gates."""
    kept, world = crew.kept, crew.world
    return Gatekeeper(
        runs=kept.runs,
        cards=world.cards,
        pulls=world.pulls,
        checks=world.checks,
        replies=world.replies,
        repositories=world.repositories,
        workflows=crew.workflows,
        evidence=kept.evidence,
        reviews=kept.reviews,
        vouches=kept.vouches,
    )


def performer_of(
    crew: Crew, recall: Callable[[str], Awaitable[None]] | None = None
) -> Performer:
    """What performs effects; ``recall`` has a run not begin elsewhere, either."""
    kept, world = crew.kept, crew.world
    return Performer(
        recall=recall,
        deliveries=kept.deliveries,
        cards=world.cards,
        expenses=kept.spending,
        replies=world.replies,
        asker=Asker(
            questions=kept.questions,
            runs=kept.runs,
            replies=world.replies,
            pulls=world.pulls,
            checks=world.checks,
        ),
        inspector=Inspector(
            cards=world.cards,
            checks=world.checks,
            pulls=world.pulls,
            repositories=world.repositories,
            workflows=crew.workflows,
        ),
        gatekeeper=gatekeeper_of(crew),
        previewer=Previewer(
            runs=kept.runs,
            previews=kept.previews,
            pulls=world.pulls,
            deployments=world.deployments,
            replies=world.replies,
            tracking=crew.tracking,
            locks=kept.locks,
        ),
        tracking=crew.tracking,
        stops=crew.stops,
        workspaces=crew.workspaces,
        meter=crew.meter,
    )


def executor_of(
    kept: KeptOfRuns,
    world: Work,
    hands: Hands,
    *,
    workflows: Workflows,
    stops: Stops,
    tracking: Tracker,
    approvals: Approvals,
    meter: Meter | None = None,
) -> Executor:
    """What carries runs out here."""
    briefing = Briefing(
        runs=kept.runs,
        cards=world.cards,
        pulls=world.pulls,
        repositories=world.repositories,
        workflows=workflows,
        us=world.us,
    )
    return Executor(
        runs=kept.runs,
        queue=kept.run_queue,
        cards=world.cards,
        repositories=world.repositories,
        workspaces=hands.workspaces,
        agents=hands.agents,
        approvals=approvals,
        prover=Prover(
            suites=ShellSuites(hands.sandbox),
            workspaces=hands.workspaces,
            evidence=kept.evidence,
            places=hands.places,
        ),
        specialists=Specialists(
            agents=hands.agents,
            workspaces=hands.workspaces,
            lending=hands.workspaces,
            reviews=kept.reviews,
            tell=briefing.specialist,
            places=hands.places,
        ),
        workflows=workflows,
        briefing=briefing,
        publisher=Publisher(
            runs=kept.runs,
            cards=world.cards,
            repositories=world.repositories,
            workspaces=hands.workspaces,
            pulls=world.pulls,
            checks=world.checks,
        ),
        tracking=tracking,
        stops=stops,
        places=hands.places,
        counter=world.counter,
        purses=Purses(kept.spending, hands.prices),
        meter=meter,
    )
