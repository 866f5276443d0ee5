"""Asks people while the job waits: nobody could resume an agent on another machine."""

from dataclasses import replace
from datetime import timedelta

from vibeboard.domain.run import Run
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.engine.approvals import Approvals, Rules
from vibeboard.engine.ports import Approver, Questions


class Attended(Approvals):
    """Makes approvers that refuse what nobody has answered within ``hold``."""

    def __init__(self, questions: Questions, hold: timedelta) -> None:
        super().__init__(questions)
        self._hold = hold

    def of(self, run: Run, rules: Rules) -> Approver:
        """Who answers for the tools in this attempt of a run."""
        return _Attended(super().of(run, rules), self._hold)


class _Attended:
    """Satisfies ``Approver``; never says that it is to be waited."""

    def __init__(self, approver: Approver, hold: timedelta) -> None:
        self._approver = approver
        self._hold = hold

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        """As people say while the job waits; no, if nobody says anything."""
        ruling = await self._approver.decide(call, hold=max(hold, self._hold))
        if ruling.verdict is not Verdict.ASK:
            return ruling
        minutes = round(self._hold.total_seconds() / 60)
        note = f"nobody answered within {minutes} minutes; go on without it"
        return replace(ruling, verdict=Verdict.DENY, note=note)
