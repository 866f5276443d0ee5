"""What the engine needs of the world, in small pieces.

``github/``, ``store/`` and ``runner/`` satisfy these; ``tests/contract/`` holds
each to its words. Values that cross a port are defined beside it.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from vibeboard.domain.board import (
    Actor,
    BoardKey,
    Card,
    CardKey,
    Comment,
    Permission,
    Place,
    Wording,
)
from vibeboard.domain.effects import Effect
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.gate import Vouch
from vibeboard.domain.preview import Preview
from vibeboard.domain.protected import Held
from vibeboard.domain.question import Question
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Cost, Posting, Report, Run, Step
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.tools import Ruling, ToolCall
from vibeboard.domain.weakening import ChangedFile
from vibeboard.domain.workflow import Agent, Review, Scope, Suite

# --- GitHub -----------------------------------------------------------------


@dataclass(frozen=True)
class Remote:
    """Where a repository is cloned from and pushed to.

    ``url`` never carries a credential; ``credential`` gives a token that is valid
    now, asked for right before each use. ``default_branch`` may have no commit yet.
    """

    url: str
    credential: Callable[[], Awaitable[str]] = field(repr=False)
    default_branch: str = "main"


@dataclass(frozen=True)
class SourceFile:
    """A file of a repository and the commit it was read at."""

    text: str
    commit: str


class Repositories(Protocol):
    """Repositories and the files in them."""

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        """The file at ``ref`` (default branch if None); None if it is not there."""
        ...

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        """Where it is, and tokens that can write to it.

        They can write workflow files if a person ``approved`` what is pushed, and the
        App may.
        """
        ...

    async def permission(self, repository: str, login: str) -> Permission:
        """Effective permission now; NONE for strangers, and no guess on errors."""
        ...

    async def installed(self) -> Sequence[str]:
        """Every repository that the App reaches where it is not suspended."""
        ...


@dataclass(frozen=True)
class BoardCard:
    """A card as its board shows it.

    ``issue`` and ``item`` are node ids. ``set_by`` and ``set_at`` tell of the column:
    when it last changed, and who gave the card its first one. GitHub does not tell
    who moved it last, so nobody's right to move a card can rest on ``set_by``.
    """

    key: CardKey
    issue: str
    item: str
    column: str | None
    archived: bool
    updated_at: datetime
    set_by: Actor | None = None
    set_at: datetime | None = None


class Cards(Protocol):
    """Cards and their places on boards."""

    async def read(
        self, card: CardKey, *, field: str = "Status", board: BoardKey | None = None
    ) -> Card | None:
        """The card with its places; None if gone or not an issue.

        ``field`` is the single-select field whose options are the columns. A person's
        ``board`` has to be named for the place on it to be among them.
        """
        ...

    async def at(self, owner: str, issue: str) -> CardKey | None:
        """Which card an issue's node id is, as ``owner`` sees it; None if gone."""
        ...

    async def columns(self, board: BoardKey, *, field: str) -> Sequence[str] | None:
        """The board's columns in order; None if it or its field cannot be read."""
        ...

    async def on_board(
        self, board: BoardKey, *, field: str
    ) -> Sequence[BoardCard] | None:
        """All cards of a board, a request a hundred; None if it cannot be read."""
        ...

    async def move(self, place: Place, column: str, *, field: str) -> None:
        """Put the card into ``column``, unless it has left its ``place`` by now.

        Doing it twice does nothing more.
        Raises UserError with the board's columns if there is none of that name.
        """
        ...

    async def show_number(self, place: Place, number: float, *, field: str) -> None:
        """Put a number into a field of the card. Doing it twice does nothing more.

        Raises UserError if the board has no number field of that name.
        """
        ...

    async def comments(self, card: CardKey) -> Sequence[Comment]:
        """All comments, oldest first."""
        ...

    async def comment(self, repository: str, comment: int) -> Comment | None:
        """One comment as it stands now; None if somebody deleted it."""
        ...

    async def write_body(self, card: CardKey, body: str) -> None: ...


@dataclass(frozen=True)
class Marker:
    """What makes a comment ours to edit: hidden in it, with our author id."""

    topic: str


@dataclass(frozen=True)
class ReviewComment:
    """A remark at a line of a pull request; an outdated one keeps its first line."""

    id: int
    by: Actor
    body: str
    path: str
    line: int | None
    hunk: str
    at: datetime


class Replies(Protocol):
    """Our own words on issues and pull requests."""

    async def ensure(
        self, card: CardKey, marker: Marker, body: str, *, known: int | None = None
    ) -> int:
        """Post once, or edit the comment that has the marker; gives its id.

        ``known`` spares the search where the id was kept.
        """
        ...

    async def amend(self, card: CardKey, marker: Marker, body: str) -> bool:
        """Edit the comment that has the marker; False if we never said it."""
        ...

    async def react(
        self, repository: str, comment: int, content: str, *, review: bool
    ) -> None: ...

    async def answer_review(
        self, repository: str, pull_request: int, comment: int, body: str
    ) -> None:
        """Reply in a review comment's thread, once."""
        ...


@dataclass(frozen=True)
class PullRequest:
    """A pull request as it stands."""

    number: int
    url: str
    branch: str
    head: str
    is_open: bool
    is_draft: bool
    merged: bool
    body: str

    @property
    def from_a_fork(self) -> bool:
        """Whether its branch is another repository's: it has the owner before it."""
        return ":" in self.branch


class ReviewState(Enum):
    """What a submitted review says."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    DISMISSED = "dismissed"  # said one of the two above, until somebody took it away
    COMMENTED = "commented"


@dataclass(frozen=True)
class PullReview:
    """What somebody thinks of a pull request, said when ``commit`` was its head."""

    by: Actor
    state: ReviewState
    commit: str | None
    at: datetime


@dataclass(frozen=True)
class HeadCheck:
    """A check run or commit status on a pull request's head.

    ``conclusion`` is GitHub's word in lower case, None while it is alive; a status
    that is in error has failed. ``app`` is an App's slug, or who set a status.
    ``required`` says whether GitHub does not merge without it, None if unknown. One
    that is required and was never begun is not there; one name may be there more
    than once, from several suites.
    """

    name: str
    app: str
    conclusion: str | None
    url: str
    summary: str
    required: bool | None
    ours: bool


@dataclass(frozen=True)
class PullView:
    """A pull request with what was said and measured about it, at one head.

    ``behind`` counts the commits of the base that the head lacks. Of each person
    there is one review: the latest opinion, else the latest comment. Accounts that
    were deleted cannot be told apart, so each of their reviews is there.
    """

    number: int
    url: str
    title: str
    body: str
    branch: str
    base: str
    head: str
    is_open: bool
    is_draft: bool
    merged: bool
    author: Actor
    behind: int
    reviews: tuple[PullReview, ...] = ()
    checks: tuple[HeadCheck, ...] = ()


class Pulls(Protocol):
    """Pull requests."""

    async def of_branch(self, repository: str, branch: str) -> PullRequest | None:
        """The open pull request of a branch of this repository, else the newest."""
        ...

    async def read(self, repository: str, number: int) -> PullRequest: ...

    async def ensure(
        self, repository: str, *, branch: str, base: str, title: str, body: str
    ) -> PullRequest:
        """Open a draft, or update the open one's body."""
        ...

    async def of_commit(self, repository: str, commit: str) -> PullRequest | None:
        """The open pull request whose newest commit this is."""
        ...

    async def write_body(self, repository: str, number: int, body: str) -> None:
        """Put another text into a pull request."""
        ...

    async def files(self, repository: str, number: int) -> Sequence[str]:
        """Paths that a pull request changes."""
        ...

    async def view(self, repository: str, number: int) -> PullView:
        """All that decides about a pull request, whole or not at all."""
        ...

    async def thread(
        self, repository: str, number: int, comment: int
    ) -> Sequence[ReviewComment]:
        """The thread of a review comment, oldest first; empty if that is gone."""
        ...


class Deployments(Protocol):
    """What GitHub was told of deployments."""

    async def read(self, repository: str, number: int) -> Preview | None:
        """One as it stands; None if it is gone or gives people nothing to see."""
        ...

    async def of_commit(self, repository: str, commit: str) -> Sequence[Preview]:
        """Those of a commit, the newest few."""
        ...


class Conclusion(Enum):
    """GitHub's conclusions of a check run that we use; None means in progress."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True)
class Annotation:
    """A remark at a line; ``level`` is notice, warning or failure."""

    path: str
    line: int
    message: str
    title: str = ""
    level: str = "failure"
    column: int | None = None


@dataclass(frozen=True)
class Button:
    """What a person may press on a check run; GitHub allows 20 and 40 characters."""

    identifier: str
    label: str
    description: str


@dataclass(frozen=True)
class CheckRun:
    """One check run, whole. ``external_id`` and ``name`` make it one a commit.

    ``buttons`` of None leaves those that it has.
    """

    name: str
    head: str
    external_id: str
    title: str
    summary: str
    conclusion: Conclusion | None
    text: str = ""
    annotations: tuple[Annotation, ...] = ()
    details_url: str | None = None
    buttons: tuple[Button, ...] | None = None


class Checks(Protocol):
    """Check runs."""

    async def put(self, repository: str, check: CheckRun) -> int:
        """Create the check run or bring the one of this name and id up to date."""
        ...


@dataclass(frozen=True)
class HookDelivery:
    """One attempt of GitHub to deliver a webhook to us.

    Attempts of one delivery share its ``guid``. ``status`` is GitHub's word, ``OK`` if
    we answered 2xx.
    """

    id: int
    guid: str
    event: str
    action: str | None
    delivered_at: datetime
    redelivery: bool
    status: str
    status_code: int
    installation_id: int | None
    repository_id: int | None


class HookDeliveries(Protocol):
    """What GitHub sent us, or tried to; it remembers three days."""

    def listed(self, since: datetime) -> AsyncIterator[HookDelivery]:
        """All attempts since then, good ones too, newest first."""
        ...

    async def redeliver(self, delivery: int) -> None:
        """Ask GitHub to send it again, under its own GUID."""
        ...


@dataclass
class Calls:
    """What some work cost at GitHub, still counting while the work goes on.

    ``points`` are GraphQL's; ``unchanged`` counts answers 304, which cost nothing.
    """

    requests: int = 0
    points: int = 0
    unchanged: int = 0


class CallCounter(Protocol):
    """Counts calls on GitHub."""

    def counted(self) -> AbstractContextManager[Calls]:
        """Count what is called inside, in child tasks too; counts may nest."""
        ...


@dataclass(frozen=True)
class PointsLeft:
    """What is left of GraphQL's points, as GitHub last told it."""

    limit: int
    remaining: int
    resets_at: datetime


# --- The runner ---------------------------------------------------------------


@dataclass(frozen=True)
class Workspace:
    """A card's working tree. ``base`` is the commit the run began on.

    ``notes`` are things a person should know (Git LFS files left as pointers,
    submodules not fetched).
    """

    tree: Path
    branch: str
    base: str
    default_branch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What a commit of ours contains."""

    commit: str
    files: tuple[str, ...]


class Workspaces(Protocol):
    """One isolated working tree a card, made from a cached mirror."""

    async def fetch(self, card: CardKey, *, remote: Remote) -> Mapping[str, str]:
        """Bring the card's repository here; its branches and tags with commits.

        Raises WorkspaceRefused if it cannot be cloned.
        """
        ...

    async def prepare(
        self,
        card: CardKey,
        *,
        remote: Remote,
        branch: str,
        default_branch: str,
        fetched: Mapping[str, str] | None = None,
    ) -> Workspace:
        """A clean tree on ``branch`` (continued if GitHub has it, else new).

        It is fetched first, unless ``fetched`` says what was a moment ago.
        Raises WorkspaceRefused for a repository without commits.
        """
        ...

    async def handed_over(self, card: CardKey, name: str) -> str | None:
        """The text an agent left in ``.vibe/out/<name>``, bounded; None if none."""
        ...

    async def commit(self, card: CardKey, message: str) -> Change | None:
        """Commit everything in the tree; None if nothing differs."""
        ...

    async def push(self, card: CardKey, remote: Remote) -> Change | None:
        """Push the branch if it is ahead; what it holds over the default branch.

        Never forces over commits of others. Raises PushRefused.
        """
        ...

    async def held(self, card: CardKey, protects: Callable[[str], bool]) -> Held | None:
        """What a push would change in files that ``protects`` picks; None if nothing.

        Their diff shows hidden characters, and is bounded.
        """
        ...

    async def guidance(self, card: CardKey, names: Sequence[str]) -> str:
        """The first of these files that the default branch has; empty if none."""
        ...

    async def base(self, card: CardKey) -> "Base":
        """What the tree's commit builds on, and what changed in the tests since."""
        ...

    async def checkout(self, card: CardKey, commit: str, *, name: str) -> Path:
        """A clean tree of a commit beside the card's; raises WorkspaceRefused.

        There is one of each ``name``.
        """
        ...

    async def remove(self, card: CardKey) -> None: ...


@dataclass(frozen=True)
class Base:
    """The commit that a tree's commit (``head``) has in common with the default branch.

    ``changed`` are the test files, and what sets tests up, that differ between them.
    """

    commit: str
    head: str
    changed: tuple[ChangedFile, ...] = ()


@dataclass(frozen=True)
class Lent:
    """A tree that is somebody's for a while, with a home of its own."""

    tree: Path
    home: Path


class Lending(Protocol):
    """Trees for those who only look: each is new, and thrown away afterwards."""

    def lend(
        self, card: CardKey, commit: str, *, name: str
    ) -> AbstractAsyncContextManager[Lent]:
        """A clean tree of a commit, with its history; raises WorkspaceRefused.

        There is one of each ``name``.
        """
        ...

    async def left(self, lent: Lent, name: str) -> str | None:
        """The text left in its ``.vibe/out/<name>``, bounded; None if there is none."""
        ...


class StopSignal(Protocol):
    """Tells a long step that its run was asked to stop."""

    def is_set(self) -> bool: ...

    async def wait(self) -> bool: ...


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer of a model; ``input`` without those of the cache."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


class Spending(Protocol):
    """What a run uses of models, counted where its requests pass by."""

    def used(self, model: str, usage: Usage) -> None:
        """A model answered; called once an answer."""
        ...

    def exhausted(self) -> str | None:
        """Why the run may use no more; None while it may."""
        ...


class Unbounded:
    """Counts nothing and bounds nothing. Satisfies ``Spending``."""

    def used(self, model: str, usage: Usage) -> None:
        """Nobody counts."""

    def exhausted(self) -> str | None:
        """Never."""
        return None


@dataclass(frozen=True)
class Assignment:
    """What an agent is given. ``log`` is where its raw stream is appended.

    ``answered`` are the questions that its session has waited for: it goes on with
    them, from where it stood, and gets no new prompt.
    ``instructions`` are what the project tells its agents, from the default branch.
    """

    run: str
    agent: Agent
    prompt: str
    tree: Path
    home: Path
    log: Path
    session: str | None = None
    attempt: int = 1
    answered: tuple[Question, ...] = ()
    spending: Spending = field(default_factory=Unbounded)
    instructions: str = ""


class AgentEnd(Enum):
    """How an agent's turn ended."""

    FINISHED = "finished"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    OUT_OF_BUDGET = "out of budget"  # money, tokens or turns; time has its own
    WAITING = "waiting"  # for a person's answer; the session is to be resumed with it


@dataclass(frozen=True)
class AgentResult:
    """What came of an assignment; ``reason`` says why when it did not finish.

    ``notes`` are things a person should know of where it ran.
    """

    end: AgentEnd
    summary: str = ""
    reason: str = ""
    cost: Cost = field(default_factory=Cost)
    session: str | None = None
    notes: tuple[str, ...] = ()


class Approver(Protocol):
    """Who answers for the tools that an agent wants to use."""

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        """Allow or deny the call.

        ASK, if a person has to answer and has not within ``hold``: the question is
        kept, the agent ends its turn as WAITING, and what it asks again when its
        session is resumed is answered as the person did.
        """
        ...


class Agents(Protocol):
    """Agent programs."""

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Run the agent to its end, its limit, or the stop signal.

        Every use of a tool is put before ``approver`` where the program can ask.
        Raises AgentMissing if its program is not installed.
        """
        ...


class Questions(Protocol):
    """What agents ask people."""

    async def of(self, run: str) -> Sequence[Question]:
        """All questions of a run, oldest first."""
        ...

    async def ask(self, run: Run, call: ToolCall, rule: str) -> Question:
        """Put the call to people, once as long as it is open.

        Raises Fenced if another attempt has the run.
        """
        ...

    async def heard(self, question: Question) -> None:
        """The agent was told the answer."""
        ...


class Suites(Protocol):
    """Test suites."""

    async def run(
        self, suite: Suite, tree: Path, *, log: Path, stop: StopSignal
    ) -> SuiteResult: ...


class Evidence(Protocol):
    """What suites gave on which commit."""

    async def keep(
        self,
        repository: str,
        commit: str,
        suite: Suite,
        result: SuiteResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; once a run, commit and suite."""
        ...

    async def of(
        self, repository: str, commit: str, suite: Suite
    ) -> Sequence[SuiteResult]:
        """All results of the suite, as it is defined now, on a commit; oldest first."""
        ...


class Reviews(Protocol):
    """What specialists found in which commit."""

    async def keep(
        self,
        repository: str,
        commit: str,
        review: Review,
        result: ReviewResult,
        *,
        run: str,
    ) -> None:
        """Keep what a run found out; once a run, commit and review."""
        ...

    async def of(
        self, repository: str, commit: str, review: Review
    ) -> Sequence[ReviewResult]:
        """All results of the review as it is defined now, oldest first."""
        ...


class Vouches(Protocol):
    """What people gave their word for."""

    async def of(self, card: CardKey) -> Sequence[Vouch]:
        """Everything that people vouched for on a card, oldest first."""
        ...


# --- What is remembered -----------------------------------------------------


OWN_HOOK = "vibeboard"  # events of our own are kept under this hook
EVERYWHERE = "*"  # the pause scope that no run starts in at all


class Previews(Protocol):
    """Where cards' changes can be looked at, as far as GitHub was told."""

    async def of(self, card: CardKey) -> Sequence[Preview]:
        """Those of a card that are not gone, by environment."""
        ...

    async def keep(self, card: CardKey, found: Sequence[Preview]) -> Sequence[Preview]:
        """Remember what was found; what there is now."""
        ...

    async def card_of(self, repository: str, deployment: int) -> CardKey | None:
        """The card whose preview a deployment is, as far as is remembered."""
        ...


class DeliveryState(Enum):
    """What became of a delivery."""

    RECEIVED = "received"
    DECIDED = "decided"  # its effects are under way
    SETTLED = "settled"
    UNREADABLE = "unreadable"
    PARKED = "parked"  # the App is suspended or gone there; waits for its return
    FAILED = "failed"  # given up; the reason is with it, and a person may retry


# Something is left to do about deliveries in these states.
OPEN = (DeliveryState.RECEIVED, DeliveryState.DECIDED)


class Kept(Enum):
    """What keeping a delivery came to."""

    NEW = "new"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"  # the same GUID with another body: the first one stands


Outcome = Kept | Exception  # the reason why it was not kept
Told = Callable[[Outcome], None]  # who waits for it


@dataclass(frozen=True)
class Delivery:
    """A webhook as it came, or an event of our own (hook ``vibeboard``).

    ``tries`` counts how often GitHub was not to be had, ``crashes`` how often its
    process died over it.
    """

    id: int
    hook: str
    guid: str
    event: str
    body: bytes = field(repr=False)
    state: DeliveryState = DeliveryState.RECEIVED
    account: str = ""
    tries: int = 0
    crashes: int = 0


@dataclass(frozen=True)
class Sorted:
    """What a delivery's first reading found.

    Deliveries of one ``key`` are taken one after the other, and no ``account`` holds
    up another. With ``state`` nothing is left to do, for the ``reason``.
    """

    account: str = ""
    key: str = ""
    state: DeliveryState = DeliveryState.RECEIVED
    reason: str = ""


@dataclass(frozen=True)
class Decision:
    """What was decided about one delivery, to be written down at once.

    ``seen`` is where the card stands after the effects, ``asked`` what its issue says:
    runs that the decision starts are about that.
    """

    effects: Sequence[Effect]
    reason: str
    card: CardKey | None = None
    seen: str | None = None
    saw_place: bool = False
    asked: Wording | None = None
    actor: str = ""
    state: DeliveryState = DeliveryState.DECIDED


class Deliveries(Protocol):
    """Deliveries, what was decided about them, and what came of it."""

    async def get(self, delivery: int) -> Delivery: ...

    async def settle(self, delivery: int, decision: Decision) -> None:
        """Write the decision, its runs and effects in one transaction; once.

        The delivery is nobody's from then on: whoever performs its effects claims it.
        """
        ...

    async def effects(self, delivery: int) -> Sequence[str]:
        """Keys of the effects decided for the delivery, in order."""
        ...

    async def pending(self, key: str) -> Effect | None:
        """The effect, unless it was performed or given up already."""
        ...

    async def performed(self, effect: Effect, *, error: str = "") -> None: ...

    async def release_parked(self, account: str) -> None:
        """Make what waited for the App's return to an account due again."""
        ...


class DeliveryQueue(Protocol):
    """The same deliveries as a queue. Claims are exclusive to one worker."""

    async def sort(self, sorter: Callable[[Delivery], Sorted]) -> int:
        """Read a batch of new deliveries for the first time; how many they were."""
        ...

    async def claim(
        self, most: int, *, states: Sequence[DeliveryState] = OPEN
    ) -> Sequence[int]:
        """Take due deliveries: the head of each key, fairly among accounts."""
        ...

    async def strays(
        self, known: Collection[int], *, states: Sequence[DeliveryState] = OPEN
    ) -> int:
        """Give back what is this worker's and not among those ``known``; how many."""
        ...

    async def finish(self, delivery: int) -> None:
        """All of it is done."""
        ...

    # Whoever has a delivery in one state must not give it back in another one: by then
    # somebody else has it, perhaps in the same process. Hence ``states``.

    async def postpone(
        self,
        delivery: int,
        after: timedelta,
        why: str,
        *,
        states: Sequence[DeliveryState] = OPEN,
    ) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        ...

    async def release(
        self, delivery: int, *, states: Sequence[DeliveryState] = OPEN
    ) -> None:
        """Give it back as if it had not been taken."""
        ...

    async def give_up(
        self,
        delivery: int,
        reason: str,
        state: DeliveryState = DeliveryState.FAILED,
        *,
        states: Sequence[DeliveryState] = OPEN,
    ) -> None:
        """Nothing more is done about it, unless a person asks."""
        ...

    async def next_due(self) -> datetime | None:
        """When the first of those that wait for their time is due."""
        ...


class Runs(Protocol):
    """Runs and their states."""

    async def get(self, run: str) -> Run: ...

    async def history(self, card: CardKey) -> CardHistory: ...

    async def asked(self, run: str) -> Wording | None:
        """The issue as it stood when the run was asked for; None if nobody kept it."""
        ...

    async def hold(self, run: Run) -> None:
        """Raise Fenced unless this attempt still has the run."""
        ...

    async def note(
        self,
        run: str,
        *,
        step: Step | None = None,
        comment: int | None = None,
        session: str | None = None,
    ) -> None:
        """Remember where the run is, its tracking comment, its agent's session."""
        ...

    async def answer(self, run: str, step: str) -> Any | None:
        """What a finished step came to; None if it has not finished."""
        ...

    async def remember(self, run: Run, step: str, answer: Any) -> None:
        """A step has finished; raises Fenced if another attempt has the run."""
        ...

    async def spent(self, run: Run, calls: Mapping[str, int]) -> None:
        """Add to the calls on GitHub that the run has made."""
        ...

    async def end(self, run: Run, report: Report) -> None:
        """End the run and make its end an event, in one transaction.

        Raises Fenced if another attempt has the run.
        """
        ...


@dataclass(frozen=True)
class StepEnded:
    """A step of a run, as it was written down."""

    name: str
    attempt: int
    ended_at: datetime


class Expenses(Protocol):
    """What runs spent."""

    async def record(
        self, run: Run, *, agent: str, model: str, cost: Cost, part: str = "agent"
    ) -> None:
        """What this attempt's part has used so far; the last word counts.

        Parts are the agent's work, and the reviews.
        """
        ...

    async def of_run(self, run: str) -> Cost | None:
        """What all attempts of the run used; None if none has used anything."""
        ...

    async def of_card(self, card: CardKey) -> float:
        """The US dollars that all runs of the card spent, as far as they are known."""
        ...

    async def under(self, run: Run, scopes: Sequence[Scope]) -> Mapping[Scope, float]:
        """The US dollars that count towards each kind of limit, for this run."""
        ...


class TakenRuns(Protocol):
    """Runs that a worker has taken: begun by it, and given back."""

    async def begin(self, run: str) -> Run:
        """Count an attempt, and start the run if it has not; ended ones stay.

        Raises Fenced unless this worker still has it.
        """
        ...

    async def postpone(self, run: str, after: timedelta, why: str) -> None:
        """Give it back, to be taken again ``after`` a while; counts a try."""
        ...

    async def release(self, run: str) -> None:
        """Give it back as if it had not been taken."""
        ...

    async def wait_for_people(self, run: str) -> None:
        """Give it back until its questions are answered; at once if they are."""
        ...

    async def give_up(self, run: str, reason: str) -> None:
        """End it as failed, if it is still this worker's."""
        ...


class RunQueue(TakenRuns, Protocol):
    """The same runs as a queue. Claims are exclusive to one worker."""

    async def claim(self, most: int) -> Sequence[str]:
        """Take due runs, those of high priority first."""
        ...

    async def strays(self, known: Collection[str]) -> int:
        """Give back what is this worker's and not among those ``known``; how many."""
        ...

    async def next_due(self) -> datetime | None:
        """When the first of those that wait for their time is due."""
        ...


class LentRuns(TakenRuns, Protocol):
    """Runs that the fleet has begun: each for as long as it says that it is alive."""

    async def beat(self, run: str) -> None:
        """Say that it is alive; raises Fenced if another attempt has the run."""
        ...

    async def stop(self, run: str, why: str) -> None:
        """Ask the run to stop, as whoever carries it out was asked to."""
        ...


@dataclass(frozen=True)
class Caller:
    """Which machine of the fleet calls, as GitHub vouches for it.

    ``repository`` is GitHub's number; ``workflow`` says which file of which branch.
    """

    posting: int
    attempt: int
    repository: int
    workflow: str


class Proofs(Protocol):
    """Who calls us from the fleet."""

    async def prove(self, token: str) -> Caller:
        """Which machine shows the token; raises NotProved with the reason."""
        ...

    async def check(self, caller: Caller, repository: str) -> None:
        """Raise NotProved unless it works for this repository, by its own rules."""
        ...


class Postings(Protocol):
    """Runs that this worker has claimed, and leaves to the fleet."""

    async def posted(self, run: str, posting: Posting, look: timedelta) -> None:
        """Keep where the run is, and look after it in a while."""
        ...

    async def wait(self, run: str, look: timedelta) -> None:
        """Leave the run there, and look after it again."""
        ...

    async def lost(self, run: str) -> None:
        """Nobody there carries it out any more; it is posted anew."""
        ...

    async def close(self, run: str, report: Report) -> None:
        """End a run that ended there without a word, or cannot go there."""
        ...


class Whereabouts(Enum):
    """Where a posted run stands."""

    WAITS = "waits"  # for a machine
    AT_WORK = "at work"
    CANCELLED = "cancelled"
    ENDED = "ended"  # however that was
    GONE = "gone"  # nobody knows of it any more


@dataclass(frozen=True)
class Sight:
    """What was seen of a posting; ``conclusion`` is GitHub's word for its end.

    ``by`` is who started its last ``attempt``.
    """

    where: Whereabouts
    attempt: int = 1
    conclusion: str = ""
    by: str = ""


class Fleet(Protocol):
    """Machines that carry out runs and are not ours."""

    async def post(self, run: Run) -> Posting:
        """Have it carried out there. Raises UserError if that cannot be."""
        ...

    async def look(self, repository: str, posting: Posting) -> Sight:
        """What became of it."""
        ...

    async def cancel(self, repository: str, posting: Posting) -> None:
        """Have it stopped there; nothing, if it is over already."""
        ...


class Workers(Protocol):
    """Processes that take work, each for as long as it says that it lives."""

    @property
    def alone(self) -> bool:
        """Whether no other process can take this one's work."""
        ...

    async def enter(self) -> None:
        """Begin a life; what earlier lives of this name had is free again."""
        ...

    def beat(self) -> bool:
        """Say that we live, from any thread; False if we were declared dead."""
        ...

    async def reap(self) -> int:
        """Free what dead processes had; how many died."""
        ...

    async def leave(self) -> None:
        """End this life; what it still had is free."""
        ...


class Tracker(Protocol):
    """Each run's one tracking comment."""

    async def post(self, run: str) -> None:
        """Post the comment unless there is one; it may tell of the run as it was."""
        ...

    async def show(self, run: str, notes: Sequence[str] = ()) -> None:
        """Bring the comment up to date, posting it the first time."""
        ...


class Pauses(Protocol):
    """Where no run starts, because an operator said so."""

    async def reason(self, card: CardKey) -> str | None:
        """Why no run starts on the card; None if runs do."""
        ...


class Locks(Protocol):
    """Locks that every process on this database sees."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Wait until nobody else holds the name, and hold it."""
        ...

    def attempt(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Hold the name if nobody else does; whether it is held."""
        ...

    async def keeps(self, name: str) -> bool:
        """Whether what ``attempt`` took is still held."""
        ...


class Marks(Protocol):
    """How far something that goes over GitHub's own lists has come."""

    async def at(self, name: str) -> datetime | None: ...

    async def advance(self, name: str, at: datetime) -> None:
        """Remember ``at``, unless it is later already."""
        ...


class Ledger(Protocol):
    """Which of GitHub's deliveries we have."""

    async def known(self, guids: Sequence[str]) -> set[str]:
        """Those of the GUIDs that we have, or have reported as lost."""
        ...

    async def newest(self) -> datetime | None:
        """When the last delivery came; None if there never was one."""
        ...

    async def lost(self, delivery: HookDelivery, why: str) -> None:
        """Report a delivery that cannot be had any more."""
        ...

    async def gap(self, since: datetime, until: datetime) -> None:
        """Report a time whose deliveries GitHub does not list any more."""
        ...


@dataclass(frozen=True)
class Remembered:
    """Where we last saw a card or put it, and its run that has not ended."""

    column: str | None = None
    run: str = ""


@dataclass(frozen=True)
class Sighting:
    """A card found elsewhere than we remember it.

    ``by`` answers for the move if that is known. ``mark`` tells this move from the
    same one at another time.
    """

    card: CardKey
    column: str | None
    by: Actor | None
    mark: str


class Sightings(Protocol):
    """Where cards were seen, without being told of a move."""

    async def remembered(self, repository: str) -> Mapping[CardKey, Remembered]:
        """All of the repository's cards that were seen or have an unended run."""
        ...

    async def busy(self) -> set[str]:
        """The repositories that have runs which have not ended."""
        ...

    async def note(self, found: Sequence[tuple[Sighting, Remembered | None]]) -> None:
        """Remember cards there, but those no longer as they were before."""
        ...

    async def tell(self, sighting: Sighting) -> None:
        """Make it an event, once."""
        ...


# --- Time -----------------------------------------------------------------------


class Clock(Protocol):
    """The present, aware and in UTC."""

    def now(self) -> datetime: ...
