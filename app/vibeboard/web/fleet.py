"""``POST /actions/runs/…``: what the fleet's machines ask while they carry out a run.

Who calls is proved first; nothing of a stranger's body is read.
"""

import json
import logging
from http import HTTPStatus
from typing import Any

from aiohttp import web

from vibeboard.engine.guard import Forbidden
from vibeboard.engine.lender import Lender
from vibeboard.engine.wire import PORTS, Malformed, dump_error
from vibeboard.errors import (
    AppAbsent,
    Fenced,
    GitHubRefused,
    NotProved,
    RetryLater,
    UserError,
)

log = logging.getLogger(__name__)

PATH = "/actions/runs/{run}/{port}/{method}"

_STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (NotProved, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (Malformed, HTTPStatus.BAD_REQUEST),
    (KeyError, HTTPStatus.NOT_FOUND),
    (Fenced, HTTPStatus.CONFLICT),
    (RetryLater, HTTPStatus.SERVICE_UNAVAILABLE),
    (UserError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (AppAbsent, HTTPStatus.UNPROCESSABLE_ENTITY),
    (GitHubRefused, HTTPStatus.BAD_GATEWAY),
)
_NOBODY = "this server gives no runs away: its operator has not set its public address"


class FleetCalls:
    """Answers machines; without a ``lender`` there are none."""

    def __init__(self, lender: Lender | None) -> None:
        self._lender = lender

    async def receive(self, request: web.Request) -> web.Response:
        """One call on one method of a port."""
        if self._lender is None:
            return _told(KeyError(_NOBODY))
        try:
            answer = await self._answer(self._lender, request)
        except Exception as error:
            if not isinstance(error, tuple(kind for kind, _ in _STATUSES)):
                log.exception("a call of the fleet broke")
            elif isinstance(error, Forbidden | Malformed):
                # Strangers prove nothing, and must not fill the log.
                log.warning("a call was refused", extra={"why": str(error)})
            return _told(error)
        return web.json_response(answer)

    async def _answer(self, lender: Lender, request: web.Request) -> Any:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        caller = await lender.prove(token if scheme.casefold() == "bearer" else "")
        run, port, method = (
            request.match_info[part] for part in ("run", "port", "method")
        )
        if port not in PORTS or method not in PORTS[port].methods:
            raise KeyError(f"{port}.{method}")
        try:
            arguments = json.loads(await request.read())
        except ValueError:
            message = f"{port}.{method}: the body is not JSON"
            raise Malformed(message) from None
        return await lender.answer(caller, run, port, method, arguments)


def _told(error: Exception) -> web.Response:
    status = next(
        (status for kind, status in _STATUSES if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response(
        {"error": dump_error(error)}, status=status, headers=headers
    )
