"""A board's built-in workflows, which act as `github-project-automation[bot]`.

Closing an issue or merging a pull request moves its cards to Done unless that is
switched off. Two more are off unless switched on: a new card starts in the first
column, and a card that reaches Done closes its issue.
"""

from localhub import issues, projects
from localhub.state import (
    Emission,
    Hub,
    Issue,
    Organization,
    Project,
    ProjectItem,
    PullRequest,
    User,
)

LOGIN = "github-project-automation[bot]"


def bot(hub: Hub) -> User:
    """Give the account that the workflows act as."""
    found = hub.user(LOGIN)
    if found is None:
        found = User(**hub.mint("BOT"), login=LOGIN, created_at=hub.now(), type="Bot")
        hub.users[LOGIN] = hub.register(found)
    return found


def listen(hub: Hub) -> None:
    """Let the workflows react to what happens in this hub."""

    def closed(issue: Issue, _actor: User) -> None:
        _finish(hub, issue, [one for one in hub.projects if one.closed_to_done])

    def merged(pull: PullRequest, _actor: User) -> None:
        _finish(hub, pull, [one for one in hub.projects if one.merged_to_done])

    def happened(emission: Emission) -> None:
        if emission.event == "projects_v2_item":
            item = hub.node(emission.payload["projects_v2_item"]["node_id"])
            if isinstance(item, ProjectItem):
                _card_changed(hub, item, emission.payload["action"])

    hub.listeners.issue_closed.append(closed)
    hub.listeners.pull_merged.append(merged)
    hub.listeners.emission.append(happened)


def _finish(hub: Hub, issue: Issue, boards: list[Project]) -> None:
    for item in projects.items_of(hub, issue):
        if item.project in boards and not item.archived_at and _has_done(item.project):
            projects.move(hub, item, "Done", actor=bot(hub))


def _has_done(project: Project) -> bool:
    field = projects.field_named(project, "Status")
    return field is not None and any(one.name == "Done" for one in field.options)


def _card_changed(hub: Hub, item: ProjectItem, action: str) -> None:
    field = projects.field_named(item.project, "Status")
    if field is None or not isinstance(item.project.owner, Organization):
        return
    if action == "created" and item.project.added_to_first and field.options:
        projects.set_value(hub, item, field, field.options[0].id, actor=bot(hub))
    if action == "edited" and item.project.done_to_closed:
        option = projects.option_of(item, field)
        issue = item.content
        done = option is not None and option.name == "Done"
        if done and isinstance(issue, Issue) and issue.state == "open":
            issues.close(hub, issue, actor=bot(hub))
