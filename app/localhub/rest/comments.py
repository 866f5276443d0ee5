"""Comments in an issue's or pull request's conversation, over REST."""

from aiohttp import web

from localhub import comments, render
from localhub.errors import Refused, not_found
from localhub.rest.call import Call, Route, answer, created, nothing, paged
from localhub.rest.issues import list_reactions, react, unreact
from localhub.state import Comment


def _comment(call: Call) -> Comment:
    number = call.number("comment")
    for issue in call.repository.issues.values():
        for one in issue.comments:
            if one.id == number:
                return one
    raise not_found()


def _mine(call: Call) -> Comment:
    one = _comment(call)
    if one.user is not call.actor and not call.may("write"):
        raise Refused(403, "Must have admin rights to Repository.")
    return one


def _list(call: Call, found: list[Comment]) -> web.Response:
    if call.query("since"):
        found = [one for one in found if one.updated_at >= call.query("since")]
    return paged(call, found, lambda one: render.comment(call.hub, one))


def list_of_issue(call: Call) -> web.Response:
    """List an issue's comments, oldest first."""
    return _list(call, call.issue().comments)


def list_of_repository(call: Call) -> web.Response:
    """List all comments of a repository."""
    every = call.repository.issues.values()
    found = [one for issue in every for one in issue.comments]
    by = call.query("sort", "created")
    found.sort(
        key=lambda one: (one.updated_at if by == "updated" else one.created_at, one.id),
        reverse=call.query("direction") == "desc",
    )
    return _list(call, found)


def get(call: Call) -> web.Response:
    """Show a comment."""
    return answer(render.comment(call.hub, _comment(call)))


def create(call: Call) -> web.Response:
    """Write a comment."""
    body = str(call.body.get("body") or "")
    one = comments.create(call.hub, call.issue(), body, actor=call.actor)
    shown = render.comment(call.hub, one)
    return created(shown, shown["url"])


def update(call: Call) -> web.Response:
    """Rewrite a comment."""
    one = _mine(call)
    body = str(call.body.get("body") or "")
    comments.edit(call.hub, one, body, actor=call.actor)
    return answer(render.comment(call.hub, one))


def delete(call: Call) -> web.Response:
    """Remove a comment."""
    comments.delete(call.hub, _mine(call), actor=call.actor)
    return nothing()


_ONE = "/repos/{owner}/{repo}/issues/comments/{comment}"
_OF_ISSUE = "/repos/{owner}/{repo}/issues/{number}/comments"
_READ = ("issues:read", "pull_requests:read")
_WRITE = ("issues:write", "pull_requests:write")

ROUTES = [
    Route("GET", "/repos/{owner}/{repo}/issues/comments", list_of_repository, _READ),
    Route("GET", _ONE, get, _READ),
    Route("PATCH", _ONE, update, _WRITE),
    Route("DELETE", _ONE, delete, _WRITE),
    Route("GET", _OF_ISSUE, list_of_issue, _READ),
    Route("POST", _OF_ISSUE, create, _WRITE),
    Route(
        "GET",
        f"{_ONE}/reactions",
        lambda call: list_reactions(call, _comment(call).reactions),
        _READ,
    ),
    Route(
        "POST",
        f"{_ONE}/reactions",
        lambda call: react(call, _comment(call).reactions),
        _WRITE,
    ),
    Route(
        "DELETE",
        f"{_ONE}/reactions/{{reaction}}",
        lambda call: unreact(call, _comment(call).reactions),
        _WRITE,
    ),
]
