"""What GitHub's HTTP answers mean, in our errors.

Decided from status, headers and body alone; nothing is sent from here.
Source: docs.github.com, "Rate limits for the REST API", "Rate limits and query
limits for the GraphQL API".
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from vibeboard.errors import GitHubRefused, GitHubUnavailable, VibeboardError

# GitHub's advice where a limit names no time.
_WITHOUT_ADVICE = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_MESSAGE = 500

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], data: Any) -> Model:
    """``data`` as ``model``; an answer that lacks what it must have is no answer."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        message = f"GitHub's answer has no usable {place or model.__name__}"
        raise GitHubUnavailable(message) from None


@dataclass(frozen=True)
class Limit:
    """GitHub wants to hear nothing for a while.

    A ``primary`` limit is one of REST or of GraphQL, a secondary one of both. Without
    advice of GitHub's own, ``after`` is what it asks for at least.
    """

    message: str
    after: timedelta
    primary: bool = False
    advised: bool = True


def suspended(refusal: GitHubRefused) -> bool:
    """Whether GitHub refuses because the installation is suspended."""
    forbidden = refusal.status_code == HTTPStatus.FORBIDDEN
    return forbidden and "has been suspended" in str(refusal)


def fault_of(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime
) -> VibeboardError | Limit | None:
    """What is wrong with an answer, or None if it is one to use."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return GitHubUnavailable(f"GitHub answered {status}")
    if status >= HTTPStatus.BAD_REQUEST:
        message = _message(body) or f"GitHub answered {status}"
        limit = _limit(status, headers, message, now)
        return limit or GitHubRefused(message, status_code=status)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        return GitHubRefused("an unexpected redirect", status_code=status)
    if body and not _is_json(headers, body):
        # Proxies answer 200 with a page of their own, and connections end early.
        return GitHubUnavailable("GitHub's answer is not whole JSON")
    return None


def _is_json(headers: Mapping[str, str], body: bytes) -> bool:
    if "json" not in headers.get("content-type", ""):
        return False
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _message(body: bytes) -> str:
    """GitHub's own words, with the details that a 422 hides in ``errors``."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    parts = [data.get("message")]
    errors = data.get("errors")
    for error in errors if isinstance(errors, list) else [errors]:
        if isinstance(error, dict):
            parts.append(error.get("message") or _field(error))
        else:
            parts.append(error)
    words = ": ".join(part for part in parts if isinstance(part, str) and part)
    return words[:_LONGEST_MESSAGE]


def _field(error: Mapping[str, Any]) -> str:
    return " ".join(str(error[key]) for key in ("field", "code") if key in error)


def _limit(
    status: int, headers: Mapping[str, str], message: str, now: datetime
) -> Limit | None:
    """How long to wait if this is a rate limit, in the order GitHub gives."""
    if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    named = _named(headers, message, now)
    if named is not None:
        return named
    if status == HTTPStatus.TOO_MANY_REQUESTS or _speaks_of_limits(message):
        return Limit(message, _WITHOUT_ADVICE, advised=False)
    return None


def _named(headers: Mapping[str, str], message: str, now: datetime) -> Limit | None:
    """The limit whose end is in the headers."""
    if (after := headers.get("retry-after")) is not None:
        seconds = _number(after)
        return Limit(message, _bounded(seconds), advised=seconds is not None)
    if headers.get("x-ratelimit-remaining") == "0":
        return Limit(message, until_reset(headers, now), primary=True)
    return None


def _speaks_of_limits(message: str) -> bool:
    words = message.lower()
    return "rate limit" in words or "abuse detection" in words


def until_reset(headers: Mapping[str, str], now: datetime) -> timedelta:
    """How long until the primary limit is lifted."""
    reset = _number(headers.get("x-ratelimit-reset", ""))
    # A second more: GitHub's clock ticks in whole ones.
    return _bounded(reset - now.timestamp() + 1 if reset is not None else None)


def _number(text: str) -> float | None:
    return float(text) if text.strip().isdecimal() else None


def _bounded(seconds: float | None) -> timedelta:
    if seconds is None:
        return _WITHOUT_ADVICE
    wait = timedelta(seconds=min(seconds, _LONGEST_WAIT.total_seconds()))
    return max(wait, timedelta(seconds=1))


class GraphQLError(BaseModel):
    """One error of a GraphQL answer; ``path`` says where the data has a hole."""

    type: str = ""
    message: str = ""
    path: list[str | int] | None = None


class GraphQLAnswer(BaseModel):
    """What every GraphQL request answers."""

    data: dict[str, Any] | None = None
    errors: list[GraphQLError] | None = None


Tolerance = Callable[[GraphQLError], bool]


def nothing(error: GraphQLError) -> bool:
    """Every error is one."""
    del error
    return False


def absence(error: GraphQLError) -> bool:
    """What was asked for may be missing: its place in the data is null."""
    return error.type == "NOT_FOUND"


def graphql_fault(
    errors: Sequence[GraphQLError],
    headers: Mapping[str, str],
    *,
    tolerated: Tolerance,
    now: datetime,
) -> VibeboardError | Limit | None:
    """What is wrong with a GraphQL answer (status 200); a limit above all."""
    for error in errors:
        if error.type.startswith("RATE_LIMIT") or _speaks_of_limits(error.message):
            message = error.message[:_LONGEST_MESSAGE]
            unnamed = Limit(message, _WITHOUT_ADVICE, advised=False)
            return _named(headers, message, now) or unnamed
    for error in errors:
        if tolerated(error):
            continue
        message = error.message[:_LONGEST_MESSAGE] or "GitHub cannot answer a query"
        if error.type in _STATUS_OF:
            return GitHubRefused(message, status_code=_STATUS_OF[error.type])
        if not error.type and "went wrong" in message:
            return GitHubUnavailable(message)
        return GitHubRefused(message, status_code=HTTPStatus.BAD_REQUEST)
    return None


class _Points(BaseModel):
    cost: int = 0


def points_of(data: Mapping[str, Any]) -> int:
    """What a GraphQL document cost, if it asked for ``rateLimit``; else one point."""
    try:
        return _Points.model_validate(data.get("rateLimit")).cost
    except ValidationError:
        return 1


_STATUS_OF = {
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "FORBIDDEN": HTTPStatus.FORBIDDEN,
    "INSUFFICIENT_SCOPES": HTTPStatus.FORBIDDEN,
    "UNPROCESSABLE": HTTPStatus.UNPROCESSABLE_ENTITY,
}
