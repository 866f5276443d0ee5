"""A job that carries out one run of a server, which decides and remembers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from vibeboard.action.hands import hands_of
from vibeboard.action.inputs import Inputs
from vibeboard.action.server import Identity, Server, Tokens
from vibeboard.domain.retry import MOST_TRIES, wait_before
from vibeboard.domain.run import Run
from vibeboard.engine import wire
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.ending import end
from vibeboard.engine.execute import Executor
from vibeboard.engine.outlast import outlast
from vibeboard.engine.places import Places
from vibeboard.engine.ports import (
    Evidence,
    Expenses,
    LentRuns,
    Questions,
    Reviews,
    Runs,
)
from vibeboard.engine.stops import Stops
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import (
    AppAbsent,
    Fenced,
    PeopleAsked,
    RetryLater,
    StoreUnavailable,
)
from vibeboard.github import accounting
from vibeboard.runner.git import Git
from vibeboard.wiring import Hands, Work, executor_of

log = logging.getLogger(__name__)

_BEAT = timedelta(seconds=15)
_LOOK_EVERY = timedelta(seconds=5)
# A job that waits costs as much as one that works: for longer it is given back.
_LONGEST_WAIT = timedelta(minutes=10)


async def _who(lent: wire.LentRepositories, repository: str) -> str:
    """Who the App is. The server may not know yet where it has posted the run."""
    for tries in range(MOST_TRIES):
        try:
            return (await lent.address(repository)).us
        except RetryLater as later:
            if tries + 1 == MOST_TRIES:
                raise
            await asyncio.sleep(wait_before(tries, later.after).total_seconds())
    raise AssertionError


class _Counter:
    """Satisfies ``CallCounter``: the server says what its calls have cost."""

    counted = staticmethod(accounting.counted)


@dataclass(frozen=True)
class Far:
    """What the server remembers, from here; satisfies ``KeptOfRuns``."""

    runs: Runs
    run_queue: LentRuns
    questions: Questions
    spending: Expenses
    evidence: Evidence
    reviews: Reviews


class Served:
    """One job."""

    def __init__(
        self,
        run: str,
        *,
        executor: Executor,
        runs: Runs,
        queue: LentRuns,
        stops: Stops,
    ) -> None:
        self._run = run
        self._executor = executor
        self._runs = runs
        self._queue = queue
        self._stops = stops
        self._leaving = False
        self._lost = asyncio.Event()

    async def work(self) -> str:
        """Carry the run out; why it is left as it is, or empty."""
        beating = asyncio.create_task(self._beat())
        try:
            work = asyncio.create_task(self._carry_out())
            lost = asyncio.create_task(self._lost.wait())
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            await end(lost)
            if not work.done():
                await end(work)
                return "another attempt has the run by now"
            return await work
        finally:
            await end(beating)

    async def leave(self, why: str) -> None:
        """Stop what is under way."""
        self._leaving = True
        await self._queue.stop(self._run, why)
        self._stops.kick(self._run)

    async def finish(self, why: str) -> None:
        """Stop what this job left unfinished, save its work, and tell of it."""
        await self.leave(why)
        await self.work()

    async def ended(self) -> Run:
        """The run as it is now."""
        return await self._runs.get(self._run)

    async def _carry_out(self) -> str:
        for tries in range(MOST_TRIES):
            try:
                await self._executor.carry_out(self._run)
            except Fenced as fenced:
                return str(fenced)
            except PeopleAsked:
                await outlast(lambda: self._queue.wait_for_people(self._run))
                return "the run waits until people have answered its agent"
            except AppAbsent as absent:
                await self._give_back(absent, _LONGEST_WAIT)
                return str(absent)
            except RetryLater as later:
                wait = wait_before(tries, later.after)
                if wait > _LONGEST_WAIT or tries + 1 == MOST_TRIES:
                    await self._give_back(later, wait)
                    return str(later)
                log.warning(
                    "run waits",
                    extra={"why": str(later), "after": wait.total_seconds()},
                )
                await asyncio.sleep(wait.total_seconds())
            else:
                break
        return ""

    async def _give_back(self, why: Exception, wait: timedelta) -> None:
        if not self._leaving:
            await outlast(lambda: self._queue.postpone(self._run, wait, str(why)))

    async def _beat(self) -> None:
        """Say that we live, for as long as the run is ours."""
        while True:
            await asyncio.sleep(_BEAT.total_seconds())
            try:
                await self._queue.beat(self._run)
            except Fenced as fenced:
                log.warning("the run was given to another", extra={"why": str(fenced)})
                self._lost.set()
                return
            except StoreUnavailable as away:
                log.warning("the server is away", extra={"why": str(away)})
            except Exception:
                log.exception("could not say that the job lives")


def executor_over(
    call: wire.Call, repository: str, hands: Hands, *, us: str, stops: Stops
) -> Executor:
    """What carries a server's runs out here; all it asks for is a call."""
    repositories = wire.FarRepositories(wire.REPOSITORIES.remote(call), repository)
    return executor_of(
        Far(
            runs=wire.RUNS.remote(call),
            run_queue=wire.QUEUE.remote(call),
            questions=wire.QUESTIONS.remote(call),
            spending=wire.EXPENSES.remote(call),
            evidence=wire.EVIDENCE.remote(call),
            reviews=wire.REVIEWS.remote(call),
        ),
        Work(
            repositories=repositories,
            cards=wire.CARDS.remote(call),
            pulls=wire.PULLS.remote(call),
            checks=wire.CHECKS.remote(call),
            counter=_Counter(),
            us=us,
        ),
        hands,
        workflows=Workflows(repositories),
        stops=stops,
        tracking=wire.TRACKER.remote(call),
        approvals=Approvals(wire.QUESTIONS.remote(call)),
        meter=wire.METER.remote(call),
    )


@asynccontextmanager
async def serving(inputs: Inputs) -> AsyncIterator[Served]:
    """Open everything for one run, and close it again."""
    await asyncio.to_thread(inputs.data.mkdir, parents=True, exist_ok=True)
    async with aiohttp.ClientSession() as session:
        identity = Identity(inputs.oidc_url, inputs.oidc_token)
        tokens = Tokens(identity, session, server=inputs.server)
        call = Server(inputs.server, inputs.run, tokens, session)
        places = Places(inputs.data.resolve())
        git = Git(home=places.root / "git-home", path=inputs.path)
        await git.check_version()
        us = await _who(wire.REPOSITORIES.remote(call), inputs.repository)
        runs = wire.RUNS.remote(call)
        stops = Stops(runs, every=_LOOK_EVERY)
        hands = hands_of(inputs, places, git, us)
        yield Served(
            inputs.run,
            executor=executor_over(call, inputs.repository, hands, us=us, stops=stops),
            runs=runs,
            queue=wire.QUEUE.remote(call),
            stops=stops,
        )
