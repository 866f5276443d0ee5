"""How GraphQL shows accounts, repositories, commits, files and checks."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from graphql import GraphQLResolveInfo

from localhub import protections, rollup
from localhub.graphql_api import boards
from localhub.graphql_api.call import Call, Problem
from localhub.graphql_api.connections import connection
from localhub.graphql_api.shapes import (
    Blob,
    Commit,
    Rollup,
    branch,
    commit,
    compare,
    git_object,
    tree_entry,
)
from localhub.state import (
    CheckRun,
    CommitStatus,
    Hub,
    Issue,
    Organization,
    PullRequest,
    Repository,
    User,
)

Info = GraphQLResolveInfo
Kind = TypeVar("Kind", bound=Issue)


def _hub(info: Info) -> Hub:
    call: Call = info.context
    return call.hub


def _numbered(kind: str, wanted: type[Issue]) -> Any:
    def find(repository: Repository, info: Info, number: int) -> Issue:
        call: Call = info.context
        found = repository.issues.get(number)
        right = isinstance(found, PullRequest) is (wanted is PullRequest)
        if found is None or not right or not call.sees_issue(found):
            message = f"Could not resolve to {kind} with the number of {number}."
            raise Problem("NOT_FOUND", message)
        return found

    return find


def _of_either_kind(repository: Repository, info: Info, number: int) -> Issue:
    call: Call = info.context
    found = repository.issues.get(number)
    if found is None or not call.sees_issue(found):
        kind = "an issue or pull request"
        message = f"Could not resolve to {kind} with the number of {number}."
        raise Problem("NOT_FOUND", message)
    return found


def _fits(one: Issue, wanted: dict[str, Any]) -> bool:
    states, labels = wanted.get("states"), wanted.get("labels")
    author, assignee = wanted.get("created_by"), wanted.get("assignee")
    mentioned = wanted.get("mentioned")
    return (
        (states is None or one.state.upper() in states)
        and (labels is None or bool({each.name for each in one.labels} & set(labels)))
        and author in (None, one.user.login)
        and (assignee is None or assignee in [each.login for each in one.assignees])
        and (mentioned is None or f"@{mentioned}" in (one.body or ""))
    )


_ORDERS: dict[str, Callable[[Issue], Any]] = {
    "COMMENTS": lambda one: len(one.comments),
    "CREATED_AT": lambda one: (one.created_at, one.number),
    "UPDATED_AT": lambda one: (one.updated_at, one.number),
}


def _ordered(shown: list[Kind], order_by: dict[str, str] | None) -> list[Kind]:
    if order_by is None:
        return shown
    backwards = order_by["direction"] == "DESC"
    return sorted(shown, key=_ORDERS[order_by["field"]], reverse=backwards)


def _issues(
    repository: Repository,
    info: Info,
    states: list[str] | None = None,
    labels: list[str] | None = None,
    filter_by: dict[str, Any] | None = None,
    order_by: dict[str, str] | None = None,
    **page: Any,
) -> Any:
    call: Call = info.context
    shown = [
        one
        for one in repository.issues.values()
        if not isinstance(one, PullRequest)
        and call.sees_issue(one)
        and _fits(one, {"states": states, "labels": labels})
        and _fits(one, filter_by or {})
    ]
    return connection(_ordered(shown, order_by), **page)


def _pulls(
    repository: Repository,
    info: Info,
    states: list[str] | None = None,
    head_ref_name: str | None = None,
    base_ref_name: str | None = None,
    order_by: dict[str, str] | None = None,
    **page: Any,
) -> Any:
    call: Call = info.context
    shown = [
        one
        for one in repository.pulls
        if call.sees_issue(one)
        and (states is None or _pull_state(one) in states)
        and head_ref_name in (None, one.head_ref)
        and base_ref_name in (None, one.base_ref)
    ]
    return connection(_ordered(shown, order_by), **page)


def _pull_state(pull: PullRequest) -> str:
    return "MERGED" if pull.merged_at else pull.state.upper()


def _object(
    repository: Repository,
    _info: Info,
    expression: str | None = None,
    oid: str | None = None,
) -> Any:
    return git_object(repository, expression or oid or "HEAD")


def _labels(
    repository: Repository, _info: Info, query: str | None = None, **page: Any
) -> Any:
    wanted = (query or "").lower()
    shown = [one for one in repository.labels.values() if wanted in one.name.lower()]
    return connection(shown, **page)


def _label(repository: Repository, _info: Info, name: str) -> Any:
    return repository.labels.get(name.lower())


def _permission(repository: Repository, info: Info) -> str | None:
    role = repository.role(info.context.actor)
    return role.upper() if role else None


def _linked(repository: Repository, info: Info, **page: Any) -> Any:
    shown = [
        one
        for one in _hub(info).projects
        if one.owner is repository.owner and info.context.sees_board(one)
    ]
    page.pop("query", None)
    return connection(shown, **page)


def _rollup(one: Commit, _info: Info) -> Rollup | None:
    if rollup.state_of(one.repository, one.oid) is None:
        return None
    return Rollup(f"SCR_{one.oid}", one.repository, one.oid)


def _contexts(one: Rollup, info: Info, **page: Any) -> Any:
    shown: list[Any] = [
        *_readable(info, "checks", rollup.runs_of(one.repository, one.oid)),
        *_readable(info, "statuses", rollup.statuses_of(one.repository, one.oid)),
    ]
    return connection(shown, **page)


def _readable(info: Info, permission: str, found: Sequence[Any]) -> Sequence[Any]:
    """Give what an installation may see; the rest is null, with an error each."""
    caller = info.context.caller
    if caller.kind != "installation" or caller.granted(permission, "read"):
        return found
    said = "Resource not accessible by integration"
    return [Problem("FORBIDDEN", said) for _ in found]


def _required(
    one: CheckRun | CommitStatus,
    _info: Info,
    pull_request_id: str | None = None,
    pull_request_number: int | None = None,
) -> bool:
    if isinstance(one, CheckRun):
        repository, name = one.suite.repository, one.name
    else:
        repository, name = one.repository, one.context
    for pull in repository.pulls:
        if pull_request_id == pull.node_id or pull_request_number == pull.number:
            return protections.requires(pull, name)
    message = "A pull request ID or pull request number is required."
    raise Problem("ARGUMENT_REQUIRED", message)


def _state(one: Rollup, _info: Info) -> str:
    return (rollup.state_of(one.repository, one.oid) or "pending").upper()


def _text(blob: Blob, _info: Info) -> str | None:
    try:
        return blob.content.decode()
    except UnicodeDecodeError:
        return None


def _author(one: Commit, info: Info) -> dict[str, Any]:
    author = one.data.author
    login = author.email.partition("@")[0].partition("+")[2]
    return {
        "name": author.name,
        "email": author.email,
        "date": author.date,
        "user": _person(_hub(info).user(login)) if login else None,
    }


def _person(user: User | None) -> User | None:
    return user if user is not None and user.type == "User" else None


def _label_url(_label: Any, info: Info) -> str:
    return f"{_hub(info).url}/labels"


_RUN_PATH = "/{}/runs/{}"


def _run_url(run: Any, info: Info) -> str:
    return _hub(info).url + _RUN_PATH.format(run.suite.repository.full_name, run.id)


_ACCOUNT = {
    "avatarUrl": lambda user, info, **_: (
        f"{_hub(info).url}/_static/avatar.svg?u={user.id}"
    ),
    "resourcePath": lambda user, _: f"/{user.login}",
    "url": lambda user, info: f"{_hub(info).url}/{user.login}",
    "projectV2": boards.numbered,
    "projectsV2": boards.owned,
    "email": lambda *_: "",
    "isViewer": lambda user, info: user is info.context.actor,
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "User": _ACCOUNT,
    "Organization": _ACCOUNT,
    "Bot": _ACCOUNT,
    "Repository": {
        "defaultBranchRef": lambda one, _: branch(one, one.default_branch),
        "hasIssuesEnabled": lambda *_: True,
        "hasWikiEnabled": lambda *_: False,
        "isArchived": lambda *_: False,
        "isPrivate": lambda one, _: one.private,
        "issue": _numbered("an Issue", Issue),
        "issueOrPullRequest": _of_either_kind,
        "issues": _issues,
        "label": _label,
        "labels": _labels,
        "mergeCommitAllowed": lambda *_: True,
        "nameWithOwner": lambda one, _: one.full_name,
        "object": _object,
        "parent": lambda *_: None,
        "projectV2": lambda one, info, number: boards.numbered(one.owner, info, number),
        "projectsV2": _linked,
        "pullRequest": _numbered("a PullRequest", PullRequest),
        "pullRequests": _pulls,
        "rebaseMergeAllowed": lambda *_: True,
        "ref": lambda one, _, qualified_name: branch(one, qualified_name),
        "resourcePath": lambda one, _: f"/{one.full_name}",
        "squashMergeAllowed": lambda *_: True,
        "url": lambda one, info: f"{_hub(info).url}/{one.full_name}",
        "viewerPermission": _permission,
    },
    "Ref": {
        "compare": lambda ref, _, head_ref: compare(ref, head_ref),
        "name": lambda ref, _: ref.full_name.removeprefix("refs/heads/"),
        "prefix": lambda *_: "refs/heads/",
        "target": lambda ref, _: commit(ref.repository, ref.sha),
    },
    "Commit": {
        "author": _author,
        "authoredDate": lambda one, _: one.data.author.date,
        "committedDate": lambda one, _: one.data.committer.date,
        "file": lambda one, _, path: tree_entry(one.repository, one.oid, path),
        "message": lambda one, _: one.data.message,
        "messageHeadline": lambda one, _: one.data.message.partition("\n")[0],
        "statusCheckRollup": _rollup,
        "url": lambda one, info: (
            f"{_hub(info).url}/{one.repository.full_name}/commit/{one.oid}"
        ),
    },
    "Blob": {
        "byteSize": lambda blob, _: len(blob.content),
        "isBinary": lambda blob, info: _text(blob, info) is None,
        "isTruncated": lambda *_: False,
        "text": _text,
    },
    "StatusCheckRollup": {
        "commit": lambda one, _: commit(one.repository, one.oid),
        "contexts": _contexts,
        "state": _state,
    },
    "StatusContext": {
        "isRequired": _required,
        "state": lambda one, _: one.state.upper(),
    },
    "CheckSuite": {
        "app": lambda one, _: one.app,
        "workflowRun": lambda *_: None,
    },
    "CheckRun": {
        "checkSuite": lambda run, _: run.suite,
        "conclusion": lambda run, _: run.conclusion and run.conclusion.upper(),
        "isRequired": _required,
        "permalink": _run_url,
        "resourcePath": lambda run, _: _RUN_PATH.format(
            run.suite.repository.full_name, run.id
        ),
        "status": lambda run, _: run.status.upper(),
        "url": _run_url,
    },
    "Label": {"url": _label_url},
}


def repository(
    _root: None, info: Info, *, owner: str, name: str, **_follow: bool
) -> Repository:
    """Find a repository that the caller sees."""
    call: Call = info.context
    found = call.hub.repository(f"{owner}/{name}")
    if found is None or not call.sees_repository(found):
        message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
        raise Problem("NOT_FOUND", message)
    return found


def organization(_root: None, info: Info, login: str) -> Organization:
    """Find an organization."""
    found = _hub(info).organization(login)
    if found is None:
        message = f"Could not resolve to an Organization with the login of '{login}'."
        raise Problem("NOT_FOUND", message)
    return found


def user(_root: None, info: Info, login: str) -> User:
    """Find a person."""
    found = _person(_hub(info).user(login))
    if found is None:
        message = f"Could not resolve to a User with the login of '{login}'."
        raise Problem("NOT_FOUND", message)
    return found


QUERY = {
    "node": lambda _, info, id: info.context.node(id),  # noqa: A006  (GitHub's name)
    "nodes": lambda _, info, ids: [_node_or_none(info, one) for one in ids],
    "organization": organization,
    "rateLimit": lambda _, info, **__: info.context.rate,
    "repository": repository,
    "user": user,
    "viewer": lambda _, info: info.context.actor,
}


def _node_or_none(info: Info, node_id: str) -> Any:
    try:
        return info.context.node(node_id)
    except Problem as problem:
        return problem
