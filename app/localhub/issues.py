"""What can be done to an issue: one function for each thing.

REST, GraphQL, the pages and the automations all come through here. Who may do it is
checked at the doors, not here.
"""

from collections.abc import Iterable

from localhub import render
from localhub.errors import custom, invalid
from localhub.state import Hub, Issue, Label, PullRequest, Reaction, Repository, User

LONGEST_BODY = 65_536


def check_body(resource: str, body: str | None) -> None:
    """Refuse a text that GitHub finds too long."""
    if body is not None and len(body) > LONGEST_BODY:
        raise custom(
            resource, f"body is too long (maximum is {LONGEST_BODY} characters)"
        )


def tell(hub: Hub, issue: Issue, action: str, actor: User, **extra: object) -> None:
    """Emit `issues` or `pull_request`, whichever the issue is."""
    payload: dict[str, object] = {"action": action}
    if isinstance(issue, PullRequest):
        payload |= {"number": issue.number, "pull_request": render.pull(hub, issue)}
        event = "pull_request"
    else:
        payload |= {"issue": render.issue(hub, issue)}
        event = "issues"
    payload |= extra
    hub.emit(event, payload, sender=actor, repository=issue.repository)


def create(
    hub: Hub,
    repository: Repository,
    *,
    actor: User,
    title: str,
    body: str | None = None,
    labels: Iterable[str] = (),
    assignees: Iterable[str] = (),
) -> Issue:
    """Open an issue."""
    if not title.strip():
        raise invalid("Issue", "title", "missing_field")
    check_body("Issue", body)
    now = hub.now()
    issue = Issue(
        **hub.mint("I"),
        number=repository.next_number,
        repository=repository,
        title=title,
        body=body,
        user=actor,
        via_app=actor.app,
        created_at=now,
        updated_at=now,
    )
    issue.labels = [label_named(hub, repository, name) for name in labels]
    found = (hub.user(login) for login in assignees)
    issue.assignees = [one for one in found if one is not None]
    repository.issues[issue.number] = hub.register(issue)
    tell(hub, issue, "opened", actor)
    for label in issue.labels:
        tell(hub, issue, "labeled", actor, label=render.label(hub, repository, label))
    for listener in hub.listeners.issue_opened:
        listener(issue, actor)
    return issue


def edit(
    hub: Hub,
    issue: Issue,
    *,
    actor: User,
    title: str | None = None,
    body: str | None = None,
) -> None:
    """Change title, body or both; an unchanged value tells nobody."""
    check_body("Issue", body)
    changes: dict[str, object] = {}
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        issue.title = title
    if body is not None and body != issue.body:
        changes["body"] = {"from": issue.body or ""}
        issue.body = body
    if changes:
        issue.updated_at = hub.now()
        tell(hub, issue, "edited", actor, changes=changes)


def close(
    hub: Hub, issue: Issue, *, actor: User, reason: str | None = "completed"
) -> None:
    """Close an issue, or a pull request without merging it."""
    if issue.state == "closed":
        return
    now = hub.now()
    issue.state, issue.closed_at, issue.updated_at = "closed", now, now
    issue.closed_by = actor
    if not isinstance(issue, PullRequest):
        issue.state_reason = reason
    tell(hub, issue, "closed", actor)
    for listener in hub.listeners.issue_closed:
        listener(issue, actor)


def reopen(hub: Hub, issue: Issue, *, actor: User) -> None:
    """Open an issue or pull request again."""
    if issue.state == "open":
        return
    if isinstance(issue, PullRequest) and issue.merged_at:
        raise custom("PullRequest", "state cannot be changed.")
    issue.state, issue.closed_at, issue.closed_by = "open", None, None
    issue.updated_at = hub.now()
    if not isinstance(issue, PullRequest):
        issue.state_reason = "reopened"
    tell(hub, issue, "reopened", actor)
    for listener in hub.listeners.issue_reopened:
        listener(issue, actor)


def label_named(hub: Hub, repository: Repository, name: str) -> Label:
    """Find a label by name, or create it as GitHub does on first use."""
    found = repository.labels.get(name.lower())
    if found is None:
        found = Label(**hub.mint("LA"), name=name)
        repository.labels[name.lower()] = hub.register(found)
    return found


def set_labels(hub: Hub, issue: Issue, names: Iterable[str], *, actor: User) -> None:
    """Give an issue exactly these labels."""
    wanted = [label_named(hub, issue.repository, name) for name in names]
    added = [one for one in wanted if one not in issue.labels]
    removed = [one for one in issue.labels if one not in wanted]
    issue.labels = list(dict.fromkeys(wanted))
    if added or removed:
        issue.updated_at = hub.now()
    for action, labels in (("labeled", added), ("unlabeled", removed)):
        for label in labels:
            shown = render.label(hub, issue.repository, label)
            tell(hub, issue, action, actor, label=shown)


def add_labels(hub: Hub, issue: Issue, names: Iterable[str], *, actor: User) -> None:
    """Give an issue more labels."""
    set_labels(hub, issue, [*(one.name for one in issue.labels), *names], actor=actor)


def set_assignees(
    hub: Hub, issue: Issue, logins: Iterable[str], *, actor: User
) -> None:
    """Assign exactly these people; unknown ones are dropped silently."""
    found = [hub.user(login) for login in logins]
    wanted = [one for one in found if one is not None]
    added = [one for one in wanted if one not in issue.assignees]
    removed = [one for one in issue.assignees if one not in wanted]
    issue.assignees = wanted
    for action, people in (("assigned", added), ("unassigned", removed)):
        for one in people:
            tell(hub, issue, action, actor, assignee=render.user(hub, one))


def react(
    hub: Hub, reactions: list[Reaction], content: str, *, actor: User
) -> tuple[Reaction, bool]:
    """React once; the flag tells whether it is new."""
    if content not in render.REACTIONS:
        raise invalid("Reaction", "content", "invalid")
    for one in reactions:
        if one.user is actor and one.content == content:
            return one, False
    reaction = Reaction(
        **hub.mint("REA"), user=actor, content=content, created_at=hub.now()
    )
    reactions.append(hub.register(reaction))
    return reaction, True
