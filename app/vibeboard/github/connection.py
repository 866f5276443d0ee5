"""Calls to GitHub with one credential: the App's own, or an installation's.

Writes go one at a time (GitHub asks for that), and after a rate limit nothing is
sent until the time that GitHub named: going on can get an App banned.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from vibeboard.errors import GitHubUnavailable, RateLimited
from vibeboard.github.answers import (
    GraphQLAnswer,
    GraphQLError,
    Tolerance,
    graphql_fault,
    nothing,
    read,
)
from vibeboard.github.auth import Credential
from vibeboard.github.documents import Document
from vibeboard.github.pace import Pace
from vibeboard.github.transport import Now, Retries, Transport

Variables = Mapping[str, str]


@dataclass(frozen=True)
class Access:
    """What all connections of one App share.

    ``calls`` counts calls by purpose: the route, or the document's name.
    """

    session: aiohttp.ClientSession
    api_url: str
    retries: Retries = field(default_factory=Retries)
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def graphql_url(self) -> str:
        """GraphQL's address: GitHub Enterprise Server has it beside ``/api/v3``."""
        url = self.api_url.rstrip("/")
        return f"{url.removesuffix('/v3')}/graphql"


class Connection:
    """REST and GraphQL with one credential; ``pace`` limits what is created."""

    def __init__(
        self,
        access: Access,
        credential: Credential | None,
        *,
        now: Now,
        pace: Pace | None = None,
    ) -> None:
        def transport(retries: Retries | None) -> Transport:
            return Transport(
                access.session, access.api_url, credential, now=now, retries=retries
            )

        self._access = access
        self._now = now
        self._pace = pace
        self._reads = transport(access.retries)
        self._writes = transport(None)
        self._writing = asyncio.Lock()
        self._limited_until = datetime.min.replace(tzinfo=UTC)

    async def getitem(self, url: str, variables: Variables) -> Any:
        """One thing; ``url`` is a template."""
        async with self._call(f"GET {url}"):
            return await self._reads.getitem(url, variables)

    async def getiter(
        self, url: str, variables: Variables, *, key: str = "items"
    ) -> AsyncIterator[Any]:
        """All things of all pages; ``key`` names them where a page is an object."""
        async with self._call(f"GET {url}"):
            pages = self._reads.getiter(url, variables, iterable_key=key)
            async for thing in pages:
                yield thing

    async def post(
        self, url: str, variables: Variables, data: Mapping[str, Any]
    ) -> Any:
        """Create something."""
        async with self._call(f"POST {url}"), self._writing:
            if self._pace is not None:
                self._pace.take(self._now())
            return await self._writes.post(url, variables, data=data)

    async def patch(
        self, url: str, variables: Variables, data: Mapping[str, Any]
    ) -> Any:
        """Change something."""
        async with self._call(f"PATCH {url}"), self._writing:
            return await self._writes.patch(url, variables, data=data)

    async def graphql(
        self,
        document: Document,
        variables: Mapping[str, Any],
        *,
        tolerated: Tolerance = nothing,
    ) -> Mapping[str, Any]:
        """Send a document; ``tolerated`` errors leave null in the data."""
        transport = self._writes if document.writes else self._reads
        body = {"query": document.text, "variables": variables}
        async with self._call(document.name):
            if document.writes:
                async with self._writing:
                    data = await transport.post(
                        self._access.graphql_url, None, data=body
                    )
            else:
                data = await transport.post(self._access.graphql_url, None, data=body)
            answer = read(GraphQLAnswer, data)
            self._refuse(answer.errors or (), transport, tolerated)
            if answer.data is None:
                message = f"GitHub answered {document.name} without data"
                raise GitHubUnavailable(message)
            return answer.data

    def _refuse(
        self,
        errors: Sequence[GraphQLError],
        transport: Transport,
        tolerated: Tolerance,
    ) -> None:
        # A limit of GraphQL comes with status 200; its end is in the headers.
        limit = transport.rate_limit
        wait = timedelta(seconds=60)
        if limit is not None and limit.reset_datetime > self._now():
            wait = limit.reset_datetime - self._now() + timedelta(seconds=1)
        fault = graphql_fault(errors, tolerated=tolerated, wait=wait)
        if fault is not None:
            raise fault

    @asynccontextmanager
    async def _call(self, purpose: str) -> AsyncIterator[None]:
        """Count a call, and remember a rate limit that ends it."""
        wait = self._limited_until - self._now()
        if wait > timedelta(0):
            message = "GitHub asked us to wait"
            raise RateLimited(message, after=wait)
        self._access.calls[purpose] += 1
        try:
            yield
        except RateLimited as limit:
            self._limited_until = self._now() + limit.after
            raise
