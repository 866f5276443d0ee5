"""A board with one card, its runs, and deliveries that nobody can rely upon.

What the engine and the store do with a decision, in the few lines that matter here:
an effect is performed once by its key, a cause makes one run, a card has one active.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from vibeboard.domain.board import Actor, BoardKey, Card, CardKey, Permission, Place
from vibeboard.domain.decide import decide, sees_place
from vibeboard.domain.effects import Effect, MoveCard, React, StartRun, StopRun
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    CommentMade,
    Event,
    ReviewGiven,
    RunEnded,
)
from vibeboard.domain.run import ACTIVE, Report, Run, RunState, run_id
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.workflow import Agent, Cli, Prompt, Stage, Workflow

KEY = CardKey("acme/clock", 7)
BOARD = BoardKey("acme", 1)
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
US = Actor("vibeboard[bot]", is_bot=True)
ALICE, BOB, MALLORY = Actor("alice"), Actor("bob"), Actor("mallory")
LISTED = Actor("renovate[bot]", is_bot=True)
MACHINE = Actor("acme-machine")  # a program behind a person's kind of account, listed
UNLISTED = Actor("github-project-automation[bot]", is_bot=True)
PEOPLE, BOTS = (ALICE, BOB, MALLORY), (LISTED, MACHINE, UNLISTED)
AGENT = Agent("recorded", Cli.COMMAND, ("true",))
COLUMNS = ("Backlog", "Development", "QA", "Attention", "Review")


def stage(name: str, column: str, **given: object) -> Stage:
    return Stage(name, column, AGENT, Prompt(text="do"), **given)  # type: ignore[arg-type]  # a test's own values


def workflow(*stages: Stage) -> Workflow:
    return Workflow(
        board=BOARD,
        column_field="Status",
        stages={one.name: one for one in stages},
        suites={},
        trusted_bots=frozenset({LISTED.login, MACHINE.login}),
        commit="c0ffee",
    )


WORKFLOWS = st.sampled_from(
    [
        workflow(stage("develop", "Development")),
        workflow(stage("develop", "Development", next="QA"), stage("qa", "QA")),
        workflow(
            stage("develop", "Development", next="QA", otherwise="Attention"),
            stage("qa", "QA", next="Review", otherwise="Development"),
            stage("look", "Review"),
        ),
    ]
)

WITH_NEEDS = workflow(
    stage("develop", "Development", next="QA", otherwise="Attention"),
    stage("qa", "QA", needs=("develop",), otherwise="Development"),
)


@dataclass
class World:
    """One card. ``inbox`` has what was not delivered yet, with its GUID."""

    workflow: Workflow
    column: str = "Backlog"
    seen: str | None = "Backlog"
    mover: Actor = ALICE
    now: datetime = BEGIN
    runs: list[Run] = field(default_factory=list)
    inbox: list[tuple[str, Event]] = field(default_factory=list)
    done: dict[str, Effect] = field(default_factory=dict)
    asked_by_people: int = 0
    told: int = 0

    # --- What others do -----------------------------------------------------------

    def moves(self, by: Actor, column: str) -> None:
        if column == self.column:
            return
        before, self.column, self.mover = self.column, column, by
        self._tell(
            by,
            CardTouched(
                by, "acme", "I_7", "Status", before, column, self.now.isoformat()
            ),
        )

    def touches(self, by: Actor) -> None:
        """Another field of the card is changed."""
        event = CardTouched(by, "acme", "I_7", "Size", at=self.now.isoformat())
        self._tell(by, event)

    def says(self, by: Actor, body: str) -> None:
        comment = CommentMade(
            by, "acme/clock", 7, self.told, body, on_pull_request=False
        )
        self._tell(by, comment)

    def reviews(self, by: Actor) -> None:
        event = ReviewGiven(
            by, "acme/clock", 9, "vibe/7-x", "Name it.", comment=self.told
        )
        self._tell(by, event)

    def asks_again(self, by: Actor) -> None:
        run = self.runs[-1].id if self.runs else None
        event = CheckAsked(by, "acme/clock", "vibeboard / develop", "c0ffee", run)
        self._tell(by, event)

    def _tell(self, by: Actor, event: Event) -> None:
        self.told += 1
        self.now += timedelta(seconds=1)
        self.asked_by_people += by in (ALICE, BOB)
        self.inbox.append((f"guid-{self.told}", event))

    # --- What deliveries do -------------------------------------------------------

    def delivered(self, index: int = 0, *, again: bool = False) -> list[Effect]:
        """Decide about one of the inbox; ``again``, it comes once more."""
        guid, event = self.inbox[index % len(self.inbox)]
        if again:
            self.told += 1
            guid = f"guid-{self.told}"
        else:
            del self.inbox[index % len(self.inbox)]
        return self.happens(event, guid)

    def delivers(self) -> None:
        """Decide about all there is, one after the other."""
        while self.inbox:
            self.delivered()

    def lost(self, index: int) -> None:
        """GitHub's deliveries may be lost; our own events never are."""
        if not isinstance(self.inbox[index % len(self.inbox)][1], RunEnded):
            del self.inbox[index % len(self.inbox)]

    def reconciled(self) -> list[Effect]:
        """The board is read back: what it shows is told like any other event."""
        self.told += 1
        event = CardTouched(self.mover, "acme", "I_7")
        return self.happens(event, f"read-{self.told}")

    def happens(self, event: Event, guid: str) -> list[Effect]:
        by = None if isinstance(event, RunEnded) else getattr(event, "by", None)
        known = self.situation(by)
        effects = decide(event, known, cause=guid)
        assert effects == decide(event, known, cause=guid)
        assert len({effect.key for effect in effects}) == len(effects)
        moves = [effect for effect in effects if isinstance(effect, MoveCard)]
        if moves:
            self.seen = moves[-1].column
        elif sees_place(event, known):
            self.seen = self.column
        return [effect for effect in effects if self._performed(effect)]

    def situation(self, by: Actor | None) -> Situation:
        place = Place(BOARD, "PVTI_1", self.column)
        permission = Permission.NONE
        if by is not None and by.is_bot:
            permission = self.workflow.permission_of_bot(by.login)
        elif by is not None:
            permission = Permission.READ if by == MALLORY else Permission.WRITE
        return Situation(
            us=US.login,
            card=Card(KEY, "I_7", "Fix", "", "", ALICE, is_open=True, places=(place,)),
            history=CardHistory(self.seen, tuple(self.runs)),
            workflow=self.workflow,
            config_commit="c0ffee",
            permission=permission,
        )

    def _performed(self, effect: Effect) -> bool:
        """Whether it had not been performed already."""
        if effect.key in self.done:
            return False
        self.done[effect.key] = effect
        match effect:
            case MoveCard(column=column):
                before, self.column, self.mover = self.column, column, US
                event = CardTouched(US, "acme", "I_7", "Status", before, column)
                self.told += 1
                self.inbox.append((f"guid-{self.told}", event))
            case StartRun():
                self._started(effect)
            case StopRun(run=identity):
                run = next(run for run in self.runs if run.id == identity)
                if run.state is RunState.QUEUED:
                    self._ends(run, RunState.STOPPED)
                elif run.state is RunState.RUNNING:
                    self._becomes(run, RunState.STOPPING)
            case _:
                pass
        return True

    def _started(self, effect: StartRun) -> None:
        busy = [run for run in self.runs if run.state in ACTIVE]
        waits = [run for run in self.runs if run.state is RunState.QUEUED]
        if busy and any(run.stage == effect.stage for run in waits):
            return  # added to the one that waits
        identity = run_id(effect.card, effect.stage, effect.cause)
        if any(run.id == identity for run in self.runs):
            return
        self.now += timedelta(seconds=1)
        self.runs.append(
            Run(
                id=identity,
                card=effect.card,
                stage=effect.stage,
                cause=effect.cause,
                asked_by=effect.asked_by,
                state=RunState.QUEUED,
                created_at=self.now,
                changed_at=self.now,
                chain=effect.chain,
            )
        )

    # --- What workers do ----------------------------------------------------------

    def works(self, outcome: RunState = RunState.SUCCEEDED) -> None:
        """The card's run begins, or comes to its end."""
        active = [run for run in self.runs if run.state in ACTIVE]
        waits = [run for run in self.runs if run.state is RunState.QUEUED]
        if active and active[0].state is RunState.STOPPING:
            self._ends(active[0], RunState.STOPPED)
        elif active:
            self._ends(active[0], outcome)
        elif waits:
            self._becomes(waits[0], RunState.RUNNING)

    def settles(self, outcomes: Mapping[str, RunState]) -> None:
        """All that is under way comes to its end."""
        while self.inbox or self.alive or self.stopping:
            self.delivers()
            at_work = [run for run in self.runs if run.state in ACTIVE]
            self.works(outcomes[at_work[0].stage] if at_work else RunState.SUCCEEDED)

    def _becomes(self, run: Run, state: RunState) -> Run:
        self.now += timedelta(seconds=1)
        changed = run.to(state, at=self.now)
        self.runs[self.runs.index(run)] = changed
        return changed

    def _ends(self, run: Run, state: RunState) -> None:
        run = self._becomes(run, state)
        report = Report(state, reason="so it is", branch="vibe/7-x")
        self.runs[self.runs.index(run)] = replace(run, report=report)
        self.inbox.append((run.id, RunEnded(run.id, KEY)))

    # --- What can be seen ---------------------------------------------------------

    @property
    def alive(self) -> list[str]:
        """The stages whose runs wait or work, and were not stopped."""
        going = (RunState.QUEUED, RunState.RUNNING)
        return [run.stage for run in self.runs if run.state in going]

    @property
    def stopping(self) -> bool:
        return any(run.state is RunState.STOPPING for run in self.runs)

    @property
    def carried_out(self) -> list[tuple[str, RunState]]:
        """What was done to its end, stage by stage."""
        return [
            (run.stage, run.state)
            for run in self.runs
            if run.ended and run.state is not RunState.STOPPED
        ]


def heard(effects: Iterable[Effect]) -> list[Effect]:
    """The effects that others can answer: a reaction or a stop calls nobody."""
    return [effect for effect in effects if not isinstance(effect, React | StopRun)]
