"""A job of GitHub Actions that carries out runs, in the test's own process.

The job is one that localhub's runners left queued: its identity is the hub's to vouch
for, and everything else it gets from the server, by HTTP.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from localhub import actions
from localhub.oidc import ISSUER
from localhub.state import Job, WorkflowRun
from tests.journeys.world import AGENT, PATIENCE, World
from vibeboard.action.served import executor_over
from vibeboard.action.server import Identity, Server, Tokens
from vibeboard.config.prices import read_prices
from vibeboard.engine import wire
from vibeboard.engine.execute import Executor
from vibeboard.engine.places import Places
from vibeboard.engine.ports import LentRuns
from vibeboard.engine.stops import Stops
from vibeboard.errors import RetryLater
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.git import Git
from vibeboard.runner.sandbox.cell import Policy, Sandbox
from vibeboard.runner.sandbox.view import View
from vibeboard.runner.workspace import GitWorkspaces
from vibeboard.runner.workspace import Identity as Committer
from vibeboard.wiring import Hands

WORKFLOW = """\
name: Vibeboard
on:
  workflow_dispatch:
    inputs:
      run: {type: string, required: false}
      server: {type: string, required: false}
permissions: {}
jobs:
  served:
    runs-on: ubuntu-latest
    permissions: {id-token: write}
    steps: [{run: "true"}]
"""


@dataclass
class Far:
    """One job at work."""

    world: World
    job: Job
    run: str
    call: wire.Call
    queue: LentRuns
    executor: Executor

    async def carries_out(self) -> None:
        """Take the run to its end, as soon as the server has it ready."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self.executor.carry_out(self.run)
                except RetryLater:
                    await asyncio.sleep(0.1)
                else:
                    return

    def ends(self, conclusion: str = "success") -> None:
        actions.end_job(self.world.hub, self.job, conclusion)


async def posted(world: World, *, before: int = 0) -> WorkflowRun:
    """The newest workflow run, once there are more than ``before``."""
    found = world.repository.workflow_runs
    await world.until(lambda: len(found) > before, "a workflow run")
    return found[-1]


@asynccontextmanager
async def at_work(
    world: World, one: WorkflowRun, *, patience: float = 20.0
) -> AsyncIterator[Far]:
    """A runner takes the job of a workflow run."""
    (job,) = one.latest.jobs
    actions.begin_job(world.hub, job, "far")
    issuer = world.running.runner.app[ISSUER]
    assert job.identity_key is not None
    identity = Identity(issuer.request_url(job), job.identity_key)
    inputs = one.payload["inputs"]
    async with aiohttp.ClientSession() as session:
        server = Server(
            inputs["server"],
            inputs["run"],
            Tokens(identity, session, server=inputs["server"]),
            session,
            patience=patience,
        )
        queue = wire.QUEUE.remote(server)
        executor = _executor(server, world.home / f"far-{job.id}", world)
        yield Far(world, job, inputs["run"], server, queue, executor)


def _executor(call: wire.Call, root: Path, world: World) -> Executor:
    places, path = Places(root), os.environ["PATH"]
    places.root.mkdir(parents=True)
    sandbox = Sandbox(
        Environment(f"{Path(sys.executable).parent}:{path}"),
        policy=Policy("preferred"),
        view=View(path, more=(AGENT.parent, world.home)),
    )
    workspaces = GitWorkspaces(
        places.root / "workspaces",
        git=Git(home=places.root / "git-home", path=path),
        identity=Committer.of(world.us),
    )
    hands = Hands(
        places=places,
        workspaces=workspaces,
        sandbox=sandbox,
        agents=CommandAgent(sandbox),
        prices=read_prices(None),
    )
    stops = Stops(wire.RUNS.remote(call))
    return executor_over(call, "acme/clock", hands, us=world.us, stops=stops)
