"""Runs go where their stage wants them, and nobody waits for ever for a fleet."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import CARD, Ledger, start
from vibeboard.domain.effects import StopRun
from vibeboard.domain.run import Posting, Run, RunState
from vibeboard.domain.workflow import AGENT_FILE, Runner
from vibeboard.engine.carry import Carriers
from vibeboard.engine.ports import Sight, Whereabouts
from vibeboard.errors import GitHubRefused, GitHubUnavailable, UserError
from vibeboard.store import migrate
from vibeboard.store.database import open_database

MINUTE = timedelta(minutes=1)


@dataclass
class ToyFleet:
    """Numbers its postings, and says of all of them what it is told to."""

    clock: HandClock
    sight: Sight = field(default_factory=lambda: Sight(Whereabouts.WAITS))
    fault: Exception | None = None
    posted: list[str] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)

    async def post(self, run: Run) -> Posting:
        if self.fault is not None:
            raise self.fault
        self.posted.append(run.id)
        number = len(self.posted)
        return Posting(number, f"https://github.example/{number}", self.clock.now())

    async def look(self, repository: str, posting: Posting) -> Sight:
        assert (repository, posting.id) == ("acme/clock", len(self.posted))
        return self.sight

    async def cancel(self, repository: str, posting: Posting) -> None:
        assert repository == "acme/clock"
        self.cancelled.append(posting.id)


class Here:
    """Carries runs out on this machine; shows comments."""

    def __init__(self) -> None:
        self.carried: list[str] = []
        self.shown: list[str] = []

    async def carry_out(self, run_id: str) -> None:
        self.carried.append(run_id)

    async def post(self, run: str) -> None:
        raise NotImplementedError

    async def show(self, run: str, notes: Sequence[str] = ()) -> None:
        assert not notes
        self.shown.append(run)


class World:
    """A server that leaves runs to a toy fleet."""

    def __init__(self, ledger: Ledger, clock: HandClock) -> None:
        self.ledger, self.clock = ledger, clock
        self.fleet, self.here = ToyFleet(clock), Here()
        self.carriers = self._carriers(self.fleet)

    def _carriers(self, fleet: ToyFleet | None) -> Carriers:
        return Carriers(
            self.here,
            fleet=fleet,
            runs=self.ledger.runs,
            postings=self.ledger.postings,
            tracker=self.here,
            clock=self.clock,
        )

    def without_address(self) -> None:
        self.carriers = self._carriers(None)

    async def asked(self, runner: Runner = Runner.ACTIONS) -> Run:
        await self.ledger.decided(start(runner=runner))
        await self.turn()
        (run,) = (await self.ledger.runs.history(CARD)).runs
        return run

    async def turn(self, after: timedelta = timedelta(0)) -> list[str]:
        """One look of the pump: which runs it took."""
        self.clock.at += after
        claimed = list(await self.ledger.run_queue.claim(9))
        for run in claimed:
            await self.carriers.carry_out(run)
        return claimed

    async def now(self, run: Run) -> Run:
        return await self.ledger.runs.get(run.id)

    def why(self, run: Run) -> str:
        assert run.report is not None
        return run.report.reason


@pytest.fixture
async def world(tmp_path: Path, clock: HandClock) -> AsyncIterator[World]:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    yield World(ledger, clock)
    await database.close()


async def test_each_run_goes_where_its_stage_wants_it(world: World) -> None:
    own = await world.asked(Runner.OWN)

    assert world.here.carried == [own.id]
    assert world.fleet.posted == []


async def test_a_run_of_the_fleet_is_posted_once_and_shown(world: World) -> None:
    run = await world.asked()

    assert world.fleet.posted == [run.id]
    assert world.here.shown == [run.id]
    assert world.here.carried == []
    assert (run.state, run.worker) == (RunState.QUEUED, None)
    assert run.posting is not None
    for _ in range(3):
        assert await world.turn(MINUTE) == [run.id]
    assert world.fleet.posted == [run.id]


async def test_a_server_without_an_address_says_so(world: World) -> None:
    world.without_address()

    run = await world.asked()

    assert run.state is RunState.FAILED
    assert "VIBEBOARD_PUBLIC_URL" in world.why(run)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (UserError(f"no {AGENT_FILE}"), f"no {AGENT_FILE}"),
        (GitHubRefused("boo", status_code=400), "GitHub answered 400: boo"),
    ],
)
async def test_what_cannot_be_posted_fails_with_the_reason(
    world: World, fault: Exception, told: str
) -> None:
    world.fleet.fault = fault

    run = await world.asked()

    assert run.state is RunState.FAILED
    assert told in world.why(run)


async def test_while_github_is_away_it_is_tried_again(world: World) -> None:
    world.fleet.fault = GitHubUnavailable("502")
    await world.ledger.decided(start(runner=Runner.ACTIONS))

    with pytest.raises(GitHubUnavailable):
        await world.turn()


async def test_one_that_never_begins_fails_and_is_cancelled(world: World) -> None:
    run = await world.asked()

    await world.turn(timedelta(minutes=29))
    assert (await world.now(run)).state is RunState.QUEUED
    await world.turn(MINUTE)

    ended = await world.now(run)
    assert ended.state is RunState.FAILED
    assert "has not begun within 30m" in world.why(ended)
    assert "https://github.example/1" in world.why(ended)
    assert world.fleet.cancelled == [1]


async def test_what_is_lost_is_posted_three_times_and_fails(world: World) -> None:
    run = await world.asked()
    world.fleet.sight = Sight(Whereabouts.ENDED, conclusion="failure")

    await world.turn(MINUTE)
    while not (await world.now(run)).ended:
        assert await world.turn(MINUTE) == [run.id]

    ended = await world.now(run)
    assert world.fleet.posted == [run.id] * 3
    assert ended.state is RunState.FAILED
    assert "3 times" in world.why(ended)
    assert "https://github.example/3" in world.why(ended)


async def test_one_that_began_and_was_lost_is_posted_anew(world: World) -> None:
    run = await world.asked()
    assert run.posting is not None
    lent = world.ledger.lent(run.posting, term=timedelta(0))
    await lent.begin(run.id)
    world.fleet.sight = Sight(Whereabouts.GONE)

    await world.turn()
    await world.turn()

    again = await world.now(run)
    assert world.fleet.posted == [run.id] * 2
    assert (again.state, again.crashes) == (RunState.RUNNING, 1)
    assert again.posting is not None
    assert (again.posting.id, again.posting.begun) == (2, False)


async def test_one_that_is_silent_and_alive_is_waited_for(world: World) -> None:
    run = await world.asked()
    assert run.posting is not None
    await world.ledger.lent(run.posting, term=timedelta(0)).begin(run.id)
    world.fleet.sight = Sight(Whereabouts.AT_WORK)

    for _ in range(40):
        assert await world.turn(MINUTE) == [run.id]

    assert (await world.now(run)).state is RunState.RUNNING
    assert (world.fleet.posted, world.fleet.cancelled) == ([run.id], [])


async def test_cancelled_there_is_stopped_here(world: World) -> None:
    run = await world.asked()
    world.fleet.sight = Sight(Whereabouts.CANCELLED, conclusion="cancelled")

    await world.turn(MINUTE)

    ended = await world.now(run)
    assert ended.state is RunState.STOPPED
    assert "was cancelled on GitHub" in world.why(ended)


async def test_stopped_before_it_begins_it_is_cancelled_there(world: World) -> None:
    run = await world.asked()
    await world.ledger.decided(StopRun(run.id, "the card moved back"))

    await world.carriers.recall(run.id)

    assert (await world.now(run)).state is RunState.STOPPED
    assert world.fleet.cancelled == [1]


async def test_who_works_and_is_to_stop_is_not_cancelled_at_once(world: World) -> None:
    run = await world.asked()
    assert run.posting is not None
    lent = world.ledger.lent(run.posting)
    await lent.begin(run.id)
    world.fleet.sight = Sight(Whereabouts.AT_WORK)
    await world.ledger.decided(StopRun(run.id, "the card moved back"))

    await world.carriers.recall(run.id)
    assert await world.turn(MINUTE) == []
    assert world.fleet.cancelled == []
    assert await world.turn(MINUTE) == [run.id]

    ended = await world.now(run)
    assert (ended.state, world.why(ended)) == (RunState.STOPPED, "the card moved back")
    assert world.fleet.cancelled == [1]


async def test_a_posting_that_is_over_is_not_looked_after(world: World) -> None:
    run = await world.asked()
    assert run.posting is not None
    lent = world.ledger.lent(run.posting)
    await lent.begin(run.id)
    await lent.release(run.id)
    world.fleet.fault = UserError("no")

    await world.turn()

    ended = await world.now(run)
    assert (ended.state, ended.posting) == (
        RunState.FAILED,
        replace(run.posting, begun=True, over=True),
    )
