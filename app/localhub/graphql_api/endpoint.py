"""The HTTP side of GraphQL: nearly all is a 200 with `data`, `errors` or both."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from aiohttp import web
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    execute_sync,
    get_operation_ast,
    get_variable_values,
    parse,
    validate,
)

from localhub import auth
from localhub.errors import Refused
from localhub.graphql_api.call import Call, Problem
from localhub.graphql_api.limits import Estimate, estimate
from localhub.graphql_api.wiring import default, schema
from localhub.state import Hub, stamp

POINTS = 5000
_TWO = "because they return conflicting types"
_KINDS = {401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "NOT_FOUND"}


@dataclass
class _Window:
    """The points that one caller used in an hour."""

    ends: datetime
    used: int = 0


class Endpoint:
    """Answers GraphQL requests to one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._windows: dict[str, _Window] = {}

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one request."""
        try:
            caller = auth.authenticate(self._hub, request.headers.get("Authorization"))
        except Refused as refused:
            return _plain(refused.status, refused.message)
        if caller.user is None:
            return _plain(401, "This endpoint requires you to be authenticated.")
        try:
            asked = json.loads(await request.read())
            query = asked["query"]
        except (ValueError, KeyError, TypeError):
            return _plain(400, "Problems parsing JSON")
        if not isinstance(query, str):
            return _failed("A query attribute must be specified and must be a string.")
        variables = asked.get("variables") or {}
        return self._query(caller, query, variables, asked.get("operationName"))

    def _query(
        self,
        caller: auth.Caller,
        query: str,
        variables: dict[str, Any],
        name: str | None,
    ) -> web.Response:
        built = schema()
        try:
            document, wrong = _read(query)
        except GraphQLError as error:
            return _errors([_shown(error)])
        if wrong:
            return _errors([_shown(error) for error in wrong])
        operation = get_operation_ast(document, name)
        if operation is None:
            return _failed("An operation name is required")
        try:
            weight = _weigh(built, document, operation, variables)
        except Problem as problem:
            return _errors([{"type": problem.kind, "message": str(problem)}])
        rate = self._spend(caller, weight)
        if rate["remaining"] < 0:
            limited = f"API rate limit exceeded for {caller.name}."
            entry = {"type": "RATE_LIMITED", "message": limited}
            return _errors([entry], _headers({**rate, "remaining": 0}))
        result = execute_sync(
            built,
            document,
            context_value=Call(self._hub, caller, rate),
            variable_values=variables,
            operation_name=name,
            field_resolver=default,
        )
        body: dict[str, Any] = {"data": result.data}
        if result.errors:
            body["errors"] = [_shown(error) for error in result.errors]
        return web.json_response(body, headers=_headers(rate))

    def _spend(self, caller: auth.Caller, weight: Estimate) -> dict[str, Any]:
        now = self._hub.clock()
        window = self._windows.get(caller.name)
        if window is None or window.ends <= now:
            window = _Window(now + timedelta(hours=1))
            self._windows[caller.name] = window
        window.used += weight.cost
        return {
            "cost": weight.cost,
            "limit": POINTS,
            "nodeCount": weight.nodes,
            "remaining": POINTS - window.used,
            "resetAt": stamp(window.ends),
            "reset": int(window.ends.timestamp()),
            "used": window.used,
        }


@lru_cache(maxsize=256)
def _read(query: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """A document and its faults; programs send few of them, again and again."""
    document = parse(query, max_tokens=20_000)
    # GitHub lets a field have two types on two kinds that exclude each other.
    wrong = (one for one in validate(schema(), document) if _TWO not in one.message)
    return document, tuple(wrong)


def _weigh(
    built: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    variables: dict[str, Any],
) -> Estimate:
    definitions = operation.variable_definitions or ()
    coerced = get_variable_values(built, definitions, variables)
    if isinstance(coerced, list):
        return Estimate()
    return estimate(built, document, operation, coerced)


def _shown(error: GraphQLError) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    original = error.original_error
    if isinstance(original, Problem):
        entry["type"] = original.kind
    elif isinstance(original, Refused):
        entry["type"] = _KINDS.get(original.status, "UNPROCESSABLE")
    elif original is not None and not isinstance(original, GraphQLError):
        raise original
    if error.path is not None:
        entry["path"] = error.path
    locations = error.locations or []
    entry["locations"] = [{"line": at.line, "column": at.column} for at in locations]
    entry["message"] = _words(original) if original else error.message
    return entry


def _words(original: Exception) -> str:
    problems = getattr(original, "errors", None) or []
    said = [one["message"] for one in problems if "message" in one]
    return " ".join(said) or str(original)


def _headers(rate: dict[str, Any]) -> dict[str, str]:
    names = ("limit", "remaining", "reset", "used")
    numbers = {f"X-RateLimit-{name.title()}": str(rate[name]) for name in names}
    return {**numbers, "X-RateLimit-Resource": "graphql"}


def _plain(status: int, message: str) -> web.Response:
    return web.json_response({"message": message, "status": str(status)}, status=status)


def _failed(message: str) -> web.Response:
    return _errors([{"message": message}])


def _errors(
    entries: list[dict[str, Any]], headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response({"errors": entries}, headers=headers)
