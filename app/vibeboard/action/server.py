"""Calls on the server that gave us the run, each with a proof of which job calls.

There is no session and nothing secret is kept: GitHub vouches for the job, anew
whenever its last word is about to expire.
"""

import asyncio
import base64
import binascii
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import aiohttp
import tenacity

from vibeboard.engine.wire import Json
from vibeboard.errors import StoreUnavailable, UserError
from vibeboard.github import accounting

log = logging.getLogger(__name__)

# Longer than a server takes to restart, and to be moved to another machine.
_PATIENCE = 300.0  # seconds
# A check or a comment waits there for its turn at GitHub.
_TIME_LIMIT = aiohttp.ClientTimeout(total=120, connect=10)
_RENEWED = 60.0  # seconds before a token expires
_REFUSED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
)
_LARGEST = 32 * 1024 * 1024  # bytes of an answer


class _Away(Exception):  # noqa: N818 - an event
    """There was no answer of the server's own."""


@dataclass(frozen=True)
class Identity:
    """Where GitHub tells who we are: what a job finds in its environment.

    ``url`` ends in a query; a job has both only with ``id-token: write``.
    """

    url: str
    key: str = field(repr=False)


class Tokens:
    """Proofs of which job we are, made out to one server."""

    def __init__(
        self, identity: Identity, session: aiohttp.ClientSession, *, server: str
    ) -> None:
        self._identity = identity
        self._session = session
        self._audience = f"vibeboard:{server}"
        self._token = ""
        self._renewed_at = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> str:
        """A token that is valid for a while."""
        async with self._asking:
            if time.time() >= self._renewed_at:
                self._token = await self._ask()
                self._renewed_at = _end_of(self._token) - _RENEWED
            return self._token

    def forget(self, token: str) -> None:
        """The server does not take it."""
        if token == self._token:
            self._renewed_at = 0.0

    async def _ask(self) -> str:
        url = f"{self._identity.url}&audience={quote(self._audience, safe='')}"
        headers = {"Authorization": f"Bearer {self._identity.key}"}
        async with self._session.get(
            url, headers=headers, timeout=_TIME_LIMIT, allow_redirects=False
        ) as answer:
            if answer.status in _REFUSED:
                message = (
                    f"GitHub does not say who this job is ({answer.status}): the job "
                    "needs `permissions: id-token: write`"
                )
                raise UserError(message)
            answer.raise_for_status()
            told = await answer.json()
        return str(told["value"])


def _end_of(token: str) -> float:
    """When a token expires by its own words; at once, if it does not say."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return 0.0


class Server:
    """Satisfies ``Call`` for one run of one server.

    What gets no answer is asked again, as every port's method may be. What costs
    calls on GitHub there is counted here.
    """

    def __init__(
        self,
        url: str,
        run: str,
        tokens: Tokens,
        session: aiohttp.ClientSession,
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._url = f"{url.rstrip('/')}/actions/runs/{quote(run, safe='')}"
        self._tokens = tokens
        self._session = session
        self._asking = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_Away),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=10),
            stop=tenacity.stop_after_delay(patience),
            reraise=True,
        )

    async def __call__(
        self, port: str, method: str, arguments: Mapping[str, Json]
    ) -> Json:
        """The server's answer; StoreUnavailable if there is none for long."""
        url = f"{self._url}/{port}/{method}"
        body = json.dumps(arguments).encode()
        answer: dict[str, Any]
        try:
            answer = await self._asking.copy()(self._ask, url, body)
        except _Away as away:
            message = f"the server cannot be reached: {away}"
            raise StoreUnavailable(message) from away
        calls = answer.get("calls")
        if isinstance(calls, dict):
            known = ("requests", "points", "unchanged")
            accounting.count(**{name: int(calls.get(name, 0)) for name in known})
        return answer

    async def _ask(self, url: str, body: bytes) -> dict[str, Any]:
        status, answer = await self._post(url, body)
        if status == HTTPStatus.UNAUTHORIZED:
            # Clocks differ, and keys change: with a new token once more.
            status, answer = await self._post(url, body)
        if not isinstance(answer, dict) or not answer.keys() & {"made", "error"}:
            raise _Away(f"{url} answered {status}")
        return answer

    async def _post(self, url: str, body: bytes) -> tuple[int, Any]:
        try:
            token = await self._tokens.token()
            async with self._session.post(
                url,
                data=body,
                headers={
                    "Authorization": f"Bearer {token}",
                    "Content-Type": "application/json",
                },
                timeout=_TIME_LIMIT,
                allow_redirects=False,
            ) as answer:
                if answer.status == HTTPStatus.UNAUTHORIZED:
                    self._tokens.forget(token)
                return answer.status, await _json(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Away(str(error) or type(error).__name__) from error


async def _json(answer: aiohttp.ClientResponse) -> Any:
    """The body; None for what is no JSON, as of a proxy in between."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > _LARGEST:
            message = "the answer is too large"
            raise aiohttp.ClientPayloadError(message)
    try:
        return json.loads(body)
    except ValueError:
        return None
