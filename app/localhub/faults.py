"""Faults to order: what a client must survive, on the calls that one names.

A fault matches by method, path and GraphQL operation, strikes a number of times, and is
gone. `fail_after_effect` is the ambiguous one: the work is done, the answer is lost.
"""

import asyncio
import re
from typing import Annotated, Literal

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, Field

from localhub.ledger import operation_of


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Match(_Strict):
    """Which calls; what is left out matches everything."""

    method: str | None = None
    path: str | None = None
    """A regular expression, searched in the path."""
    graphql: str | None = None
    """The name of a GraphQL operation."""


class FailAfterEffect(_Strict):
    """Do the work, then answer with an error (or hang up, with status 0), at length."""

    kind: Literal["fail_after_effect"]
    status: int = 502
    seconds: float = 0
    """How long the answer is waited for."""


class Status(_Strict):
    """Answer with an error; nothing is done."""

    kind: Literal["status"]
    status: int
    headers: dict[str, str] = {}
    body: str = '{"message": "Fault ordered"}'


class Delay(_Strict):
    """Wait, then go on."""

    kind: Literal["delay"]
    seconds: float


class Reset(_Strict):
    """Hang up; nothing is done."""

    kind: Literal["reset"]


class Fault(_Strict):
    """One ordered fault."""

    match: Match = Match()
    times: int = 1
    skip: int = 0
    """How many matching calls pass first."""
    do: Annotated[FailAfterEffect | Status | Delay | Reset, Field(discriminator="kind")]


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self.ordered: list[Fault] = []

    async def _take(self, request: web.Request) -> Fault | None:
        for fault in self.ordered:
            if not await _matches(fault.match, request):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self.ordered.remove(fault)
            return fault
        return None

    @web.middleware
    async def around(
        self, request: web.Request, handler: Handler
    ) -> web.StreamResponse:
        """Let a request through, or strike."""
        ours = request.path.startswith("/_localhub")
        fault = None if ours or not self.ordered else await self._take(request)
        if fault is None:
            return await handler(request)
        match fault.do:
            case Delay(seconds=seconds):
                await asyncio.sleep(seconds)
                return await handler(request)
            case Status(status=status, headers=headers, body=body):
                kind = {"Content-Type": "application/json; charset=utf-8"}
                return web.Response(status=status, headers=kind | headers, text=body)
            case FailAfterEffect(status=status, seconds=seconds):
                await handler(request)
                await asyncio.sleep(seconds)
                if status:
                    return web.json_response({"message": "Server Error"}, status=status)
                return _hang_up(request)
            case Reset():
                return _hang_up(request)


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=502)


async def _matches(match: Match, request: web.Request) -> bool:
    if match.method is not None and match.method.upper() != request.method:
        return False
    if match.path is not None and not re.search(match.path, request.path):
        return False
    if match.graphql is None:
        return True
    if not request.path.endswith("/graphql"):
        return False
    try:
        asked = await request.json()
        return match.graphql in (
            asked.get("operationName"),
            operation_of(asked["query"])[1],
        )
    except (ValueError, KeyError, AttributeError):
        return False


FAULTS = web.AppKey("faults", Faults)
