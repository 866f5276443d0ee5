"""What a job remembers obeys the rules of a server's database, by the same tests."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.action.sheets import Cupboard, SheetLedger
from tests.conftest import HandClock
from tests.store import test_ledger, test_questions, test_results
from tests.store.ledgers import CARD, OTHER, start
from vibeboard.action import sheet as rules
from vibeboard.action.shelf import Sheets, Stored
from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import React, Reply, StopRun
from vibeboard.domain.proof import Proof
from vibeboard.domain.run import Cost, Report, RunState
from vibeboard.domain.workflow import Scope
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.ports import Decision
from vibeboard.errors import Fenced, StoreUnavailable, UserError

# One rule each; their `ledger` is the fixture below.
test_effects_come_back = test_ledger.test_effects_come_back_as_they_were_until_performed
test_a_card_not_moved = (
    test_ledger.test_a_card_that_could_not_be_moved_is_remembered_where_it_stands
)
test_one_cause = test_ledger.test_a_run_is_started_once_by_one_cause
test_one_run_a_card = test_ledger.test_a_card_has_one_run_at_a_time
test_a_delay = test_ledger.test_a_delay_that_is_over_starts_the_run
test_no_delay = test_ledger.test_whoever_commands_does_not_wait_for_a_delay
test_older_attempts = test_ledger.test_an_older_attempt_can_write_nothing
test_stopping = test_ledger.test_a_running_run_is_asked_to_stop
test_stopped = test_ledger.test_a_run_that_has_not_begun_is_stopped_at_once
test_attempts = test_ledger.test_attempts_are_counted
test_calls = test_ledger.test_calls_of_all_attempts_are_added_up
test_column = test_ledger.test_the_column_a_card_was_seen_in_is_remembered
test_first_answer = test_questions.test_the_first_answer_counts
test_all_answers = test_questions.test_a_run_waits_for_all_of_its_answers
test_early_answer = (
    test_questions.test_who_is_answered_before_the_turn_ends_does_not_wait
)
test_asked_once = test_questions.test_an_open_question_is_asked_once
test_stopped_waiting = (
    test_questions.test_a_waiting_run_that_is_stopped_is_taken_up_to_save_its_work
)
test_approver = test_questions.test_the_approver_asks_once_and_obeys
test_refusal = test_questions.test_a_refusal_stands_until_the_run_ends


@pytest.fixture
def shelf() -> Cupboard:
    return Cupboard()


@pytest.fixture
def ledger(shelf: Cupboard, clock: HandClock, tmp_path: Path) -> SheetLedger:
    return SheetLedger(shelf, clock, tmp_path)


async def test_two_jobs_that_decide_at_once_start_one_run_each_after_the_other(
    shelf: Cupboard, clock: HandClock, tmp_path: Path
) -> None:
    jobs = [SheetLedger(shelf, clock, tmp_path, number=n) for n in (1, 2, 3)]
    for job in jobs:
        await job.sheets.of(CARD)  # all have seen the same

    async with asyncio.TaskGroup() as group:
        for number, job in enumerate(jobs):
            wish = start(stage=f"s{number}", cause=f"d{number}")
            group.create_task(job.decided(wish))

    claims = [await job.run_queue.claim(1) for job in jobs]
    assert sorted(map(len, claims)) == [0, 0, 1]
    clock.at += timedelta(minutes=1)
    assert len((await jobs[0].runs.history(CARD)).runs) == 3


async def test_what_one_job_noted_survives_what_another_wrote(
    shelf: Cupboard, clock: HandClock, tmp_path: Path
) -> None:
    first = SheetLedger(shelf, clock, tmp_path, number=1)
    run = await first.begun()
    await first.runs.note(run.id, comment=5)
    second = SheetLedger(shelf, clock, tmp_path, number=2)
    await second.decided(StopRun(run.id, "@bob asked"))

    clock.at += timedelta(minutes=1)
    heard = await first.runs.get(run.id)
    await first.runs.end(heard, Report(RunState.STOPPED))

    assert (heard.state, heard.comment) == (RunState.STOPPING, 5)
    ended = rules.load(shelf.kept[CARD].text or b"").run(run.id)
    assert (ended.state, ended.comment) == (RunState.STOPPED, 5)


async def test_a_job_that_is_gone_leaves_all_to_the_next(
    shelf: Cupboard, clock: HandClock, tmp_path: Path
) -> None:
    first = SheetLedger(shelf, clock, tmp_path, number=1)
    run = await first.begun()
    await first.decided(Reply(CARD, "Hello", "greeting"))
    alive = SheetLedger(shelf, clock, tmp_path, number=2)
    after = SheetLedger(
        shelf, clock, tmp_path, number=3, gone=frozenset({"actions-1-1"})
    )

    await alive.sheets.of(CARD)
    assert await alive.run_queue.claim(1) == []
    assert await alive.deliveries.owed() == []
    await after.sheets.of(CARD)
    keys = await after.deliveries.owed()
    assert [type(await after.deliveries.pending(key)).__name__ for key in keys] == [
        "StartRun",
        "Reply",
    ]
    assert await after.run_queue.claim(1) == [run.id]
    again = await after.run_queue.begin(run.id)
    assert (again.attempt, again.crashes) == (2, 1)
    clock.at += timedelta(minutes=1)
    with pytest.raises(Fenced):
        await first.runs.end(run, Report(RunState.SUCCEEDED))


async def test_the_job_of_who_answers_goes_on_with_the_run(
    shelf: Cupboard, clock: HandClock, tmp_path: Path
) -> None:
    first = SheetLedger(shelf, clock, tmp_path, number=1)
    run, question = await test_questions.waits(first)  # type: ignore[arg-type]  # all it uses
    told = await first.deliveries.due()
    second = SheetLedger(shelf, clock, tmp_path, number=2)
    await second.sheets.of(CARD)
    assert [one.event for one in told] == ["question_asked"]
    assert await second.run_queue.claim(1) == []

    await second.decided(test_questions.allow(question))

    assert await second.run_queue.claim(1) == [run.id]
    again = await second.run_queue.begin(run.id)
    assert (again.attempt, again.crashes, again.asked_at) == (2, 0, None)
    (answer,) = await Approvals(second.questions).unheard(again)
    assert answer.id == question.id


async def test_the_end_of_a_run_is_an_event_of_the_job_that_ended_it(
    ledger: SheetLedger,
) -> None:
    run = await ledger.begun()
    await ledger.runs.end(run, Report(RunState.SUCCEEDED))

    (told,) = await ledger.deliveries.due()
    assert (told.hook, told.event, told.guid) == ("vibeboard", "run_ended", run.id)
    assert told.body == b"acme/clock#7"
    with pytest.raises(Fenced):
        await ledger.runs.end(run, Report(RunState.FAILED))


async def test_effects_that_are_about_no_card_are_performed_too(
    ledger: SheetLedger,
) -> None:
    seen = React("acme/clock", 5, "eyes")
    made = await ledger.deliveries.keep("1", "g", "issue_comment", b"{}")
    await ledger.deliveries.settle(made.id, Decision((seen,), "test"))

    (key,) = await ledger.deliveries.owed()
    assert await ledger.deliveries.pending(key) == seen
    await ledger.deliveries.performed(seen)
    assert await ledger.deliveries.owed() == []


async def test_a_steps_answer_is_known_to_the_jobs_last_step(
    shelf: Cupboard, clock: HandClock, tmp_path: Path
) -> None:
    ledger = SheetLedger(shelf, clock, tmp_path)
    run = await ledger.begun()
    await ledger.runs.remember(run, "agent", {"made": [1]})

    last = SheetLedger(shelf, clock, tmp_path)

    assert await last.runs.answer(run.id, "agent") == {"made": [1]}
    assert await last.runs.answer(run.id, "tests") is None


async def test_what_a_run_spent_and_found_out(
    ledger: SheetLedger, clock: HandClock
) -> None:
    run = await ledger.begun()
    spending, evidence = ledger.kept.spending, ledger.kept.evidence
    assert await spending.of_run(run.id) is None
    for usd in (0.1, 0.2):
        cost = Cost(usd=usd, input_tokens=10)
        await spending.record(run, agent="claude", model="m", cost=cost)
    later = replace(run, attempt=2)
    await spending.record(later, agent="claude", model="m", cost=Cost(usd=0.5))
    await evidence.keep(
        "acme/clock", "c1", test_results.UNIT, test_results.RED, run=run.id
    )

    assert await spending.of_run(run.id) == Cost(usd=0.7, input_tokens=10)
    assert await spending.of_card(CARD) == 0.7
    assert await evidence.of("acme/clock", "c1", test_results.UNIT) == [
        test_results.RED
    ]
    other = replace(test_results.UNIT, run="true")
    assert await evidence.of("acme/clock", "c1", other) == []
    clock.at += timedelta(days=1)
    assert await spending.under(run, list(Scope)) == {
        Scope.ISSUE: 0.7,
        Scope.STAGE_OF_ISSUE: 0.7,
        Scope.DAY: 0,
        Scope.STAGE_OF_DAY: 0,
    }


async def test_no_secret_is_written_down(ledger: SheetLedger, shelf: Cupboard) -> None:
    await ledger.decided(start(instructions="use hunter2-hunter2, quickly"))

    text = (shelf.kept[CARD].text or b"").decode()
    assert "hunter2" not in text
    assert "[redacted]" in text


async def test_a_sheet_stays_small_and_keeps_what_decides(
    ledger: SheetLedger,
) -> None:
    for number in range(40):
        run = await ledger.begun(start(cause=f"d{number}"))
        for commit in ("c1", "c2"):
            await ledger.kept.evidence.keep(
                "acme/clock", commit, test_results.UNIT, test_results.WHOLE, run=run.id
            )
        proof = Proof("c2", "c1", results=(test_results.WHOLE,))
        report = Report(RunState.SUCCEEDED, summary="s" * 20_000, proof=proof)
        await ledger.runs.end(run, report)

    text = rules.dump(await ledger.sheets.of(CARD))
    kept = rules.load(text)

    assert len(text) <= rules.MOST_BYTES
    assert [run.cause for run in kept.runs] == [f"d{number}" for number in range(40)]
    assert all(run.state is RunState.SUCCEEDED for run in kept.runs)
    newest = kept.runs[-1].report
    assert newest is not None
    assert newest.summary
    assert kept.tested


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{not json", "delete the ref `refs/vibeboard/cards/7`"),
        (b'{"card": {"repository": "acme/clock", "number": 7}, "format": 2}', "newer"),
    ],
    ids=["damaged", "of a newer version"],
)
async def test_a_sheet_that_cannot_be_read_is_told_and_not_lost(
    ledger: SheetLedger, shelf: Cupboard, text: bytes, told: str
) -> None:
    shelf.kept[CARD] = Stored("1", text)

    with pytest.raises(UserError, match=told):
        await ledger.runs.history(CARD)
    assert shelf.kept[CARD].text == text
    assert await ledger.runs.history(OTHER) == rules.Sheet(OTHER).history


async def test_a_card_that_everybody_writes_to_is_given_up_for_now(
    clock: HandClock,
) -> None:
    class Busy(Cupboard):
        async def write(self, card: CardKey, text: bytes, over: Stored) -> Stored:
            await super().write(
                card, b'{"card": {"repository": "a/b", "number": 7}}', over
            )
            return await super().write(card, text, over)  # somebody was quicker

    async def nobody(worker: str) -> bool:
        del worker
        return False

    sheets = Sheets(Busy(), clock, worker="w", is_gone=nobody, redact=str)
    with pytest.raises(StoreUnavailable):
        await sheets.change(CARD, lambda sheet: replace(sheet, column="QA"))
