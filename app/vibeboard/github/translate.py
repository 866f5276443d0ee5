"""Deliveries in GitHub's words become events in ours.

Nothing is looked up here and nothing decided: a payload is a hint, and what it
leaves open is read back later. GitHub adds events and actions without notice, so
an unknown one is no fault; a known one that lacks what it must have is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from vibeboard.domain.board import Actor, CardKey
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    ChecksEnded,
    CommentMade,
    ConfigurationChanged,
    Deployed,
    Event,
    GroupFormed,
    InstallationChanged,
    IssueClosed,
    PostingEnded,
    PullRequestUpdated,
    ReviewGiven,
)
from vibeboard.domain.prompt import parse_branch
from vibeboard.domain.workflow import AGENT_FILE, FILE
from vibeboard.errors import MalformedDelivery
from vibeboard.github import payloads

# GitHub lists this many commits of a push at most; a longer push may hide one.
_LONGEST_PUSH = 2048

# Begins the names of labels that are commands.
_LABEL = "agent"

# How checks and statuses end badly, in GitHub's words.
_FAILED = frozenset({"failure", "error", "timed_out", "startup_failure"})

# How deployments end; the others only say that one goes on.
_DEPLOYED = frozenset({"success", "failure", "error", "inactive"})

Model = TypeVar("Model", bound=BaseModel)


class _Translator(Protocol):
    """Reads one kind of delivery."""

    def read(self, body: bytes) -> Event | None: ...


@dataclass(frozen=True)
class _Reading(Generic[Model]):
    """How one kind of delivery is read; ``actions`` is None where all count."""

    model: type[Model]
    event: Callable[[Model], Event | None]
    actions: frozenset[str] | None = None

    def read(self, body: bytes) -> Event | None:
        if self.actions is not None:
            envelope = payloads.Envelope.model_validate_json(body)
            if envelope.action not in self.actions:
                return None
        return self.event(self.model.model_validate_json(body))


def translate(event: str, body: bytes, *, guid: str) -> Event | None:
    """What happened, or None if it does not concern us.

    Raises MalformedDelivery, naming the delivery, if a known event cannot be read.
    """
    return _read(_READINGS.get(event), event, body, guid)


def translate_job(event: str, body: bytes, *, guid: str) -> Event | None:
    """The same for what starts a job of GitHub Actions: a person may, with a command.

    A server is not told of that, lest it does what the job does.
    """
    reading = _DISPATCH if event == "workflow_dispatch" else _READINGS.get(event)
    return _read(reading, event, body, guid)


def _read(
    reading: _Translator | None, event: str, body: bytes, guid: str
) -> Event | None:
    if reading is None:
        return None
    try:
        return reading.read(body)
    except ValidationError as error:
        # Only the places are told: the values may be secrets of somebody.
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        message = f"delivery {guid}: {event}: {place}: {first['type']}"
        raise MalformedDelivery(message) from None


def _actor(account: payloads.Account) -> Actor:
    return Actor(account.login, is_bot=account.type == "Bot")


def _card_touched(delivery: payloads.ItemDelivery) -> Event | None:
    item, changes = delivery.projects_v2_item, delivery.changes
    if delivery.action == "reordered":
        return None  # a move to another column is told as an edit
    if item.content_type in {"PullRequest", "DraftIssue"} and (
        delivery.action != "converted"
    ):
        return None
    field = changes.field_value if changes else None
    if delivery.action == "edited":
        if changes is not None and field is None:
            return None  # a draft's body
        if field is not None and field.field_type not in {None, "single_select"}:
            return None
    return CardTouched(
        by=_actor(delivery.sender),
        owner=delivery.organization.login,
        issue=item.content_node_id,
        field=field.field_name if field else None,
        before=field.option_before if field else None,
        after=field.option_after if field else None,
        at=item.updated_at or "",
    )


def _comment_made(delivery: payloads.CommentDelivery) -> Event:
    return CommentMade(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        number=delivery.issue.number,
        comment=delivery.comment.id,
        body=delivery.comment.body or "",
        on_pull_request=delivery.issue.pull_request is not None,
    )


def _issue_changed(delivery: payloads.IssueDelivery) -> Event | None:
    if delivery.action == "labeled":
        return _label_given(delivery)
    card = CardKey(delivery.repository.full_name, delivery.issue.number)
    return IssueClosed(by=_actor(delivery.sender), card=card)


def _label_given(delivery: payloads.IssueDelivery) -> Event | None:
    """A label may be a command: it is given as if its rest had been said."""
    kind, _, command = (delivery.label.name if delivery.label else "").partition(":")
    if kind.casefold() != _LABEL or not command.strip():
        return None
    return CommentMade(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        number=delivery.issue.number,
        comment=None,
        body=f"/agent {command.strip()}",
        on_pull_request=False,
        given=f"label-{command.strip()}-{delivery.issue.updated_at}",
    )


def _dispatched(delivery: payloads.DispatchDelivery) -> Event | None:
    inputs = delivery.inputs
    command = inputs.command.strip() if inputs is not None else ""
    if inputs is None or inputs.issue is None or not command:
        return None
    said = command if command.startswith("/agent") else f"/agent {command}"
    return CommentMade(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        number=inputs.issue,
        comment=None,
        body=said,
        on_pull_request=False,
    )


def _pull_request_updated(delivery: payloads.PullRequestDelivery) -> Event:
    return PullRequestUpdated(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        pull_request=delivery.pull_request.number,
        head=delivery.pull_request.head.sha,
        branch=_own_branch(delivery.pull_request, delivery.repository),
        new_head=delivery.action != "closed",
    )


def _suite_ended(delivery: payloads.CheckSuiteDelivery) -> Event | None:
    suite = delivery.check_suite
    if suite.head_branch is None or suite.conclusion not in _FAILED:
        return None
    return ChecksEnded(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        branch=suite.head_branch,
        head=suite.head_sha,
    )


def _status_set(delivery: payloads.StatusDelivery) -> Event | None:
    ours = [one.name for one in delivery.branches if parse_branch(one.name)]
    if delivery.state not in _FAILED or not ours:
        return None
    return ChecksEnded(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        branch=ours[0],
        head=delivery.sha,
    )


def _deployed(delivery: payloads.DeploymentDelivery) -> Event | None:
    deployment = delivery.deployment
    if deployment.production_environment:
        return None  # nothing to look at before it is merged
    if delivery.deployment_status.state not in _DEPLOYED:
        return None
    return Deployed(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        deployment=deployment.id,
        ref=deployment.ref,
        commit=deployment.sha,
    )


def _group_formed(delivery: payloads.MergeGroupDelivery) -> Event | None:
    number = delivery.merge_group.pull_request
    return GroupFormed(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        head=delivery.merge_group.head_sha,
        pull_requests=() if number is None else (number,),
    )


def _posting_ended(delivery: payloads.WorkflowRunDelivery) -> Event | None:
    found = delivery.workflow_run
    if found.event != "workflow_dispatch" or found.path.partition("@")[0] != AGENT_FILE:
        return None
    return PostingEnded(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        posting=found.id,
    )


def _own_branch(
    pull_request: payloads.PullRequest, repository: payloads.Repository
) -> str:
    """The head's branch; nothing if it is a fork's."""
    fork = _comes_from_a_fork(pull_request, repository)
    return "" if fork else pull_request.head.ref


def _comes_from_a_fork(
    pull_request: payloads.PullRequest, repository: payloads.Repository
) -> bool:
    # A fork's branch may bear the name of one of ours, and is not ours.
    source = pull_request.head.repo
    return source is None or source.full_name != repository.full_name


def _review_given(delivery: payloads.ReviewDelivery) -> Event | None:
    review, pull_request = delivery.review, delivery.pull_request
    state, body = review.state.lower(), review.body or ""
    if _comes_from_a_fork(pull_request, delivery.repository):
        return None
    if state == "commented" and not body.strip():
        return None  # it only groups remarks, and those come by themselves
    asks = state in {"changes_requested", "commented"} and bool(body.strip())
    if not asks:
        # It sends nobody back to work; gates look at it all the same.
        return PullRequestUpdated(
            by=_actor(delivery.sender),
            repository=delivery.repository.full_name,
            pull_request=pull_request.number,
            head=pull_request.head.sha,
            branch=pull_request.head.ref,
            new_head=False,
        )
    return ReviewGiven(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        pull_request=pull_request.number,
        branch=pull_request.head.ref,
        body=body,
        review=delivery.review.id,
    )


def _review_comment_made(delivery: payloads.ReviewCommentDelivery) -> Event | None:
    comment, pull_request = delivery.comment, delivery.pull_request
    if _comes_from_a_fork(pull_request, delivery.repository):
        return None
    return ReviewGiven(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        pull_request=pull_request.number,
        branch=pull_request.head.ref,
        body=comment.body,
        comment=comment.id,
        path=comment.path,
        line=comment.line if comment.line is not None else comment.original_line,
        hunk=comment.diff_hunk,
    )


def _check_asked(delivery: payloads.CheckRunDelivery) -> Event:
    check = delivery.check_run
    return CheckAsked(
        by=_actor(delivery.sender),
        repository=delivery.repository.full_name,
        check=check.name,
        head=check.head_sha,
        run=check.external_id or None,
        pressed=asked.identifier if (asked := delivery.requested_action) else "",
    )


def _installation_changed(delivery: payloads.InstallationDelivery) -> Event:
    account = delivery.installation.account
    listed = [
        *delivery.repositories,
        *delivery.repositories_added,
        *delivery.repositories_removed,
    ]
    return InstallationChanged(
        by=_actor(delivery.sender),
        account=(account.login or account.slug or "") if account else "",
        what=delivery.action,
        repositories=tuple(repository.full_name for repository in listed),
    )


def _configuration_changed(delivery: payloads.PushDelivery) -> Event | None:
    repository = delivery.repository
    if delivery.deleted or repository.default_branch is None:
        return None
    if delivery.ref != f"refs/heads/{repository.default_branch}":
        return None
    if not _may_touch_configuration(delivery):
        return None
    return ConfigurationChanged(
        by=_actor(delivery.sender),
        repository=repository.full_name,
        commit=delivery.after,
    )


def _may_touch_configuration(push: payloads.PushDelivery) -> bool:
    # A forced push drops commits that the payload does not list.
    if push.forced or not push.commits or len(push.commits) >= _LONGEST_PUSH:
        return True
    return any(
        FILE in (*commit.added, *commit.modified, *commit.removed)
        for commit in push.commits
    )


_READINGS: Mapping[str, _Translator] = {
    "projects_v2_item": _Reading(
        payloads.ItemDelivery,
        _card_touched,
        frozenset(
            {
                "created",
                "edited",
                "archived",
                "restored",
                "deleted",
                "converted",
                "reordered",
            }
        ),
    ),
    "issue_comment": _Reading(
        payloads.CommentDelivery, _comment_made, frozenset({"created"})
    ),
    "issues": _Reading(
        payloads.IssueDelivery,
        _issue_changed,
        frozenset({"closed", "deleted", "transferred", "labeled"}),
    ),
    "pull_request": _Reading(
        payloads.PullRequestDelivery,
        _pull_request_updated,
        frozenset({"opened", "reopened", "synchronize", "ready_for_review", "closed"}),
    ),
    "pull_request_review": _Reading(
        payloads.ReviewDelivery, _review_given, frozenset({"submitted", "dismissed"})
    ),
    "pull_request_review_comment": _Reading(
        payloads.ReviewCommentDelivery, _review_comment_made, frozenset({"created"})
    ),
    "check_suite": _Reading(
        payloads.CheckSuiteDelivery, _suite_ended, frozenset({"completed"})
    ),
    "status": _Reading(payloads.StatusDelivery, _status_set),
    "deployment_status": _Reading(
        payloads.DeploymentDelivery, _deployed, frozenset({"created"})
    ),
    "merge_group": _Reading(
        payloads.MergeGroupDelivery, _group_formed, frozenset({"checks_requested"})
    ),
    "workflow_run": _Reading(
        payloads.WorkflowRunDelivery, _posting_ended, frozenset({"completed"})
    ),
    "check_run": _Reading(
        payloads.CheckRunDelivery,
        _check_asked,
        frozenset({"rerequested", "requested_action"}),
    ),
    "installation": _Reading(payloads.InstallationDelivery, _installation_changed),
    "installation_repositories": _Reading(
        payloads.InstallationDelivery, _installation_changed
    ),
    "push": _Reading(payloads.PushDelivery, _configuration_changed),
}
_DISPATCH = _Reading(payloads.DispatchDelivery, _dispatched)
