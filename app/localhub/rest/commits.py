"""Commits, branches and comparisons over REST."""

from typing import Any

from aiohttp import web

from localhub import git, render
from localhub.errors import Refused, not_found
from localhub.render import commits as shown
from localhub.render import repositories
from localhub.rest.call import Call, Route, answer, limits, link_header, paged
from localhub.state import Protection


def find(call: Call, revision: str) -> str:
    """Find the commit that a name stands for, or refuse."""
    sha = git.resolve(call.repository.git_dir, revision)
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {revision}")
    return sha


def list_commits(call: Call) -> web.Response:
    """List commits from a branch, newest first."""
    repository = call.repository
    start = call.query("sha") or repository.default_branch
    sha = git.resolve(repository.git_dir, start)
    if sha is None:
        raise Refused(409, "Git Repository is empty.")
    paths = ["--", call.query("path")] if call.query("path") else []
    page, size = limits(call)
    found = git.log(
        repository.git_dir, sha, *paths, limit=size + 1, skip=(page - 1) * size
    )
    more = len(found) > size
    links = link_header(call, page, page + 1 if more else page)
    body = [shown.commit(call.hub, repository, one) for one in found[:size]]
    return answer(body, headers={"Link": links} if links else None)


def get_commit(call: Call) -> web.Response:
    """Show a commit, with its files."""
    one = git.commit(call.repository.git_dir, find(call, call.part("sha")))
    if "diff" in call.request.headers.get("Accept", ""):
        base = one.parents[0] if one.parents else git.EMPTY_TREE
        text = git.diff_text(call.repository.git_dir, base, one.sha)
        return web.Response(text=text, content_type="application/vnd.github.diff")
    return answer(shown.commit_with_files(call.hub, call.repository, one))


def compare(call: Call) -> web.Response:
    """Compare two commits from where they parted."""
    names = call.part("basehead").split("...")
    wanted = 2
    if len(names) != wanted:
        raise not_found()
    repository, hub = call.repository, call.hub
    git_dir = repository.git_dir
    found = [git.resolve(git_dir, name.rpartition(":")[2]) for name in names]
    base, head = found
    common = git.merge_base(git_dir, base, head) if base and head else None
    if base is None or head is None or common is None:
        raise not_found()
    if "diff" in call.request.headers.get("Accept", ""):
        text = git.diff_text(git_dir, common, head)
        return web.Response(text=text, content_type="application/vnd.github.diff")
    ahead = git.log(git_dir, f"{base}..{head}")
    behind = git.count(git_dir, f"{head}..{base}")
    page = f"{repositories.page(hub, repository)}/compare"
    changed = git.changes(git_dir, common, head)
    body = {
        "url": f"{repositories.url(hub, repository)}/compare/{'...'.join(names)}",
        "html_url": f"{page}/{'...'.join(names)}",
        "permalink_url": f"{page}/{base[:7]}...{head[:7]}",
        "diff_url": f"{page}/{'...'.join(names)}.diff",
        "patch_url": f"{page}/{'...'.join(names)}.patch",
        "base_commit": shown.commit(hub, repository, git.commit(git_dir, base)),
        "merge_base_commit": shown.commit(hub, repository, git.commit(git_dir, common)),
        "status": _relation(len(ahead), behind),
        "ahead_by": len(ahead),
        "behind_by": behind,
        "total_commits": len(ahead),
        "commits": [shown.commit(hub, repository, one) for one in reversed(ahead)],
        "files": [shown.change(hub, repository, head, one) for one in changed],
    }
    return answer(body)


def _relation(ahead: int, behind: int) -> str:
    if ahead and behind:
        return "diverged"
    if not ahead and not behind:
        return "identical"
    return "ahead" if ahead else "behind"


def list_branches(call: Call) -> web.Response:
    """List branches."""
    found = git.refs(call.repository.git_dir, "refs/heads/")

    def show(pair: tuple[str, str]) -> dict[str, Any]:
        ref, sha = pair
        where = f"{repositories.url(call.hub, call.repository)}/commits/{sha}"
        return {
            "name": ref.removeprefix("refs/heads/"),
            "commit": {"sha": sha, "url": where},
            "protected": ref.removeprefix("refs/heads/") in call.repository.protections,
        }

    return paged(call, list(found.items()), show)


def get_branch(call: Call) -> web.Response:
    """Show a branch with its newest commit."""
    repository, name = call.repository, call.part("branch")
    heads = git.refs(repository.git_dir, "refs/heads/")
    sha = heads.get(f"refs/heads/{name}")
    if sha is None:
        raise Refused(404, "Branch not found")
    one = git.commit(repository.git_dir, sha)
    where = f"{repositories.url(call.hub, repository)}/branches/{name}"
    page = f"{repositories.page(call.hub, repository)}/tree/{name}"
    protection = repository.protections.get(name)
    required = protection.checks if protection else ()
    checks = {
        "enforcement_level": _level(protection),
        "contexts": [each.context for each in required],
        "checks": [
            {"context": each.context, "app_id": each.app_id} for each in required
        ],
    }
    return answer(
        {
            "name": name,
            "commit": shown.commit(call.hub, repository, one),
            "_links": {"self": where, "html": page},
            "protected": protection is not None,
            "protection": {
                "enabled": protection is not None,
                "required_status_checks": checks,
            },
            "protection_url": f"{where}/protection",
        }
    )


def _level(protection: Protection | None) -> str:
    if protection is None or not protection.checks:
        return "off"
    return "everyone" if protection.admins else "non_admins"


def pulls_of_commit(call: Call) -> web.Response:
    """List the pull requests that a commit belongs to."""
    sha = find(call, call.part("sha"))
    git_dir = call.repository.git_dir
    found = [
        one
        for one in call.repository.pulls
        if one.merge_commit_sha == sha
        or (
            git.is_ancestor(git_dir, sha, one.head_sha)
            and not git.is_ancestor(git_dir, sha, one.base_sha)
        )
    ]
    return paged(call, found, lambda one: render.pull_simple(call.hub, one))


_REPO = "/repos/{owner}/{repo}"
_READ = ("contents:read",)

ROUTES = [
    Route("GET", f"{_REPO}/commits", list_commits, _READ),
    Route("GET", f"{_REPO}/compare/{{basehead:.+}}", compare, _READ),
    Route("GET", f"{_REPO}/branches", list_branches, _READ),
    Route("GET", f"{_REPO}/branches/{{branch:.+}}", get_branch, _READ),
    Route("GET", f"{_REPO}/commits/{{sha}}/pulls", pulls_of_commit, _READ),
    Route("GET", f"{_REPO}/commits/{{sha:.+}}", get_commit, _READ),
]
