"""What the local GitHub recorded: calls and webhooks, read back from its files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ADMIN = "/_localhub"


@dataclass(frozen=True)
class Call:
    """A REST or GraphQL call with its answer."""

    kind: str
    method: str
    route: str
    url: str
    headers: dict[str, str]
    query: tuple[tuple[str, str], ...]
    body: str
    status: int
    answered: dict[str, str]
    answer: str

    @property
    def name(self) -> str:
        return f"{self.method} {self.route}"

    @property
    def ours(self) -> bool:
        """Whether the product made it, and not a test."""
        return self.headers.get("User-Agent", "").startswith("Vibeboard")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path.removeprefix("/api/v3") or "/"

    @cached_property
    def document(self) -> str:
        """The GraphQL document that was sent."""
        return str(json.loads(self.body)["query"])

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the GraphQL document."""
        return json.loads(self.body).get("variables") or {}

    @property
    def failed(self) -> bool:
        """Whether GitHub refused; GraphQL does so with status 200."""
        refused = self.kind == "graphql" and "errors" in json.loads(self.answer)
        return self.status >= 400 or refused


@dataclass(frozen=True)
class Webhook:
    """A delivery as it was sent."""

    event: str
    action: str | None
    headers: dict[str, str]
    body: str

    @property
    def name(self) -> str:
        return f"{self.event}.{self.action}" if self.action else self.event

    @property
    def payload(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass(frozen=True, repr=False)
class Records:
    """Everything that was recorded in a folder."""

    rest: list[Call]
    graphql: list[Call]
    webhooks: list[Webhook]


def _lines(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("localhub-*.jsonl")):
        with file.open(encoding="utf-8") as lines:
            # A program that was killed leaves half a line at most, the last one.
            yield from (json.loads(line) for line in lines if line.endswith("\n"))


def _call(line: dict[str, Any]) -> Call:
    return Call(
        kind=line["kind"],
        method=line["method"],
        route=line["path"],
        url=line["url"],
        headers=line["headers"],
        query=tuple((name, value) for name, value in line["query"]),
        body=line["body"],
        status=line["status"],
        answered=line["response_headers"],
        answer=line["response_body"] or "",
    )


def distinct(folder: Path) -> Records:
    """Read a folder's recordings: they are many and alike, so one of each shape."""
    rest: dict[object, Call] = {}
    graphql: dict[object, Call] = {}
    webhooks: dict[object, Webhook] = {}
    for line in _lines(folder):
        if line["kind"] == "webhook":
            one = Webhook(line["event"], line["action"], line["headers"], line["body"])
            webhooks.setdefault((one.name, shape(one.payload)), one)
        elif line["kind"] == "rest":
            call = _call(line)
            rest.setdefault(_kind(call), call)
        else:
            call = _call(line)
            kind = (call.document, shape(call.variables), call.failed, *_by_whom(call))
            graphql.setdefault(kind, call)
    return Records(list(rest.values()), list(graphql.values()), list(webhooks.values()))


def _by_whom(call: Call) -> tuple[object, ...]:
    return call.ours, call.headers.get("X-GitHub-Api-Version")


def _kind(call: Call) -> tuple[object, ...]:
    return (
        call.name,
        call.status,
        tuple(sorted(name for name, _ in call.query)),
        call.headers.get("Accept"),
        *_by_whom(call),
        shape_of(call.body),
        shape_of(call.answer),
    )


# Fields of few words each: one word may be described and another not.
_WORDED = frozenset(
    [
        "action",
        "annotation_level",
        "author_association",
        "conclusion",
        "content",
        "encoding",
        "event",
        "permission",
        "reason",
        "role_name",
        "side",
        "start_side",
        "state",
        "state_reason",
        "status",
        "subject_type",
        "target_type",
        "type",
        "visibility",
    ]
)
_LONG = 60_000


def shape(value: Any, key: str = "") -> Any:
    """What a JSON value is made of, so that equals need to be checked only once."""
    match value:
        case dict():
            return frozenset((name, shape(one, name)) for name, one in value.items())
        case list():
            return ("list", frozenset(shape(one) for one in value))
        case str() if key in _WORDED or len(value) > _LONG:
            return value
        case _:
            return type(value).__name__


def shape_of(text: str) -> Any:
    """The shape of a body; what is no JSON is its own."""
    try:
        return shape(json.loads(text))
    except ValueError:
        return text
