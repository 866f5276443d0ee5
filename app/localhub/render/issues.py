"""Issues, comments, labels and reactions as JSON."""

from typing import Any

from localhub.render import repositories
from localhub.render.accounts import maybe_app, maybe_user, user
from localhub.state import (
    Comment,
    Hub,
    Issue,
    Label,
    Organization,
    PullRequest,
    Reaction,
    Repository,
    User,
)

JSON = dict[str, Any]
REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes")


def association(repository: Repository, author: User) -> str:
    """Tell how an author relates to a repository (never an authorization)."""
    if author is repository.owner:
        return "OWNER"
    owner = repository.owner
    if isinstance(owner, Organization) and author.login in owner.members:
        return "MEMBER"
    if author.login in repository.collaborators:
        return "COLLABORATOR"
    merged = (one for one in repository.pulls if one.merged_at)
    if any(one.user is author for one in merged):
        return "CONTRIBUTOR"
    return "NONE"


def label(hub: Hub, repository: Repository, one: Label) -> JSON:
    """Render a label."""
    name = one.name.replace(" ", "%20")
    return {
        "id": one.id,
        "node_id": one.node_id,
        "url": f"{repositories.url(hub, repository)}/labels/{name}",
        "name": one.name,
        "color": one.color,
        "default": one.default,
        "description": one.description,
        "archived_at": None,
        "archived_by": None,
    }


def reaction(hub: Hub, one: Reaction) -> JSON:
    """Render a reaction."""
    return {
        "id": one.id,
        "node_id": one.node_id,
        "user": user(hub, one.user),
        "content": one.content,
        "created_at": one.created_at,
    }


def rollup(url: str, reactions: list[Reaction]) -> JSON:
    """Render the counts of reactions."""
    counts = {name: sum(one.content == name for one in reactions) for name in REACTIONS}
    return {"url": f"{url}/reactions", "total_count": len(reactions), **counts}


def url(hub: Hub, one: Issue) -> str:
    """Give an issue's address in the REST API."""
    return f"{repositories.url(hub, one.repository)}/issues/{one.number}"


def page(hub: Hub, one: Issue) -> str:
    """Give the page of an issue or pull request."""
    kind = "pull" if isinstance(one, PullRequest) else "issues"
    return f"{repositories.page(hub, one.repository)}/{kind}/{one.number}"


def _pull_links(hub: Hub, one: PullRequest) -> JSON:
    where = page(hub, one)
    return {
        "url": f"{repositories.url(hub, one.repository)}/pulls/{one.number}",
        "html_url": where,
        "diff_url": f"{where}.diff",
        "patch_url": f"{where}.patch",
        "merged_at": one.merged_at,
    }


def issue(hub: Hub, one: Issue) -> JSON:
    """Render an issue, or a pull request seen as one."""
    api = url(hub, one)
    body: JSON = {
        "url": api,
        "repository_url": repositories.url(hub, one.repository),
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "timeline_url": f"{api}/timeline",
        "html_url": page(hub, one),
        "id": one.id,
        "node_id": one.node_id,
        "number": one.number,
        "title": one.title,
        "user": user(hub, one.user),
        "labels": [label(hub, one.repository, each) for each in one.labels],
        "state": one.state,
        "locked": one.locked,
        "assignee": maybe_user(hub, one.assignees[0] if one.assignees else None),
        "assignees": [user(hub, each) for each in one.assignees],
        "milestone": None,
        "comments": len(one.comments),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "closed_at": one.closed_at,
        "author_association": association(one.repository, one.user),
        "active_lock_reason": None,
        "type": None,
        "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
        "issue_dependencies_summary": {
            "blocked_by": 0,
            "total_blocked_by": 0,
            "blocking": 0,
            "total_blocking": 0,
        },
        "body": one.body,
        "closed_by": maybe_user(hub, one.closed_by),
        "reactions": rollup(api, one.reactions),
        "performed_via_github_app": maybe_app(hub, one.via_app),
        "state_reason": one.state_reason,
    }
    if isinstance(one, PullRequest):
        body["draft"] = one.draft
        body["pull_request"] = _pull_links(hub, one)
    return body


def comment(hub: Hub, one: Comment) -> JSON:
    """Render a comment."""
    repository = one.issue.repository
    api = f"{repositories.url(hub, repository)}/issues/comments/{one.id}"
    return {
        "url": api,
        "html_url": f"{page(hub, one.issue)}#issuecomment-{one.id}",
        "issue_url": url(hub, one.issue),
        "id": one.id,
        "node_id": one.node_id,
        "user": user(hub, one.user),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "body": one.body,
        "author_association": association(repository, one.user),
        "reactions": rollup(api, one.reactions),
        "performed_via_github_app": maybe_app(hub, one.via_app),
    }
