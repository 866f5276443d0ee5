"""One HTTP request to GitHub and its answer.

Adds to gidgethub what it leaves open: credentials that renew themselves,
redirects that never carry them to another host, and our errors. Reads are
repeated a few times when GitHub is ill; writes never, because an answer that was
lost may have had its effect.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp
import gidgethub.abc
import tenacity

import vibeboard
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.answers import fault_of
from vibeboard.github.auth import Credential

API_VERSION = "2026-03-10"
_USER_AGENT = f"Vibeboard/{vibeboard.__version__}"
_MOST_HOPS = 5
# GitHub ends a request after ten seconds; the rest is the way there and back.
_TIME_LIMIT = aiohttp.ClientTimeout(total=20, connect=5)

Answer = tuple[int, Mapping[str, str], bytes]


# The present by GitHub's clock.
Now = Callable[[], datetime]


@dataclass(frozen=True)
class Retries:
    """How often a read is tried, and how long is waited in between at first."""

    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=300)


class Transport(gidgethub.abc.GitHubAPI):
    """gidgethub's client on our session, with one credential."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        api_url: str,
        credential: Credential | None,
        *,
        now: Now,
        retries: Retries | None,
    ) -> None:
        super().__init__(_USER_AGENT, base_url=api_url)
        self._session = session
        self._origin = _origin(api_url)
        self._credential = credential
        self._now = now
        self._retries = retries

    async def sleep(self, seconds: float) -> None:
        """What gidgethub waits with."""
        await asyncio.sleep(seconds)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        if self._retries is None:
            return await self._ask(method, url, headers, body)
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(GitHubUnavailable),
            stop=tenacity.stop_after_attempt(self._retries.attempts),
            wait=tenacity.wait_random_exponential(
                multiplier=self._retries.pause.total_seconds(), max=5
            ),
            reraise=True,
        )
        return await attempts(self._ask, method, url, headers, body)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Ask with a credential that GitHub accepts; raises what came instead."""
        attempt = 0
        while True:
            authorization = (
                await self._credential.authorization() if self._credential else ""
            )
            status, answered, content = await self._follow(
                method, url, self._headers(headers, authorization), body
            )
            if (
                status == HTTPStatus.UNAUTHORIZED
                and self._credential is not None
                and await self._credential.rejected(
                    authorization, date=answered.get("date", ""), attempt=attempt
                )
            ):
                attempt += 1
                continue
            fault = fault_of(status, answered, content, now=self._now())
            if fault is not None:
                raise fault
            return status, answered, content

    @staticmethod
    def _headers(given: Mapping[str, str], authorization: str) -> dict[str, str]:
        headers = {**given, "x-github-api-version": API_VERSION}
        if authorization:
            headers["authorization"] = authorization
        return headers

    async def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Follow redirects (a renamed repository) as long as the host is the same."""
        for _ in range(_MOST_HOPS):
            self._refuse_other_host(url)
            status, answered, content = await self._send(method, url, headers, body)
            target = answered.get("location")
            if target is None or not _to_follow(status, method):
                return status, answered, content
            url = urljoin(url, target)
        message = "GitHub redirects in circles"
        raise GitHubRefused(message, status_code=HTTPStatus.LOOP_DETECTED)

    def _refuse_other_host(self, url: str) -> None:
        # Next pages and redirects name whole addresses; our token is for one host.
        if _origin(url) != self._origin:
            message = f"GitHub points to another host: {urlsplit(url).hostname}"
            raise GitHubRefused(message, status_code=HTTPStatus.MISDIRECTED_REQUEST)

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=_TIME_LIMIT,
            ) as answer:
                return answer.status, answer.headers, await answer.read()
        except TimeoutError:
            message = "GitHub did not answer in time"
            raise GitHubUnavailable(message) from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"GitHub cannot be reached: {type(error).__name__}"
            raise GitHubUnavailable(message) from None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or usual


def _to_follow(status: int, method: str) -> bool:
    if status in {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}:
        return True
    moved = {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.FOUND}
    return status in moved and method == "GET"
