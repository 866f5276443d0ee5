"""What webhooks say about boards: `projects_v2`, its items and its status updates.

Only boards of organizations tell anything; GitHub knows no such event for a person's.
"""

from typing import Any

from localhub import render
from localhub.state import (
    DraftIssue,
    Hub,
    Organization,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
    StatusUpdate,
    User,
)


def content_type(item: ProjectItem) -> str:
    """Name what a card shows, as GitHub does."""
    if isinstance(item.content, DraftIssue):
        return "DraftIssue"
    return "PullRequest" if isinstance(item.content, PullRequest) else "Issue"


def item_event(
    hub: Hub,
    action: str,
    item: ProjectItem,
    actor: User,
    changes: dict[str, Any] | None = None,
) -> None:
    """Tell that something happened to a card."""
    about = {
        "id": item.id,
        "node_id": item.node_id,
        "project_node_id": item.project.node_id,
        "content_node_id": item.content.node_id,
        "content_type": content_type(item),
        "creator": render.user(hub, item.creator),
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "archived_at": item.archived_at,
    }
    payload = {"action": action, "projects_v2_item": about}
    if changes is not None:
        payload["changes"] = changes
    _emit(hub, "projects_v2_item", payload, item.project, actor)


def value_changed(
    hub: Hub,
    item: ProjectItem,
    field: ProjectField,
    before: str | float | None,
    after: str | float | None,
    actor: User,
) -> None:
    """Tell that a card has another value, which for Status means: it moved."""
    change = {
        "field_node_id": field.node_id,
        "field_type": field.data_type.lower(),
        "field_name": field.name,
        "project_number": item.project.number,
        "from": _value(field, before),
        "to": _value(field, after),
    }
    item_event(hub, "edited", item, actor, {"field_value": change})


def _value(field: ProjectField, value: str | float | None) -> Any:
    if field.data_type != "SINGLE_SELECT":
        return value
    for option in field.options:
        if option.id == value:
            return {
                "id": option.id,
                "name": option.name,
                "color": option.color,
                "description": option.description,
            }
    return None


def status_event(hub: Hub, action: str, update: StatusUpdate, actor: User) -> None:
    """Tell that somebody reported on a board."""
    about = status_update(hub, update)
    payload = {"action": action, "projects_v2_status_update": about}
    _emit(hub, "projects_v2_status_update", payload, update.project, actor)


def status_update(hub: Hub, update: StatusUpdate) -> dict[str, Any]:
    """Render a status update; dates that are not set are left out."""
    rendered = {
        "id": update.id,
        "node_id": update.node_id,
        "project_node_id": update.project.node_id,
        "creator": render.user(hub, update.creator),
        "created_at": update.created_at,
        "updated_at": update.updated_at,
        "status": update.status,
        "body": update.body,
    }
    dates = {"start_date": update.start_date, "target_date": update.target_date}
    return rendered | {name: value for name, value in dates.items() if value}


def project(hub: Hub, project: Project) -> dict[str, Any]:
    """Render a board; REST and webhooks show it alike."""
    updates = project.status_updates
    return {
        "id": project.id,
        "node_id": project.node_id,
        "owner": render.user(hub, project.owner),
        "creator": render.user(hub, project.creator),
        "title": project.title,
        "description": project.readme,
        "public": project.public,
        "closed_at": project.closed_at,
        "created_at": project.created_at,
        "updated_at": project.updated_at,
        "number": project.number,
        "short_description": project.short_description,
        "deleted_at": None,
        "deleted_by": None,
        "state": "closed" if project.closed_at else "open",
        "latest_status_update": status_update(hub, updates[-1]) if updates else None,
        "is_template": False,
    }


def project_event(
    hub: Hub,
    action: str,
    about: Project,
    actor: User,
    changes: dict[str, Any] | None = None,
) -> None:
    """Tell that something happened to a board itself."""
    payload: dict[str, Any] = {"action": action, "projects_v2": project(hub, about)}
    if changes is not None:
        payload["changes"] = changes
    _emit(hub, "projects_v2", payload, about, actor)


def _emit(
    hub: Hub, event: str, payload: dict[str, Any], project: Project, actor: User
) -> None:
    if isinstance(project.owner, Organization):
        hub.emit(event, payload, sender=actor, organization=project.owner)
