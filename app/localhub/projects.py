"""What can be done to a Projects v2 board: one function for each thing.

REST, GraphQL, the pages and the automations all come through here, so a card moved by
any of them tells the same webhooks. Boards that a person owns tell nobody, as there.
Who may do it is checked at the doors, not here.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

from localhub import project_events as events
from localhub.errors import Refused
from localhub.state import (
    DraftIssue,
    Hub,
    Issue,
    Option,
    Project,
    ProjectField,
    ProjectItem,
    StatusUpdate,
    User,
)

DEFAULT_OPTIONS = (
    Option(id="f75ad846", name="Todo", color="GREEN"),
    Option(id="47fc9ee4", name="In Progress", color="YELLOW"),
    Option(id="98236657", name="Done", color="PURPLE"),
)
"""GitHub's template: these ids are shared by boards, not unique."""

SETTABLE = {"TEXT", "NUMBER", "DATE", "SINGLE_SELECT"}


def create(
    hub: Hub,
    owner: User,
    title: str,
    *,
    actor: User,
    options: tuple[Option, ...] = DEFAULT_OPTIONS,
) -> Project:
    """Create a board with a Title and a Status field."""
    now = hub.now()
    numbers = [one.number for one in hub.projects if one.owner is owner]
    project = Project(
        **hub.mint("PVT"),
        number=max(numbers, default=0) + 1,
        owner=owner,
        title=title,
        creator=actor,
        created_at=now,
        updated_at=now,
    )
    hub.projects.append(hub.register(project))
    add_field(hub, project, "Title", "TITLE")
    add_field(hub, project, "Status", "SINGLE_SELECT", options=options)
    events.project_event(hub, "created", project, actor)
    return project


def add_field(
    hub: Hub,
    project: Project,
    name: str,
    data_type: str,
    *,
    options: tuple[Option, ...] = (),
) -> ProjectField:
    """Add a field; GitHub sends no event for it."""
    if field_named(project, name) is not None:
        raise Refused(422, "Name has already been taken")
    prefix = "PVTSSF" if data_type == "SINGLE_SELECT" else "PVTF"
    now = hub.now()
    field = ProjectField(
        **hub.mint(prefix),
        name=name,
        data_type=data_type,
        created_at=now,
        updated_at=now,
        options=[replace(option) for option in options],
    )
    project.fields.append(hub.register(field))
    return field


def field_named(project: Project, name: str) -> ProjectField | None:
    """Find a field by its name, whatever its case."""
    found = (one for one in project.fields if one.name.lower() == name.lower())
    return next(found, None)


def status_field(project: Project) -> ProjectField:
    """Give the field whose options are the columns."""
    field = field_named(project, "Status")
    if field is None:
        raise Refused(422, "The project has no Status field")
    return field


def option_of(item: ProjectItem, field: ProjectField) -> Option | None:
    """Give the option that a card has chosen."""
    chosen = item.values.get(field.id)
    return next((one for one in field.options if one.id == chosen), None)


def ordered(project: Project, *, archived: bool = False) -> list[ProjectItem]:
    """List the cards that are (or are not) in the archive, in the board's order."""
    shown = [one for one in project.items if bool(one.archived_at) is archived]
    return sorted(shown, key=lambda item: item.position)


def items_of(hub: Hub, issue: Issue) -> list[ProjectItem]:
    """List the cards that show an issue or pull request."""
    return [
        item
        for project in hub.projects
        for item in project.items
        if item.content is issue
    ]


def add(hub: Hub, project: Project, issue: Issue, *, actor: User) -> ProjectItem:
    """Put an issue or pull request on the board; its card, if it is there already."""
    for item in project.items:
        if item.content is issue:
            return item
    return _place(hub, project, issue, actor)


def add_draft(
    hub: Hub, project: Project, title: str, body: str = "", *, actor: User
) -> ProjectItem:
    """Put a note on the board."""
    if not title.strip():
        raise Refused(422, "Title can't be blank")
    now = hub.now()
    draft = DraftIssue(
        **hub.mint("DI"),
        title=title,
        body=body,
        creator=actor,
        created_at=now,
        updated_at=now,
    )
    return _place(hub, project, hub.register(draft), actor)


def _place(
    hub: Hub, project: Project, content: Issue | DraftIssue, actor: User
) -> ProjectItem:
    now = hub.now()
    item = ProjectItem(
        **hub.mint("PVTI"),
        project=project,
        content=content,
        creator=actor,
        position=max((one.position for one in project.items), default=0.0) + 1,
        created_at=now,
        updated_at=now,
    )
    project.items.append(hub.register(item))
    events.item_event(hub, "created", item, actor)
    return item


def set_value(
    hub: Hub,
    item: ProjectItem,
    field: ProjectField,
    value: str | float | None,
    *,
    actor: User,
) -> None:
    """Set or clear (None) a card's value; choosing a Status option moves the card."""
    if item.archived_at:
        raise Refused(422, "The item is archived and cannot be updated")
    if field.data_type not in SETTABLE:
        raise Refused(
            422, "The field of type " + field.data_type.lower() + " is read-only"
        )
    known = {option.id for option in field.options}
    if field.data_type == "SINGLE_SELECT" and value is not None and value not in known:
        raise Refused(422, "The single select option Id does not belong to the field")
    before = item.values.get(field.id)
    if before == value:
        return
    if value is None:
        del item.values[field.id]
    else:
        item.values[field.id] = value
    item.updated_at = item.project.updated_at = hub.now()
    events.value_changed(hub, item, field, before, value, actor)


def move(hub: Hub, item: ProjectItem, column: str, *, actor: User) -> None:
    """Move a card to the column with this name."""
    field = status_field(item.project)
    for option in field.options:
        if option.name.lower() == column.lower():
            set_value(hub, item, field, option.id, actor=actor)
            return
    raise Refused(422, f"The board has no column {column!r}")


def reorder(
    hub: Hub, item: ProjectItem, after: ProjectItem | None, *, actor: User
) -> None:
    """Put a card right after another one; first of all, if that is None."""
    others = [one for one in ordered(item.project) if one is not item]
    before = _previous(item)
    if after is None:
        item.position = min((one.position for one in others), default=1.0) - 1
    else:
        item.position = after.position + 1
        for left, right in pairwise(others):
            if left is after:
                item.position = (left.position + right.position) / 2
    now = _previous(item)
    if now is before:
        return
    item.updated_at = hub.now()
    from_id, to_id = (one.node_id if one else None for one in (before, now))
    change = {"from": from_id, "to": to_id}
    changes = {"previous_projects_v2_item_node_id": change}
    events.item_event(hub, "reordered", item, actor, changes)


def _previous(item: ProjectItem) -> ProjectItem | None:
    earlier = [one for one in ordered(item.project) if one.position < item.position]
    return earlier[-1] if earlier else None


def archive(hub: Hub, item: ProjectItem, *, actor: User) -> None:
    """Take a card off the board and keep it."""
    if item.archived_at:
        return
    item.archived_at = item.updated_at = hub.now()
    changes = {"archived_at": {"from": None, "to": item.archived_at}}
    events.item_event(hub, "archived", item, actor, changes)


def restore(hub: Hub, item: ProjectItem, *, actor: User) -> None:
    """Put an archived card back."""
    if not item.archived_at:
        return
    changes = {"archived_at": {"from": item.archived_at, "to": None}}
    item.archived_at = None
    item.updated_at = hub.now()
    events.item_event(hub, "restored", item, actor, changes)


def delete(hub: Hub, item: ProjectItem, *, actor: User) -> None:
    """Remove a card; what it showed stays, unless it was a note."""
    item.project.items.remove(item)
    hub.nodes.pop(item.node_id, None)
    if isinstance(item.content, DraftIssue):
        hub.nodes.pop(item.content.node_id, None)
    events.item_event(hub, "deleted", item, actor)


def convert(hub: Hub, item: ProjectItem, issue: Issue, *, actor: User) -> None:
    """Let a note's card show the issue that was opened from it."""
    if not isinstance(item.content, DraftIssue):
        raise Refused(422, "The item is not a draft issue")
    hub.nodes.pop(item.content.node_id, None)
    item.content = issue
    item.updated_at = hub.now()
    changes = {"content_type": {"from": "DraftIssue", "to": "Issue"}}
    events.item_event(hub, "converted", item, actor, changes)


def replace_options(
    hub: Hub, project: Project, field: ProjectField, options: list[Option]
) -> None:
    """Overwrite all options: ids are minted anew and cards lose their value.

    GitHub sends no event for this, neither for the field nor for the cards.
    """
    if field.data_type != "SINGLE_SELECT":
        raise Refused(422, "The field is not a single select field")
    if not options:
        raise Refused(422, "At least one option must be provided")
    names = [option.name.lower() for option in options]
    if len(set(names)) < len(names):
        raise Refused(422, "Option names must be unique")
    field.options = [replace(one, id=hub.new_option_id()) for one in options]
    field.updated_at = project.updated_at = hub.now()
    for item in project.items:
        item.values.pop(field.id, None)


def post_status(
    hub: Hub,
    project: Project,
    *,
    actor: User,
    body: str = "",
    status: str | None = None,
    start_date: str | None = None,
    target_date: str | None = None,
) -> StatusUpdate:
    """Report on how the whole project goes."""
    now = hub.now()
    update = StatusUpdate(
        **hub.mint("PVTSU"),
        project=project,
        creator=actor,
        created_at=now,
        updated_at=now,
        body=body,
        status=status,
        start_date=start_date,
        target_date=target_date,
    )
    project.status_updates.append(hub.register(update))
    events.status_event(hub, "created", update, actor)
    return update


def edit(hub: Hub, project: Project, *, actor: User, **values: Any) -> None:
    """Change `title`, `short_description`, `readme` or `public` of a board."""
    changes = {}
    for name, value in values.items():
        before = getattr(project, name)
        if before != value:
            changes[name] = {"from": before, "to": value}
            setattr(project, name, value)
    if changes:
        project.updated_at = hub.now()
        events.project_event(hub, "edited", project, actor, changes)
