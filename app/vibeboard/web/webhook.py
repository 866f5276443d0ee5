"""``POST /webhook``: verified, stored durably, and only then answered 202.

No work happens before the answer, and GitHub is not called here. See GitHub's
"Validating webhook deliveries" and "Best practices for using webhooks".
"""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from vibeboard.engine.ports import OWN_HOOK, Deliveries, Kept

log = logging.getLogger(__name__)

LARGEST = 25 * 1024 * 1024  # GitHub sends no larger payload
_READ_DEADLINE = 8.0  # seconds; GitHub hangs up after ten
_NAMES = ("X-GitHub-Event", "X-GitHub-Delivery", "X-GitHub-Hook-ID")
_ONCE = (*_NAMES, "X-Hub-Signature-256")
_KEPT = (*_ONCE, "X-GitHub-Hook-Installation-Target-ID")
_LONGEST_NAME = 64

Verify = Callable[[bytes, str | None, Sequence[bytes]], bool]


class Webhook:
    """Takes deliveries in."""

    def __init__(
        self,
        deliveries: Deliveries,
        verify: Verify,
        secrets: Sequence[bytes],
        *,
        read_deadline: float = _READ_DEADLINE,
    ) -> None:
        self._deliveries = deliveries
        self._verify = verify
        self._secrets = secrets
        self._read_deadline = read_deadline

    async def receive(self, request: web.Request) -> web.Response:
        """Answer 202 once stored, 200 for a duplicate, 4xx for what is not GitHub's."""
        for name in _ONCE:
            if len(request.headers.getall(name, ())) > 1:
                return _no(400, f"{name} is given twice")
        if request.headers.get("Content-Encoding"):
            return _no(415, "content encodings are not accepted")
        if (request.content_length or 0) > LARGEST:
            return _no(413, "larger than GitHub's 25 MB")
        try:
            async with asyncio.timeout(self._read_deadline):
                body = await _read(request)
        except TimeoutError:
            return _no(408, "the body did not arrive in time")
        if body is None:
            return _no(413, "larger than GitHub's 25 MB")
        signature = request.headers.get("X-Hub-Signature-256")
        if not self._verify(body, signature, self._secrets):
            return _no(401, "the signature does not fit the body")
        for name in _NAMES:
            if not _is_name(request.headers.get(name, "")):
                return _no(400, f"{name} is missing or is no name")
        if request.headers["X-GitHub-Hook-ID"] == OWN_HOOK:
            return _no(400, "X-GitHub-Hook-ID is not GitHub's")
        return await self._keep(request, body)

    async def _keep(self, request: web.Request, body: bytes) -> web.Response:
        event, guid, hook = (request.headers[name] for name in _NAMES)
        keeping = self._deliveries.keep(
            hook=hook,
            guid=guid,
            event=event,
            headers={n: request.headers[n] for n in _KEPT if n in request.headers},
            body=body,
            partition=_account(body),
        )
        # Whoever hangs up now must not leave a half-stored delivery behind.
        try:
            kept = await asyncio.shield(keeping)
        except Exception:
            log.exception("delivery not stored", extra={"delivery": guid})
            return _no(503, "cannot store the delivery now; send it again")
        log.info(
            "delivery", extra={"delivery": guid, "kind": event, "kept": kept.value}
        )
        if kept is Kept.CONFLICT:
            log.warning("same delivery, other body", extra={"delivery": guid})
        status = 202 if kept is Kept.NEW else 200
        return web.json_response({"delivery": guid, "kept": kept.value}, status=status)


async def _read(request: web.Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.content.iter_chunked(65_536):
        body += chunk
        if len(body) > LARGEST:
            return None
    return bytes(body)


def _is_name(value: str) -> bool:
    # Databases take no half characters, and PostgreSQL no NUL.
    plain = value.isascii() and value.isprintable() and " " not in value
    return plain and 0 < len(value) <= _LONGEST_NAME


def _account(body: bytes) -> str:
    """Whose deliveries stay in order: the account that owns what it is about."""
    try:
        payload: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "unreadable"
    if not isinstance(payload, dict):
        return "unreadable"
    for holder in (payload.get("organization"), _owner(payload)):
        login = holder.get("login") if isinstance(holder, dict) else None
        if isinstance(login, str) and _is_name(login):
            return login.casefold()
    return "nobody"


def _owner(payload: dict[str, Any]) -> Any:
    repository = payload.get("repository") or payload.get("installation")
    if not isinstance(repository, dict):
        return None
    return repository.get("owner") or repository.get("account")


def _no(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
