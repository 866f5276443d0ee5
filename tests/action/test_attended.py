"""An agent that asks people in a job hears an answer, in any case."""

from datetime import timedelta
from pathlib import Path

from tests.action.sheets import Cupboard, SheetLedger
from tests.conftest import HandClock
from tests.store.test_questions import PUSH, allow, asks
from vibeboard.action.approvals import Attended
from vibeboard.domain.tools import Verdict


async def test_who_answers_while_the_job_waits_is_obeyed(
    clock: HandClock, tmp_path: Path
) -> None:
    ledger = SheetLedger(Cupboard(), clock, tmp_path)
    run = await ledger.begun()
    approver = Attended(ledger.questions, timedelta(0)).of(run, asks)

    refused = await approver.decide(PUSH)
    (question,) = await ledger.questions.of(run.id)
    await ledger.decided(allow(question))
    allowed = await approver.decide(PUSH)

    assert refused.verdict is Verdict.DENY
    assert "nobody answered within 0 minutes" in refused.note
    assert (allowed.verdict, allowed.by) == (Verdict.ALLOW, "bob")
