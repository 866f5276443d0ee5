"""``vibeboard replay``: a recorded delivery goes the real way once more."""

import asyncio
import hashlib
import hmac
import json
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import typer
from pydantic import BaseModel, Field, ValidationError

from vibeboard.errors import SettingsInvalid
from vibeboard.settings import read_settings

_HTTP_OK = range(200, 300)


class _Request(BaseModel):
    headers: dict[str, str] = Field(default_factory=dict)
    payload: dict[str, Any] | None = None


class _Recorded(_Request):
    """A delivery somebody kept, or as GitHub's own list of deliveries tells it."""

    event: str = ""
    guid: str = ""
    request: _Request = Field(default_factory=_Request)

    def header(self, name: str) -> str:
        given = {**self.request.headers, **self.headers}
        return {k.lower(): v for k, v in given.items()}.get(name, "")


def run_replay(file: Path, *, url: str, event: str, same: bool) -> int:
    """Send it and say what the server answered; 0 if it was kept."""
    settings = read_settings()
    recorded = _recorded(file)
    event = event or recorded.event or recorded.header("x-github-event")
    if not event:
        message = f"{file} does not say its event; name it with --event"
        raise SettingsInvalid(message)
    guid = recorded.guid or recorded.header("x-github-delivery")
    if not (same and guid):
        guid = str(uuid.uuid4())
    payload = recorded.payload
    body = json.dumps(payload).encode()
    secret = settings.webhook_secrets()[0]
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    target = url or f"http://{settings.host}:{settings.port}/webhook"
    status, answer = asyncio.run(
        _send(
            target,
            body,
            {
                "Content-Type": "application/json",
                "X-GitHub-Event": event,
                "X-GitHub-Delivery": guid,
                "X-GitHub-Hook-ID": recorded.header("x-github-hook-id") or "replay",
                "X-Hub-Signature-256": f"sha256={digest}",
            },
        )
    )
    typer.echo(f"{target} answered {status}: {answer.strip()}")
    return 0 if status in _HTTP_OK else 1


def _recorded(file: Path) -> _Recorded:
    """The delivery; a file that has no ``payload`` is one."""
    try:
        read = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        message = f"cannot read {file} as a JSON delivery: {error}"
        raise SettingsInvalid(message) from error
    if not isinstance(read, dict):
        message = f"{file} is not a delivery: a JSON object is needed"
        raise SettingsInvalid(message)
    try:
        recorded = _Recorded.model_validate(read)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        message = f"{file} is not a delivery: {where}: {fault['msg']}"
        raise SettingsInvalid(message) from error
    if recorded.payload is None:
        recorded.payload = recorded.request.payload or read
    return recorded


async def _send(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.post(url, data=body, headers=headers) as response:
                return response.status, await response.text()
        except aiohttp.ClientConnectionError as error:
            message = f"nobody answers at {url}: {error}"
            raise SettingsInvalid(message) from error
