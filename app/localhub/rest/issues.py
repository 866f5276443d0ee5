"""Issues, labels and reactions over REST."""

from aiohttp import web

from localhub import issues, render
from localhub.errors import Refused, invalid, not_found
from localhub.render import issues as shown
from localhub.rest.call import Call, Route, answer, created, nothing, paged
from localhub.state import Issue, Label, Reaction


def _names(call: Call) -> list[str]:
    listed = call.body.get("labels") or call.body.get("") or []
    return [one if isinstance(one, str) else one["name"] for one in listed]


def list_issues(call: Call) -> web.Response:
    """List issues and pull requests, as GitHub's list does."""
    found = list(call.repository.issues.values())
    state = call.query("state", "open")
    if state != "all":
        found = [one for one in found if one.state == state]
    for name in filter(None, call.query("labels").split(",")):
        found = [
            one
            for one in found
            if any(label.name.lower() == name.lower() for label in one.labels)
        ]
    if call.query("creator"):
        found = [one for one in found if one.user.login == call.query("creator")]
    if call.query("since"):
        found = [one for one in found if one.updated_at >= call.query("since")]
    by = call.query("sort", "created")
    found.sort(
        key=lambda one: (
            one.updated_at if by == "updated" else one.created_at,
            one.number,
        ),
        reverse=call.query("direction", "desc") == "desc",
    )
    return paged(call, found, lambda one: render.issue(call.hub, one))


def get_issue(call: Call) -> web.Response:
    """Show an issue."""
    return answer(render.issue(call.hub, call.issue()))


def create_issue(call: Call) -> web.Response:
    """Open an issue."""
    body = call.body
    # Labels and assignees of somebody without triage are dropped without a word.
    trusted = call.may("triage")
    one = issues.create(
        call.hub,
        call.repository,
        actor=call.actor,
        title=str(body.get("title") or ""),
        body=body.get("body"),
        labels=_names(call) if trusted else (),
        assignees=(body.get("assignees") or ()) if trusted else (),
    )
    shown_issue = render.issue(call.hub, one)
    return created(shown_issue, shown_issue["url"])


def update_issue(call: Call) -> web.Response:
    """Change an issue."""
    issue, body, actor = call.issue(), call.body, call.actor
    trusted = call.may("triage")
    if not trusted and issue.user is not actor:
        raise Refused(403, "Must have admin rights to Repository.")
    if body.get("title") == "":
        raise invalid("Issue", "title", "missing_field")
    text = body.get("body")
    if "body" in body and text is None:
        text = ""
    issues.edit(call.hub, issue, actor=actor, title=body.get("title"), body=text)
    if trusted and "labels" in body:
        issues.set_labels(call.hub, issue, _names(call), actor=actor)
    if trusted and "assignees" in body:
        issues.set_assignees(call.hub, issue, body["assignees"] or [], actor=actor)
    change_state(call, issue)
    return answer(render.issue(call.hub, issue))


def change_state(call: Call, issue: Issue) -> None:
    """Close or reopen, if the request says so."""
    state = call.body.get("state")
    if state == "closed":
        reason = call.body.get("state_reason") or "completed"
        issues.close(call.hub, issue, actor=call.actor, reason=reason)
    elif state == "open":
        issues.reopen(call.hub, issue, actor=call.actor)
    elif state is not None:
        raise invalid("Issue", "state", "invalid")


def _labels(call: Call, listed: list[Label]) -> web.Response:
    return answer([render.label(call.hub, call.repository, one) for one in listed])


def list_issue_labels(call: Call) -> web.Response:
    """List an issue's labels."""
    return _labels(call, call.issue().labels)


def add_issue_labels(call: Call) -> web.Response:
    """Give an issue more labels."""
    issues.add_labels(call.hub, call.issue(), _names(call), actor=call.actor)
    return list_issue_labels(call)


def set_issue_labels(call: Call) -> web.Response:
    """Give an issue exactly these labels."""
    issues.set_labels(call.hub, call.issue(), _names(call), actor=call.actor)
    return list_issue_labels(call)


def remove_issue_labels(call: Call) -> web.Response:
    """Take all labels from an issue."""
    issues.set_labels(call.hub, call.issue(), [], actor=call.actor)
    return nothing()


def remove_issue_label(call: Call) -> web.Response:
    """Take one label from an issue."""
    issue, name = call.issue(), call.part("name").lower()
    kept = [one.name for one in issue.labels if one.name.lower() != name]
    if len(kept) == len(issue.labels):
        raise Refused(404, "Label does not exist")
    issues.set_labels(call.hub, issue, kept, actor=call.actor)
    return list_issue_labels(call)


def _label(call: Call) -> Label:
    found = call.repository.labels.get(call.part("name").lower())
    if found is None:
        raise not_found()
    return found


def list_labels(call: Call) -> web.Response:
    """List a repository's labels."""
    found = list(call.repository.labels.values())
    return paged(call, found, lambda one: render.label(call.hub, call.repository, one))


def get_label(call: Call) -> web.Response:
    """Show a label."""
    return answer(render.label(call.hub, call.repository, _label(call)))


def create_label(call: Call) -> web.Response:
    """Create a label."""
    name = call.body.get("name") or ""
    if not name:
        raise invalid("Label", "name", "missing_field")
    if name.lower() in call.repository.labels:
        raise invalid("Label", "name", "already_exists")
    one = issues.label_named(call.hub, call.repository, name)
    one.color = call.body.get("color") or one.color
    one.description = call.body.get("description")
    body = render.label(call.hub, call.repository, one)
    payload = {"action": "created", "label": body}
    call.hub.emit("label", payload, sender=call.actor, repository=call.repository)
    return created(body, body["url"])


def update_label(call: Call) -> web.Response:
    """Rename or repaint a label."""
    one = _label(call)
    del call.repository.labels[one.name.lower()]
    one.name = call.body.get("new_name") or one.name
    one.color = call.body.get("color") or one.color
    one.description = call.body.get("description", one.description)
    call.repository.labels[one.name.lower()] = one
    return answer(render.label(call.hub, call.repository, one))


def delete_label(call: Call) -> web.Response:
    """Remove a label from the repository and from all its issues."""
    one = _label(call)
    del call.repository.labels[one.name.lower()]
    for issue in call.repository.issues.values():
        issue.labels = [each for each in issue.labels if each is not one]
    return nothing()


def add_assignees(call: Call) -> web.Response:
    """Assign more people."""
    issue = call.issue()
    logins = [one.login for one in issue.assignees] + call.body.get("assignees", [])
    issues.set_assignees(call.hub, issue, dict.fromkeys(logins), actor=call.actor)
    return answer(render.issue(call.hub, issue), 201)


def react(call: Call, reactions: list[Reaction]) -> web.Response:
    """React to something."""
    content = str(call.body.get("content"))
    one, new = issues.react(call.hub, reactions, content, actor=call.actor)
    return answer(shown.reaction(call.hub, one), 201 if new else 200)


def list_reactions(call: Call, reactions: list[Reaction]) -> web.Response:
    """List reactions, or those of one kind."""
    kind = call.query("content")
    found = [one for one in reactions if kind in ("", one.content)]
    return paged(call, found, lambda one: shown.reaction(call.hub, one))


def unreact(call: Call, reactions: list[Reaction]) -> web.Response:
    """Take back a reaction."""
    for one in reactions:
        if one.id == call.number("reaction"):
            reactions.remove(one)
            return nothing()
    raise not_found()


def _issue_reactions(call: Call) -> list[Reaction]:
    return call.issue().reactions


_ONE = "/repos/{owner}/{repo}/issues/{number}"
_READ = ("issues:read", "pull_requests:read")
_WRITE = ("issues:write", "pull_requests:write")

ROUTES = [
    Route("GET", "/repos/{owner}/{repo}/issues", list_issues, _READ),
    Route("POST", "/repos/{owner}/{repo}/issues", create_issue, ("issues:write",)),
    Route("GET", _ONE, get_issue, _READ),
    Route("PATCH", _ONE, update_issue, _WRITE),
    Route("GET", f"{_ONE}/labels", list_issue_labels, _READ),
    Route("POST", f"{_ONE}/labels", add_issue_labels, _WRITE, "triage"),
    Route("PUT", f"{_ONE}/labels", set_issue_labels, _WRITE, "triage"),
    Route("DELETE", f"{_ONE}/labels", remove_issue_labels, _WRITE, "triage"),
    Route("DELETE", f"{_ONE}/labels/{{name}}", remove_issue_label, _WRITE, "triage"),
    Route("POST", f"{_ONE}/assignees", add_assignees, _WRITE, "triage"),
    Route(
        "GET",
        f"{_ONE}/reactions",
        lambda call: list_reactions(call, _issue_reactions(call)),
        _READ,
    ),
    Route(
        "POST",
        f"{_ONE}/reactions",
        lambda call: react(call, _issue_reactions(call)),
        _WRITE,
    ),
    Route(
        "DELETE",
        f"{_ONE}/reactions/{{reaction}}",
        lambda call: unreact(call, _issue_reactions(call)),
        _WRITE,
    ),
    Route("GET", "/repos/{owner}/{repo}/labels", list_labels, _READ),
    Route("POST", "/repos/{owner}/{repo}/labels", create_label, _WRITE, "write"),
    Route("GET", "/repos/{owner}/{repo}/labels/{name}", get_label, _READ),
    Route(
        "PATCH", "/repos/{owner}/{repo}/labels/{name}", update_label, _WRITE, "write"
    ),
    Route(
        "DELETE", "/repos/{owner}/{repo}/labels/{name}", delete_label, _WRITE, "write"
    ),
]
