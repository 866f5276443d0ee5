"""What can be done to a comment in an issue's or pull request's conversation."""

from localhub import render
from localhub.errors import invalid
from localhub.issues import check_body
from localhub.state import Comment, Hub, Issue, User


def create(hub: Hub, issue: Issue, body: str, *, actor: User) -> Comment:
    """Write a comment."""
    _check(body)
    now = hub.now()
    comment = Comment(
        **hub.mint("IC"),
        issue=issue,
        user=actor,
        body=body,
        via_app=actor.app,
        created_at=now,
        updated_at=now,
    )
    issue.comments.append(hub.register(comment))
    issue.updated_at = now
    _tell(hub, comment, "created", actor)
    return comment


def edit(hub: Hub, comment: Comment, body: str, *, actor: User) -> None:
    """Rewrite a comment in place."""
    _check(body)
    before, comment.body = comment.body, body
    comment.updated_at = comment.issue.updated_at = hub.now()
    _tell(hub, comment, "edited", actor, changes={"body": {"from": before}})


def delete(hub: Hub, comment: Comment, *, actor: User) -> None:
    """Remove a comment."""
    comment.issue.comments.remove(comment)
    del hub.nodes[comment.node_id]
    _tell(hub, comment, "deleted", actor)


def _check(body: str) -> None:
    if not body.strip():
        raise invalid("IssueComment", "body", "custom", "body can't be blank")
    check_body("IssueComment", body)


def _tell(
    hub: Hub, comment: Comment, action: str, actor: User, **extra: object
) -> None:
    payload = {
        "action": action,
        "issue": render.issue(hub, comment.issue),
        "comment": render.comment(hub, comment),
        **extra,
    }
    repository = comment.issue.repository
    hub.emit("issue_comment", payload, sender=actor, repository=repository)
