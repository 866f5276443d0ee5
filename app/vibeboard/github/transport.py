"""HTTP requests to GitHub and their answers.

Adds to gidgethub what it leaves open: credentials that renew themselves,
redirects that never carry them to another host, answers that are confirmed instead
of sent again, limits, and our errors. Reads are repeated a few times when GitHub is
ill; writes never, because an answer that was lost may have had its effect.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import aiohttp
import gidgethub.abc
import tenacity

import vibeboard
from vibeboard.errors import AppAbsent, GitHubRefused, GitHubUnavailable
from vibeboard.github import accounting
from vibeboard.github.answers import Limit, fault_of, suspended
from vibeboard.github.auth import Credential
from vibeboard.github.etags import Etags
from vibeboard.github.limits import CORE, Limits
from vibeboard.github.pace import Pace, Pause
from vibeboard.github.turns import Turn, Turns

API_VERSION = "2026-03-10"
_USER_AGENT = f"Vibeboard/{vibeboard.__version__}"
_MOST_HOPS = 5
# GitHub's own bound is a hundred at a time, REST and GraphQL together.
_AT_ONCE = 20

Answer = tuple[int, Mapping[str, str], bytes]


# The present by GitHub's clock.
Now = Callable[[], datetime]


async def sleep(span: timedelta) -> None:
    """What is waited with."""
    await asyncio.sleep(span.total_seconds())


@dataclass(frozen=True)
class Retries:
    """How often a read is tried, and how long is waited in between at first.

    ``time_limit`` is for one request with its answer: GitHub ends a request after ten
    seconds, the rest is the way there and back.
    """

    attempts: int = 3
    pause: timedelta = timedelta(milliseconds=300)
    time_limit: timedelta = timedelta(seconds=20)


@dataclass(frozen=True)
class Access:
    """What all connections of one App share.

    ``calls`` counts requests by purpose: the route, or the document's name. ``pause``
    is what is waited with, ``pace`` what a credential's writes are held to.
    """

    session: aiohttp.ClientSession
    api_url: str
    retries: Retries = field(default_factory=Retries)
    pause: Pause = sleep
    pace: Callable[[], Pace] = Pace
    calls: Counter[str] = field(default_factory=Counter)
    etags: Etags = field(default_factory=Etags)

    @property
    def graphql_url(self) -> str:
        """GraphQL's address: GitHub Enterprise Server has it beside ``/api/v3``."""
        url = self.api_url.rstrip("/")
        return f"{url.removesuffix('/v3')}/graphql"


class Line:
    """What all requests with one credential share.

    ``account`` is the owner of the installation, empty for the App itself.
    """

    def __init__(
        self, access: Access, credential: Credential | None, *, now: Now, account: str
    ) -> None:
        self.access = access
        self.credential = credential
        self.now = now
        self.account = account
        self.limits = Limits(now)
        self.asking: Turns[None, Answer] = Turns()
        self.at_once = asyncio.Semaphore(_AT_ONCE)


class Transport(gidgethub.abc.GitHubAPI):
    """gidgethub's client on our session, for one call with one purpose.

    What is ``repeatable`` is repeated when GitHub is ill; what ``exists`` for sure is
    asked for again when GitHub does not know it yet.
    """

    def __init__(
        self,
        line: Line,
        purpose: str,
        *,
        resource: str = CORE,
        repeatable: bool = False,
        exists: bool = False,
    ) -> None:
        super().__init__(_USER_AGENT, base_url=line.access.api_url)
        self._line = line
        self._purpose = purpose
        self._resource = resource
        self._repeatable = repeatable
        self._exists = exists
        self._origin = _origin(line.access.api_url)
        self.answered: Mapping[str, str] = {}

    async def sleep(self, seconds: float) -> None:
        """What gidgethub waits with."""
        await self._line.access.pause(timedelta(seconds=seconds))

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        if method != "GET":
            return await self._tried(method, url, headers, body)
        # Those who ask for the same at the same time are told by one request.
        return await self._line.asking.share(
            (url, self._exists), None, partial(self._confirmed, url, headers)
        )

    async def _confirmed(
        self, url: str, headers: Mapping[str, str], turn: Turn[None]
    ) -> Answer:
        """What is at ``url``, sent by GitHub only if it is another than we have."""
        await asyncio.sleep(0)  # let all join who ask in this moment
        turn.take()
        etags, place = self._line.access.etags, (self._line, url)
        kept = etags.get(place)
        if kept is not None:
            headers = {**headers, "if-none-match": kept.etag}
        try:
            status, answered, content = await self._tried("GET", url, headers, b"")
        except GitHubRefused:
            etags.drop(place)
            raise
        if kept is not None and status == HTTPStatus.NOT_MODIFIED:
            accounting.count(unchanged=1)
            return HTTPStatus.OK, kept.headers, kept.body
        if status == HTTPStatus.OK:
            etags.put(place, answered, content)
        return status, answered, content

    async def _tried(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Ask, again after a while if that is allowed and of use."""
        retries = self._line.access.retries
        pause = retries.pause.total_seconds()
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(self._worth_another_try),
            stop=tenacity.stop_after_attempt(retries.attempts),
            wait=tenacity.wait_exponential(multiplier=pause, max=5)
            + tenacity.wait_random(0, pause),
            sleep=self.sleep,
            reraise=True,
        )
        return await attempts(self._ask, method, url, headers, body)

    def _worth_another_try(self, error: BaseException) -> bool:
        if isinstance(error, GitHubRefused):
            return self._exists and error.status_code == HTTPStatus.NOT_FOUND
        return self._repeatable and isinstance(error, GitHubUnavailable)

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Ask with a credential that GitHub accepts; raises what came instead."""
        credential, attempt = self._line.credential, 0
        while True:
            authorization = await credential.authorization() if credential else ""
            status, answered, content = await self._follow(
                method, url, self._headers(headers, authorization), body
            )
            if (
                status == HTTPStatus.UNAUTHORIZED
                and credential is not None
                and await credential.rejected(
                    authorization, date=answered.get("date", ""), attempt=attempt
                )
            ):
                attempt += 1
                continue
            self._refuse(headers, status, answered, content)
            if self._resource == CORE:
                # An answer of GraphQL has to be read first.
                self._line.limits.passed()
            return status, answered, content

    def _refuse(
        self,
        asked: Mapping[str, str],
        status: int,
        answered: Mapping[str, str],
        content: bytes,
    ) -> None:
        if status == HTTPStatus.NOT_MODIFIED and "if-none-match" in asked:
            return
        fault = fault_of(status, answered, content, now=self._line.now())
        if isinstance(fault, Limit):
            raise self._line.limits.impose(fault, self._resource)
        if isinstance(fault, GitHubRefused) and suspended(fault) and self._line.account:
            raise AppAbsent(self._line.account, str(fault))
        if fault is not None:
            raise fault

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
        line = self._line
        async with line.at_once:
            line.limits.check(self._resource)
            line.access.calls[self._purpose] += 1
            accounting.count(requests=1)
            status, answered, content = await self._exchange(method, url, headers, body)
        self.answered = answered
        line.limits.observe(self._resource, answered)
        return status, answered, content

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        time_limit = self._line.access.retries.time_limit.total_seconds()
        try:
            async with self._line.access.session.request(
                method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=time_limit, connect=min(time_limit, 5)
                ),
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
