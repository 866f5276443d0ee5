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

from vibeboard.errors import SettingsInvalid
from vibeboard.settings import read_settings

_HTTP_OK = range(200, 300)


def run_replay(file: Path, *, url: str, event: str, same: bool) -> int:
    """Send it and say what the server answered; 0 if it was kept."""
    settings = read_settings()
    recorded = _recorded(file)
    headers = {k.lower(): v for k, v in recorded.get("headers", {}).items()}
    event = event or recorded.get("event") or headers.get("x-github-event", "")
    payload = recorded.get("payload", recorded)
    if not event:
        message = f"{file} does not say its event; name it with --event"
        raise SettingsInvalid(message)
    guid = str(uuid.uuid4())
    if same:
        guid = recorded.get("guid") or headers.get("x-github-delivery") or guid
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
                "X-GitHub-Hook-ID": headers.get("x-github-hook-id", "replay"),
                "X-Hub-Signature-256": f"sha256={digest}",
            },
        )
    )
    typer.echo(f"{target} answered {status}: {answer.strip()}")
    return 0 if status in _HTTP_OK else 1


def _recorded(file: Path) -> dict[str, Any]:
    try:
        recorded = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        message = f"cannot read {file} as a JSON delivery: {error}"
        raise SettingsInvalid(message) from error
    if not isinstance(recorded, dict):
        message = f"{file} is not a delivery: a JSON object is needed"
        raise SettingsInvalid(message)
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
