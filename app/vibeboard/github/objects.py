"""The fields of GitHub's answers that we read, and nothing else.

REST writes an App's login as ``slug[bot]``, GraphQL without the suffix; here it
always has it, so that logins can be compared.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from vibeboard.domain.board import Actor

# The account GitHub shows where the author's own is deleted.
GHOST = Actor("ghost")
_BOT_SUFFIX = "[bot]"


# --- REST -------------------------------------------------------------------


class User(BaseModel):
    """An account."""

    login: str
    type: str = "User"

    @property
    def actor(self) -> Actor:
        """The account in our words."""
        return Actor(self.login, is_bot=self.type == "Bot")


class App(BaseModel):
    """The App itself."""

    id: int
    slug: str
    name: str
    html_url: str = ""


class InstalledOn(BaseModel):
    """The account an App is installed on; an enterprise has no login."""

    login: str = ""


class InstallationFacts(BaseModel):
    """Where the App is installed, and what it may do there."""

    id: int
    account: InstalledOn | None = None
    permissions: dict[str, str] = Field(default_factory=dict)
    events: list[str] = Field(default_factory=list)
    suspended_at: datetime | None = None

    @property
    def owner(self) -> str:
        """The login of the account."""
        return self.account.login if self.account else ""


class MintedToken(BaseModel):
    """A new installation token."""

    token: str = Field(repr=False)
    expires_at: datetime


class HookAttempt(BaseModel):
    """One attempt to deliver a webhook."""

    id: int
    guid: str
    event: str
    action: str | None = None
    delivered_at: datetime
    redelivery: bool = False
    status: str
    status_code: int = 0
    installation_id: int | None = None
    repository_id: int | None = None


class InstalledRepository(BaseModel):
    """A repository that an installation reaches."""

    full_name: str


class Commit(BaseModel):
    """A commit."""

    sha: str


class RepositoryLinks(BaseModel):
    """Which repository it is, where it is cloned from, and what stands for it."""

    id: int
    full_name: str
    clone_url: str
    default_branch: str


class Dispatched(BaseModel):
    """A workflow run that was just asked for."""

    workflow_run_id: int
    html_url: str


class WorkflowRun(BaseModel):
    """A run of a workflow, at its last attempt."""

    status: str
    conclusion: str | None = None
    run_attempt: int = 1
    triggering_actor: User | None = None


class CollaboratorPermission(BaseModel):
    """Effective permission; ``role_name`` may be a role of the organization's own."""

    permission: str
    role_name: str = ""


class IssueComment(BaseModel):
    """A comment in a conversation."""

    id: int
    body: str | None = None
    user: User | None = None
    created_at: datetime


class CreatedComment(BaseModel):
    """What is read of a comment that we wrote."""

    id: int


class ReviewComment(BaseModel):
    """A remark at a line; ``in_reply_to_id`` names the first of its thread.

    One that is outdated, or about a whole file, has no ``line``.
    """

    id: int
    body: str | None = None
    user: User | None = None
    in_reply_to_id: int | None = None
    path: str
    line: int | None = None
    original_line: int | None = None
    diff_hunk: str = ""
    created_at: datetime


class SourceRepository(BaseModel):
    """The repository of a branch."""

    id: int


class Branch(BaseModel):
    """An end of a pull request; a deleted fork leaves no repository."""

    ref: str
    sha: str
    label: str = ""
    repo: SourceRepository | None = None


class Pull(BaseModel):
    """A pull request, as lists and single answers agree on it."""

    number: int
    html_url: str
    state: str
    draft: bool = False
    body: str | None = None
    merged_at: datetime | None = None
    head: Branch
    base: Branch

    @property
    def from_a_fork(self) -> bool:
        """Whether its branch is one of another repository."""
        return self.head.repo is None or self.head.repo != self.base.repo


class Deployment(BaseModel):
    """A request to deploy a commit; ``environment`` is where to."""

    id: int
    sha: str
    environment: str
    production_environment: bool = False


class DeploymentStatus(BaseModel):
    """One report of how a deployment goes."""

    state: str
    environment_url: str | None = None
    log_url: str | None = None
    target_url: str | None = None


class ChangedFile(BaseModel):
    """A file that a pull request changes."""

    filename: str


class CheckApp(BaseModel):
    """The App a check run belongs to."""

    id: int


class CheckOutput(BaseModel):
    """What a check run shows."""

    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations_count: int = 0


class CheckRun(BaseModel):
    """A check run."""

    id: int
    name: str
    status: str
    conclusion: str | None = None
    external_id: str | None = None
    details_url: str | None = None
    app: CheckApp | None = None
    output: CheckOutput = Field(default_factory=CheckOutput)


class Conversion(BaseModel):
    """What an App manifest became: the App's own secrets among it."""

    id: int
    slug: str
    client_id: str
    html_url: str = ""
    client_secret: str = Field(repr=False)
    webhook_secret: str | None = Field(default=None, repr=False)
    pem: str = Field(repr=False)


# --- GraphQL ----------------------------------------------------------------


class Node(BaseModel):
    """An object of GraphQL, whose names are in camel case."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Author(Node):
    """Who wrote something."""

    typename: str = Field(alias="__typename")
    login: str

    @property
    def actor(self) -> Actor:
        """The author in our words."""
        if self.typename != "Bot":
            return Actor(self.login)
        return Actor(self.login.removesuffix(_BOT_SUFFIX) + _BOT_SUFFIX, is_bot=True)


class Named(Node):
    """Something with a name: a label, a branch, the option of a field."""

    name: str


class FieldValue(Node):
    """A single-select field's value at an item; any other kind has neither."""

    name: str | None = None
    option_id: str | None = None


class ProjectOwner(Node):
    """Who a project belongs to."""

    login: str


class ProjectName(Node):
    """What names a project."""

    number: int
    owner: ProjectOwner


class ItemNode(Node):
    """Where an issue stands on a project."""

    id: str
    is_archived: bool
    project: ProjectName
    field_value_by_name: FieldValue | None = None


class RepositoryName(Node):
    """What names a repository."""

    name_with_owner: str


class ColumnValue(Node):
    """The column of an item, and what GitHub tells of it."""

    name: str | None = None
    creator: Author | None = None
    updated_at: datetime | None = None


class ItemContent(Node):
    """What an item stands for; only an issue has what makes it a card."""

    typename: str = Field(alias="__typename")
    id: str = ""
    number: int = 0
    repository: RepositoryName | None = None


class BoardItem(Node):
    """An item as its project lists it; what we may not see has no content."""

    id: str
    is_archived: bool
    updated_at: datetime
    content: ItemContent | None = None
    field_value_by_name: ColumnValue | None = None


class ForwardPage(Node):
    """Whether there are more."""

    has_next_page: bool
    end_cursor: str | None = None


class BoardItems(Node):
    """A page of a project's items."""

    nodes: list[BoardItem | None] = Field(default_factory=list)
    page_info: ForwardPage


class Items(Node):
    """Items; one that we may not see is null."""

    nodes: list[ItemNode | None] = Field(default_factory=list)


class Labels(Node):
    """Labels of an issue."""

    nodes: list[Named | None] = Field(default_factory=list)


class IssueNode(Node):
    """An issue with its places."""

    id: str
    number: int
    title: str
    body: str
    url: str
    closed: bool
    repository: RepositoryName
    author: Author | None = None
    labels: Labels | None = None
    project_items: Items


class PlacesNode(Node):
    """An issue's places alone."""

    project_items: Items


class Option(Node):
    """One option of a single-select field: a column."""

    id: str
    name: str


class SelectField(Node):
    """A single-select field; a field of another kind has neither."""

    id: str | None = None
    options: list[Option] = Field(default_factory=list)


class ProjectColumns(Node):
    """A project with the field its columns come from."""

    id: str
    field: SelectField | None = None


class ItemColumns(Node):
    """An item, and the columns it may stand in."""

    is_archived: bool
    project: ProjectColumns
    field_value_by_name: FieldValue | None = None


class NumberField(Node):
    """A field that is no single-select one; what kind it is, GitHub says."""

    id: str | None = None
    data_type: str | None = None


class ProjectNumber(Node):
    """A project with one of its plain fields."""

    id: str
    field: NumberField | None = None


class NumberValue(Node):
    """An item's number; nothing where it has none."""

    number: float | None = None


class ItemNumber(Node):
    """An item, and its number in a field."""

    is_archived: bool
    project: ProjectNumber
    field_value_by_name: NumberValue | None = None


class Blob(Node):
    """A file's content; a binary one has no text."""

    text: str | None = None
    is_truncated: bool = False


class TreeEntry(Node):
    """What stands at a path; a folder's object is no blob and has nothing."""

    object: Blob | None = None


class CommitNode(Node):
    """A commit and what it has at a path."""

    oid: str
    file: TreeEntry | None = None


class CommentNode(Node):
    """A comment; its id is a number that GraphQL's Int cannot hold."""

    full_database_id: int
    body: str
    author: Author | None = None


class PageInfo(Node):
    """Whether there are older ones."""

    has_previous_page: bool
    start_cursor: str | None = None


class CommentPage(Node):
    """Comments, the newest page first."""

    nodes: list[CommentNode | None] = Field(default_factory=list)
    page_info: PageInfo


class Oid(Node):
    """A commit's name."""

    oid: str


class ComparisonNode(Node):
    """How far ``head_target`` is behind what it is compared with."""

    behind_by: int
    head_target: Oid


class BaseRef(Node):
    """The branch that a pull request goes into."""

    compare: ComparisonNode | None = None


class ReviewNode(Node):
    """A review; one that is pending has not been said yet."""

    state: Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
    submitted_at: datetime | None = None
    author: Author | None = None
    commit: Oid | None = None


class ReviewPage(Node):
    """Reviews, the newest page first; none may be left out."""

    nodes: list[ReviewNode]
    page_info: PageInfo


class AppNode(Node):
    """The App behind a check run."""

    database_id: int | None = None
    slug: str


class SuiteNode(Node):
    """The suite of a check run; an App that was deleted leaves none."""

    app: AppNode | None = None


class CheckRunNode(Node):
    """A check run on a head."""

    typename: Literal["CheckRun"] = Field(alias="__typename")
    name: str
    status: str
    conclusion: str | None = None
    url: str = ""
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    is_required: bool | None = None
    check_suite: SuiteNode


class StatusNode(Node):
    """A commit status on a head."""

    typename: Literal["StatusContext"] = Field(alias="__typename")
    context: str
    state: str
    target_url: str | None = None
    description: str | None = None
    is_required: bool | None = None
    creator: Author | None = None


HeadContext = Annotated[CheckRunNode | StatusNode, Field(discriminator="typename")]


class ContextPage(Node):
    """Check runs and statuses; none may be left out."""

    nodes: list[HeadContext]
    page_info: ForwardPage


class RollupNode(Node):
    """All that checks a commit."""

    commit: Oid | None = None
    contexts: ContextPage


class PullNode(Node):
    """A pull request with a page of its reviews and of its head's checks."""

    number: int
    url: str
    title: str
    body: str
    state: str
    is_draft: bool
    is_cross_repository: bool
    head_ref_name: str
    head_ref_oid: str
    head_repository_owner: ProjectOwner | None = None
    base_ref_name: str
    base_ref: BaseRef | None = None
    author: Author | None = None
    reviews: ReviewPage
    status_check_rollup: RollupNode | None = None
