"""What one turn of an agent's program leaves: its log, its events, how it came out.

The same for every program. How its lines read is the adapters' business.
"""

import asyncio
from types import TracebackType
from typing import Self

from vibeboard.domain.run import Cost
from vibeboard.engine.ports import AgentEnd, AgentResult, Assignment
from vibeboard.runner.agents.command import SUMMARY, end_of, note
from vibeboard.runner.agents.events import (
    AgentEvent,
    EventLog,
    Finished,
    Outcome,
    SessionStarted,
    UsageSeen,
    Warned,
)
from vibeboard.runner.log import RunLog, Tail
from vibeboard.runner.process import Ended
from vibeboard.runner.sandbox.cell import Cell
from vibeboard.runner.survey import read_inside

_ENDS = {
    Outcome.OK: AgentEnd.FINISHED,
    Outcome.DEFERRED: AgentEnd.WAITING,
}
_LAST_WORDS = 5


class Record:
    """Keeps what a program prints and does, and says at the end how it went.

    ``hopeless`` is set once no waiting will mend what it warned of.
    """

    def __init__(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.hopeless = asyncio.Event()
        self.session: str | None = None
        self.finished: Finished | None = None
        self.interrupted = False
        self._log = RunLog(assignment.log)
        self._events = EventLog(assignment.log)
        self._complaints = Tail()
        self._used = Cost()
        self._last_warning = ""
        self._notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()
        self._events.__exit__(kind, error, trace)

    @property
    def size(self) -> int:
        """How many bytes the raw log has."""
        return self._log.size

    @property
    def complaints(self) -> str:
        """The end of what the program wrote to its standard error."""
        return self._complaints.text

    def hear(self, chunk: bytes) -> None:
        """Add a piece of what the program prints."""
        self._log.append(chunk)

    def hear_complaint(self, chunk: bytes) -> None:
        """Add a piece of its standard error."""
        self._log.aside(chunk)
        self._complaints.append(chunk)

    def keep(self, event: AgentEvent, *, at: int | None = None) -> None:
        """Add an event, read at byte ``at`` of the raw log."""
        self._events.keep(event, at=self.size if at is None else at)
        match event:
            case SessionStarted(session=session):
                self.session = session or self.session
            case UsageSeen(cost=cost):
                self._used = cost
            case Finished():
                self.finished = event
                self.session = event.session or self.session
            case Warned(text=text, fatal=fatal):
                self._last_warning = text
                if fatal:
                    self.hopeless.set()
            case _:
                pass

    def take_notes(self, cell: Cell) -> None:
        """Take over what a person should know of the cell."""
        self._notes = note(self._log, cell)

    def result(self, ended: Ended, program: str) -> AgentResult:
        """How it went: the program's own word, unless it was cut off."""
        finished = self.finished
        summary = read_inside(self.assignment.tree, SUMMARY)
        if finished is not None:
            summary = summary or finished.summary
        end, reason = end_of(ended, self.assignment) or self._own_end(ended, program)
        cost = self._used
        if finished is not None and finished.cost != Cost():
            cost = finished.cost
        return AgentResult(
            end,
            summary=summary or "",
            reason=reason,
            cost=cost,
            session=self.session,
            notes=self._notes,
        )

    def _own_end(self, ended: Ended, program: str) -> tuple[AgentEnd, str]:
        finished = self.finished
        if finished is not None and finished.outcome in _ENDS:
            return _ENDS[finished.outcome], finished.reason
        if self.interrupted:
            return AgentEnd.STOPPED, "it was asked to stop"
        if finished is not None:
            return AgentEnd.FAILED, finished.reason
        if self.hopeless.is_set():
            return AgentEnd.FAILED, self._last_warning
        said = self._complaints.lines(_LAST_WORDS) or self._last_warning
        reason = (
            f"{program} ended with exit code {ended.exit_code} without saying how it "
            "went"
        )
        return AgentEnd.FAILED, f"{reason}: {said}" if said else reason
