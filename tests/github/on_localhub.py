"""Our ports on a local GitHub, in one process, by one clock that a test turns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

import localhub
from localhub import keys
from localhub.faults import FAULTS, Fault
from localhub.ledger import LEDGER, Entry
from tests.localhub.small_hub import SmallHub, small_hub
from vibeboard.domain.board import BoardKey, Place
from vibeboard.engine.ports import (
    CallCounter,
    Cards,
    Checks,
    HookDeliveries,
    Pulls,
    Replies,
    Repositories,
)
from vibeboard.github.app import GitHubPorts
from vibeboard.github.client import GitHub
from vibeboard.github.transport import Retries


@dataclass
class HubClock:
    small: SmallHub
    fast: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.small.clock() + self.fast


@dataclass
class World:
    """A local GitHub, and our ports on it."""

    small: SmallHub
    running: localhub.Running
    ports: GitHubPorts
    pauses: list[timedelta] = field(default_factory=list)

    # Typed as the engine asks for them, so that mypy holds us to the ports.

    @property
    def repositories(self) -> Repositories:
        return self.ports.repositories

    @property
    def cards(self) -> Cards:
        return self.ports.cards

    @property
    def replies(self) -> Replies:
        return self.ports.replies

    @property
    def pulls(self) -> Pulls:
        return self.ports.pulls

    @property
    def checks(self) -> Checks:
        return self.ports.checks

    @property
    def hook_deliveries(self) -> HookDeliveries:
        return self.ports.hook_deliveries

    @property
    def counter(self) -> CallCounter:
        return self.ports

    def order(self, how: dict[str, Any], **match: Any) -> None:
        """Make the next matching call go wrong."""
        times = match.pop("times", 1)
        fault = Fault.model_validate({"match": match, "do": how, "times": times})
        self.running.runner.app[FAULTS].ordered.append(fault)

    def effects(self, effect: str) -> list[Entry]:
        """What was done through a route or mutation, by GitHub's own ledger."""
        ledger = self.running.runner.app[LEDGER]
        return [one for one in ledger if one.effect == effect]

    def lose_the_answer(self, **match: Any) -> None:
        self.order({"kind": "fail_after_effect", "status": 502}, **match)

    @property
    def bodies(self) -> list[str]:
        return [one.body for one in self.small.issue.comments]

    @property
    def ours(self) -> list[str]:
        bot = self.small.app.bot
        return [one.body for one in self.small.issue.comments if one.user is bot]

    def place(self) -> Place:
        item = self.small.card("Fix the rounding")
        column = self.small.column(item)
        return Place(BoardKey("acme", self.small.board.number), item.node_id, column)


@cache
def key_pair() -> tuple[str, str]:
    return keys.generate()


QUICK = Retries(attempts=3, time_limit=timedelta(milliseconds=500))


@asynccontextmanager
async def on_localhub(
    folder: Path,
    *,
    retries: Retries = QUICK,
    private_key: str | Callable[[], str] | None = None,
    fast: timedelta = timedelta(0),
) -> AsyncIterator[World]:
    """Serve a small hub; our own clock is ``fast``, and pauses only turn it."""
    small, pauses = small_hub(folder), list[timedelta]()
    private, small.app.public_key = key_pair()
    running = await localhub.start(small.hub)

    async def pause(span: timedelta) -> None:
        pauses.append(span)
        small.clock.forward(seconds=span.total_seconds())
        await asyncio.sleep(0)

    async with aiohttp.ClientSession() as session:
        github = GitHub(
            f"{running.url}/api/v3",
            str(small.app.id),
            private_key or private,
            session,
            clock=HubClock(small, fast),
            retries=retries,
            pause=pause,
        )
        yield World(small, running, GitHubPorts(github), pauses)
    await running.close()
