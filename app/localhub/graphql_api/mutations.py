"""The mutations: each checks the caller, then does what REST and the pages do too."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLResolveInfo

from localhub import comments, issues, projects, pulls, reviews
from localhub.graphql_api.call import Call, Problem, Thread
from localhub.graphql_api.connections import connection
from localhub.graphql_api.conversations import REACTIONS, groups
from localhub.state import (
    Comment,
    DraftIssue,
    Issue,
    Option,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
    Repository,
    ReviewComment,
)

Given = dict[str, Any]


def _board(call: Call, given: Given) -> Project:
    project: Project = call.of(Project, given["project_id"])
    return call.change_board(project)


def _card(call: Call, given: Given) -> ProjectItem:
    project = _board(call, given)
    item: ProjectItem = call.of(ProjectItem, given["item_id"])
    if item.project is not project:
        raise Problem("NOT_FOUND", "The item does not exist in the project")
    return item


def _field(call: Call, item: ProjectItem, given: Given) -> ProjectField:
    field: ProjectField = call.of(ProjectField, given["field_id"])
    if field not in item.project.fields:
        raise Problem("NOT_FOUND", "The field does not exist in the project")
    return field


_KEYS = {
    "SINGLE_SELECT": "single_select_option_id",
    "TEXT": "text",
    "NUMBER": "number",
    "DATE": "date",
}


def set_value(call: Call, given: Given) -> Given:
    """Set a card's value; of a Status field, that moves it."""
    item = _card(call, given)
    field = _field(call, item, given)
    value = given["value"]
    key = _KEYS.get(field.data_type, "")
    if list(value) != [key]:
        word = field.data_type.lower()
        raise Problem("UNPROCESSABLE", f"Did not receive a {word} value to update")
    projects.set_value(call.hub, item, field, value[key], actor=call.actor)
    return {"projectV2Item": item}


def clear_value(call: Call, given: Given) -> Given:
    """Take a card's value away."""
    item = _card(call, given)
    field = _field(call, item, given)
    projects.set_value(call.hub, item, field, None, actor=call.actor)
    return {"projectV2Item": item}


def add(call: Call, given: Given) -> Given:
    """Put an issue or pull request on a board; again is the same card."""
    project = _board(call, given)
    issue = call.of(Issue, given["content_id"])
    return {"item": projects.add(call.hub, project, issue, actor=call.actor)}


def add_draft(call: Call, given: Given) -> Given:
    """Put a note on a board."""
    project = _board(call, given)
    title, body = given["title"], given.get("body") or ""
    item = projects.add_draft(call.hub, project, title, body, actor=call.actor)
    return {"projectItem": item}


def delete(call: Call, given: Given) -> Given:
    """Remove a card."""
    item = _card(call, given)
    projects.delete(call.hub, item, actor=call.actor)
    return {"deletedItemId": item.node_id}


def archive(call: Call, given: Given) -> Given:
    """Archive a card."""
    item = _card(call, given)
    projects.archive(call.hub, item, actor=call.actor)
    return {"item": item}


def unarchive(call: Call, given: Given) -> Given:
    """Put an archived card back."""
    item = _card(call, given)
    projects.restore(call.hub, item, actor=call.actor)
    return {"item": item}


def place(call: Call, given: Given) -> Given:
    """Put a card after another one, or first."""
    item = _card(call, given)
    after_id = given.get("after_id")
    after = call.of(ProjectItem, after_id) if after_id else None
    if after is not None and after.project is not item.project:
        raise Problem("NOT_FOUND", "The item does not exist in the project")
    projects.reorder(call.hub, item, after, actor=call.actor)
    return {"items": projects.ordered(item.project)}


def change_field(call: Call, given: Given) -> Given:
    """Rename a field, or overwrite its options (which all get new ids)."""
    field: ProjectField = call.of(ProjectField, given["field_id"])
    project = call.change_board(call.board_of(field))
    if name := given.get("name"):
        field.name = name
    if "single_select_options" in given:
        options = [Option(id="", **one) for one in given["single_select_options"]]
        projects.replace_options(call.hub, project, field, options)
    return {"projectV2Field": field}


def post_status(call: Call, given: Given) -> Given:
    """Report on how a board goes."""
    project = _board(call, given)
    dates = {key: given.get(key) for key in ("start_date", "target_date")}
    update = projects.post_status(
        call.hub,
        project,
        actor=call.actor,
        body=given.get("body") or "",
        status=given.get("status"),
        **dates,
    )
    return {"statusUpdate": update}


def convert(call: Call, given: Given) -> Given:
    """Open an issue from a note."""
    item: ProjectItem = call.of(ProjectItem, given["item_id"])
    call.change_board(item.project)
    repository: Repository = call.of(Repository, given["repository_id"])
    call.write(repository, "issues")
    draft = item.content
    if not isinstance(draft, DraftIssue):
        raise Problem("UNPROCESSABLE", "The item is not a draft issue")
    issue = issues.create(
        call.hub, repository, actor=call.actor, title=draft.title, body=draft.body
    )
    projects.convert(call.hub, item, issue, actor=call.actor)
    return {"item": item}


def comment(call: Call, given: Given) -> Given:
    """Comment on an issue or pull request."""
    issue: Issue = call.of(Issue, given["subject_id"])
    call.write(issue.repository, "issues", "pull_requests")
    said = comments.create(call.hub, issue, given["body"], actor=call.actor)
    edge = connection(issue.comments)["edges"][-1]
    return {"commentEdge": {**edge, "node": said}, "subject": issue}


def _own_comment(call: Call, node_id: str) -> Comment:
    said: Comment = call.of(Comment, node_id)
    call.write(said.issue.repository, "issues", "pull_requests")
    role = said.issue.repository.role(call.actor)
    strong = role in {"write", "maintain", "admin"}
    if said.user is not call.actor and not strong:
        problem = f"{call.actor.login} does not have the correct permissions"
        raise Problem("FORBIDDEN", problem)
    return said


def edit_comment(call: Call, given: Given) -> Given:
    """Rewrite a comment."""
    said = _own_comment(call, given["id"])
    comments.edit(call.hub, said, given["body"], actor=call.actor)
    return {"issueComment": said}


def delete_comment(call: Call, given: Given) -> Given:
    """Remove a comment."""
    said = _own_comment(call, given["id"])
    comments.delete(call.hub, said, actor=call.actor)
    return {}


def _subject(call: Call, node_id: str) -> Issue | Comment | ReviewComment:
    subject = call.node(node_id)
    if not isinstance(subject, Issue | Comment | ReviewComment):
        raise Problem("UNPROCESSABLE", "The subject cannot be reacted to")
    issue = _issue_of(subject)
    call.write(issue.repository, "issues", "pull_requests")
    return subject


def _issue_of(one: Issue | Comment | ReviewComment) -> Issue:
    if isinstance(one, Issue):
        return one
    return one.issue if isinstance(one, Comment) else one.pull


def react(call: Call, given: Given) -> Given:
    """React."""
    subject = _subject(call, given["subject_id"])
    content = REACTIONS[given["content"]]
    reaction, _ = issues.react(call.hub, subject.reactions, content, actor=call.actor)
    groups_now = groups(subject)
    return {"reaction": reaction, "subject": subject, "reactionGroups": groups_now}


def unreact(call: Call, given: Given) -> Given:
    """Take a reaction back."""
    subject = _subject(call, given["subject_id"])
    content = REACTIONS[given["content"]]
    for one in subject.reactions:
        if one.user is call.actor and one.content == content:
            subject.reactions.remove(one)
            return {
                "reaction": one,
                "subject": subject,
                "reactionGroups": groups(subject),
            }
    raise Problem("NOT_FOUND", "You have not reacted so")


def _draft(*, draft: bool) -> Callable[[Call, Given], Given]:
    def change(call: Call, given: Given) -> Given:
        pull: PullRequest = call.of(PullRequest, given["pull_request_id"])
        call.write(pull.repository, "pull_requests")
        pulls.set_draft(call.hub, pull, draft=draft, actor=call.actor)
        return {"pullRequest": pull}

    return change


def _fold(*, fold: bool) -> Callable[[Call, Given], Given]:
    def change(call: Call, given: Given) -> Given:
        subject = _subject(call, given["subject_id"])
        if isinstance(subject, Issue):
            raise Problem("UNPROCESSABLE", "The subject cannot be minimized")
        subject.minimized = given["classifier"] if fold else None
        key = "minimizedComment" if fold else "unminimizedComment"
        return {key: subject}

    return change


def _resolve(*, resolved: bool) -> Callable[[Call, Given], Given]:
    def change(call: Call, given: Given) -> Given:
        thread: Thread = call.of(Thread, given["thread_id"])
        call.write(thread.root.pull.repository, "pull_requests", "contents")
        thread.root.resolved = resolved
        return {"thread": thread}

    return change


def reply(call: Call, given: Given) -> Given:
    """Answer in a thread of a review."""
    thread: Thread = call.of(Thread, given["pull_request_review_thread_id"])
    call.write(thread.root.pull.repository, "pull_requests")
    said = reviews.reply(call.hub, thread.root, given["body"], actor=call.actor)
    return {"comment": said}


MUTATIONS: dict[str, Callable[[Call, Given], Given]] = {
    "addComment": comment,
    "addProjectV2DraftIssue": add_draft,
    "addProjectV2ItemById": add,
    "addPullRequestReviewThreadReply": reply,
    "addReaction": react,
    "archiveProjectV2Item": archive,
    "clearProjectV2ItemFieldValue": clear_value,
    "convertProjectV2DraftIssueItemToIssue": convert,
    "convertPullRequestToDraft": _draft(draft=True),
    "createProjectV2StatusUpdate": post_status,
    "deleteIssueComment": delete_comment,
    "deleteProjectV2Item": delete,
    "markPullRequestReadyForReview": _draft(draft=False),
    "minimizeComment": _fold(fold=True),
    "removeReaction": unreact,
    "resolveReviewThread": _resolve(resolved=True),
    "unarchiveProjectV2Item": unarchive,
    "unminimizeComment": _fold(fold=False),
    "unresolveReviewThread": _resolve(resolved=False),
    "updateIssueComment": edit_comment,
    "updateProjectV2Field": change_field,
    "updateProjectV2ItemFieldValue": set_value,
    "updateProjectV2ItemPosition": place,
}


def resolver(change: Callable[[Call, Given], Given]) -> Any:
    """Make a mutation resolver, which echoes the client's id."""

    def resolve(
        _root: None, info: GraphQLResolveInfo[Call], **arguments: Given
    ) -> Given:
        given = arguments["input"]
        done = change(info.context, given)
        return {**done, "clientMutationId": given.get("client_mutation_id")}

    return resolve


PAYLOADS: dict[str, dict[str, Any]] = {
    "UpdateProjectV2ItemPositionPayload": {
        "items": lambda done, _, **page: connection(done["items"], **page),
    },
}
