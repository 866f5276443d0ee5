"""``POST /webhook``: verified, stored durably, and only then answered 202.

No work happens before the answer, and GitHub is not called here. See GitHub's
"Validating webhook deliveries" and "Best practices for using webhooks". The rules are
here; how the bytes came is the business of aiohttp (``receive``) or of ``door.py``.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from typing import Protocol

from aiohttp import web

from vibeboard.engine.ports import OWN_HOOK, Kept, Outcome, Told
from vibeboard.errors import RetryLater

log = logging.getLogger(__name__)

LARGEST = 25 * 1024 * 1024  # GitHub sends no larger payload
READ_DEADLINE = 8.0  # seconds; GitHub hangs up after ten
MOST_ARRIVING = 8 * LARGEST  # bytes of requests that have not come whole yet
REFUSALS = 400  # statuses from here on; a connection ends with any of them
_NAMES = ("X-GitHub-Event", "X-GitHub-Delivery", "X-GitHub-Hook-ID")
_ONCE = (*_NAMES, "X-Hub-Signature-256")
_KEPT = (*_ONCE, "X-GitHub-Hook-Installation-Target-ID")
# Databases take no half characters, and PostgreSQL no NUL.
_NAME = re.compile(r"[!-~]{1,64}")
BY_LOWER = {name.lower(): name for name in _KEPT}
_CODING = "content-encoding"

Verify = Callable[[bytes, str | None, Sequence[bytes]], bool]
# Told each answer's outcome and status, and the seconds that it took.
Count = Callable[[str, int, float], None]


class Keeper(Protocol):
    """Where deliveries are kept."""

    def keep(
        self,
        *,
        hook: str,
        guid: str,
        event: str,
        headers: Mapping[str, str],
        body: bytes,
        told: Told,
    ) -> None:
        """Store durably, then tell; raises, and tells nothing, if it will not."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a JSON body; ``outcome`` is what is counted."""

    status: int
    body: bytes
    outcome: str = "refused"


def no(status: int, reason: str) -> Answer:
    """What is answered to what is not GitHub's."""
    return Answer(status, json.dumps({"error": reason}).encode())


_WORDS = {kept: kept.value for kept in Kept}
Head = Mapping[str, str]  # GitHub's headers by their names as GitHub writes them
_TOO_LARGE = no(413, "larger than GitHub's 25 MB")
_TOO_SLOW = no(408, "the body did not arrive in time")
_GONE = no(400, "the connection ended before the body did")
TOO_MUCH = no(503, "too much arrives at once; send it again")
_UNSIGNED = no(401, "the signature does not fit the body")
_NOT_STORED = replace(
    no(503, "cannot store the delivery now; send it again"), outcome="failed"
)


class Webhook:
    """Takes deliveries in."""

    def __init__(
        self,
        intake: Keeper,
        verify: Verify,
        secrets: Sequence[bytes],
        *,
        read_deadline: float = READ_DEADLINE,
        most_arriving: int = MOST_ARRIVING,
        count: Count = lambda *_: None,
    ) -> None:
        self._intake = intake
        self._verify = verify
        self._secrets = secrets
        self.read_deadline = read_deadline
        # By both ways in together. What large bodies may not fill is left to the
        # ordinary ones, which come by the short way.
        self.arriving = 0
        self.most_arriving = most_arriving
        self._most_of_large = most_arriving * 3 // 4
        # Connections of aiohttp's whose delivery is being stored.
        self.storing: set[web.RequestHandler] = set()
        self.count = count

    async def receive(self, request: web.Request) -> web.Response:
        """Answer 202 once stored, 200 for a duplicate, 4xx for what is not GitHub's."""
        began = time.monotonic()
        answer = await self._receive(request)
        self.count(answer.outcome, answer.status, time.monotonic() - began)
        response = web.Response(
            status=answer.status, body=answer.body, content_type="application/json"
        )
        if answer.status >= REFUSALS:
            response.force_close()
        return response

    async def _receive(self, request: web.Request) -> Answer:
        head = self.look(
            (name.decode("utf-8", "surrogateescape"), _text(value))
            for name, value in request.raw_headers
        )
        if isinstance(head, Answer):
            return head
        if (request.content_length or 0) > LARGEST:
            return _TOO_LARGE
        body = await self._read(request)
        if isinstance(body, Answer):
            return body
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        refusal = self.take(head, body, partial(_settle, outcome))
        if refusal is not None:
            return refusal
        self.storing.add(request.protocol)
        try:
            return self.answer(head, await outcome)
        finally:
            self.storing.discard(request.protocol)

    async def _read(self, request: web.Request) -> bytes | Answer:
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self.read_deadline):
                async for part in request.content.iter_any():
                    size += len(part)
                    self.arriving += len(part)
                    if size > LARGEST:
                        return _TOO_LARGE
                    if self.arriving > self._most_of_large:
                        return TOO_MUCH
                    parts.append(part)
        except TimeoutError:
            return _TOO_SLOW
        except ConnectionError:
            return _GONE  # nobody hears it; strangers must not fill the log
        finally:
            self.arriving -= size
        return b"".join(parts)

    def look(self, headers: Iterable[tuple[str, str]]) -> Head | Answer:
        """What GitHub says about the delivery, or why its body is not even read."""
        head: dict[str, str] = {}
        for given, value in headers:
            lower = given.lower()
            name = BY_LOWER.get(lower)
            if name is not None:
                if name in head and name in _ONCE:
                    return no(400, f"{name} is given twice")
                head[name] = value
            elif lower == _CODING and value:
                return no(415, "content encodings are not accepted")
        return head

    def take(self, head: Head, body: bytes, told: Told) -> Answer | None:
        """Begin to store the delivery, or say why not."""
        if not self._verify(body, head.get("X-Hub-Signature-256"), self._secrets):
            return _UNSIGNED
        for name in _NAMES:
            if not _NAME.fullmatch(head.get(name, "")):
                return no(400, f"{name} is missing or is no name")
        if head["X-GitHub-Hook-ID"] == OWN_HOOK:
            return no(400, "X-GitHub-Hook-ID is not GitHub's")
        try:
            self._intake.keep(
                hook=head["X-GitHub-Hook-ID"],
                guid=head["X-GitHub-Delivery"],
                event=head["X-GitHub-Event"],
                headers=head,
                body=body,
                told=told,
            )
        except Exception as error:  # noqa: BLE001 - whatever the database says
            return _not_kept(head, error)
        return None

    def answer(self, head: Head, kept: Outcome) -> Answer:
        """What is answered when it is stored, or could not be."""
        if isinstance(kept, Exception):
            return _not_kept(head, kept)
        guid = head["X-GitHub-Delivery"]
        if kept is Kept.DUPLICATE:
            log.info("delivery once more", extra={"delivery": guid})
        elif kept is Kept.CONFLICT:
            log.warning("same delivery, other body", extra={"delivery": guid})
        body = f'{{"delivery": {quoted(guid)}, "kept": "{_WORDS[kept]}"}}'
        return Answer(202 if kept is Kept.NEW else 200, body.encode(), _WORDS[kept])


def _not_kept(head: Head, error: Exception) -> Answer:
    extra = {"delivery": head["X-GitHub-Delivery"]}
    if isinstance(error, RetryLater):
        log.error("delivery not stored", extra={**extra, "why": str(error)})
    else:
        log.error("delivery not stored", extra=extra, exc_info=error)
    return _NOT_STORED


def _settle(outcome: asyncio.Future[Outcome], told: Outcome) -> None:
    if not outcome.done():  # whoever hung up is not waiting any more
        outcome.set_result(told)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")
