"""One REST request: who calls, for which repository, with which body; and the answer.

A route names the permission it needs; the check happens here, before its function runs,
so no function can forget it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from localhub import auth
from localhub.errors import Refused, not_found
from localhub.state import ROLES, App, Hub, Issue, PullRequest, Repository, User

JSON = dict[str, Any]
MEDIA = "application/json; charset=utf-8"
DEFAULT_PAGE = 30
LARGEST_PAGE = 100
PREFIX = "/api/v3"


@dataclass(frozen=True)
class Call:
    """A request after authentication and permission."""

    hub: Hub
    request: web.Request
    caller: auth.Caller
    body: JSON
    maybe_repository: Repository | None = None

    @property
    def repository(self) -> Repository:
        """Give the repository that the address names."""
        assert self.maybe_repository is not None
        return self.maybe_repository

    @property
    def actor(self) -> User:
        """Give the account that acts."""
        return self.caller.actor

    @property
    def app(self) -> App:
        """Give the App that calls with its JWT, or refuse."""
        if self.caller.app is None:
            raise Refused(401, "A JSON web token could not be decoded")
        return self.caller.app

    def part(self, name: str) -> str:
        """Give a part of the address."""
        return self.request.match_info[name]

    def number(self, name: str) -> int:
        """Give a numeric part of the address."""
        value = self.part(name)
        if not value.isdigit():
            raise not_found()
        return int(value)

    def query(self, name: str, default: str = "") -> str:
        """Give a parameter of the query."""
        return self.request.query.get(name, default)

    def issue(self) -> Issue:
        """Give the issue or pull request that the address names."""
        found = self.repository.issues.get(self.number("number"))
        if found is None:
            raise not_found()
        return found

    def pull(self) -> PullRequest:
        """Give the pull request that the address names."""
        found = self.issue()
        if not isinstance(found, PullRequest):
            raise not_found()
        return found

    def may(self, role: str) -> bool:
        """Tell whether the caller counts as having a role here."""
        if self.caller.kind == "installation":
            return True
        held = self.repository.role(self.actor)
        return held is not None and ROLES.index(held) >= ROLES.index(role)


def answer(
    body: Any, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Answer with JSON."""
    text = json.dumps(body, ensure_ascii=False)
    kind = {"Content-Type": MEDIA}
    return web.Response(text=text, status=status, headers=kind | (headers or {}))


def created(body: Any, location: str) -> web.Response:
    """Answer with a new thing and its address."""
    return answer(body, 201, {"Location": location})


def nothing() -> web.Response:
    """Answer that it is done and there is nothing to say."""
    return web.Response(status=204)


def limits(call: Call) -> tuple[int, int]:
    """Read `page` and `per_page`."""

    def positive(name: str, default: int) -> int:
        value = call.query(name)
        return int(value) if value.isdigit() and int(value) else default

    size = min(positive("per_page", DEFAULT_PAGE), LARGEST_PAGE)
    return positive("page", 1), size


def paged(
    call: Call,
    things: list[Any],
    show: Callable[[Any], Any],
    *,
    inside: str | None = None,
) -> web.Response:
    """Answer with one page of a list, and `Link` to its neighbours."""
    page, size = limits(call)
    shown = [show(one) for one in things[(page - 1) * size : page * size]]
    body: Any = shown
    if inside is not None:
        body = {"total_count": len(things), inside: shown}
    last = max(1, -(-len(things) // size))
    links = link_header(call, page, last)
    return answer(body, headers={"Link": links} if links else None)


def link_header(call: Call, page: int, last: int) -> str:
    """Write the `Link` header of a page."""
    wanted = []
    if page > 1:
        wanted.append(("prev", min(page - 1, last)))
    if page < last:
        wanted += [("next", page + 1), ("last", last)]
    if page > 1:
        wanted.append(("first", 1))
    path = call.request.path
    # On the APIs' own host there is no prefix, and the next page is there, too.
    own_host = f"{call.request.scheme}://{call.request.host}"
    where = f"{call.hub.url if path.startswith(PREFIX) else own_host}{path}"
    query = dict(call.request.query)
    return ", ".join(
        f'<{where}?{urlencode({**query, "page": number})}>; rel="{name}"'
        for name, number in wanted
    )


Handler = Callable[[Call], web.Response]


@dataclass(frozen=True)
class Route:
    """An address, its function, and what a caller needs to get there.

    `needs` are alternatives (`issues:write`); `role` is what a person needs where that
    is not what the permission implies.
    """

    method: str
    path: str
    handler: Handler
    needs: tuple[str, ...] = ()
    role: str | None = None

    def bind(self, hub: Hub, prefix: str) -> web.RouteDef:
        """Make it a route of aiohttp."""

        async def handle(request: web.Request) -> web.StreamResponse:
            call = await self._enter(hub, request)
            return self.handler(call)

        return web.route(self.method, prefix + self.path, handle)

    async def _enter(self, hub: Hub, request: web.Request) -> Call:
        caller = auth.authenticate(hub, request.headers.get("Authorization"))
        repository = None
        if "repo" in request.match_info:
            name = f"{request.match_info['owner']}/{request.match_info['repo']}"
            repository = hub.repository(name)
            if repository is None:
                raise not_found()
            auth.require(hub, caller, repository, self.needs, self.role)
        return Call(hub, request, caller, await json_body(request), repository)


async def json_body(request: web.Request) -> JSON:
    """Read a JSON object, or nothing."""
    raw = await request.read()
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw)
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if isinstance(found, list):
        # Labels and a few others may be sent as a bare list.
        return {"": found}
    if not isinstance(found, dict):
        raise Refused(400, "Body should be a JSON object")
    return found
