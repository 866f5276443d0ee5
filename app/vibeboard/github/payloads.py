"""The fields of GitHub's deliveries that we read, and nothing else.

Lenient towards what GitHub adds, strict towards what we need. Ids are bounded, so
that no number reaches the database that it cannot hold.
Source: docs.github.com, "Webhook events and payloads".
"""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, field_validator

# PostgreSQL has no NUL in text; GitHub sends none, an attacker might.
Text = Annotated[
    str, AfterValidator(lambda text: text.replace("\0", "\N{REPLACEMENT CHARACTER}"))
]
Id = Annotated[int, Field(ge=0, lt=2**63)]
Number = Annotated[int, Field(ge=1, lt=2**31)]
# What stands in a request's path must not lead anywhere else.
FullName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]+/\.*[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=255),
]


class Account(BaseModel):
    """A person, bot or organization."""

    login: Text
    type: Text = "User"


class Repository(BaseModel):
    """The repository an event happened in."""

    full_name: FullName
    default_branch: Text | None = None


class Envelope(BaseModel):
    """What is read first: whether the rest concerns us."""

    action: Text


class FieldChange(BaseModel):
    """Which field of a board an item was edited in."""

    field_type: Text | None = None
    field_name: Text | None = None
    before: Any = Field(default=None, alias="from")
    after: Any = Field(default=None, alias="to")

    @property
    def option_before(self) -> str | None:
        """The option's name until now; other kinds of field have none."""
        return _option(self.before)

    @property
    def option_after(self) -> str | None:
        """The option's name from now on; other kinds of field have none."""
        return _option(self.after)


def _option(value: Any) -> str | None:
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


class ItemChanges(BaseModel):
    """What was edited of an item: a field, or a draft's body."""

    field_value: FieldChange | None = None


class Item(BaseModel):
    """An item of a board; its content is known only by id."""

    content_node_id: Text
    content_type: Text | None = None
    updated_at: Text | None = None


class ItemDelivery(BaseModel):
    """``projects_v2_item``."""

    action: Text
    projects_v2_item: Item
    changes: ItemChanges | None = None
    organization: Account
    sender: Account


class Issue(BaseModel):
    """An issue, or a pull request in an issue's clothes."""

    number: Number
    pull_request: dict[str, object] | None = None


class Comment(BaseModel):
    """A comment in a conversation."""

    id: Id
    body: Text | None = None


class CommentDelivery(BaseModel):
    """``issue_comment``."""

    comment: Comment
    issue: Issue
    repository: Repository
    sender: Account


class Label(BaseModel):
    """A label."""

    name: Text


class LabelledIssue(Issue):
    """An issue that was just given a label."""

    updated_at: Text = ""


class IssueDelivery(BaseModel):
    """``issues``."""

    action: Text
    issue: LabelledIssue
    repository: Repository
    sender: Account
    label: Label | None = None


class DispatchInputs(BaseModel):
    """What somebody typed who started a workflow: GitHub sends all of it as text."""

    command: Text = ""
    issue: Number | None = None

    @field_validator("issue", mode="before")
    @classmethod
    def _left_empty(cls, value: object) -> object:
        return None if value == "" else value


class DispatchDelivery(BaseModel):
    """``workflow_dispatch``."""

    inputs: DispatchInputs | None = None
    repository: Repository
    sender: Account


class HeadRepository(BaseModel):
    """The repository a pull request comes from."""

    full_name: FullName


class Head(BaseModel):
    """The branch a pull request comes from; a deleted fork has no repository."""

    ref: Text
    sha: Text
    repo: HeadRepository | None = None


class Base(BaseModel):
    """The branch a pull request goes into."""

    ref: Text
    sha: Text


class PullRequest(BaseModel):
    """A pull request; a review's delivery does not tell whether it is merged."""

    number: Number
    head: Head
    base: Base
    draft: bool = False
    merged: bool = False
    merged_by: Account | None = None
    user: Account | None = None


class PullRequestDelivery(BaseModel):
    """``pull_request``."""

    action: Text
    pull_request: PullRequest
    repository: Repository
    sender: Account


class Review(BaseModel):
    """A review as a whole; its state is ``approved`` or ``APPROVED``.

    ``user`` gave it, the delivery's sender may have dismissed it.
    """

    id: Id
    state: Text
    body: Text | None = None
    commit_id: Text | None = None
    user: Account | None = None


class ReviewDelivery(BaseModel):
    """``pull_request_review``."""

    action: Text
    review: Review
    pull_request: PullRequest
    repository: Repository
    sender: Account


class ReviewComment(BaseModel):
    """A remark at a line; an outdated one has only its original line."""

    id: Id
    body: Text
    path: Text
    line: int | None = None
    original_line: int | None = None
    diff_hunk: Text | None = None


class ReviewCommentDelivery(BaseModel):
    """``pull_request_review_comment``."""

    comment: ReviewComment
    pull_request: PullRequest
    repository: Repository
    sender: Account


class CheckingApp(BaseModel):
    """The App that a check belongs to."""

    id: Id
    slug: Text = ""


class CheckedPull(BaseModel):
    """A pull request that has the head; those of forks are never named."""

    number: Number


class CheckRun(BaseModel):
    """A check run; GitHub tells only its own App about requests."""

    name: Text
    head_sha: Text
    external_id: Text | None = None
    conclusion: Text | None = None
    app: CheckingApp | None = None
    pull_requests: list[CheckedPull] = Field(default_factory=list)


class PressedButton(BaseModel):
    """Which of a check run's buttons somebody pressed."""

    identifier: Text


class CheckRunDelivery(BaseModel):
    """``check_run``."""

    action: Text
    check_run: CheckRun
    requested_action: PressedButton | None = None
    repository: Repository
    sender: Account


class CheckSuite(BaseModel):
    """All check runs of an App on a head; no ``conclusion`` until all ended."""

    head_sha: Text
    head_branch: Text | None = None
    conclusion: Text | None = None
    app: CheckingApp | None = None
    pull_requests: list[CheckedPull] = Field(default_factory=list)


class CheckSuiteDelivery(BaseModel):
    """``check_suite``."""

    action: Text
    check_suite: CheckSuite
    repository: Repository
    sender: Account


class StatusBranch(BaseModel):
    """A branch that has the commit, perhaps not as its head."""

    name: Text


class StatusDelivery(BaseModel):
    """``status``: pending, success, failure or error, for one context of a commit."""

    sha: Text
    context: Text
    state: Text
    branches: list[StatusBranch] = Field(default_factory=list)
    repository: Repository
    sender: Account


class DeploymentStatus(BaseModel):
    """One report of how a deployment goes."""

    state: Text


class Deployment(BaseModel):
    """What was deployed; ``ref`` as it was asked for."""

    id: Id
    sha: Text
    ref: Text
    production_environment: bool = False


class DeploymentDelivery(BaseModel):
    """``deployment_status``."""

    deployment_status: DeploymentStatus
    deployment: Deployment
    repository: Repository
    sender: Account


# …/pr-<number>-<sha of the base>; those ahead in the queue are in that base.
_GROUP = re.compile(r"refs/heads/gh-readonly-queue/.+/pr-(?P<number>\d{1,9})-[^/]+")


class MergeGroup(BaseModel):
    """A merge that a queue tries; both refs are whole, as ``refs/heads/main``."""

    head_sha: Text
    head_ref: Text
    base_sha: Text
    base_ref: Text

    @property
    def pull_request(self) -> int | None:
        """The pull request that the group is for, by its branch's name."""
        found = _GROUP.fullmatch(self.head_ref)
        return int(found["number"]) if found else None


class MergeGroupDelivery(BaseModel):
    """``merge_group``; only a destroyed one has a ``reason``."""

    action: Text
    merge_group: MergeGroup
    reason: Text | None = None
    repository: Repository
    sender: Account


class WorkflowRun(BaseModel):
    """A run of a workflow; ``path`` names its file, and may end with its ref."""

    id: Id
    path: Text = ""
    event: Text = ""


class WorkflowRunDelivery(BaseModel):
    """``workflow_run``."""

    action: Text
    workflow_run: WorkflowRun
    repository: Repository
    sender: Account


class Owner(BaseModel):
    """Where an App is installed: an enterprise has a slug and no login."""

    login: Text | None = None
    slug: Text | None = None


class Installation(BaseModel):
    """An installation of our App."""

    account: Owner | None = None


class InstallationDelivery(BaseModel):
    """``installation`` and ``installation_repositories``."""

    action: Text
    installation: Installation
    repositories: list[HeadRepository] = Field(default_factory=list)
    repositories_added: list[HeadRepository] = Field(default_factory=list)
    repositories_removed: list[HeadRepository] = Field(default_factory=list)
    sender: Account


class Commit(BaseModel):
    """A pushed commit with the paths it touches."""

    added: list[Text] = Field(default_factory=list)
    modified: list[Text] = Field(default_factory=list)
    removed: list[Text] = Field(default_factory=list)


class PushDelivery(BaseModel):
    """``push``."""

    ref: Text
    after: Text
    deleted: bool = False
    forced: bool = False
    commits: list[Commit] = Field(default_factory=list)
    repository: Repository
    sender: Account
