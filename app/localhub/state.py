"""Everything the local GitHub remembers: plain dataclasses and the Hub that holds them.

State lives in memory only. Nothing here speaks HTTP, runs git or renders JSON; what
changes state *and* tells the world about it is in the operations modules.
"""

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

ROLES = ("read", "triage", "write", "maintain", "admin")
"""Repository roles, weakest first."""

Stamp = str
"""An instant as GitHub writes it: UTC, whole seconds, `2026-01-31T12:00:00Z`."""


class Node(Protocol):
    """Anything with a global id."""

    node_id: str


Thing = TypeVar("Thing", bound=Node)


def stamp(at: datetime) -> Stamp:
    """Write an instant the way GitHub does."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(eq=False, kw_only=True)
class User:
    """An account: a person, a bot or (as a subclass) an organization."""

    id: int
    node_id: str
    login: str
    created_at: Stamp
    type: str = "User"
    name: str | None = None
    app: "App | None" = None


@dataclass(eq=False, kw_only=True)
class Organization(User):
    """An account that owns repositories and projects and has members."""

    type: str = "Organization"
    members: dict[str, str] = field(default_factory=dict)
    """login → `admin` or `member`."""


@dataclass(eq=False, kw_only=True)
class App:
    """A registered GitHub App."""

    id: int
    node_id: str
    client_id: str
    slug: str
    name: str
    owner: User
    bot: User
    public_key: str
    created_at: Stamp
    private_key: str | None = None
    client_secret: str = ""
    webhook_url: str | None = None
    webhook_secret: str | None = None
    content_type: str = "json"
    insecure_ssl: str = "0"
    hook_id: int = 0
    permissions: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Installation:
    """An App installed on an account, for all its repositories or some."""

    id: int
    node_id: str
    app: App
    account: User
    permissions: dict[str, str]
    events: list[str]
    created_at: Stamp
    updated_at: Stamp
    selected: "list[Repository] | None" = None
    """None means every repository of the account."""
    suspended_at: Stamp | None = None
    suspended_by: User | None = None


@dataclass(eq=False, kw_only=True)
class Token:
    """A bearer token: of a person (`installation` is None) or of an installation."""

    value: str
    user: User
    installation: Installation | None = None
    permissions: dict[str, str] | None = None
    """None means: whatever the person may."""
    repository_ids: frozenset[int] | None = None
    expires_at: datetime | None = None


@dataclass(eq=False, kw_only=True)
class Label:
    """A label of a repository."""

    id: int
    node_id: str
    name: str
    color: str = "ededed"
    description: str | None = None
    default: bool = False


@dataclass(eq=False, kw_only=True)
class Reaction:
    """A reaction of somebody to an issue or a comment."""

    id: int
    node_id: str
    user: User
    content: str
    created_at: Stamp


@dataclass(eq=False, kw_only=True)
class Comment:
    """A comment in the conversation of an issue or pull request."""

    id: int
    node_id: str
    issue: "Issue"
    user: User
    body: str
    created_at: Stamp
    updated_at: Stamp
    via_app: App | None = None
    reactions: list[Reaction] = field(default_factory=list)
    minimized: str | None = None
    """Why the comment is folded away, in the words of GraphQL's classifiers."""


@dataclass(eq=False, kw_only=True)
class Issue:
    """An issue; a pull request is one too."""

    id: int
    node_id: str
    number: int
    repository: "Repository"
    title: str
    user: User
    created_at: Stamp
    updated_at: Stamp
    body: str | None = None
    state: str = "open"
    state_reason: str | None = None
    labels: list[Label] = field(default_factory=list)
    assignees: list[User] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    reactions: list[Reaction] = field(default_factory=list)
    closed_at: Stamp | None = None
    closed_by: User | None = None
    locked: bool = False
    via_app: App | None = None


@dataclass(eq=False, kw_only=True)
class PullRequest(Issue):
    """A pull request: an issue whose number also names a change."""

    head_ref: str
    head_sha: str
    head_repository: "Repository"
    base_ref: str
    base_sha: str
    pull_id: int
    """The id under `/pulls`; `id` is the one under `/issues`."""
    draft: bool = False
    merged_at: Stamp | None = None
    merged_by: User | None = None
    merge_commit_sha: str | None = None
    maintainer_can_modify: bool = False
    requested_reviewers: list[User] = field(default_factory=list)
    reviews: "list[Review]" = field(default_factory=list)
    review_comments: "list[ReviewComment]" = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Review:
    """A review of a pull request; `state` is `PENDING` until submitted."""

    id: int
    node_id: str
    pull: PullRequest
    user: User
    state: str
    body: str
    commit_id: str
    submitted_at: Stamp | None
    updated_at: Stamp


@dataclass(eq=False, kw_only=True)
class ReviewComment:
    """A comment on a line of a pull request's diff."""

    id: int
    node_id: str
    pull: PullRequest
    review: Review
    user: User
    body: str
    path: str
    commit_id: str
    original_commit_id: str
    diff_hunk: str
    created_at: Stamp
    updated_at: Stamp
    line: int | None = None
    start_line: int | None = None
    side: str = "RIGHT"
    start_side: str | None = None
    subject_type: str = "line"
    in_reply_to: "ReviewComment | None" = None
    reactions: list[Reaction] = field(default_factory=list)
    resolved: bool = False
    minimized: str | None = None


@dataclass(eq=False, kw_only=True)
class CheckSuite:
    """All check runs of one App for one commit."""

    id: int
    node_id: str
    repository: "Repository"
    app: App
    head_sha: str
    created_at: Stamp
    updated_at: Stamp
    head_branch: str | None = None
    before: str | None = None
    runs: "list[CheckRun]" = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class CheckRun:
    """One check of a commit."""

    id: int
    node_id: str
    suite: CheckSuite
    name: str
    status: str
    started_at: Stamp | None
    conclusion: str | None = None
    completed_at: Stamp | None = None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, str]] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class CommitStatus:
    """The older kind of check: one state for a context of a commit."""

    id: int
    node_id: str
    repository: "Repository"
    sha: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    creator: User
    created_at: Stamp
    updated_at: Stamp


@dataclass(eq=False, kw_only=True)
class DeploymentStatus:
    """One report on how a deployment goes."""

    id: int
    node_id: str
    state: str
    creator: User
    description: str
    environment: str
    created_at: Stamp
    updated_at: Stamp
    environment_url: str = ""
    log_url: str = ""
    target_url: str = ""
    via_app: App | None = None


@dataclass(eq=False, kw_only=True)
class Deployment:
    """A request to deploy a ref, with the reports that followed."""

    id: int
    node_id: str
    repository: "Repository"
    sha: str
    ref: str
    task: str
    payload: Any
    environment: str
    description: str | None
    creator: User
    created_at: Stamp
    updated_at: Stamp
    transient: bool = False
    production: bool = False
    via_app: App | None = None
    statuses: list[DeploymentStatus] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Workflow:
    """A workflow file by its path, under which its runs are listed."""

    id: int
    node_id: str
    repository: "Repository"
    path: str
    name: str
    created_at: Stamp
    updated_at: Stamp


@dataclass(eq=False, kw_only=True)
class Step:
    """A step of a job, as the runner reports it."""

    name: str
    number: int
    started_at: Stamp
    conclusion: str | None = None
    completed_at: Stamp | None = None


@dataclass(eq=False, kw_only=True)
class Job:
    """One job of an attempt; its check run is what GitHub shows on the commit."""

    attempt: "Attempt"
    key: str
    """Its name in the workflow file."""
    check: CheckRun
    labels: list[str]
    needs: list[str]
    permissions: dict[str, str]
    """What its token may, with `id_token` among it."""
    created_at: Stamp
    status: str = "queued"
    conclusion: str | None = None
    started_at: Stamp | None = None
    completed_at: Stamp | None = None
    runner: str | None = None
    identity_key: str | None = None
    """With this the job asks for its OIDC tokens, until it ends."""
    outputs: dict[str, str] = field(default_factory=dict)
    summaries: list[str] = field(default_factory=list)
    """What steps wrote as Markdown for people."""
    steps: list[Step] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def id(self) -> int:
        """Give its id: that of its check run, as on GitHub."""
        return self.check.id

    @property
    def name(self) -> str:
        """Give the name that people read."""
        return self.check.name


@dataclass(eq=False, kw_only=True)
class Attempt:
    """One try of a workflow run; a re-run is the next."""

    run: "WorkflowRun"
    number: int
    actor: User
    """Who started this try, which need not be who caused the run."""
    suite: CheckSuite
    started_at: Stamp
    updated_at: Stamp
    status: str = "queued"
    conclusion: str | None = None
    cancelled_by: User | None = None
    jobs: list[Job] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class WorkflowRun:
    """A workflow started by an event, with all its tries."""

    id: int
    node_id: str
    workflow: Workflow
    number: int
    event: str
    payload: dict[str, Any]
    """The event as the job reads it from its file."""
    title: str
    actor: User
    ref: str
    head_branch: str
    head_sha: str
    """What the run is shown on."""
    sha: str
    """What it checks out: for a pull request, the merge that is tried."""
    created_at: Stamp
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def repository(self) -> "Repository":
        """Give the repository it belongs to."""
        return self.workflow.repository

    @property
    def latest(self) -> Attempt:
        """Give the newest try."""
        return self.attempts[-1]


@dataclass(frozen=True)
class RequiredCheck:
    """A check run or status without which a branch takes no merge."""

    context: str
    app_id: int | None = None
    """The App that has to report it; None takes anybody's."""


@dataclass(frozen=True)
class Protection:
    """What a branch asks of whoever wants to merge into it."""

    checks: tuple[RequiredCheck, ...] = ()
    strict: bool = False
    """The head has to have all that the branch has."""
    admins: bool = True
    """Whether it holds for administrators, too."""
    queue: bool = False
    """Merges go through the merge queue."""


@dataclass(eq=False, kw_only=True)
class QueueEntry:
    """A pull request in a merge queue, and the merge that is tried for it."""

    pull: PullRequest
    base_sha: str = ""
    head_sha: str = ""


@dataclass(eq=False, kw_only=True)
class Repository:
    """A repository: its bare git directory and everything said around it."""

    id: int
    node_id: str
    owner: User
    name: str
    git_dir: Path
    created_at: Stamp
    updated_at: Stamp
    pushed_at: Stamp
    default_branch: str = "main"
    private: bool = False
    description: str | None = None
    collaborators: dict[str, str] = field(default_factory=dict)
    """login → one of ROLES."""
    labels: dict[str, Label] = field(default_factory=dict)
    """lower-case name → label."""
    issues: dict[int, Issue] = field(default_factory=dict)
    """number → issue or pull request: they share one sequence."""
    check_suites: list[CheckSuite] = field(default_factory=list)
    statuses: list[CommitStatus] = field(default_factory=list)
    protections: dict[str, Protection] = field(default_factory=dict)
    """branch → what it asks for."""
    queue: list[QueueEntry] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    """path → workflow, for each that was asked for or ran."""
    workflow_runs: list[WorkflowRun] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)
    """What its jobs get as `secrets`, besides their token."""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """Give `owner/name`."""
        return f"{self.owner.login}/{self.name}"

    @property
    def pulls(self) -> list[PullRequest]:
        """Give the pull requests, oldest first."""
        return [one for one in self.issues.values() if isinstance(one, PullRequest)]

    @property
    def next_number(self) -> int:
        """Give the number that the next issue or pull request gets."""
        return max(self.issues, default=0) + 1

    def role(self, user: User) -> str | None:
        """Tell the strongest role somebody has here, or None."""
        if user is self.owner:
            return "admin"
        role = self.collaborators.get(user.login)
        if isinstance(self.owner, Organization):
            member = self.owner.members.get(user.login)
            if member == "admin":
                return "admin"
            if member is not None and role is None:
                return "read"
        return role


@dataclass(eq=False, kw_only=True)
class Option:
    """A choice of a single-select field."""

    id: str
    name: str
    color: str = "GRAY"
    description: str = ""


@dataclass(eq=False, kw_only=True)
class ProjectField:
    """A field of a project; `data_type` in GraphQL's words, as `SINGLE_SELECT`."""

    id: int
    node_id: str
    name: str
    data_type: str
    created_at: Stamp
    updated_at: Stamp
    options: list[Option] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class DraftIssue:
    """A card that is only a note."""

    id: int
    node_id: str
    title: str
    creator: User
    created_at: Stamp
    updated_at: Stamp
    body: str = ""


@dataclass(eq=False, kw_only=True)
class ProjectItem:
    """A card of a project: what it shows, and its value for each field."""

    id: int
    node_id: str
    project: "Project"
    content: Issue | DraftIssue
    creator: User
    position: float
    created_at: Stamp
    updated_at: Stamp
    values: dict[int, str | float] = field(default_factory=dict)
    """field id → option id, text, date or number."""
    archived_at: Stamp | None = None


@dataclass(eq=False, kw_only=True)
class StatusUpdate:
    """A report on how a whole project goes."""

    id: int
    node_id: str
    project: "Project"
    creator: User
    created_at: Stamp
    updated_at: Stamp
    body: str = ""
    status: str | None = None
    start_date: str | None = None
    target_date: str | None = None


@dataclass(eq=False, kw_only=True)
class Project:
    """A Projects v2 board with its built-in automations."""

    id: int
    node_id: str
    number: int
    owner: User
    title: str
    creator: User
    created_at: Stamp
    updated_at: Stamp
    public: bool = False
    short_description: str | None = None
    readme: str | None = None
    closed_at: Stamp | None = None
    fields: list[ProjectField] = field(default_factory=list)
    items: list[ProjectItem] = field(default_factory=list)
    status_updates: list[StatusUpdate] = field(default_factory=list)
    closed_to_done: bool = True
    merged_to_done: bool = True
    added_to_first: bool = False
    done_to_closed: bool = False


@dataclass(eq=False, kw_only=True)
class Delivery:
    """One attempt to deliver a webhook to an App."""

    id: int
    guid: str
    app: App
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    headers: dict[str, str]
    body: str
    redelivery: bool = False
    delivered_at: datetime | None = None
    duration: float = 0.0
    status: str = "pending"
    status_code: int = 0
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""


@dataclass(frozen=True)
class Emission:
    """Something happened that webhooks tell about."""

    event: str
    payload: dict[str, Any]
    sender: User
    organization: Organization | None
    repository: Repository | None
    only: App | None
    """Lifecycle and check events may concern one App alone."""


@dataclass
class Listeners:
    """Who else reacts, inside the hub, when something happened (automations do)."""

    emission: list[Callable[[Emission], None]] = field(default_factory=list)
    issue_opened: list[Callable[[Issue, User], None]] = field(default_factory=list)
    """An issue or a pull request was created."""
    issue_closed: list[Callable[[Issue, User], None]] = field(default_factory=list)
    """An issue was closed, or a pull request closed without merging."""
    issue_reopened: list[Callable[[Issue, User], None]] = field(default_factory=list)
    pull_merged: list[Callable[[PullRequest, User], None]] = field(default_factory=list)
    attempt_started: list[Callable[[Attempt], None]] = field(default_factory=list)
    attempt_cancelled: list[Callable[[Attempt, bool], None]] = field(
        default_factory=list
    )
    """Somebody cancelled a try; by force, if so told."""


class Hub:
    """All state of one local GitHub."""

    def __init__(
        self, root: Path, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.root = root
        """Where the bare repositories live."""
        self.clock = clock
        self.url = "http://127.0.0.1"
        self.users: dict[str, User] = {}
        """lower-case login → account, organizations and bots included."""
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[str, Repository] = {}
        """lower-case owner/name → repository."""
        self.projects: list[Project] = []
        self.deliveries: list[Delivery] = []
        self.nodes: dict[str, Any] = {}
        self.verified: dict[str, Stamp] = {}
        """Commits made through the API by an App: those GitHub signs itself."""
        self.listeners = Listeners()
        self._ids = count(100_001)
        self._delivery_ids = count(200_000_000_001)

    @property
    def api_url(self) -> str:
        """Give the root of the REST API."""
        return f"{self.url}/api/v3"

    def now(self) -> Stamp:
        """Tell the time as GitHub writes it."""
        return stamp(self.clock())

    def new_id(self) -> int:
        """Mint a database id; one sequence, so an id is never also a number."""
        return next(self._ids)

    def new_delivery_id(self) -> int:
        """Mint a delivery's id, larger than 32 bits as on GitHub."""
        return next(self._delivery_ids)

    def new_node_id(self, prefix: str, number: int) -> str:
        """Build the global id of a thing (`I`, `PR`, `PVT`, `PVTI`, …)."""
        packed = base64.urlsafe_b64encode(number.to_bytes(6, "big")).decode()
        return f"{prefix}_kwDO{packed}"

    def mint(self, prefix: str) -> dict[str, Any]:
        """Mint `id` and `node_id` together, to be passed to a constructor."""
        number = self.new_id()
        return {"id": number, "node_id": self.new_node_id(prefix, number)}

    def new_option_id(self) -> str:
        """Mint the id of a single-select option."""
        return secrets.token_hex(4)

    def register(self, thing: Thing) -> Thing:
        """Make a thing with a `node_id` resolvable by `node()`."""
        self.nodes[thing.node_id] = thing
        return thing

    def node(self, node_id: str) -> Any | None:
        """Find anything by its global id."""
        return self.nodes.get(node_id)

    def user(self, login: str) -> User | None:
        """Find an account by login, whatever its case."""
        return self.users.get(login.lower())

    def organization(self, login: str) -> Organization | None:
        """Find an organization by login."""
        found = self.user(login)
        return found if isinstance(found, Organization) else None

    def repository(self, full_name: str) -> Repository | None:
        """Find a repository by `owner/name`, whatever its case."""
        return self.repositories.get(full_name.lower())

    def repository_by_id(self, number: int) -> Repository | None:
        """Find a repository by its database id."""
        found = (one for one in self.repositories.values() if one.id == number)
        return next(found, None)

    def app_by(self, name: str) -> App | None:
        """Find an App by id, client id or slug."""
        for app in self.apps.values():
            if name in (str(app.id), app.client_id, app.slug):
                return app
        return None

    def project(self, owner: str, number: int) -> Project | None:
        """Find a project by its owner and number."""
        for project in self.projects:
            if project.number == number and project.owner is self.user(owner):
                return project
        return None

    def installation_of(self, app: App, account: User) -> Installation | None:
        """Find where an App is installed on an account."""
        for one in self.installations.values():
            if one.app is app and one.account is account:
                return one
        return None

    def repositories_of(self, installation: Installation) -> list[Repository]:
        """List what an installation reaches."""
        if installation.selected is not None:
            return list(installation.selected)
        owned = self.repositories.values()
        return [one for one in owned if one.owner is installation.account]

    def issues_with_id(self, number: int) -> Iterator[Issue]:
        """Find issues and pull requests by database id (not number)."""
        for repository in self.repositories.values():
            for issue in repository.issues.values():
                if issue.id == number:
                    yield issue

    def emit(
        self,
        event: str,
        payload: dict[str, Any],
        *,
        sender: User,
        organization: Organization | None = None,
        repository: Repository | None = None,
        only: App | None = None,
    ) -> None:
        """Tell every installed, subscribed App what happened.

        `payload` holds what is particular to the event, rendered already; sender,
        organization, repository and installation are added for each receiver.
        """
        owner = repository.owner if repository else None
        if organization is None and isinstance(owner, Organization):
            organization = owner
        emission = Emission(event, payload, sender, organization, repository, only)
        for listener in list(self.listeners.emission):
            listener(emission)
