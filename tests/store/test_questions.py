"""Agents' questions: kept before they are shown, and waited for without a process."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import CARD, OTHER, Ledger, start
from vibeboard.domain.effects import AnswerQuestion, StopRun
from vibeboard.domain.question import Question, unheard
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.engine.approvals import Approvals
from vibeboard.errors import Fenced
from vibeboard.store.database import Database

PUSH = ToolCall("toolu_1", "Bash", "git push origin main", {"command": "git push"})
RULE = "Bash(git push*)"


@pytest.fixture
async def ledger(database: Database, clock: HandClock) -> Ledger:
    made = Ledger(database, clock)
    await made.workers.enter()
    return made


def asks(call: ToolCall) -> Ruling:
    return Ruling(Verdict.ASK, rule=f"{call.tool}(git push*)")


async def waits(ledger: Ledger) -> tuple[Run, Question]:
    """A run that has asked, and was given back."""
    run = await ledger.begun()
    question = await ledger.questions.ask(run, PUSH, RULE)
    await ledger.run_queue.wait_for_people(run.id)
    return run, question


def allow(question: Question, *, for_run: bool = False) -> AnswerQuestion:
    return AnswerQuestion(
        CARD,
        question.run,
        question.id,
        Verdict.ALLOW,
        "bob",
        "only this once",
        for_run=for_run,
    )


async def test_a_run_waits_for_months_and_goes_on_when_people_have_answered(
    database: Database, ledger: Ledger, clock: HandClock
) -> None:
    run, question = await waits(ledger)

    waiting = await ledger.runs.get(run.id)
    assert (waiting.state, waiting.worker) == (RunState.RUNNING, None)
    assert waiting.asked_at is not None
    await ledger.workers.leave()
    clock.at += timedelta(days=90)
    after = Ledger(database, clock)
    await after.workers.enter()
    assert await after.run_queue.claim(9) == []
    assert await after.run_queue.next_due() is None

    await after.decided(allow(question))

    assert await after.run_queue.claim(9) == [run.id]
    begun = await after.run_queue.begin(run.id)
    assert (begun.attempt, begun.asked_at, begun.crashes) == (2, None, 0)
    (heard,) = unheard(await after.questions.of(run.id))
    assert heard.call == PUSH
    assert heard.answer is not None
    assert heard.answer.ruling == Ruling(Verdict.ALLOW, by="bob", note="only this once")


async def test_the_first_answer_counts(ledger: Ledger) -> None:
    run, question = await waits(ledger)
    await ledger.decided(allow(question))

    late = replace(allow(question), verdict=Verdict.DENY, by="carol")
    await ledger.decided(late)

    (kept,) = await ledger.questions.of(run.id)
    assert kept.answer is not None
    assert (kept.answer.verdict, kept.answer.by) == (Verdict.ALLOW, "bob")


async def test_a_run_waits_for_all_of_its_answers(ledger: Ledger) -> None:
    run = await ledger.begun()
    first = await ledger.questions.ask(run, PUSH, RULE)
    second = await ledger.questions.ask(run, replace(PUSH, subject="git push -f"), RULE)
    await ledger.run_queue.wait_for_people(run.id)

    await ledger.decided(allow(first))
    assert await ledger.run_queue.claim(9) == []
    await ledger.decided(allow(second))
    assert await ledger.run_queue.claim(9) == [run.id]


async def test_who_is_answered_before_the_turn_ends_does_not_wait(
    ledger: Ledger,
) -> None:
    run = await ledger.begun()
    question = await ledger.questions.ask(run, PUSH, RULE)
    await ledger.decided(allow(question))

    await ledger.run_queue.wait_for_people(run.id)

    assert await ledger.run_queue.claim(9) == [run.id]


async def test_an_open_question_is_asked_once(ledger: Ledger) -> None:
    run = await ledger.begun()

    first = await ledger.questions.ask(run, PUSH, RULE)
    again = await ledger.questions.ask(run, replace(PUSH, id="toolu_2"), RULE)

    assert first == again
    assert len(await ledger.questions.of(run.id)) == 1


async def test_an_attempt_that_was_replaced_asks_nobody(
    database: Database, ledger: Ledger, clock: HandClock
) -> None:
    run = await ledger.begun()
    await ledger.workers.leave()
    other = Ledger(database, clock, name="two")
    await other.workers.enter()
    await other.run_queue.claim(1)
    await other.run_queue.begin(run.id)

    with pytest.raises(Fenced):
        await ledger.questions.ask(run, PUSH, RULE)

    assert await other.questions.of(run.id) == []


async def test_a_run_that_waits_takes_no_place_from_other_cards(
    ledger: Ledger,
) -> None:
    run = await ledger.begun(start(parallel=1))
    await ledger.decided(start(OTHER, parallel=1))
    assert await ledger.run_queue.claim(9) == []

    await ledger.questions.ask(run, PUSH, RULE)
    await ledger.run_queue.wait_for_people(run.id)
    await ledger.decided(start(OTHER, cause="d2", parallel=1))

    (claimed,) = await ledger.run_queue.claim(9)
    assert (await ledger.runs.get(claimed)).card == OTHER


async def test_its_own_card_stays_taken(ledger: Ledger) -> None:
    await waits(ledger)

    await ledger.decided(start(cause="d2"))

    assert await ledger.run_queue.claim(9) == []


async def test_a_waiting_run_that_is_stopped_is_taken_up_to_save_its_work(
    ledger: Ledger,
) -> None:
    run, _ = await waits(ledger)

    await ledger.decided(StopRun(run.id, "nobody answers"))

    assert await ledger.run_queue.claim(9) == [run.id]
    assert (await ledger.run_queue.begin(run.id)).state is RunState.STOPPING


async def test_the_approver_asks_once_and_obeys(ledger: Ledger) -> None:
    run = await ledger.begun()
    approver = Approvals(ledger.questions).of(run, asks)

    assert (await approver.decide(PUSH)).verdict is Verdict.ASK
    (question,) = await ledger.questions.of(run.id)
    await ledger.decided(allow(question))
    said = await approver.decide(replace(PUSH, id="toolu_9"))

    assert (said.verdict, said.by) == (Verdict.ALLOW, "bob")
    # Once is once.
    assert (await approver.decide(PUSH)).verdict is Verdict.ASK
    assert len(await ledger.questions.of(run.id)) == 2


async def test_an_agent_that_is_held_hears_the_answer(ledger: Ledger) -> None:
    run = await ledger.begun()
    approver = Approvals(ledger.questions).of(run, asks)
    deciding = asyncio.create_task(approver.decide(PUSH, hold=timedelta(seconds=30)))
    while not (asked := await ledger.questions.of(run.id)):  # noqa: ASYNC110 - a database tells nobody
        await asyncio.sleep(0.01)

    await ledger.decided(allow(asked[0]))

    assert (await deciding).verdict is Verdict.ALLOW


async def test_leave_for_the_run_covers_what_the_same_rule_asks(
    ledger: Ledger,
) -> None:
    run = await ledger.begun()
    approver = Approvals(ledger.questions).of(run, asks)
    await approver.decide(PUSH)
    (question,) = await ledger.questions.of(run.id)
    await ledger.decided(allow(question, for_run=True))

    other = replace(PUSH, subject="git push origin next", arguments={})
    assert (await approver.decide(other)).verdict is Verdict.ALLOW
    assert (await approver.decide(other)).verdict is Verdict.ALLOW
    another_tool = replace(other, tool="Edit")
    assert (await approver.decide(another_tool)).verdict is Verdict.ASK


async def test_a_refusal_stands_until_the_run_ends(ledger: Ledger) -> None:
    run = await ledger.begun()
    approver = Approvals(ledger.questions).of(run, asks)
    await approver.decide(PUSH)
    (question,) = await ledger.questions.of(run.id)
    await ledger.decided(replace(allow(question), verdict=Verdict.DENY))

    for _ in range(2):
        assert (await approver.decide(PUSH)).verdict is Verdict.DENY
    assert len(await ledger.questions.of(run.id)) == 1
