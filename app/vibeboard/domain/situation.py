"""What is known at the moment of a decision, gathered before it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vibeboard.domain.board import BoardKey, Card, Permission, Place
from vibeboard.domain.gate import Head, OthersCheck, Requirement
from vibeboard.domain.question import Question
from vibeboard.domain.run import ACTIVE, Run, RunState
from vibeboard.domain.workflow import Stage, Workflow
from vibeboard.errors import Fault


@dataclass(frozen=True)
class CardHistory:
    """What we remember of a card.

    ``column`` is where we last saw it or put it; None if we never saw it.
    ``runs`` are all its runs, oldest first.
    """

    column: str | None = None
    runs: tuple[Run, ...] = ()

    @property
    def active(self) -> Run | None:
        """The run that holds the card now."""
        return next((run for run in self.runs if run.state in ACTIVE), None)

    @property
    def queued(self) -> Run | None:
        """The run that waits for its turn."""
        return next((run for run in self.runs if run.state is RunState.QUEUED), None)

    @property
    def unfinished(self) -> Run | None:
        """The active run, else the queued one."""
        return self.active or self.queued

    @property
    def last(self) -> Run | None:
        """The run that ended last."""
        ended = [run for run in self.runs if run.ended]
        return max(ended, key=lambda run: run.changed_at, default=None)

    @property
    def branch(self) -> str | None:
        """The branch that its newest work is on; None if there is none yet."""
        branches = (run.report.branch for run in reversed(self.runs) if run.report)
        return next(filter(None, branches), None)

    @property
    def opened(self) -> tuple[Run, ...]:
        """The runs that opened or updated the newest pull request, newest first."""
        made = [
            (run, run.report.pull_request)
            for run in reversed(self.runs)
            if run.report is not None and run.report.pull_request is not None
        ]
        return tuple(run for run, number in made if number == made[0][1])

    def finished(self, stage: str) -> bool:
        """Whether the newest ended run of ``stage`` succeeded."""
        ended = [run for run in self.runs if run.ended and run.stage == stage]
        newest = max(ended, key=lambda run: run.changed_at, default=None)
        return newest is not None and newest.state is RunState.SUCCEEDED


@dataclass(frozen=True)
class Situation:
    """Everything a decision about one card rests on.

    ``workflow`` is None when the repository has no `.vibe.yml`, or a bad one
    (then ``faults`` says where). ``us`` is our own login. ``gates`` has those that the
    card may be about to pass, by stage; ``head`` is the pull request, ``others`` are
    other people's checks on it. ``questions`` are those of the run at work.
    """

    us: str
    card: Card | None = None
    history: CardHistory = CardHistory()
    workflow: Workflow | None = None
    faults: tuple[Fault, ...] = ()
    config_commit: str = ""
    permission: Permission = Permission.NONE
    gates: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    head: Head | None = None
    questions: tuple[Question, ...] = ()
    others: tuple[OthersCheck, ...] = ()

    @property
    def board(self) -> BoardKey | None:
        """The board that the workflow speaks of."""
        return self.workflow.board if self.workflow else None

    @property
    def place(self) -> Place | None:
        """Where the card stands on that board."""
        if self.card is None or self.board is None:
            return None
        return self.card.place_on(self.board)

    @property
    def stage(self) -> Stage | None:
        """The stage of the column the card stands in."""
        if self.workflow is None or self.place is None:
            return None
        return self.workflow.stage_of(self.place.column)
