"""Pull requests over REST."""

from aiohttp import web

from localhub import git, issues, pulls, render
from localhub.errors import Refused
from localhub.render import commits
from localhub.render import pulls as shown
from localhub.rest.call import Call, Route, answer, created, nothing, paged
from localhub.rest.issues import change_state
from localhub.state import PullRequest


def list_pulls(call: Call) -> web.Response:
    """List pull requests."""
    found = call.repository.pulls
    state = call.query("state", "open")
    if state != "all":
        found = [one for one in found if one.state == state]
    head, base = call.query("head"), call.query("base")
    if ":" in head:
        owner, _, branch = head.partition(":")
        found = [
            one
            for one in found
            if one.head_ref == branch
            and one.head_repository.owner.login.lower() == owner.lower()
        ]
    if base:
        found = [one for one in found if one.base_ref == base]
    by = call.query("sort", "created")
    found.sort(
        key=lambda one: (
            one.updated_at if by == "updated" else one.created_at,
            one.number,
        ),
        reverse=call.query("direction", "desc") == "desc",
    )
    return paged(call, found, lambda one: render.pull_simple(call.hub, one))


def create_pull(call: Call) -> web.Response:
    """Open a pull request."""
    body = call.body
    if call.caller.kind != "installation" and not call.may("write"):
        raise Refused(403, "Must have push access to view repository collaborators.")
    one = pulls.create(
        call.hub,
        call.repository,
        actor=call.actor,
        title=str(body.get("title") or ""),
        head=str(body.get("head") or ""),
        base=str(body.get("base") or ""),
        body=body.get("body"),
        draft=bool(body.get("draft")),
    )
    rendered = render.pull(call.hub, one)
    return created(rendered, rendered["url"])


def get_pull(call: Call) -> web.Response:
    """Show a pull request, or its diff or patch if asked so by media type."""
    one = call.pull()
    accept = call.request.headers.get("Accept", "")
    if "diff" in accept:
        return web.Response(text=diff(one), content_type="application/vnd.github.diff")
    if "patch" in accept:
        kind = "application/vnd.github.patch"
        return web.Response(text=patch(one), content_type=kind)
    return answer(render.pull(call.hub, one))


def diff(one: PullRequest) -> str:
    """Write what a pull request changes."""
    base = shown.merge_base(one)
    return git.diff_text(one.repository.git_dir, base, one.head_sha)


def patch(one: PullRequest) -> str:
    """Write a pull request's commits as mails."""
    base = shown.merge_base(one)
    return git.patch_text(one.repository.git_dir, f"{base}..{one.head_sha}")


def update_pull(call: Call) -> web.Response:
    """Change a pull request."""
    one, body, actor = call.pull(), call.body, call.actor
    if not call.may("write") and one.user is not actor:
        raise Refused(403, "Must have admin rights to Repository.")
    issues.edit(
        call.hub, one, actor=actor, title=body.get("title"), body=body.get("body")
    )
    if body.get("base"):
        pulls.set_base(call.hub, one, body["base"], actor=actor)
    change_state(call, one)
    return answer(render.pull(call.hub, one))


def list_commits(call: Call) -> web.Response:
    """List a pull request's commits, oldest first."""
    one = call.pull()
    git_dir = one.repository.git_dir
    found = git.log(git_dir, f"{shown.merge_base(one)}..{one.head_sha}")
    found.reverse()
    return paged(
        call, found, lambda each: commits.commit(call.hub, one.repository, each)
    )


def list_files(call: Call) -> web.Response:
    """List the files that a pull request changes."""
    one = call.pull()
    base = shown.merge_base(one)
    found = git.changes(one.repository.git_dir, base, one.head_sha)
    return paged(
        call,
        found,
        lambda each: commits.change(call.hub, one.repository, one.head_sha, each),
    )


def is_merged(call: Call) -> web.Response:
    """Tell by the status alone whether it is merged."""
    if call.pull().merged_at is None:
        raise Refused(404, "Not Found")
    return nothing()


def merge_pull(call: Call) -> web.Response:
    """Merge a pull request."""
    body = call.body
    sha = pulls.merge(
        call.hub,
        call.pull(),
        actor=call.actor,
        method=body.get("merge_method") or "merge",
        sha=body.get("sha"),
        title=body.get("commit_title"),
        message=body.get("commit_message"),
    )
    message = "Pull Request successfully merged"
    return answer({"sha": sha, "merged": True, "message": message})


def list_reviewers(call: Call) -> web.Response:
    """List who is asked for a review."""
    asked = call.pull().requested_reviewers
    return answer({"users": [render.user(call.hub, one) for one in asked], "teams": []})


def request_reviewers(call: Call) -> web.Response:
    """Ask people for a review."""
    one = call.pull()
    logins = call.body.get("reviewers") or []
    pulls.request_reviewers(call.hub, one, logins, actor=call.actor)
    return answer(render.pull_simple(call.hub, one), 201)


def remove_reviewers(call: Call) -> web.Response:
    """Take back the request for a review."""
    one = call.pull()
    logins = call.body.get("reviewers") or []
    pulls.remove_reviewers(call.hub, one, logins, actor=call.actor)
    return answer(render.pull_simple(call.hub, one))


_ALL = "/repos/{owner}/{repo}/pulls"
_ONE = f"{_ALL}/{{number}}"
_READ = ("pull_requests:read",)
_WRITE = ("pull_requests:write",)

ROUTES = [
    Route("GET", _ALL, list_pulls, _READ),
    Route("POST", _ALL, create_pull, _WRITE),
    Route("GET", _ONE, get_pull, _READ),
    Route("PATCH", _ONE, update_pull, _WRITE),
    Route("GET", f"{_ONE}/commits", list_commits, _READ),
    Route("GET", f"{_ONE}/files", list_files, _READ),
    Route("GET", f"{_ONE}/merge", is_merged, _READ),
    Route("PUT", f"{_ONE}/merge", merge_pull, ("contents:write",)),
    Route("GET", f"{_ONE}/requested_reviewers", list_reviewers, _READ),
    Route("POST", f"{_ONE}/requested_reviewers", request_reviewers, _WRITE, "write"),
    Route("DELETE", f"{_ONE}/requested_reviewers", remove_reviewers, _WRITE, "write"),
]
