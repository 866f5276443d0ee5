"""Reviews and comments on a diff, over REST."""

from aiohttp import web

from localhub import render, reviews
from localhub.errors import Refused, not_found
from localhub.rest.call import Call, Route, answer, created, nothing, paged
from localhub.rest.issues import list_reactions, react
from localhub.state import Review, ReviewComment


def _review(call: Call) -> Review:
    number = call.number("review")
    for one in call.pull().reviews:
        if one.id == number:
            return one
    raise not_found()


def _comment(call: Call) -> ReviewComment:
    number = call.number("comment")
    for pull in call.repository.pulls:
        for one in pull.review_comments:
            if one.id == number:
                return one
    raise not_found()


def list_reviews(call: Call) -> web.Response:
    """List reviews; a pending one only its author sees."""
    found = [
        one
        for one in call.pull().reviews
        if one.state != "PENDING" or one.user is call.caller.user
    ]
    return paged(call, found, lambda one: render.review(call.hub, one))


def create_review(call: Call) -> web.Response:
    """Review a pull request; GitHub answers 200 here."""
    body = call.body
    one = reviews.create(
        call.hub,
        call.pull(),
        actor=call.actor,
        body=body.get("body") or "",
        event=body.get("event"),
        comments=body.get("comments"),
        commit_id=body.get("commit_id"),
    )
    return answer(render.review(call.hub, one))


def get_review(call: Call) -> web.Response:
    """Show a review."""
    return answer(render.review(call.hub, _review(call)))


def submit_review(call: Call) -> web.Response:
    """Submit a pending review."""
    one = _review(call)
    event = str(call.body.get("event"))
    reviews.submit(
        call.hub, one, actor=call.actor, event=event, body=call.body.get("body")
    )
    return answer(render.review(call.hub, one))


def dismiss_review(call: Call) -> web.Response:
    """Dismiss a review."""
    one = _review(call)
    message = str(call.body.get("message") or "")
    reviews.dismiss(call.hub, one, message, actor=call.actor)
    return answer(render.review(call.hub, one))


def comments_of_review(call: Call) -> web.Response:
    """List the comments of one review."""
    review = _review(call)
    found = [one for one in review.pull.review_comments if one.review is review]
    return paged(call, found, lambda one: render.review_comment(call.hub, one))


def list_comments(call: Call) -> web.Response:
    """List the comments on a diff."""
    found = [one for one in call.pull().review_comments if one.review.submitted_at]
    if call.query("since"):
        found = [one for one in found if one.updated_at >= call.query("since")]
    return paged(call, found, lambda one: render.review_comment(call.hub, one))


def list_all_comments(call: Call) -> web.Response:
    """List the comments on all diffs of a repository."""
    every = (one for pull in call.repository.pulls for one in pull.review_comments)
    found = [one for one in every if one.review.submitted_at]
    if call.query("since"):
        found = [one for one in found if one.updated_at >= call.query("since")]
    by = call.query("sort", "created")
    found.sort(
        key=lambda one: (one.updated_at if by == "updated" else one.created_at, one.id),
        reverse=call.query("direction") == "desc",
    )
    return paged(call, found, lambda one: render.review_comment(call.hub, one))


def create_comment(call: Call) -> web.Response:
    """Comment on a line."""
    body = call.body
    if "in_reply_to" in body:
        parents = (
            one for one in call.pull().review_comments if one.id == body["in_reply_to"]
        )
        parent = next(parents, None)
        if parent is None:
            raise not_found()
        one = reviews.reply(call.hub, parent, body["body"], actor=call.actor)
    else:
        one = reviews.comment(call.hub, call.pull(), body, actor=call.actor)
    shown = render.review_comment(call.hub, one)
    return created(shown, shown["url"])


def reply(call: Call) -> web.Response:
    """Answer a comment on a diff."""
    body = str(call.body.get("body") or "")
    one = reviews.reply(call.hub, _comment(call), body, actor=call.actor)
    shown = render.review_comment(call.hub, one)
    return created(shown, shown["url"])


def get_comment(call: Call) -> web.Response:
    """Show a comment on a diff."""
    return answer(render.review_comment(call.hub, _comment(call)))


def _mine(call: Call) -> ReviewComment:
    one = _comment(call)
    if one.user is not call.actor and not call.may("write"):
        raise Refused(403, "Must have admin rights to Repository.")
    return one


def update_comment(call: Call) -> web.Response:
    """Rewrite a comment on a diff."""
    one = _mine(call)
    body = str(call.body.get("body") or "")
    reviews.edit_comment(call.hub, one, body, actor=call.actor)
    return answer(render.review_comment(call.hub, one))


def delete_comment(call: Call) -> web.Response:
    """Remove a comment on a diff."""
    reviews.delete_comment(call.hub, _mine(call), actor=call.actor)
    return nothing()


_PULL = "/repos/{owner}/{repo}/pulls/{number}"
_REVIEW = f"{_PULL}/reviews/{{review}}"
_COMMENT = "/repos/{owner}/{repo}/pulls/comments/{comment}"
_READ = ("pull_requests:read",)
_WRITE = ("pull_requests:write",)

ROUTES = [
    Route("GET", "/repos/{owner}/{repo}/pulls/comments", list_all_comments, _READ),
    Route("GET", _COMMENT, get_comment, _READ),
    Route("PATCH", _COMMENT, update_comment, _WRITE),
    Route("DELETE", _COMMENT, delete_comment, _WRITE),
    Route(
        "GET",
        f"{_COMMENT}/reactions",
        lambda call: list_reactions(call, _comment(call).reactions),
        _READ,
    ),
    Route(
        "POST",
        f"{_COMMENT}/reactions",
        lambda call: react(call, _comment(call).reactions),
        _WRITE,
    ),
    Route("GET", f"{_PULL}/reviews", list_reviews, _READ),
    Route("POST", f"{_PULL}/reviews", create_review, _WRITE),
    Route("GET", _REVIEW, get_review, _READ),
    Route("POST", f"{_REVIEW}/events", submit_review, _WRITE),
    Route("PUT", f"{_REVIEW}/dismissals", dismiss_review, _WRITE, "write"),
    Route("GET", f"{_REVIEW}/comments", comments_of_review, _READ),
    Route("GET", f"{_PULL}/comments", list_comments, _READ),
    Route("POST", f"{_PULL}/comments", create_comment, _WRITE),
    Route("POST", f"{_PULL}/comments/{{comment}}/replies", reply, _WRITE),
]
