"""What every page shares: templates, the acting person, and the door for forms.

A visitor needs no login: localhub binds the loopback and is a toy. A form from another
site is refused all the same, because a browser reaches the loopback from any page.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from localhub.errors import Refused, not_found
from localhub.pages import filters
from localhub.state import Hub, Issue, Organization, PullRequest, Repository, User

_HOME = Path(__file__).parents[1]
STATIC = _HOME / "static"
ACTING = "localhub_acting"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site:
    """Renders pages of one hub for the person that a visitor acts as."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._environment = Environment(
            loader=FileSystemLoader(_HOME / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters.install(self._environment, hub)

    def people(self) -> list[User]:
        """List whom a visitor may act as."""
        return [one for one in self.hub.users.values() if one.type == "User"]

    def acting(self, request: web.Request) -> User:
        """Tell whom a visitor acts as: the first account unless they chose."""
        chosen = self.hub.user(request.cookies.get(ACTING, ""))
        people = self.people()
        if chosen in people and chosen is not None:
            return chosen
        if not people:
            raise Refused(404, "This hub has no person yet; seed one.")
        return people[0]

    def page(
        self, request: web.Request, template: str, *, status: int = 200, **values: Any
    ) -> web.Response:
        """Answer with a whole page."""
        html = self.fragment(
            template,
            acting=self.acting(request),
            people=self.people(),
            boards=self.hub.projects,
            path=request.path,
            **values,
        )
        return tagged(request, html, status)

    def fragment(self, template: str, **values: Any) -> str:
        """Render a template."""
        return self._environment.get_template(template).render(**values)

    def seen(self, handler: Handler) -> Handler:
        """Show a refusal as a page."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Refused as refused:
                return self._refusal(request, refused)

        return answer

    def form(self, handler: Handler) -> Handler:
        """Accept a form, unless another site sent it."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if not _same_origin(request):
                raise Refused(403, "This form was sent by another site.")
            return await handler(request)

        return self.seen(answer)

    def _refusal(self, request: web.Request, refused: Refused) -> web.Response:
        problems = [one.get("message", "") for one in refused.errors or []]
        reason = " ".join(filter(None, [refused.message, *problems]))
        if not self.people():
            return web.Response(text=reason, status=refused.status, headers=HEADERS)
        return self.page(
            request,
            "refused.html",
            status=refused.status,
            reason=reason,
        )

    def repository(self, request: web.Request) -> Repository:
        """Find the repository that a path names, if the acting person may see it."""
        named = request.match_info
        found = self.hub.repository(f"{named['owner']}/{named['repository']}")
        if found is None:
            raise not_found()
        if found.private and found.role(self.acting(request)) is None:
            raise not_found()
        return found

    def issue(self, request: web.Request) -> Issue:
        """Find the issue or pull request that a path names."""
        issue = self.repository(request).issues.get(int(request.match_info["number"]))
        if issue is None:
            raise not_found()
        return issue

    def pull(self, request: web.Request) -> PullRequest:
        """Find the pull request that a path names."""
        issue = self.issue(request)
        if not isinstance(issue, PullRequest):
            raise not_found()
        return issue


def tagged(request: web.Request, html: str, status: int = 200) -> web.Response:
    """Answer with HTML, or 304 to who has the same already."""
    tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": tag}
    if status == 200 and request.headers.get("If-None-Match") == tag:  # noqa: PLR2004 - HTTP's own number
        return web.Response(status=304, headers=headers)
    return web.Response(
        text=html, content_type="text/html", status=status, headers=headers
    )


def _same_origin(request: web.Request) -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def see_other(location: str) -> web.Response:
    """Send the browser on after a form; never to another site."""
    local = location.startswith("/") and not location.startswith(("//", "/\\"))
    headers = {**HEADERS, "Location": location if local else "/"}
    return web.Response(status=303, headers=headers)


async def fields(request: web.Request) -> Mapping[str, str]:
    """Read a form's text fields."""
    posted = await request.post()
    return {name: one for name, one in posted.items() if isinstance(one, str)}


def is_member(owner: User, person: User) -> bool:
    """Tell whether somebody belongs to the owner of a board."""
    if isinstance(owner, Organization):
        return person.login in owner.members
    return owner is person
