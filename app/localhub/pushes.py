"""What follows when a ref moves: webhooks, pull requests brought up to date, suites.

A `git push`, a merge, the contents API and the git database API all end here.
"""

import re
from collections.abc import Iterator

from localhub import checks, git, issues, render
from localhub.render import commits, repositories
from localhub.state import Hub, Issue, PullRequest, Repository, User

_CLOSING = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:([\w.-]+/[\w.-]+))?#(\d+)",
    re.IGNORECASE,
)
MOST_COMMITS = 2048


def closing(hub: Hub, repository: Repository, text: str) -> Iterator[Issue]:
    """Find the issues that a text says it closes."""
    for match in _CLOSING.finditer(text):
        name = match[1] or repository.full_name
        where = hub.repository(name)
        issue = where.issues.get(int(match[2])) if where else None
        if issue is not None and not isinstance(issue, PullRequest):
            yield issue


def snapshot(repository: Repository) -> dict[str, str]:
    """List branches and tags, to be compared after a push."""
    found = git.refs(repository.git_dir)
    return {
        name: sha
        for name, sha in found.items()
        if name.startswith(("refs/heads/", "refs/tags/"))
    }


def compare(
    hub: Hub, repository: Repository, before: dict[str, str], *, actor: User
) -> list[str]:
    """Tell about every ref that moved since a snapshot; name them."""
    after = snapshot(repository)
    moved = [
        ref for ref in sorted({*before, *after}) if before.get(ref) != after.get(ref)
    ]
    for ref in moved:
        old, new = before.get(ref, git.ZERO), after.get(ref, git.ZERO)
        ref_moved(hub, repository, ref, old, new, actor=actor)
    return moved


def ref_moved(
    hub: Hub, repository: Repository, ref: str, old: str, new: str, *, actor: User
) -> None:
    """Tell that a ref was created, moved or deleted, and do what follows."""
    repository.pushed_at = hub.now()
    if old == git.ZERO:
        _tell_ref(hub, repository, "create", ref, actor)
    if new == git.ZERO:
        _tell_ref(hub, repository, "delete", ref, actor)
    _tell_push(hub, repository, ref, old, new, actor)
    branch = ref.removeprefix("refs/heads/")
    if branch == ref:
        return
    if new == git.ZERO:
        _close_headless(hub, repository, branch, actor)
        return
    checks.request_suites(hub, repository, new, branch=branch, before=old, actor=actor)
    _synchronize(hub, repository, branch, old, new, actor)
    _notice_merges(hub, repository, branch, old, new, actor)


def _tell_ref(
    hub: Hub, repository: Repository, event: str, ref: str, actor: User
) -> None:
    kind, _, name = ref.removeprefix("refs/").partition("/")
    payload: dict[str, object] = {
        "ref": name,
        "ref_type": "branch" if kind == "heads" else "tag",
        "pusher_type": "user",
    }
    if event == "create":
        payload["master_branch"] = repository.default_branch
        payload["description"] = repository.description
    hub.emit(event, payload, sender=actor, repository=repository)


def _tell_push(
    hub: Hub, repository: Repository, ref: str, old: str, new: str, actor: User
) -> None:
    git_dir = repository.git_dir
    created, deleted = old == git.ZERO, new == git.ZERO
    listed: list[git.Commit] = []
    head = None
    if not deleted:
        main = git.resolve(git_dir, repository.default_branch)
        known = old if not created else main
        since = [f"^{known}"] if known and known != new else []
        listed = git.log(git_dir, new, *since, limit=MOST_COMMITS)
        tip = git.resolve(git_dir, new)
        head = git.commit(git_dir, tip) if tip else None
    forced = not (created or deleted) and not git.is_ancestor(git_dir, old, new)
    page = repositories.page(hub, repository)
    payload = {
        "ref": ref,
        "before": old,
        "after": new,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": f"{page}/compare/{old[:12]}...{new[:12]}",
        "commits": [
            commits.pushed_commit(hub, repository, one) for one in reversed(listed)
        ],
        "head_commit": commits.pushed_commit(hub, repository, head) if head else None,
        "pusher": {"name": actor.login, "email": None},
    }
    hub.emit("push", payload, sender=actor, repository=repository)


def _pulls_from(repository: Repository, branch: str) -> list[PullRequest]:
    return [
        one
        for one in repository.pulls
        if one.state == "open"
        and one.head_ref == branch
        and one.head_repository is repository
    ]


def _close_headless(hub: Hub, repository: Repository, branch: str, actor: User) -> None:
    for pull in _pulls_from(repository, branch):
        issues.close(hub, pull, actor=actor)


def _synchronize(
    hub: Hub, repository: Repository, branch: str, old: str, new: str, actor: User
) -> None:
    for pull in _pulls_from(repository, branch):
        pull.head_sha = new
        pull.base_sha = git.resolve(repository.git_dir, pull.base_ref) or pull.base_sha
        pull.updated_at = hub.now()
        git.update_ref(repository.git_dir, f"refs/pull/{pull.number}/head", new)
        issues.tell(hub, pull, "synchronize", actor, before=old, after=new)


def _notice_merges(
    hub: Hub, repository: Repository, branch: str, old: str, new: str, actor: User
) -> None:
    git_dir = repository.git_dir
    for pull in repository.pulls:
        into = pull.state == "open" and pull.base_ref == branch
        if into and git.is_ancestor(git_dir, pull.head_sha, new):
            merged(hub, pull, new, actor=actor)
    if branch == repository.default_branch and old != git.ZERO:
        for one in git.log(git_dir, new, f"^{old}", limit=MOST_COMMITS):
            for issue in closing(hub, repository, one.message):
                issues.close(hub, issue, actor=actor)


def merged(hub: Hub, pull: PullRequest, sha: str, *, actor: User) -> None:
    """Record that a pull request is merged, and close what it closes."""
    now = hub.now()
    pull.state, pull.closed_at, pull.merged_at, pull.updated_at = (
        "closed",
        now,
        now,
        now,
    )
    pull.merged_by = pull.closed_by = actor
    pull.merge_commit_sha = sha
    payload = {
        "action": "closed",
        "number": pull.number,
        "pull_request": render.pull(hub, pull),
    }
    hub.emit("pull_request", payload, sender=actor, repository=pull.repository)
    for listener in hub.listeners.pull_merged:
        listener(pull, actor)
    if pull.base_ref == pull.repository.default_branch:
        for issue in closing(hub, pull.repository, f"{pull.title}\n{pull.body or ''}"):
            issues.close(hub, issue, actor=actor)
