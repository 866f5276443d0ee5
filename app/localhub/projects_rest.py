"""Boards over REST: `/orgs/{org}/projectsV2`, their fields, items and drafts.

GitHub serves no board of a person to an App here, so neither do we.
"""

import base64
import json
import re
from typing import Any

from aiohttp import web

from localhub import auth, project_events, projects
from localhub.errors import Refused, invalid, not_found
from localhub.render.projects import field, item, item_simple
from localhub.state import (
    Hub,
    Issue,
    Option,
    Organization,
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
)

JSON = dict[str, Any]

_PERMISSION = "organization_projects"
_FILTER = re.compile(r'(-?)([\w-]+):("[^"]*"|\S+)')


def matches(one: ProjectItem, query: str) -> bool:
    """Tell whether a card passes a filter such as `status:"In Progress" is:open`."""
    for minus, key, quoted in _FILTER.findall(query):
        wanted = quoted.strip('"').lower()
        if (wanted in _facts(one, key.lower())) is bool(minus):
            return False
    words = _FILTER.sub("", query).lower().split()
    return all(word in one.content.title.lower() for word in words)


def _facts(one: ProjectItem, key: str) -> set[str]:
    content = one.content
    if key in {"is", "state"}:
        kind = {"DraftIssue": "draft", "PullRequest": "pr", "Issue": "issue"}
        facts = {kind[project_events.content_type(one)]}
        return facts | ({content.state} if isinstance(content, Issue) else set())
    if key == "label" and isinstance(content, Issue):
        return {label.name.lower() for label in content.labels}
    if key == "assignee" and isinstance(content, Issue):
        return {user.login.lower() for user in content.assignees}
    if key == "repo" and isinstance(content, Issue):
        return {content.repository.full_name.lower()}
    found = projects.field_named(one.project, key.replace("-", " "))
    if found is None:
        return set()
    option = projects.option_of(one, found)
    value = option.name if option else one.values.get(found.id, "")
    return {str(value).lower()}


class Boards:
    """Handlers of one hub's boards."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def routes(self) -> list[web.RouteDef]:
        """List the addresses."""
        boards = "/api/v3/orgs/{org}/projectsV2"
        board = boards + r"/{board:\d+}"
        one = board + r"/items/{item:\d+}"
        return [
            web.get(boards, self.index),
            web.get(board, self.show),
            web.get(board + "/fields", self.fields),
            web.get(board + r"/fields/{field:\d+}", self.field),
            web.post(board + "/fields", self.add_field),
            web.get(board + "/items", self.items),
            web.post(board + "/items", self.add_item),
            web.post(board + "/drafts", self.add_draft),
            web.get(one, self.item),
            web.patch(one, self.edit_item),
            web.delete(one, self.delete_item),
        ]

    def _caller(self, request: web.Request, level: str) -> auth.Caller:
        header = request.headers.get("Authorization")
        caller = auth.authenticate(self._hub, header)
        organization = self._organization(request)
        auth.require_organization(caller, organization, _PERMISSION, level)
        return caller

    def _organization(self, request: web.Request) -> Organization:
        found = self._hub.organization(request.match_info["org"])
        if found is None:
            raise not_found()
        return found

    def _project(self, request: web.Request) -> Project:
        owner = self._organization(request)
        number = int(request.match_info["board"])
        found = self._hub.project(owner.login, number)
        if found is None:
            raise not_found()
        return found

    def _item(self, request: web.Request) -> ProjectItem:
        number = int(request.match_info["item"])
        for one in self._project(request).items:
            if one.id == number:
                return one
        raise not_found()

    async def index(self, request: web.Request) -> web.Response:
        """List an organization's boards."""
        self._caller(request, "read")
        owner = self._organization(request)
        words = request.query.get("q", "").lower().split()
        shown = [
            one
            for one in self._hub.projects
            if one.owner is owner and all(word in one.title.lower() for word in words)
        ]
        page, headers = paged(request, shown)
        rendered = [project_events.project(self._hub, one) for one in page]
        return web.json_response(rendered, headers=headers)

    async def show(self, request: web.Request) -> web.Response:
        """Show a board."""
        self._caller(request, "read")
        shown = project_events.project(self._hub, self._project(request))
        return web.json_response(shown)

    async def fields(self, request: web.Request) -> web.Response:
        """List a board's fields."""
        self._caller(request, "read")
        project = self._project(request)
        page, headers = paged(request, project.fields)
        rendered = [field(self._hub, project, one) for one in page]
        return web.json_response(rendered, headers=headers)

    async def field(self, request: web.Request) -> web.Response:
        """Show a field."""
        self._caller(request, "read")
        project = self._project(request)
        found = field_with(project, int(request.match_info["field"]))
        return web.json_response(field(self._hub, project, found))

    async def add_field(self, request: web.Request) -> web.Response:
        """Add a field."""
        self._caller(request, "admin")
        project = self._project(request)
        asked = await body_of(request)
        data_type = str(asked.get("data_type", "")).upper()
        if data_type not in projects.SETTABLE:
            raise invalid("ProjectV2Field", "data_type", "invalid")
        options = [
            Option(
                id=self._hub.new_option_id(),
                name=str(one.get("name", "")),
                color=one.get("color", "GRAY"),
                description=one.get("description", ""),
            )
            for one in asked.get("single_select_options", [])
        ]
        name = str(asked.get("name", ""))
        added = projects.add_field(
            self._hub, project, name, data_type, options=tuple(options)
        )
        return web.json_response(field(self._hub, project, added), status=201)

    async def items(self, request: web.Request) -> web.Response:
        """List the cards that are not archived, filtered by `q`."""
        self._caller(request, "read")
        project = self._project(request)
        query = request.query.get("q", "")
        shown = [one for one in projects.ordered(project) if matches(one, query)]
        page, headers = paged(request, shown)
        wanted = chosen_fields(request, project)
        rendered = [item(self._hub, one, wanted) for one in page]
        return web.json_response(rendered, headers=headers)

    async def item(self, request: web.Request) -> web.Response:
        """Show a card."""
        self._caller(request, "read")
        found = self._item(request)
        wanted = chosen_fields(request, found.project)
        return web.json_response(item(self._hub, found, wanted))

    async def add_item(self, request: web.Request) -> web.Response:
        """Put an issue or pull request on a board, by id or by place."""
        caller = self._caller(request, "write")
        asked = await body_of(request)
        issue = self._asked_issue(asked)
        hidden = issue.repository.private
        if hidden and not caller.reaches(self._hub, issue.repository):
            raise not_found()
        added = projects.add(
            self._hub, self._project(request), issue, actor=caller.actor
        )
        return web.json_response(item_simple(self._hub, added), status=201)

    def _asked_issue(self, asked: JSON) -> Issue:
        is_pull = asked.get("type") == "PullRequest"
        if asked.get("type") not in {"Issue", "PullRequest"}:
            raise invalid("ProjectV2Item", "type", "invalid")
        for one in self._candidates(asked, is_pull=is_pull):
            if isinstance(one, PullRequest) is is_pull:
                return one
        raise not_found()

    def _candidates(self, asked: JSON, *, is_pull: bool) -> list[Issue]:
        if "id" not in asked:
            place = f"{asked.get('owner')}/{asked.get('repo')}"
            repository = self._hub.repository(place)
            found = (
                repository.issues.get(asked.get("number", 0)) if repository else None
            )
            return [found] if found else []
        if not is_pull:
            return list(self._hub.issues_with_id(asked["id"]))
        every = self._hub.repositories.values()
        pulls = [pull for one in every for pull in one.pulls]
        return [pull for pull in pulls if pull.pull_id == asked["id"]]

    async def add_draft(self, request: web.Request) -> web.Response:
        """Put a note on a board."""
        caller = self._caller(request, "write")
        asked = await body_of(request)
        title, body = str(asked.get("title") or ""), str(asked.get("body") or "")
        project = self._project(request)
        added = projects.add_draft(self._hub, project, title, body, actor=caller.actor)
        return web.json_response(item_simple(self._hub, added), status=201)

    async def edit_item(self, request: web.Request) -> web.Response:
        """Set a card's values; setting its Status moves it."""
        caller = self._caller(request, "write")
        found = self._item(request)
        asked = await body_of(request)
        for change in asked.get("fields") or []:
            of = field_with(found.project, change.get("id"))
            value = change.get("value")
            projects.set_value(self._hub, found, of, value, actor=caller.actor)
        wanted = found.project.fields
        return web.json_response(item(self._hub, found, wanted))

    async def delete_item(self, request: web.Request) -> web.Response:
        """Remove a card."""
        caller = self._caller(request, "write")
        projects.delete(self._hub, self._item(request), actor=caller.actor)
        return web.Response(status=204)


def field_with(project: Project, number: Any) -> ProjectField:
    """Find a board's field by database id."""
    for one in project.fields:
        if one.id == number:
            return one
    raise not_found()


def chosen_fields(request: web.Request, project: Project) -> list[ProjectField]:
    """Read `fields`, ids separated by commas; the title alone unless some are asked."""
    asked = ",".join(request.query.getall("fields", [])).split(",")
    asked += request.query.getall("fields[]", [])
    wanted = {int(one) for one in asked if one.isdigit()}
    if not wanted:
        return [one for one in project.fields if one.data_type == "TITLE"]
    return [one for one in project.fields if one.id in wanted]


async def body_of(request: web.Request) -> JSON:
    """Read a JSON object."""
    try:
        asked = json.loads(await request.read() or b"{}")
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(asked, dict):
        raise Refused(400, "Body should be a JSON object")
    return asked


def paged(request: web.Request, everything: list[Any]) -> tuple[list[Any], JSON]:
    """Cut a page by cursor (`after`, `before`, `per_page`), with its Link header."""
    size = request.query.get("per_page", "30")
    count = min(int(size), 100) if size.isdigit() and int(size) else 30
    ids = [one.id for one in everything]
    start = 0
    if after := request.query.get("after"):
        start = _position(ids, after) + 1
    elif before := request.query.get("before"):
        stop = _position(ids, before)
        start, count = max(0, stop - count), min(count, stop)
    page = everything[start : start + count]
    links = []
    if page and start + count < len(everything):
        links.append(_link(request, "next", after=_cursor(page[-1].id)))
    if page and start > 0:
        links.append(_link(request, "prev", before=_cursor(page[0].id)))
    return page, {"Link": ", ".join(links)} if links else {}


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"v2:{number}".encode()).decode()


def _position(ids: list[int], cursor: str) -> int:
    try:
        number = base64.urlsafe_b64decode(cursor).decode().removeprefix("v2:")
        return ids.index(int(number))
    except ValueError:
        raise Refused(422, "Invalid cursor") from None


def _link(request: web.Request, relation: str, **cursor: str) -> str:
    kept = {
        key: value
        for key, value in request.query.items()
        if key not in {"after", "before"}
    }
    return f'<{request.url.with_query({**kept, **cursor})}>; rel="{relation}"'


def routes(hub: Hub) -> list[web.RouteDef]:
    """List the REST addresses of a hub's boards."""
    return Boards(hub).routes()
