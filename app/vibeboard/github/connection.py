"""Calls to GitHub with one credential: the App's own, or an installation's.

An installation's writes go one at a time and at GitHub's pace; whatever is read
costs no turn.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from vibeboard.errors import GitHubUnavailable
from vibeboard.github import accounting
from vibeboard.github.answers import (
    GraphQLAnswer,
    GraphQLError,
    Limit,
    Tolerance,
    graphql_fault,
    nothing,
    points_of,
    read,
)
from vibeboard.github.auth import Credential
from vibeboard.github.documents import Document
from vibeboard.github.limits import CORE, GRAPHQL, Quota
from vibeboard.github.pace import Pace
from vibeboard.github.transport import Access, Line, Now, Transport

Variables = Mapping[str, str]
Data = Mapping[str, Any]
# Text that may still change while its turn is awaited is told by a function.
Late = Callable[[], Data]


class Connection:
    """REST and GraphQL with one credential; ``pace`` is what writes are held to."""

    def __init__(
        self,
        access: Access,
        credential: Credential | None,
        *,
        now: Now,
        pace: Pace | None = None,
        account: str = "",
    ) -> None:
        self._line = Line(access, credential, now=now, account=account)
        self._pace = pace
        self._writing = asyncio.Lock()
        self._editing = asyncio.Lock()

    @property
    def quotas(self) -> Mapping[str, Quota]:
        """What is left of GitHub's primary limits, by resource, as last told."""
        return dict(self._line.limits.quotas)

    async def getitem(
        self, url: str, variables: Variables, *, exists: bool = False
    ) -> Any:
        """One thing; ``url`` is a template.

        What ``exists`` for sure may be too new for all of GitHub to know: then it is
        asked for a few times.
        """
        asking = self._transport(f"GET {url}", repeatable=True, exists=exists)
        return await asking.getitem(url, variables)

    async def getiter(
        self,
        url: str,
        variables: Variables,
        *,
        key: str = "items",
        exists: bool = False,
    ) -> AsyncGenerator[Any, None]:
        """All things of all pages; ``key`` names them where a page is an object."""
        asking = self._transport(f"GET {url}", repeatable=True, exists=exists)
        async for thing in asking.getiter(url, variables, iterable_key=key):
            yield thing

    async def post(
        self,
        url: str,
        variables: Variables,
        data: Data | Late,
        *,
        repeatable: bool = False,
    ) -> Any:
        """Create something; ``repeatable`` if a second one would do no harm.

        ``data`` may be a function: asked when it is our turn.
        """
        asking = self._transport(f"POST {url}", repeatable=repeatable)
        async with self._turn(CORE):
            last = data() if callable(data) else data
            return await asking.post(url, variables, data=last)

    async def patch(
        self,
        url: str,
        variables: Variables,
        data: Data | Late,
        *,
        exists: bool = False,
    ) -> Any:
        """Change something that is there; else like ``post``."""
        asking = self._transport(f"PATCH {url}", exists=exists)
        async with self._editing, self._turn(CORE, gives_way=True):
            last = data() if callable(data) else data
            return await asking.patch(url, variables, data=last)

    async def graphql(
        self,
        document: Document,
        variables: Mapping[str, Any],
        *,
        tolerated: Tolerance = nothing,
    ) -> Mapping[str, Any]:
        """Send a document; ``tolerated`` errors leave null in the data."""
        asking = self._transport(
            document.name, resource=GRAPHQL, repeatable=not document.writes
        )
        url = self._line.access.graphql_url
        body = {"query": document.text, "variables": variables}
        if document.writes:
            async with self._turn(GRAPHQL):
                data = await asking.post(url, None, data=body)
        else:
            data = await asking.post(url, None, data=body)
        answer = read(GraphQLAnswer, data)
        accounting.count(points=points_of(answer.data or {}))
        self._refuse(answer.errors or (), asking.answered, tolerated)
        if answer.data is None:
            message = f"GitHub answered {document.name} without data"
            raise GitHubUnavailable(message)
        self._line.limits.passed()
        return answer.data

    def _refuse(
        self,
        errors: Sequence[GraphQLError],
        headers: Mapping[str, str],
        tolerated: Tolerance,
    ) -> None:
        # A limit of GraphQL comes with status 200; its end is in the headers.
        fault = graphql_fault(
            errors, headers, tolerated=tolerated, now=self._line.now()
        )
        if isinstance(fault, Limit):
            raise self._line.limits.impose(fault, GRAPHQL)
        if fault is not None:
            raise fault

    def _transport(
        self,
        purpose: str,
        *,
        resource: str = CORE,
        repeatable: bool = False,
        exists: bool = False,
    ) -> Transport:
        self._line.limits.check(resource)
        return Transport(
            self._line,
            purpose,
            resource=resource,
            repeatable=repeatable,
            exists=exists,
        )

    @asynccontextmanager
    async def _turn(
        self, resource: str, *, gives_way: bool = False
    ) -> AsyncIterator[None]:
        """One write after the other, at GitHub's pace; edits give way to the rest."""
        if self._pace is None:
            yield
            return
        if gives_way:
            await self._pace.give_way(self._line.now, self._line.access.pause)
        async with self._writing:
            # The one before may have met a limit.
            self._line.limits.check(resource)
            await self._pace.turn(self._line.now, self._line.access.pause)
            yield
