"""The effect ledger: every change that somebody made, by whom and through what."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from aiohttp import web

from localhub.auth import Caller
from localhub.state import Hub, Stamp

_OPERATION = re.compile(r"\b(query|mutation|subscription)\b\s*(\w*)")


@dataclass(frozen=True)
class Entry:
    """One change; `effect` says what a REST route, mutation or push did."""

    at: Stamp
    kind: str
    """Credentials: user, installation, app, anonymous."""
    login: str
    method: str
    path: str
    operation: str | None
    status: int
    effect: Any

    @classmethod
    def of_push(
        cls, hub: Hub, caller: Caller, request: web.Request, moved: list[str]
    ) -> "Entry":
        """Describe a push."""
        return cls(
            hub.now(),
            caller.kind,
            caller.name,
            request.method,
            request.path,
            None,
            200,
            {"refs": moved},
        )

    def as_json(self) -> dict[str, Any]:
        """Give the entry as JSON."""
        return asdict(self)


def operation_of(document: str) -> tuple[str, str]:
    """Find kind and name of a GraphQL document's operation (comments left out)."""
    plain = re.sub(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"', "", document)
    found = _OPERATION.search(plain)
    return (found[1], found[2]) if found else ("query", "")


LEDGER = web.AppKey("ledger", list[Entry])
