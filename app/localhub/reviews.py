"""What can be done to reviews and to comments on a diff."""

import re
from typing import Any

from localhub import git, render
from localhub.errors import Refused, custom, invalid
from localhub.issues import check_body
from localhub.render import pulls as shown
from localhub.state import Hub, PullRequest, Review, ReviewComment, User

STATES = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@", re.MULTILINE)


def create(
    hub: Hub,
    pull: PullRequest,
    *,
    actor: User,
    body: str = "",
    event: str | None = None,
    comments: list[dict[str, Any]] | None = None,
    commit_id: str | None = None,
) -> Review:
    """Begin a review; with an `event` it is submitted at once."""
    check_body("PullRequestReview", body)
    _check_event(pull, actor, event, body, has_comments=bool(comments))
    now = hub.now()
    review = Review(
        **hub.mint("PRR"),
        pull=pull,
        user=actor,
        state=STATES[event] if event else "PENDING",
        body=body,
        commit_id=commit_id or pull.head_sha,
        submitted_at=now if event else None,
        updated_at=now,
    )
    written = [_comment(hub, review, one, actor) for one in comments or []]
    pull.reviews.append(hub.register(review))
    pull.review_comments.extend(hub.register(one) for one in written)
    if event:
        _submitted(hub, review, actor)
    return review


def submit(
    hub: Hub, review: Review, *, actor: User, event: str, body: str | None = None
) -> None:
    """Submit a review that was pending."""
    if review.state != "PENDING":
        raise custom("PullRequestReview", "Can not submit a review that is submitted")
    review.body = body if body is not None else review.body
    written = any(one.review is review for one in review.pull.review_comments)
    _check_event(review.pull, actor, event, review.body, has_comments=written)
    review.state = STATES[event]
    review.submitted_at = review.updated_at = hub.now()
    _submitted(hub, review, actor)


def dismiss(hub: Hub, review: Review, message: str, *, actor: User) -> None:
    """Take the weight from an approval or a rejection."""
    if not message:
        raise invalid("PullRequestReview", "message", "missing_field")
    if review.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise Refused(422, "Can not dismiss a pull request review of this state")
    review.state, review.updated_at = "DISMISSED", hub.now()
    _tell(hub, review, "dismissed", actor)


def _check_event(
    pull: PullRequest, actor: User, event: str | None, body: str, *, has_comments: bool
) -> None:
    if event is None:
        return
    if event not in STATES:
        raise invalid("PullRequestReview", "event", "invalid")
    if actor is pull.user and event != "COMMENT":
        word = "approve" if event == "APPROVE" else "request changes on"
        raise Refused(422, f"Can not {word} your own pull request")
    if not body and event != "APPROVE" and not has_comments:
        raise Refused(422, "Body can't be blank")


def _submitted(hub: Hub, review: Review, actor: User) -> None:
    pull = review.pull
    pull.updated_at = hub.now()
    if actor in pull.requested_reviewers:
        pull.requested_reviewers.remove(actor)
    _tell(hub, review, "submitted", actor)
    for one in pull.review_comments:
        if one.review is review:
            _tell_comment(hub, one, "created", actor)


def comment(
    hub: Hub, pull: PullRequest, asked: dict[str, Any], *, actor: User
) -> ReviewComment:
    """Comment on a line, as a review of one comment."""
    review = Review(
        **hub.mint("PRR"),
        pull=pull,
        user=actor,
        state="COMMENTED",
        body="",
        commit_id=asked.get("commit_id") or pull.head_sha,
        submitted_at=hub.now(),
        updated_at=hub.now(),
    )
    one = _comment(hub, review, asked, actor)
    pull.reviews.append(hub.register(review))
    pull.review_comments.append(hub.register(one))
    _submitted(hub, review, actor)
    return one


def reply(hub: Hub, to: ReviewComment, body: str, *, actor: User) -> ReviewComment:
    """Answer a comment on a diff."""
    first = to.in_reply_to or to
    asked = {
        "body": body,
        "path": first.path,
        "line": first.line,
        "side": first.side,
        "in_reply_to": first,
    }
    return comment(hub, to.pull, asked, actor=actor)


def edit_comment(hub: Hub, one: ReviewComment, body: str, *, actor: User) -> None:
    """Rewrite a comment on a diff."""
    check_body("PullRequestReviewComment", body)
    before, one.body, one.updated_at = one.body, body, hub.now()
    _tell_comment(hub, one, "edited", actor, changes={"body": {"from": before}})


def delete_comment(hub: Hub, one: ReviewComment, *, actor: User) -> None:
    """Remove a comment on a diff."""
    one.pull.review_comments.remove(one)
    del hub.nodes[one.node_id]
    _tell_comment(hub, one, "deleted", actor)


def _comment(
    hub: Hub, review: Review, asked: dict[str, Any], actor: User
) -> ReviewComment:
    body, path = asked.get("body") or "", asked.get("path") or ""
    if not body.strip():
        raise invalid("PullRequestReviewComment", "body", "missing_field")
    check_body("PullRequestReviewComment", body)
    first = asked.get("in_reply_to")
    line = asked.get("line")
    hunk = first.diff_hunk if first else _hunk(review.pull, path, line, asked)
    now = hub.now()
    return ReviewComment(
        **hub.mint("PRRC"),
        pull=review.pull,
        review=review,
        user=actor,
        body=body,
        path=path,
        commit_id=review.commit_id,
        original_commit_id=first.original_commit_id if first else review.commit_id,
        diff_hunk=hunk,
        created_at=now,
        updated_at=now,
        line=line,
        start_line=asked.get("start_line"),
        side=asked.get("side") or "RIGHT",
        start_side=asked.get("start_side"),
        subject_type=asked.get("subject_type") or "line",
        in_reply_to=first,
    )


def _hunk(pull: PullRequest, path: str, line: int | None, asked: dict[str, Any]) -> str:
    changed = git.changes(
        pull.repository.git_dir, shown.merge_base(pull), pull.head_sha
    )
    patch = next((one.patch for one in changed if one.filename == path), None)
    if patch is None:
        raise _outside("path", "is not part of the pull request")
    if asked.get("subject_type") == "file" or "position" in asked:
        return patch.split("\n@@ ")[0]
    right = asked.get("side", "RIGHT") == "RIGHT"
    starts = list(_HUNK.finditer(patch))
    for at, start in enumerate(starts):
        first = int(start[3] if right else start[1])
        length = int((start[4] if right else start[2]) or 1)
        if line is not None and first <= line < first + length:
            end = starts[at + 1].start() if at + 1 < len(starts) else len(patch)
            return patch[start.start() : end].rstrip("\n")
    raise _outside("line", "must be part of the diff")


def _outside(field: str, problem: str) -> Refused:
    whole = f"pull_request_review_thread.{field}"
    return invalid("PullRequestReviewComment", whole, "custom", f"{whole} {problem}")


def _tell(hub: Hub, review: Review, action: str, actor: User) -> None:
    shown_review = render.review(hub, review, state=review.state.lower())
    payload = {
        "action": action,
        "review": {"submitted_at": None, **shown_review},
        "pull_request": render.pull_simple(hub, review.pull),
    }
    repository = review.pull.repository
    hub.emit("pull_request_review", payload, sender=actor, repository=repository)


def _tell_comment(
    hub: Hub, one: ReviewComment, action: str, actor: User, **extra: object
) -> None:
    payload = {
        "action": action,
        "comment": {
            "line": None,
            "original_line": None,
            **render.review_comment(hub, one),
        },
        "pull_request": render.pull_simple(hub, one.pull),
        **extra,
    }
    repository = one.pull.repository
    hub.emit(
        "pull_request_review_comment", payload, sender=actor, repository=repository
    )
