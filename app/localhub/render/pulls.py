"""Pull requests, reviews and review comments as JSON."""

from typing import Any

from localhub import git
from localhub.render import issues, repositories
from localhub.render.accounts import maybe_user, user
from localhub.state import Hub, Label, PullRequest, Review, ReviewComment

JSON = dict[str, Any]


def url(hub: Hub, one: PullRequest) -> str:
    """Give a pull request's address in the REST API."""
    return f"{repositories.url(hub, one.repository)}/pulls/{one.number}"


def mergeable(one: PullRequest) -> bool | None:
    """Tell whether git can merge the head into the base now."""
    if one.state == "closed":
        return None
    git_dir = one.repository.git_dir
    base = git.resolve(git_dir, one.base_ref)
    if base is None or git.object_type(git_dir, one.head_sha) is None:
        return False
    return git.merge(git_dir, base, one.head_sha) is not None


def merge_base(one: PullRequest) -> str:
    """Find where the pull request's own commits start."""
    found = git.merge_base(one.repository.git_dir, one.base_sha, one.head_sha)
    return found or one.base_sha


def _side(hub: Hub, one: PullRequest, ref: str, sha: str, *, head: bool) -> JSON:
    repository = one.head_repository if head else one.repository
    return {
        "label": f"{repository.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user(hub, repository.owner),
        "repo": repositories.repository(hub, repository),
    }


def _label(hub: Hub, one: PullRequest, label: Label) -> JSON:
    # GitHub's schema of a pull request, unlike an issue's, has no null here.
    shown = issues.label(hub, one.repository, label)
    return {**shown, "description": label.description or ""}


def pull_simple(hub: Hub, one: PullRequest) -> JSON:
    """Render a pull request as lists do."""
    api = url(hub, one)
    issue_url = issues.url(hub, one)
    page = issues.page(hub, one)
    repository = repositories.url(hub, one.repository)
    links = {
        "self": api,
        "html": page,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{repository}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": f"{repository}/statuses/{one.head_sha}",
    }
    return {
        "url": api,
        "id": one.pull_id,
        "node_id": one.node_id,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue_url,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "number": one.number,
        "state": one.state,
        "locked": one.locked,
        "title": one.title,
        "user": user(hub, one.user),
        "body": one.body,
        "labels": [_label(hub, one, each) for each in one.labels],
        "milestone": None,
        "active_lock_reason": None,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "closed_at": one.closed_at,
        "merged_at": one.merged_at,
        "merge_commit_sha": one.merge_commit_sha,
        "assignee": maybe_user(hub, one.assignees[0] if one.assignees else None),
        "assignees": [user(hub, each) for each in one.assignees],
        "requested_reviewers": [user(hub, each) for each in one.requested_reviewers],
        "requested_teams": [],
        "head": _side(hub, one, one.head_ref, one.head_sha, head=True),
        "base": _side(hub, one, one.base_ref, one.base_sha, head=False),
        "_links": {name: {"href": value} for name, value in links.items()},
        "author_association": issues.association(one.repository, one.user),
        "auto_merge": None,
        "draft": one.draft,
    }


def pull(hub: Hub, one: PullRequest) -> JSON:
    """Render a pull request in full: with what git says about it."""
    git_dir = one.repository.git_dir
    base = merge_base(one)
    files = git.changes(git_dir, base, one.head_sha)
    fits = mergeable(one)
    return {
        **pull_simple(hub, one),
        "merged": one.merged_at is not None,
        "mergeable": fits,
        "rebaseable": fits,
        "mergeable_state": _mergeable_state(one, fits=fits),
        "merged_by": maybe_user(hub, one.merged_by),
        "comments": len(one.comments),
        "review_comments": len(one.review_comments),
        "maintainer_can_modify": one.maintainer_can_modify,
        "commits": git.count(git_dir, f"{base}..{one.head_sha}"),
        "additions": sum(each.additions for each in files),
        "deletions": sum(each.deletions for each in files),
        "changed_files": len(files),
    }


def _mergeable_state(one: PullRequest, *, fits: bool | None) -> str:
    if fits is None:
        return "unknown"
    if not fits:
        return "dirty"
    return "draft" if one.draft else "clean"


def pull_minimal(hub: Hub, one: PullRequest) -> JSON:
    """Render a pull request inside a check run."""

    def side(ref: str, sha: str) -> JSON:
        repository = one.repository
        named = {
            "id": repository.id,
            "url": repositories.url(hub, repository),
            "name": repository.name,
        }
        return {"ref": ref, "sha": sha, "repo": named}

    return {
        "id": one.pull_id,
        "number": one.number,
        "url": url(hub, one),
        "head": side(one.head_ref, one.head_sha),
        "base": side(one.base_ref, one.base_sha),
    }


def review(hub: Hub, one: Review, *, state: str | None = None) -> JSON:
    """Render a review; webhooks write its state in lower case."""
    page = f"{issues.page(hub, one.pull)}#pullrequestreview-{one.id}"
    api = url(hub, one.pull)
    body: JSON = {
        "id": one.id,
        "node_id": one.node_id,
        "user": user(hub, one.user),
        "body": one.body,
        "state": state or one.state,
        "html_url": page,
        "pull_request_url": api,
        "author_association": issues.association(one.pull.repository, one.user),
        "_links": {"html": {"href": page}, "pull_request": {"href": api}},
        "commit_id": one.commit_id,
    }
    if one.submitted_at is not None:
        body["submitted_at"] = one.submitted_at
    return body


def review_comment(hub: Hub, one: ReviewComment) -> JSON:
    """Render a comment on a diff."""
    repository = one.pull.repository
    api = f"{repositories.url(hub, repository)}/pulls/comments/{one.id}"
    page = f"{issues.page(hub, one.pull)}#discussion_r{one.id}"
    pull_url = url(hub, one.pull)
    body: JSON = {
        "url": api,
        "pull_request_review_id": one.review.id,
        "id": one.id,
        "node_id": one.node_id,
        "diff_hunk": one.diff_hunk,
        "path": one.path,
        "position": one.line or 1,
        "original_position": one.line or 1,
        "commit_id": one.commit_id,
        "original_commit_id": one.original_commit_id,
        "user": user(hub, one.user),
        "body": one.body,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": issues.association(repository, one.user),
        "_links": {
            "self": {"href": api},
            "html": {"href": page},
            "pull_request": {"href": pull_url},
        },
        "reactions": issues.rollup(api, one.reactions),
        "start_line": one.start_line,
        "original_start_line": one.start_line,
        "start_side": one.start_side,
        "side": one.side,
        "subject_type": one.subject_type,
    }
    # A comment on a whole file has no line; GitHub's schema has no null there.
    if one.line is not None:
        body |= {"line": one.line, "original_line": one.line}
    if one.in_reply_to is not None:
        body["in_reply_to_id"] = one.in_reply_to.id
    return body
