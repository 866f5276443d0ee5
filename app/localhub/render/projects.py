"""Boards' fields and cards as JSON, the way REST shows them."""

from typing import Any

from localhub import project_events, projects
from localhub.render.accounts import user
from localhub.render.issues import issue
from localhub.render.pulls import pull_simple
from localhub.state import (
    DraftIssue,
    Hub,
    Issue,
    Option,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
)

JSON = dict[str, Any]


def field(hub: Hub, project: Project, one: ProjectField) -> JSON:
    """Render a field; the options of a single select come with it."""
    rendered: JSON = {
        "id": one.id,
        "node_id": one.node_id,
        "name": one.name,
        "data_type": one.data_type.lower(),
        "project_url": _url(hub, project),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
    if one.data_type == "SINGLE_SELECT":
        rendered["options"] = [_option(each) for each in one.options]
    return rendered


def _option(one: Option) -> JSON:
    return {
        "id": one.id,
        "name": {"raw": one.name, "html": one.name},
        "description": {"raw": one.description, "html": one.description},
        "color": one.color,
    }


def _url(hub: Hub, project: Project) -> str:
    return f"{hub.api_url}/orgs/{project.owner.login}/projectsV2/{project.number}"


def item(hub: Hub, one: ProjectItem, fields: list[ProjectField]) -> JSON:
    """Render a card with its content and the values of some fields."""
    return {
        **item_simple(hub, one),
        "fields": [_value(one, each) for each in fields],
    }


def item_simple(hub: Hub, one: ProjectItem) -> JSON:
    """Render a card the way creating one answers."""
    url = _url(hub, one.project)
    return {
        "id": one.id,
        "node_id": one.node_id,
        "project_url": url,
        "content_type": project_events.content_type(one),
        "content": _content(hub, one.content),
        "creator": user(hub, one.creator),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "archived_at": one.archived_at,
        "item_url": f"{url}/items/{one.id}",
    }


def _content(hub: Hub, content: Issue | DraftIssue) -> JSON:
    if isinstance(content, PullRequest):
        return pull_simple(hub, content)
    if isinstance(content, Issue):
        return issue(hub, content)
    return {
        "id": content.id,
        "node_id": content.node_id,
        "title": content.title,
        "body": content.body,
        "user": user(hub, content.creator),
        "created_at": content.created_at,
        "updated_at": content.updated_at,
    }


def _value(one: ProjectItem, of: ProjectField) -> JSON:
    value: Any = one.values.get(of.id)
    if of.data_type == "TITLE":
        value = {"raw": one.content.title, "html": one.content.title}
    option = projects.option_of(one, of)
    if option is not None:
        value = _option(option)
    data_type = of.data_type.lower()
    return {"id": of.id, "name": of.name, "data_type": data_type, "value": value}
