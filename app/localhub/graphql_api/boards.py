"""How GraphQL shows boards, their fields, cards and values."""

from typing import Any

from graphql import GraphQLResolveInfo

from localhub import projects
from localhub.graphql_api.call import Call, Problem
from localhub.graphql_api.connections import connection
from localhub.graphql_api.shapes import FieldValue, Workflow
from localhub.project_events import content_type
from localhub.state import (
    DraftIssue,
    Issue,
    Option,
    Organization,
    Project,
    ProjectField,
    ProjectItem,
    User,
)

Info = GraphQLResolveInfo


def path(project: Project) -> str:
    """Give a board's page."""
    kind = "orgs" if isinstance(project.owner, Organization) else "users"
    return f"/{kind}/{project.owner.login}/projects/{project.number}"


def owned(owner: User, info: Info, query: str | None = None, **page: Any) -> Any:
    """List an owner's boards that the caller sees."""
    call: Call = info.context
    wanted = (query or "").lower()
    seen = [
        one
        for one in call.hub.projects
        if one.owner is owner and call.sees_board(one) and wanted in one.title.lower()
    ]
    return connection(seen, **page)


def numbered(owner: User, info: Info, number: int) -> Project:
    """Find an owner's board by number."""
    call: Call = info.context
    found = call.hub.project(owner.login, number)
    if found is None or not call.sees_board(found):
        message = f"Could not resolve to a ProjectV2 with the number {number}."
        raise Problem("NOT_FOUND", message)
    return found


def _visible(item: ProjectItem, info: Info) -> bool:
    content = item.content
    return isinstance(content, DraftIssue) or info.context.sees_issue(content)


def _content(item: ProjectItem, info: Info) -> Issue | DraftIssue | None:
    return item.content if _visible(item, info) else None


_TYPES = {"Issue": "ISSUE", "PullRequest": "PULL_REQUEST", "DraftIssue": "DRAFT_ISSUE"}


def _type(item: ProjectItem, info: Info) -> str:
    return _TYPES[content_type(item)] if _visible(item, info) else "REDACTED"


def _value(item: ProjectItem, field: ProjectField) -> FieldValue | None:
    value: Any = item.values.get(field.id)
    if field.data_type == "TITLE":
        value = item.content.title
    if value is None:
        return None
    return FieldValue(f"PVTFV_{item.id}_{field.id}", item, field, value)


def _value_named(item: ProjectItem, info: Info, name: str) -> FieldValue | None:
    field = projects.field_named(item.project, name)
    if field is None or not _visible(item, info):
        return None
    return _value(item, field)


def _values(item: ProjectItem, info: Info, **page: Any) -> Any:
    found = [_value(item, field) for field in item.project.fields]
    shown = [one for one in found if one] if _visible(item, info) else []
    return connection(shown, **page)


def _option(value: FieldValue) -> Option:
    known = value.field.options
    return next(option for option in known if option.id == value.value)


def _workflows(project: Project) -> list[Workflow]:
    switches = {
        "Item closed": project.closed_to_done,
        "Pull request merged": project.merged_to_done,
        "Item added to project": project.added_to_first,
        "Auto-close issue": project.done_to_closed,
    }
    return [
        Workflow(
            node_id=f"PWF_{project.id}_{number}",
            id=project.id * 10 + number,
            project=project,
            number=number,
            name=name,
            enabled=enabled,
        )
        for number, (name, enabled) in enumerate(switches.items(), start=1)
    ]


def _workflow(project: Project, _info: Info, number: int) -> Workflow | None:
    found = (one for one in _workflows(project) if one.number == number)
    return next(found, None)


def _field(project: Project, _info: Info, name: str) -> ProjectField | None:
    return projects.field_named(project, name)


def _options(
    field: ProjectField, _info: Info, names: list[str] | None = None
) -> list[Option]:
    return [one for one in field.options if names is None or one.name in names]


def _repositories(project: Project, info: Info, **page: Any) -> Any:
    shown = {
        item.content.repository
        for item in project.items
        if isinstance(item.content, Issue) and _visible(item, info)
    }
    return connection(sorted(shown, key=lambda one: one.id), **page)


def _card_lists(content: DraftIssue, info: Info, **page: Any) -> Any:
    return connection(info.context.cards_of(content), **page)


_FIELD = {
    "project": lambda field, info: info.context.board_of(field),
}
_VALUE = {
    "creator": lambda value, _: value.item.creator,
    "createdAt": lambda value, _: value.item.created_at,
    "updatedAt": lambda value, _: value.item.updated_at,
    "databaseId": lambda *_: None,
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "ProjectV2": {
        "closed": lambda project, _: project.closed_at is not None,
        "field": _field,
        "fields": lambda project, _, **page: connection(project.fields, **page),
        "items": lambda project, _, **page: connection(
            projects.ordered(project) + projects.ordered(project, archived=True), **page
        ),
        "repositories": _repositories,
        "resourcePath": lambda project, _: path(project),
        "statusUpdates": lambda project, _, **page: connection(
            project.status_updates[::-1], **page
        ),
        "url": lambda project, info: info.context.hub.url + path(project),
        "viewerCanUpdate": lambda project, info: info.context.sees_board(project),
        "workflow": _workflow,
        "workflows": lambda project, _, **page: connection(_workflows(project), **page),
    },
    "ProjectV2Field": _FIELD,
    "ProjectV2SingleSelectField": {**_FIELD, "options": _options},
    "ProjectV2Item": {
        "content": _content,
        "fieldValueByName": _value_named,
        "fieldValues": _values,
        "isArchived": lambda item, _: item.archived_at is not None,
        "type": _type,
    },
    "DraftIssue": {
        "assignees": lambda _, __, **page: connection([], **page),
        "projectV2Items": _card_lists,
    },
    "ProjectV2ItemFieldSingleSelectValue": {
        **_VALUE,
        "color": lambda value, _: _option(value).color,
        "description": lambda value, _: _option(value).description,
        "name": lambda value, _: _option(value).name,
        "optionId": lambda value, _: value.value,
    },
    "ProjectV2ItemFieldTextValue": {**_VALUE, "text": lambda value, _: value.value},
    "ProjectV2ItemFieldNumberValue": {
        **_VALUE,
        "number": lambda value, _: value.value,
    },
    "ProjectV2ItemFieldDateValue": {**_VALUE, "date": lambda value, _: value.value},
    "ProjectV2Workflow": {
        "createdAt": lambda workflow, _: workflow.project.created_at,
        "updatedAt": lambda workflow, _: workflow.project.updated_at,
    },
}

VALUE_TYPES = {
    "SINGLE_SELECT": "ProjectV2ItemFieldSingleSelectValue",
    "NUMBER": "ProjectV2ItemFieldNumberValue",
    "DATE": "ProjectV2ItemFieldDateValue",
}
"""Everything else is text."""
