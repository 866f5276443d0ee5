"""The closed list of what can happen, in our words.

``github/translate.py`` makes most out of deliveries; ``RunEnded``, ``StageAsked`` and
``CardSeen`` are our own. Facts that a payload only hints at are read
back before anything is decided.
"""

from dataclasses import dataclass

from vibeboard.domain.board import Actor, CardKey


@dataclass(frozen=True)
class CardTouched:
    """A card was added, moved, archived or removed; ``issue`` is its node id.

    ``owner`` is the account whose board it is. ``field`` is the changed field's
    name, ``before`` its value until then and ``after`` its value from then on, where
    the payload tells them. ``at`` is GitHub's time of the change, as GitHub wrote it:
    two deliveries of one change have the same.
    """

    by: Actor
    owner: str
    issue: str
    field: str | None = None
    before: str | None = None
    after: str | None = None
    at: str = ""


@dataclass(frozen=True)
class CardSeen:
    """A board was read, and the card stood in another column than we remembered.

    ``column`` is None if it was not on the board. ``by`` answers for the move: the
    owner of a board that only its owner lets people into. None: nobody knows who.
    """

    card: CardKey
    column: str | None
    by: Actor | None = None


@dataclass(frozen=True)
class CommentMade:
    """A comment was created on an issue or pull request (``number``).

    ``comment`` is None for what counts as one: a label, or a workflow that somebody
    started with a command. ``given`` then tells it from all others.
    """

    by: Actor
    repository: str
    number: int
    comment: int | None
    body: str
    on_pull_request: bool
    given: str = ""

    @property
    def name(self) -> str:
        """What it is known by, however often it is told; empty if nothing tells."""
        return self.given if self.comment is None else f"comment-{self.comment}"


@dataclass(frozen=True)
class ReviewGiven:
    """A review, or one comment of it, on the pull request of ``branch``.

    ``comment`` is the review comment's id, or None for the review as a whole, whose
    id is ``review``. A plain approval is none: it sends nobody back to work.
    """

    by: Actor
    repository: str
    pull_request: int
    branch: str
    body: str
    comment: int | None = None
    review: int | None = None
    path: str | None = None
    line: int | None = None
    hunk: str | None = None


@dataclass(frozen=True)
class IssueClosed:
    """An issue was closed, deleted or transferred: nothing is left to do on it."""

    by: Actor
    card: CardKey


@dataclass(frozen=True)
class PullRequestUpdated:
    """Something that gates look at changed: a pull request's head, state or reviews.

    ``branch`` is empty if it comes from a fork. With a ``new_head`` its `.vibe.yml`
    is checked, and its tests are run if no run of ours made it.
    """

    by: Actor
    repository: str
    pull_request: int
    head: str
    branch: str = ""
    new_head: bool = True


@dataclass(frozen=True)
class ChecksEnded:
    """Checks of others on a commit of ``branch`` have ended, perhaps not all."""

    by: Actor
    repository: str
    branch: str
    head: str


@dataclass(frozen=True)
class Deployed:
    """A deployment has ended, well or not, or was taken down.

    ``ref`` is what was deployed, as it was asked for: a branch, ``refs/pull/7/merge``,
    or ``commit`` itself.
    """

    by: Actor
    repository: str
    deployment: int
    ref: str
    commit: str


@dataclass(frozen=True)
class GroupFormed:
    """GitHub's merge queue asks whether ``head``, of these pull requests, is good."""

    by: Actor
    repository: str
    head: str
    pull_requests: tuple[int, ...]


@dataclass(frozen=True)
class CheckAsked:
    """Somebody asked to run one of our checks again, or ``pressed`` its button."""

    by: Actor
    repository: str
    check: str
    head: str
    run: str | None
    pressed: str = ""


@dataclass(frozen=True)
class ConfigurationChanged:
    """The default branch got a commit that touches `.vibe.yml`."""

    by: Actor
    repository: str
    commit: str


@dataclass(frozen=True)
class InstallationChanged:
    """The App was installed, removed, suspended, or given other repositories."""

    by: Actor
    account: str
    what: str
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True)
class PostingEnded:
    """What carried a run out on GitHub Actions has ended there, however."""

    by: Actor
    repository: str
    posting: int


@dataclass(frozen=True)
class StageAsked:
    """The operator asked for a stage from the terminal."""

    card: CardKey
    stage: str
    instructions: str = ""


@dataclass(frozen=True)
class QuestionAsked:
    """An agent wants to do what a person has to allow; ``question`` is its id."""

    card: CardKey
    question: str


@dataclass(frozen=True)
class QuestionAnswered:
    """The operator answered a question from the terminal."""

    card: CardKey
    question: str
    allowed: bool
    note: str = ""
    for_run: bool = False


@dataclass(frozen=True)
class RunEnded:
    """A run is over; its report is with the run."""

    run: str
    card: CardKey


Event = (
    CardTouched
    | CardSeen
    | CommentMade
    | ReviewGiven
    | IssueClosed
    | PullRequestUpdated
    | ChecksEnded
    | Deployed
    | GroupFormed
    | CheckAsked
    | ConfigurationChanged
    | InstallationChanged
    | PostingEnded
    | StageAsked
    | QuestionAsked
    | QuestionAnswered
    | RunEnded
)
