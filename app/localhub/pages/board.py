"""A board's page: columns of cards that people drag and that move by themselves.

The page asks every second for its cards and gets 304 while nothing changed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from localhub import issues, projects, rollup
from localhub.errors import Refused, not_found
from localhub.pages.filters import board_path
from localhub.pages.site import Site, fields, is_member, see_other, tagged
from localhub.state import (
    DraftIssue,
    Hub,
    Issue,
    Project,
    ProjectItem,
    PullRequest,
    Repository,
    User,
)


@dataclass(frozen=True)
class LinkedPull:
    """A pull request on an issue's card."""

    pull: PullRequest
    check: str | None
    state: str


@dataclass(frozen=True)
class Card:
    """What a card shows."""

    item: ProjectItem
    title: str
    issue: Issue | None
    pulls: list[LinkedPull]


@dataclass(frozen=True)
class Column:
    """An option of the Status field, or the cards that have none."""

    id: str
    name: str
    color: str
    description: str = ""
    cards: list[Card] = field(default_factory=list)


def linked(pull: PullRequest) -> LinkedPull:
    """Sum up a pull request."""
    state = "merged" if pull.merged_at else pull.state
    if state == "open" and pull.draft:
        state = "draft"
    check = rollup.state_of(pull.repository, pull.head_sha)
    return LinkedPull(pull=pull, check=check, state=state)


def _card(hub: Hub, item: ProjectItem) -> Card:
    content = item.content
    if isinstance(content, DraftIssue):
        return Card(item=item, title=content.title, issue=None, pulls=[])
    shown = [linked(pull) for pull in _pulls(hub, content)]
    return Card(item=item, title=content.title, issue=content, pulls=shown)


def _pulls(hub: Hub, issue: Issue) -> list[PullRequest]:
    return [issue] if isinstance(issue, PullRequest) else rollup.closed_by(hub, issue)


def columns(hub: Hub, project: Project) -> list[Column]:
    """Lay the cards out; a column for those without a status only if there are any."""
    status = projects.status_field(project)
    known = {
        option.id: Column(
            option.id, option.name, option.color.lower(), option.description
        )
        for option in status.options
    }
    stray = Column("", "No status", "gray")
    for item in projects.ordered(project):
        column = known.get(str(item.values.get(status.id)), stray)
        column.cards.append(_card(hub, item))
    return [*([stray] if stray.cards else []), *known.values()]


class BoardPages:
    """Handlers of one hub's boards."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._hub: Hub = site.hub

    def routes(self) -> list[web.RouteDef]:
        """List the board's addresses."""
        seen, form = self._site.seen, self._site.form
        board = r"/{kind:orgs|users}/{owner}/projects/{board:\d+}"
        item = board + r"/items/{item:\d+}"
        return [
            web.get(board, seen(self.show)),
            web.post(board + "/items", form(self.add)),
            web.post(item + "/move", form(self.move)),
            web.post(item + "/archive", form(self.archive)),
            web.post(item + "/restore", form(self.restore)),
        ]

    def _project(self, request: web.Request) -> Project:
        named = request.match_info
        found = self._hub.project(named["owner"], int(named["board"]))
        if found is None or not board_path(found).startswith(f"/{named['kind']}/"):
            raise not_found()
        if not found.public and not is_member(found.owner, self._site.acting(request)):
            raise Refused(404, "Only members see this board: act as one of them.")
        return found

    def _change(self, request: web.Request) -> tuple[Project, User]:
        project = self._project(request)
        acting = self._site.acting(request)
        if not is_member(project.owner, acting):
            raise Refused(403, f"{acting.login} may not change this board.")
        return project, acting

    def _item(self, request: web.Request, project: Project) -> ProjectItem:
        number = int(request.match_info["item"])
        for item in project.items:
            if item.id == number:
                return item
        raise not_found()

    def _repositories(self, project: Project) -> list[Repository]:
        owned = self._hub.repositories.values()
        return [one for one in owned if one.owner is project.owner]

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the board, or only its cards if they changed since the last look."""
        project = self._project(request)
        values: dict[str, Any] = {
            "project": project,
            "board": board_path(project),
            "columns": columns(self._hub, project),
            "archived": [
                _card(self._hub, one)
                for one in projects.ordered(project, archived=True)
            ],
            "repositories": self._repositories(project),
        }
        if request.headers.get("X-Fragment") != "cards":
            return self._site.page(request, "board.html", **values)
        html = self._site.fragment("cards.html", **values)
        return tagged(request, html)

    async def move(self, request: web.Request) -> web.StreamResponse:
        """Move a card to a column and, if it was dropped between two, to its place."""
        project, acting = self._change(request)
        item = self._item(request, project)
        form = await fields(request)
        status = projects.status_field(project)
        column = form.get("column") or None
        projects.set_value(self._hub, item, status, column, actor=acting)
        if form.get("after") or form.get("next"):
            self._reorder(project, item, form.get("after"), acting)
        return see_other(board_path(project))

    def _reorder(
        self, project: Project, item: ProjectItem, after: str | None, acting: User
    ) -> None:
        found = [one for one in project.items if str(one.id) == after]
        projects.reorder(self._hub, item, found[0] if found else None, actor=acting)

    async def archive(self, request: web.Request) -> web.StreamResponse:
        """Archive a card."""
        project, acting = self._change(request)
        projects.archive(self._hub, self._item(request, project), actor=acting)
        return see_other(board_path(project))

    async def restore(self, request: web.Request) -> web.StreamResponse:
        """Put an archived card back."""
        project, acting = self._change(request)
        projects.restore(self._hub, self._item(request, project), actor=acting)
        return see_other(board_path(project))

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Add a card: an existing issue (`#12`), a new one, or a note."""
        project, acting = self._change(request)
        form = await fields(request)
        item = self._new_card(project, form.get("title", ""), form, acting)
        if column := form.get("column"):
            status = projects.status_field(project)
            projects.set_value(self._hub, item, status, column, actor=acting)
        return see_other(board_path(project))

    def _new_card(
        self, project: Project, title: str, form: Mapping[str, str], acting: User
    ) -> ProjectItem:
        repository = self._hub.repository(form.get("repository", ""))
        if repository is None or repository not in self._repositories(project):
            return projects.add_draft(self._hub, project, title, actor=acting)
        number = re.fullmatch(r"\s*#(\d{1,9})\s*", title)
        if number is None:
            issue = issues.create(self._hub, repository, actor=acting, title=title)
        else:
            known = repository.issues.get(int(number[1]))
            if known is None:
                raise Refused(404, f"{repository.full_name} has no {title.strip()}.")
            issue = known
        return projects.add(self._hub, project, issue, actor=acting)
