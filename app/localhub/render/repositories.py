"""Repositories as JSON: one full shape, and the minimal one inside other things."""

from typing import Any

from localhub.render.accounts import user
from localhub.state import Hub, Organization, Repository, User

_API_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def url(hub: Hub, one: Repository) -> str:
    """Give a repository's address in the REST API."""
    return f"{hub.api_url}/repos/{one.full_name}"


def page(hub: Hub, one: Repository) -> str:
    """Give a repository's page."""
    return f"{hub.url}/{one.full_name}"


def minimal(hub: Hub, one: Repository) -> dict[str, Any]:
    """Render a repository inside a check suite or a status."""
    api = url(hub, one)
    return {
        "id": one.id,
        "node_id": one.node_id,
        "name": one.name,
        "full_name": one.full_name,
        "owner": user(hub, one.owner),
        "private": one.private,
        "html_url": page(hub, one),
        "description": one.description,
        "fork": False,
        "url": api,
        **{key: api + path for key, path in _API_URLS.items()},
    }


def repository(hub: Hub, one: Repository) -> dict[str, Any]:
    """Render a repository."""
    host = hub.url.partition("://")[2]
    opened = sum(issue.state == "open" for issue in one.issues.values())
    return {
        **minimal(hub, one),
        "git_url": f"git://{host}/{one.full_name}.git",
        "ssh_url": f"git@{host}:{one.full_name}.git",
        "clone_url": f"{page(hub, one)}.git",
        "svn_url": page(hub, one),
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "size": 0,
        "default_branch": one.default_branch,
        "is_template": False,
        "topics": [],
        "visibility": "private" if one.private else "public",
        "has_issues": True,
        "has_projects": True,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": True,
        "has_discussions": False,
        "archived": False,
        "disabled": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "forks": 0,
        "forks_count": 0,
        "stargazers_count": 0,
        "watchers": 0,
        "watchers_count": 0,
        "open_issues": opened,
        "open_issues_count": opened,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "pushed_at": one.pushed_at,
    }


def permissions(role: str | None) -> dict[str, bool]:
    """Render a role as the five flags."""
    ranks = ("read", "triage", "write", "maintain", "admin")
    rank = ranks.index(role) if role in ranks else -1
    names = ("pull", "triage", "push", "maintain", "admin")
    return {name: rank >= at for at, name in enumerate(names)}


def listed(hub: Hub, one: Repository, reader: User | None) -> dict[str, Any]:
    """Render a repository in a list, for somebody."""
    body = repository(hub, one)
    if reader is not None:
        body["permissions"] = permissions(one.role(reader))
    return body


def full(hub: Hub, one: Repository, reader: User | None) -> dict[str, Any]:
    """Render a repository's own page, for somebody."""
    body = listed(hub, one, reader)
    body |= {
        "subscribers_count": 0,
        "network_count": 0,
        "allow_squash_merge": True,
        "allow_merge_commit": True,
        "allow_rebase_merge": True,
        "allow_auto_merge": False,
        "delete_branch_on_merge": False,
    }
    if isinstance(one.owner, Organization):
        body["organization"] = user(hub, one.owner)
    return body
