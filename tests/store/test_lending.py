"""Runs that GitHub Actions carries out, on SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import CARD, OTHER, Ledger, start
from vibeboard.domain.effects import LookAfter, StopRun
from vibeboard.domain.run import Posting, Report, Run, RunState, Step
from vibeboard.domain.workflow import Runner
from vibeboard.errors import Fenced
from vibeboard.store.database import Database

MINUTE = timedelta(minutes=1)
TERM = timedelta(seconds=75)


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


async def posted(ledger: Ledger, number: int = 41) -> tuple[Run, Posting]:
    """A run that was given to the fleet, and waits to be begun there."""
    await ledger.decided(start())
    (run,) = await ledger.run_queue.claim(1)
    url = f"https://github.example/runs/{number}"
    posting = Posting(number, url, ledger.clock.now())
    await ledger.postings.posted(run, posting, MINUTE)
    return await ledger.runs.get(run), posting


async def test_a_posted_run_waits_and_is_looked_after(
    ledger: Ledger, clock: HandClock
) -> None:
    run, posting = await posted(ledger)

    assert (run.posting, run.state, run.worker) == (posting, RunState.QUEUED, None)
    assert await ledger.run_queue.claim(9) == []
    clock.at += MINUTE
    assert await ledger.run_queue.claim(9) == [run.id]
    await ledger.postings.wait(run.id, MINUTE)
    assert await ledger.run_queue.claim(9) == []
    assert (await ledger.runs.get(run.id)).tries == 0


async def test_who_begins_it_holds_it_as_long_as_it_lives(
    ledger: Ledger, clock: HandClock
) -> None:
    run, posting = await posted(ledger)
    lent = ledger.lent(posting)

    begun = await lent.begin(run.id)

    assert (begun.state, begun.attempt, begun.worker) == (
        RunState.RUNNING,
        1,
        posting.life,
    )
    assert begun.posting == replace(posting, begun=True)
    for _ in range(3):
        if not ledger.on_server_time:
            clock.at += timedelta(minutes=1)
        await lent.beat(run.id)
        assert await ledger.run_queue.claim(9) == []
        await ledger.runs.hold(begun)
    await ledger.runs.remember(begun, "agent", {"made": 1})
    await ledger.runs.end(begun, Report(RunState.SUCCEEDED))
    with pytest.raises(Fenced):
        await lent.beat(run.id)


async def test_who_is_silent_loses_it_and_has_it_again_when_it_speaks(
    ledger: Ledger, clock: HandClock
) -> None:
    run, posting = await posted(ledger)
    lent = ledger.lent(posting, term=timedelta(0))
    begun = await lent.begin(run.id)

    assert await ledger.run_queue.claim(9) == [run.id]

    silent = await ledger.runs.get(run.id)
    assert (silent.crashes, silent.worker) == (1, ledger.workers.life)
    with pytest.raises(Fenced):
        await ledger.runs.hold(begun)
    await ledger.postings.wait(run.id, MINUTE)
    await ledger.lent(posting).beat(run.id)
    await ledger.runs.hold(begun)
    assert (await ledger.runs.get(run.id)).crashes == 0
    clock.at += MINUTE
    assert await ledger.run_queue.claim(9) == []


async def test_what_is_lost_is_posted_anew_and_the_old_one_is_fenced(
    ledger: Ledger,
) -> None:
    run, posting = await posted(ledger)
    old = ledger.lent(posting, term=timedelta(0))
    begun = await old.begin(run.id)
    await ledger.runs.remember(begun, "agent", {"made": 1})
    await ledger.runs.note(run.id, step=Step.TESTS, session="there")
    await ledger.run_queue.claim(9)

    await ledger.postings.lost(run.id)

    assert await ledger.run_queue.claim(9) == [run.id]
    for refused in (old.begin, old.beat):
        with pytest.raises(Fenced):
            await refused(run.id)
    again = replace(posting, id=42)
    await ledger.postings.posted(run.id, again, MINUTE)
    with pytest.raises(Fenced):
        await old.begin(run.id)
    anew = await ledger.lent(again).begin(run.id)
    # Nothing of what the first machine made is there.
    assert (anew.attempt, anew.crashes, anew.session) == (2, 1, None)
    assert await ledger.runs.answer(run.id, "agent") is None


async def test_one_that_never_began_counts_as_a_crash_when_it_is_lost(
    ledger: Ledger, clock: HandClock
) -> None:
    run, _ = await posted(ledger)
    clock.at += MINUTE
    await ledger.run_queue.claim(9)

    await ledger.postings.lost(run.id)

    lost = await ledger.runs.get(run.id)
    assert (lost.crashes, lost.state) == (1, RunState.QUEUED)
    assert lost.posting is not None
    assert lost.posting.over


async def test_a_second_attempt_there_is_the_next_one_here(ledger: Ledger) -> None:
    run, posting = await posted(ledger)
    first = ledger.lent(posting)
    await first.begin(run.id)

    second = await ledger.lent(replace(posting, attempt=2)).begin(run.id)

    assert (second.attempt, second.worker) == (2, "actions-41-2")
    for refused in (first.begin, first.beat):
        with pytest.raises(Fenced):
            await refused(run.id)


async def test_a_restart_of_ours_takes_nothing_from_those_elsewhere(
    database: Database, ledger: Ledger, clock: HandClock
) -> None:
    run, posting = await posted(ledger)
    begun = await ledger.lent(posting).begin(run.id)
    await ledger.workers.leave()

    after = Ledger(database, clock)
    await after.workers.enter()

    assert await after.run_queue.claim(9) == []
    await after.runs.hold(begun)
    await after.lent(posting).beat(run.id)


async def test_given_back_it_is_posted_anew(ledger: Ledger, clock: HandClock) -> None:
    run, posting = await posted(ledger)
    lent = ledger.lent(posting)
    await lent.begin(run.id)

    await lent.postpone(run.id, MINUTE, "GitHub is away")

    waiting = await ledger.runs.get(run.id)
    assert (waiting.tries, waiting.waits_for) == (1, "GitHub is away")
    assert waiting.posting is not None
    assert waiting.posting.over
    assert await ledger.run_queue.claim(9) == []
    clock.at += MINUTE
    assert await ledger.run_queue.claim(9) == [run.id]


async def test_what_github_says_is_over_is_looked_after_at_once(
    ledger: Ledger,
) -> None:
    run, posting = await posted(ledger)

    await ledger.decided(LookAfter("acme/other", posting.id, "w0"))
    assert await ledger.run_queue.claim(9) == []
    await ledger.decided(LookAfter("acme/clock", posting.id, "w1"))
    assert await ledger.run_queue.claim(9) == [run.id]

    await ledger.postings.wait(run.id, MINUTE)
    await ledger.lent(posting).begin(run.id)
    await ledger.decided(LookAfter("acme/clock", posting.id, "w2"))
    assert await ledger.run_queue.claim(9) == [run.id]


async def test_who_does_not_stop_in_time_is_left_to_us(
    ledger: Ledger, clock: HandClock
) -> None:
    run, posting = await posted(ledger)
    lent = ledger.lent(posting)
    await lent.begin(run.id)
    await ledger.decided(StopRun(run.id, "the card moved back"))

    await lent.beat(run.id)
    assert await ledger.run_queue.claim(9) == []
    clock.at += timedelta(minutes=2)
    assert await ledger.run_queue.claim(9) == [run.id]

    with pytest.raises(Fenced):
        await lent.beat(run.id)
    await ledger.postings.close(run.id, Report(RunState.STOPPED, reason="so"))
    ended = await ledger.runs.get(run.id)
    assert (ended.state, ended.worker) == (RunState.STOPPED, None)


async def test_a_run_that_was_cancelled_there_is_stopped_here(ledger: Ledger) -> None:
    run, posting = await posted(ledger)
    await ledger.lent(posting, term=timedelta(0)).begin(run.id)
    await ledger.run_queue.claim(9)

    await ledger.postings.close(run.id, Report(RunState.STOPPED, reason="by bob"))

    ended = await ledger.runs.get(run.id)
    assert (ended.state, ended.stop_reason) == (RunState.STOPPED, "by bob")


async def test_a_machine_that_is_told_to_stop_asks_its_run_to(ledger: Ledger) -> None:
    run, posting = await posted(ledger)
    lent = ledger.lent(posting)
    await lent.begin(run.id)

    await ledger.lent(replace(posting, id=9)).stop(run.id, "not mine")
    assert (await ledger.runs.get(run.id)).state is RunState.RUNNING
    await lent.stop(run.id, "cancelled")

    stopping = await ledger.runs.get(run.id)
    assert (stopping.state, stopping.stop_reason) == (RunState.STOPPING, "cancelled")


async def test_a_stop_before_it_begins_ends_it_for_the_machine_too(
    ledger: Ledger,
) -> None:
    run, posting = await posted(ledger)
    await ledger.decided(StopRun(run.id, "the card moved back"))

    found = await ledger.lent(posting).begin(run.id)

    assert found.ended
    assert (await ledger.runs.history(CARD)).active is None


async def test_each_runners_queue_gives_its_own(ledger: Ledger) -> None:
    for_fleet = ledger.queue_of(Runner.ACTIONS)
    await ledger.decided(start(), start(OTHER, runner=Runner.ACTIONS))
    (own,) = (await ledger.runs.history(CARD)).runs
    (fleets,) = (await ledger.runs.history(OTHER)).runs

    assert (own.runner, fleets.runner) == (Runner.OWN, Runner.ACTIONS)
    assert await for_fleet.claim(9) == [fleets.id]
    # What the other one has under way is not astray.
    assert await ledger.queue_of(Runner.OWN).strays(()) == 0
    assert await for_fleet.strays(()) == 1
    assert await ledger.queue_of(Runner.OWN).claim(9) == [own.id]
