"""Deliveries, decisions and runs on both databases."""

import asyncio
from datetime import timedelta

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import CARD, OTHER, Ledger, start
from vibeboard.domain.board import BoardKey, CardKey, Place
from vibeboard.domain.effects import MoveCard, Reply, StopRun
from vibeboard.domain.run import Report, RunState, Step, run_id
from vibeboard.engine.ports import Decision, DeliveryState
from vibeboard.errors import Fenced
from vibeboard.store.database import Database

MOVE = MoveCard(CARD, Place(BoardKey("acme", 1), "P", "A"), "B", "d", "Status")


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


async def test_a_decision_is_written_once(ledger: Ledger) -> None:
    delivery = await ledger.decided(start())
    await ledger.deliveries.settle(delivery, Decision((start(OTHER),), "again"))

    assert await ledger.deliveries.effects(delivery) == [start().key]
    assert (await ledger.runs.history(OTHER)).runs == ()
    state = (await ledger.deliveries.get(delivery)).state
    assert state is DeliveryState.DECIDED


async def test_a_delivery_is_settled_once_its_effects_are_done(ledger: Ledger) -> None:
    delivery = await ledger.decided()
    await ledger.delivery_queue.claim(1)

    await ledger.delivery_queue.finish(delivery)

    assert (await ledger.deliveries.get(delivery)).state is DeliveryState.SETTLED


async def test_effects_come_back_as_they_were_until_performed(ledger: Ledger) -> None:
    delivery = await ledger.decided(MOVE, Reply(CARD, "Hello", "greeting"))

    keys = await ledger.deliveries.effects(delivery)
    assert await ledger.deliveries.pending(keys[0]) == MOVE
    await ledger.deliveries.performed(MOVE)

    assert await ledger.deliveries.pending(keys[0]) is None
    assert await ledger.deliveries.pending(keys[1]) == Reply(CARD, "Hello", "greeting")


async def test_a_card_that_could_not_be_moved_is_remembered_where_it_stands(
    ledger: Ledger,
) -> None:
    await ledger.decided(MOVE, card=CARD, seen="B", saw_place=True)
    assert (await ledger.runs.history(CARD)).column == "B"

    await ledger.deliveries.performed(MOVE, error="there is no column B")

    assert (await ledger.runs.history(CARD)).column == "A"


async def test_a_run_is_started_once_by_one_cause(ledger: Ledger) -> None:
    await ledger.decided(start())
    await ledger.decided(start())

    (run,) = (await ledger.runs.history(CARD)).runs
    assert run.id == run_id(CARD, "develop", "d1")
    assert run.state is RunState.QUEUED
    assert await ledger.run_queue.claim(9) == [run.id]


async def test_a_card_has_one_run_at_a_time(ledger: Ledger) -> None:
    await ledger.decided(start(stage="refine"))
    await ledger.decided(start(cause="d2"))
    first, second = (await ledger.runs.history(CARD)).runs
    assert await ledger.run_queue.claim(9) == [first.id]

    await ledger.end(first.id)

    assert await ledger.run_queue.claim(9) == [second.id]


async def test_a_repository_has_as_many_runs_as_its_file_allows(ledger: Ledger) -> None:
    cards = [CardKey("acme/clock", n) for n in range(5)]
    await ledger.decided(*(start(card, parallel=2) for card in cards))
    claimed = await ledger.run_queue.claim(9)
    assert len(claimed) == 2

    await ledger.end(claimed[0], RunState.FAILED)

    assert len(await ledger.run_queue.claim(9)) == 1


async def test_two_wishes_for_a_waiting_stage_are_one_run(ledger: Ledger) -> None:
    await ledger.decided(start())
    await ledger.decided(start(cause="d2", instructions="name it"))
    await ledger.decided(start(cause="d3", instructions="test it"))

    _, waiting = (await ledger.runs.history(CARD)).runs
    assert waiting.instructions == "name it\n\ntest it"


async def test_a_run_waits_for_its_delay_and_takes_nobodys_place(
    ledger: Ledger, clock: HandClock
) -> None:
    patient = start(delay=timedelta(minutes=5), parallel=1)
    await ledger.decided(patient)
    other = await ledger.begun(start(OTHER, parallel=1))
    due = await ledger.run_queue.next_due()
    assert due is not None
    assert timedelta(minutes=4) < due - clock.at <= timedelta(minutes=5)

    clock.at += timedelta(minutes=5)
    assert await ledger.run_queue.claim(9) == []  # the other has the only place
    await ledger.runs.end(other, Report(RunState.SUCCEEDED))

    assert await ledger.run_queue.claim(9) == [run_id(CARD, "develop", "d1")]


async def test_a_delay_that_is_over_starts_the_run(
    ledger: Ledger, clock: HandClock
) -> None:
    await ledger.decided(start(delay=timedelta(minutes=5)))
    assert await ledger.run_queue.claim(9) == []

    clock.at += timedelta(minutes=5)

    assert await ledger.run_queue.claim(9) == [run_id(CARD, "develop", "d1")]


async def test_whoever_commands_does_not_wait_for_a_delay(ledger: Ledger) -> None:
    await ledger.decided(start(delay=timedelta(minutes=5)))
    await ledger.decided(start(cause="d2", instructions="now", delay=timedelta(0)))

    (claimed,) = await ledger.run_queue.claim(9)

    assert (await ledger.runs.get(claimed)).instructions == "now"


async def test_two_wishes_at_once_start_one_run_on_the_card(ledger: Ledger) -> None:
    wishes = [start(stage=f"s{n}", cause=f"d{n}") for n in range(8)]
    deliveries = await ledger.sorted(*(f"acme {n}" for n in range(8)))

    async with asyncio.TaskGroup() as group:
        for delivery, wish in zip(deliveries, wishes, strict=True):
            decision = Decision((wish,), "test")
            group.create_task(ledger.deliveries.settle(delivery, decision))

    assert len((await ledger.runs.history(CARD)).runs) == 8
    assert len(await ledger.dispatched()) == 1


async def test_a_run_that_ends_becomes_an_event_once(ledger: Ledger) -> None:
    run = await ledger.begun()
    await ledger.runs.note(run.id, step=Step.TESTS, comment=5, session="s")
    report = Report(RunState.SUCCEEDED, summary="done", pull_request=3)
    await ledger.runs.end(run, report)
    with pytest.raises(Fenced):
        await ledger.runs.end(run, Report(RunState.FAILED))

    decided, ended = await ledger.delivery_queue.claim(9), 0
    assert len(decided) == 1  # the decision that began it comes first
    await ledger.delivery_queue.finish(decided[0])
    (ended,) = await ledger.delivery_queue.claim(9)
    event = await ledger.deliveries.get(ended)
    assert (event.hook, event.event, event.guid) == ("vibeboard", "run_ended", run.id)
    stored = await ledger.runs.get(run.id)
    assert stored.report == report
    assert (stored.step, stored.comment, stored.session) == (Step.TESTS, 5, "s")
    assert stored.worker is None


async def test_what_a_step_came_to_is_known_until_the_run_ends(ledger: Ledger) -> None:
    run = await ledger.begun()
    assert await ledger.runs.answer(run.id, "agent") is None

    await ledger.runs.remember(run, "agent", {"made": [1]})
    assert await ledger.runs.answer(run.id, "agent") == {"made": [1]}

    await ledger.runs.end(run, Report(RunState.SUCCEEDED))
    assert await ledger.runs.answer(run.id, "agent") == {}


async def test_an_older_attempt_can_write_nothing(ledger: Ledger) -> None:
    older = await ledger.begun()
    await ledger.run_queue.release(older.id)
    assert await ledger.run_queue.claim(1) == [older.id]
    newer = await ledger.run_queue.begin(older.id)

    with pytest.raises(Fenced):
        await ledger.runs.hold(older)
    with pytest.raises(Fenced):
        await ledger.runs.remember(older, "agent", {})
    with pytest.raises(Fenced):
        await ledger.runs.end(older, Report(RunState.FAILED))

    await ledger.runs.hold(newer)
    assert (await ledger.runs.get(newer.id)).state is RunState.RUNNING


async def test_a_running_run_is_asked_to_stop(ledger: Ledger) -> None:
    run = await ledger.begun()
    await ledger.decided(StopRun(run.id, "@alice asked"))

    stored = await ledger.runs.get(run.id)
    assert stored.state is RunState.STOPPING
    assert stored.stop_reason == "@alice asked"
    await ledger.runs.hold(stored)  # its attempt goes on, to save the work


async def test_a_run_that_has_not_begun_is_stopped_at_once(ledger: Ledger) -> None:
    await ledger.decided(start())
    (run,) = (await ledger.runs.history(CARD)).runs
    await ledger.decided(StopRun(run.id, "@alice asked"))

    assert (await ledger.runs.get(run.id)).state is RunState.STOPPED
    assert (await ledger.run_queue.begin(run.id)).attempt == 0
    assert await ledger.run_queue.claim(1) == []


async def test_attempts_are_counted(ledger: Ledger) -> None:
    run = await ledger.begun()

    assert (await ledger.run_queue.begin(run.id)).attempt == 2


async def test_calls_of_all_attempts_are_added_up(ledger: Ledger) -> None:
    run = await ledger.begun()
    await ledger.runs.spent(run, {"requests": 2})
    await ledger.runs.spent(run, {"requests": 3, "points": 1})

    assert (await ledger.runs.get(run.id)).calls == {"requests": 5, "points": 1}


async def test_the_column_a_card_was_seen_in_is_remembered(ledger: Ledger) -> None:
    await ledger.decided(card=CARD, seen="QA", saw_place=True)
    assert (await ledger.runs.history(CARD)).column == "QA"

    await ledger.decided(card=CARD, seen=None, saw_place=True)
    assert (await ledger.runs.history(CARD)).column is None


async def test_a_run_that_pushes_an_approved_commit_does_nothing_else(
    ledger: Ledger,
) -> None:
    await ledger.decided(start(cause="d0"))  # has the card
    await ledger.decided(start(cause="d1", approved="c" * 40))
    await ledger.decided(start(cause="d2", instructions="And this, too."))
    await ledger.decided(start(cause="d3", instructions="And that."))

    found = (await ledger.runs.history(CARD)).runs
    assert [(run.cause, run.approved[:1], run.instructions) for run in found] == [
        ("d0", "", ""),
        ("d1", "c", ""),
        ("d2", "", "And this, too.\n\nAnd that."),
    ]
