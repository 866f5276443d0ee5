"""What every answer of GitHub's APIs has: limits, ids, versions, ETags, error bodies.

Recording and the ledger sit here too, because they concern every call alike.
"""

import hashlib
import json
import secrets
from datetime import datetime, timedelta
from email.utils import format_datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from localhub import auth
from localhub.errors import Refused
from localhub.ledger import Entry, operation_of
from localhub.recorder import Recorder
from localhub.rest.call import PREFIX, answer
from localhub.state import Hub

HOURLY = 5000
DEFAULT_VERSION = "2022-11-28"
VERSIONS = (DEFAULT_VERSION, "2026-03-10")
READS = ("GET", "HEAD", "OPTIONS")
DOCUMENTATION = "https://docs.github.com/rest"


def refusal(no: Refused) -> web.Response:
    """Write GitHub's error body."""
    body: dict[str, object] = {"message": no.message}
    if no.errors is not None:
        body["errors"] = no.errors
    body |= {"documentation_url": DOCUMENTATION, "status": str(no.status)}
    return answer(body, no.status, no.headers)


class _Window:
    def __init__(self, ends: datetime) -> None:
        self.ends = ends
        self.used = 0


class Standards:
    """The middlewares of one hub."""

    def __init__(
        self, hub: Hub, recorder: Recorder, ledger: list[Entry], hourly: int = HOURLY
    ) -> None:
        self._hub = hub
        self._recorder = recorder
        self._ledger = ledger
        self._hourly = hourly
        self._windows: dict[str, _Window] = {}

    def _kind(self, request: web.Request) -> str:
        if request.path in ("/api/graphql", "/graphql"):
            return "graphql"
        api = request.path.startswith(f"{PREFIX}/") or request.host.startswith("api.")
        return "rest" if api else "page"

    @web.middleware
    async def recording(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Record the call, and enter what it changed into the ledger."""
        kind = self._kind(request)
        if kind == "page":
            return await handler(request)
        body = await request.read()
        response = await handler(request)
        if isinstance(response, web.Response):
            self._recorder.call(kind, request, body, response)
        self._enter(kind, request, body, response.status)
        return response

    def _enter(self, kind: str, request: web.Request, body: bytes, status: int) -> None:
        operation = None
        if kind == "graphql":
            try:
                operation_kind, operation = operation_of(json.loads(body)["query"])
            except (ValueError, KeyError, TypeError):
                return
            if operation_kind != "mutation":
                return
        elif request.method in READS:
            return
        if status >= 400:  # noqa: PLR2004  (refused: no effect)
            return
        caller = self._caller(request)
        resource = request.match_info.route.resource
        route = resource.canonical.removeprefix(PREFIX) if resource else request.path
        self._ledger.append(
            Entry(
                at=self._hub.now(),
                kind=caller.kind,
                login=caller.name,
                method=request.method,
                path=request.path.removeprefix(PREFIX),
                operation=operation,
                status=status,
                effect=operation or f"{request.method} {route}",
            )
        )

    def _caller(self, request: web.Request) -> auth.Caller:
        try:
            header = request.headers.get("Authorization")
            return auth.authenticate(self._hub, header)
        except Refused:
            return auth.Caller()

    @web.middleware
    async def answering(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Give an API's answer what all of them have; turn refusals into answers."""
        kind = self._kind(request)
        if kind == "page":
            return await self._plain(request, handler)
        version = request.headers.get("X-GitHub-Api-Version", DEFAULT_VERSION)
        window = self._window(request)
        try:
            self._check(request, version, window, kind)
            response = await handler(request)
        except Refused as no:
            response = refusal(no)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            response = refusal(Refused(404, "Not Found"))
        free = kind == "graphql" or request.path == f"{PREFIX}/rate_limit"
        if isinstance(response, web.Response):
            response = _conditional(request, response)
            free = free or response.status == 304  # noqa: PLR2004 - HTTP's number
        if not free:
            window.used += 1
        response.headers.setdefault("X-GitHub-Media-Type", "github.v3; format=json")
        response.headers["Date"] = format_datetime(self._hub.clock(), usegmt=True)
        response.headers["X-GitHub-Request-Id"] = secrets.token_hex(8).upper()
        response.headers["X-GitHub-Api-Version-Selected"] = version
        if kind == "rest":
            response.headers.update(self._limit_headers(window))
        return response

    async def _plain(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as no:
            return web.Response(
                text=f"{no.message}\n", status=no.status, headers=no.headers
            )

    def _window(self, request: web.Request) -> _Window:
        name = self._caller(request).name
        now = self._hub.clock()
        window = self._windows.get(name)
        if window is None or window.ends <= now:
            window = self._windows[name] = _Window(now + timedelta(hours=1))
        return window

    def _check(
        self, request: web.Request, version: str, window: _Window, kind: str
    ) -> None:
        if version not in VERSIONS:
            raise Refused(400, f"{version!r} is not a supported version")
        spent = window.used >= self._hourly and kind == "rest"
        if spent and request.path != f"{PREFIX}/rate_limit":
            raise Refused(403, "API rate limit exceeded")

    def _limit_headers(self, window: _Window) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self._hourly),
            "X-RateLimit-Remaining": str(max(0, self._hourly - window.used)),
            "X-RateLimit-Used": str(window.used),
            "X-RateLimit-Reset": str(int(window.ends.timestamp())),
            "X-RateLimit-Resource": "core",
        }

    async def rate_limit(self, request: web.Request) -> web.Response:
        """Tell what is left, free of charge."""
        window = self._window(request)
        core = {
            "limit": self._hourly,
            "used": window.used,
            "remaining": max(0, self._hourly - window.used),
            "reset": int(window.ends.timestamp()),
        }
        resources = {"core": core, "search": core, "graphql": core}
        return answer({"resources": resources, "rate": core})


def _conditional(request: web.Request, response: web.Response) -> web.Response:
    body = response.body
    if request.method != "GET" or response.status != 200:  # noqa: PLR2004 - HTTP's number
        return response
    if not isinstance(body, bytes):
        return response
    tag = f'W/"{hashlib.sha256(body).hexdigest()}"'
    if request.headers.get("If-None-Match") == tag:
        response = web.Response(status=304)
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, max-age=60, s-maxage=60"
    return response
