"""The closed list of what we can do about an event.

Every effect has a key: performing it twice is the normal case, and does nothing
the second time.
"""

from dataclasses import dataclass
from datetime import timedelta

from vibeboard.domain.board import CardKey, Place
from vibeboard.domain.run import Remark
from vibeboard.domain.tools import Verdict
from vibeboard.domain.workflow import Runner


@dataclass(frozen=True)
class StartRun:
    """Queue a run of ``stage`` on ``card``; unique by card, stage and cause.

    ``chain`` and ``parent`` as in ``Run``. Of those that wait, the one with the higher
    ``priority`` goes first. It does not start before ``delay`` is over. ``approved`` is
    a commit that it pushes, and then no agent works. ``runner`` carries it out.
    """

    card: CardKey
    stage: str
    cause: str
    asked_by: str
    config_commit: str
    parallel: int = 3
    instructions: str = ""
    remarks: tuple[Remark, ...] = ()
    chain: int = 0
    parent: str = ""
    priority: int = 0
    delay: timedelta = timedelta(0)
    approved: str = ""
    runner: Runner = Runner.OWN

    @property
    def key(self) -> str:
        return f"start:{self.card}:{self.stage}:{self.cause}"


@dataclass(frozen=True)
class StopRun:
    """Ask a run to stop and to save its work."""

    run: str
    why: str

    @property
    def key(self) -> str:
        return f"stop:{self.run}"


@dataclass(frozen=True)
class LookAfter:
    """See at once what became of a run's posting, which GitHub says is over."""

    repository: str
    posting: int
    cause: str

    @property
    def key(self) -> str:
        return f"look:{self.repository}:{self.posting}:{self.cause}"


@dataclass(frozen=True)
class ShowRun:
    """Bring the run's tracking comment up to date."""

    run: str
    state: str

    @property
    def key(self) -> str:
        return f"show:{self.run}:{self.state}"


@dataclass(frozen=True)
class MoveCard:
    """Put a card into a column of its board."""

    card: CardKey
    place: Place
    column: str
    cause: str
    field: str

    @property
    def key(self) -> str:
        return f"move:{self.card}:{self.column}:{self.cause}"


@dataclass(frozen=True)
class ShowCost:
    """Put what a card has cost by now into a number field of its board."""

    card: CardKey
    place: Place
    field: str
    cause: str

    @property
    def key(self) -> str:
        return f"cost:{self.card}:{self.cause}"


@dataclass(frozen=True)
class Reply:
    """Say something once on an issue or pull request; ``topic`` makes it once."""

    card: CardKey
    body: str
    topic: str

    @property
    def key(self) -> str:
        return f"reply:{self.card}:{self.topic}"


@dataclass(frozen=True)
class React:
    """Answer a comment with a reaction (GitHub's content names)."""

    repository: str
    comment: int
    content: str
    review: bool = False

    @property
    def key(self) -> str:
        # Comments of reviews are numbered apart from the others.
        comment = f"review-{self.comment}" if self.review else str(self.comment)
        return f"react:{self.repository}:{comment}:{self.content}"


@dataclass(frozen=True)
class AnswerReview:
    """Reply in a review comment's thread, once."""

    repository: str
    remark: Remark
    body: str
    cause: str

    @property
    def key(self) -> str:
        return f"answer:{self.repository}:{self.remark.comment}:{self.cause}"


@dataclass(frozen=True)
class ShowPreviews:
    """Show on the card and its pull request where the change can be looked at.

    ``deployment`` is the one that there is news of. None: all of the newest commit are
    looked for. Whoever asked is answered on ``thread``.
    """

    card: CardKey
    cause: str
    deployment: int | None = None
    thread: CardKey | None = None

    @property
    def key(self) -> str:
        return f"previews:{self.card}:{self.deployment or ''}:{self.cause}"


@dataclass(frozen=True)
class RemoveWorkspace:
    """Throw the card's working tree away; its work is on GitHub."""

    card: CardKey
    cause: str

    @property
    def key(self) -> str:
        return f"remove:{self.card}:{self.cause}"


@dataclass(frozen=True)
class CheckConfiguration:
    """Show what `.vibe.yml` at ``head`` means or where it is wrong.

    ``pull_request`` is None for a commit on the default branch. ``cause`` names the
    delivery if somebody asked for it again.
    """

    repository: str
    head: str
    pull_request: int | None
    cause: str = ""

    @property
    def key(self) -> str:
        where = self.pull_request or "branch"
        again = f":{self.cause}" if self.cause else ""
        return f"config:{self.repository}:{self.head}:{where}{again}"


@dataclass(frozen=True)
class ShowGates:
    """Say how a card's gates stand: on the head's checks, and in their comments.

    A comment is made when somebody's move to the gate of ``stage`` was refused
    (``moved_by``), and kept true from then on; ``back_to`` is where the card was put.
    """

    card: CardKey
    cause: str
    stage: str = ""
    moved_by: str = ""
    back_to: str = ""

    @property
    def key(self) -> str:
        return f"gates:{self.card}:{self.stage}:{self.cause}"


@dataclass(frozen=True)
class JudgeGroup:
    """Answer GitHub's merge queue for a commit that puts pull requests together."""

    repository: str
    head: str
    pull_requests: tuple[int, ...]

    @property
    def key(self) -> str:
        return f"group:{self.repository}:{self.head}"


@dataclass(frozen=True)
class VouchFor:
    """Write down somebody's word, such as an approval of a commit."""

    card: CardKey
    subject: str
    by: str
    reason: str
    cause: str

    @property
    def key(self) -> str:
        return f"vouch:{self.card}:{self.subject}:{self.cause}"


@dataclass(frozen=True)
class ShowQuestion:
    """Put an agent's question before people: a comment, and a check with buttons."""

    card: CardKey
    run: str
    question: str

    @property
    def key(self) -> str:
        return f"ask:{self.run}:{self.question}"


@dataclass(frozen=True)
class AnswerQuestion:
    """Write down what somebody says to an agent's question; the first answer counts."""

    card: CardKey
    run: str
    question: str
    verdict: Verdict
    by: str
    note: str = ""
    for_run: bool = False

    @property
    def key(self) -> str:
        return f"question:{self.run}:{self.question}"


Effect = (
    StartRun
    | StopRun
    | LookAfter
    | ShowRun
    | MoveCard
    | ShowCost
    | Reply
    | React
    | AnswerReview
    | ShowPreviews
    | RemoveWorkspace
    | CheckConfiguration
    | ShowGates
    | JudgeGroup
    | VouchFor
    | ShowQuestion
    | AnswerQuestion
)
