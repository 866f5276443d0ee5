"""A run: one stage on one card. Its states, and the only door between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import TypeVar

from vibeboard.domain.board import CardKey
from vibeboard.domain.contract import Claim
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.proof import Proof
from vibeboard.domain.protected import Held
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.workflow import Runner
from vibeboard.errors import IllegalTransition

_N = TypeVar("_N", int, float)

# Who asked, when it was not a person on GitHub but the terminal.
OPERATOR = "operator"


class RunState(Enum):
    """The life of a run."""

    QUEUED = "queued"  # waits for its card, its repository's limit or a runner
    RUNNING = "running"
    STOPPING = "stopping"  # asked to stop; its work is being saved
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    OUT_OF_BUDGET = "out_of_budget"  # a limit was reached; its work is saved
    NEEDS_APPROVAL = "needs_approval"  # its work is kept here until a person looks
    STOPPED = "stopped"


NEXT: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.STOPPED, RunState.FAILED}),
    RunState.RUNNING: frozenset(
        {
            RunState.STOPPING,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.TIMED_OUT,
            RunState.OUT_OF_BUDGET,
            RunState.NEEDS_APPROVAL,
        }
    ),
    # A run may end by itself while it is being stopped.
    RunState.STOPPING: frozenset(
        {
            RunState.STOPPED,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.TIMED_OUT,
            RunState.OUT_OF_BUDGET,
            RunState.NEEDS_APPROVAL,
        }
    ),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.TIMED_OUT: frozenset(),
    RunState.OUT_OF_BUDGET: frozenset(),
    RunState.NEEDS_APPROVAL: frozenset(),
    RunState.STOPPED: frozenset(),
}

ACTIVE = frozenset({RunState.RUNNING, RunState.STOPPING})
ENDED = frozenset(state for state, following in NEXT.items() if not following)


class Step(Enum):
    """What a run does, in order; the tracking comment's checklist."""

    WORKSPACE = "workspace"
    AGENT = "agent"
    TESTS = "tests"
    REVIEWS = "reviews"
    PUBLISH = "publish"


@dataclass(frozen=True)
class Cost:
    """What the agent used; None where its program does not say.

    ``input_tokens`` has the ``cached_tokens`` among them.
    """

    usd: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    turns: int | None = None
    cached_tokens: int | None = None

    def __add__(self, other: "Cost") -> "Cost":
        """Both together; what neither says stays unknown."""
        usd = _sum(self.usd, other.usd)
        return Cost(
            None if usd is None else round(usd, 6),
            _sum(self.input_tokens, other.input_tokens),
            _sum(self.output_tokens, other.output_tokens),
            _sum(self.turns, other.turns),
            _sum(self.cached_tokens, other.cached_tokens),
        )


def _sum(one: _N | None, other: _N | None) -> _N | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


@dataclass(frozen=True)
class Remark:
    """A review comment that a run answers."""

    pull_request: int
    comment: int


@dataclass(frozen=True)
class Report:
    """What a run produced: the one value its end is told with.

    ``claims`` is what the agent says proves which acceptance criterion; ``notes`` are
    things a person should know of how it ran. ``held`` is work that was not pushed
    because of what it changes. ``hidden`` counts what was taken out of people's words
    before the agent read them.
    """

    state: RunState
    summary: str = ""
    reason: str = ""
    commit: str | None = None
    branch: str | None = None
    changed_files: int = 0
    pull_request: int | None = None
    proof: Proof | None = None
    cost: Cost = field(default_factory=Cost)
    session: str | None = None
    claims: Mapping[str, Claim] = field(default_factory=dict)
    claims_fault: str = ""
    notes: tuple[str, ...] = ()
    held: Held | None = None
    hidden: int = 0

    @property
    def tests(self) -> tuple[SuiteResult, ...]:
        """What the suites gave; nothing where none ran."""
        return self.proof.results if self.proof is not None else ()

    @property
    def reviews(self) -> tuple[ReviewResult, ...]:
        """What specialists found; nothing where none looked."""
        return self.proof.reviews if self.proof is not None else ()


def run_id(card: CardKey, stage: str, cause: str) -> str:
    """The id of the one run that ``cause`` starts: the same however often asked."""
    digest = sha256(f"{card}\n{stage}\n{cause}".encode()).hexdigest()
    return f"r{digest[:11]}"


@dataclass(frozen=True)
class Posting:
    """A run given to GitHub Actions: which workflow run of theirs has it.

    ``attempt`` counts that one's starts. It has ``begun`` once it has said so to us,
    and is ``over`` once the run was given back: another posting is made then.
    """

    id: int
    url: str
    posted_at: datetime
    attempt: int = 1
    begun: bool = False
    over: bool = False

    @property
    def life(self) -> str:
        """What its claim on the run is signed with."""
        return life(self.id, self.attempt)


def life(posting: int, attempt: int) -> str:
    """What an attempt's claim on its run is signed with."""
    return f"{_LIVES}{posting}-{attempt}"


def is_posted(life: str | None) -> bool:
    """Whether a claim is that of a posting, and not of a process of ours."""
    return life is not None and life.startswith(_LIVES)


_LIVES = "actions-"
_RERUNS = "rerun-"


def rerun_cause(posting: int, attempt: int) -> str:
    """What causes the run that a person asks for who runs a posting again."""
    return f"{_RERUNS}{posting}-{attempt}"


def rerun_of(cause: str) -> tuple[int, int] | None:
    """The posting and its attempt that asked for a run by this cause; None: neither."""
    found = cause.removeprefix(_RERUNS).split("-") if cause.startswith(_RERUNS) else []
    if [part.isdecimal() for part in found] != [True, True]:
        return None
    return int(found[0]), int(found[1])


@dataclass(frozen=True)
class Run:
    """One stage on one card.

    ``cause`` is the delivery (or earlier run) that asked for it: with card and
    stage it makes the run unique. ``chain`` counts runs since a person acted,
    and ``parent`` is the run that led to this one.

    ``worker`` has it now. ``due_at`` and ``waits_for`` say until when and why it was
    given back, ``tries`` how often in a row, ``crashes`` how many processes died over
    it. ``calls`` counts what it asked of GitHub. ``asked_at`` says since when it waits
    for people to answer its agent's questions. ``approved`` is a commit that the run
    pushes because a person has looked at it; no agent works then. ``runner``
    carries it out; ``posting`` is where it is on GitHub Actions, or was last.
    """

    id: str
    card: CardKey
    stage: str
    cause: str
    asked_by: str
    state: RunState
    created_at: datetime
    changed_at: datetime
    instructions: str = ""
    remarks: tuple[Remark, ...] = ()
    config_commit: str = ""
    attempt: int = 0
    chain: int = 0
    started_at: datetime | None = None
    step: Step | None = None
    stop_reason: str = ""
    report: Report | None = None
    comment: int | None = None
    session: str | None = None
    parent: str = ""
    tries: int = 0
    crashes: int = 0
    due_at: datetime | None = None
    waits_for: str = ""
    worker: str | None = None
    calls: Mapping[str, int] = field(default_factory=dict)
    asked_at: datetime | None = None
    approved: str = ""
    posting: Posting | None = None
    runner: Runner = Runner.OWN

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen in this run."""
        return self.state in ENDED

    def to(self, state: RunState, *, at: datetime) -> "Run":
        """The run in its next state; raises IllegalTransition off the table."""
        if state not in NEXT[self.state]:
            message = f"run {self.id}: {self.state.value} -> {state.value}"
            raise IllegalTransition(message)
        return replace(self, state=state, changed_at=at)

    def log_fields(self) -> dict[str, str]:
        """What every log line about this run carries."""
        return {"run": self.id, "card": str(self.card), "stage": self.stage}
