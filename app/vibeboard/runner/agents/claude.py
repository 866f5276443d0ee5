"""Claude Code, headless.

Settings of the repository are shut out: its hooks and servers would run here, and its
``ANTHROPIC_BASE_URL`` would be sent the key. Edits in the tree and the shell are
allowed, everything else that asks is not. The session's id is chosen by us, so a
second attempt is told from the first.
"""

import asyncio
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from uuid import UUID, uuid5

from vibeboard.engine.ports import (
    AgentEnd,
    AgentResult,
    Approver,
    Assignment,
    StopSignal,
)
from vibeboard.errors import AgentMissing
from vibeboard.runner import process
from vibeboard.runner.agents.claude_stream import read_line
from vibeboard.runner.agents.command import SUMMARY, end_of, note, reach_of
from vibeboard.runner.agents.events import (
    EventLog,
    Finished,
    Lines,
    SessionStarted,
    Warned,
)
from vibeboard.runner.log import RunLog, Tail
from vibeboard.runner.process import Ended, Limits
from vibeboard.runner.sandbox.cell import Cell, Sandbox
from vibeboard.runner.survey import read_inside

INSTALL = "pip install claude-agent-sdk"
_SESSIONS = UUID("7b2f8f4e-8f0c-5c1d-9d0e-56a1b7c0e3a9")
_NO_SESSION = "No conversation found"
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
}


def find_claude(path: str, *, chosen: Path | None = None) -> Path | None:
    """The program: the chosen one, the one in the wheel, or one on ``path``."""
    if chosen is not None:
        return chosen if chosen.is_file() else None
    spec = find_spec("claude_agent_sdk")
    for folder in (spec and spec.submodule_search_locations) or ():
        bundled = Path(folder, "_bundled", "claude")
        if bundled.is_file():
            return bundled
    found = shutil.which("claude", path=path)
    return Path(found) if found else None


class ClaudeAgent:
    """Agents of the kind ``cli: claude-code``."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        program: Path | None = None,
        allowed_tools: tuple[str, ...] = ("Bash",),
        retries: int = 10,
    ) -> None:
        self._sandbox = sandbox
        self._own = {**_QUIET, "CLAUDE_CODE_MAX_RETRIES": str(retries)}
        self._program = program
        self._allowed = allowed_tools

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Continue the session, or begin one if there is none to continue."""
        del approver  # its own options say what it may do
        program = find_claude(self._sandbox.path, chosen=self._program)
        if program is None:
            raise AgentMissing(f"Claude Code is not on this runner: run `{INSTALL}`.")
        if assignment.session is not None:
            resumed = _Turn(assignment, resume=assignment.session)
            result = await self._take(resumed, program, stop)
            if not resumed.session_missing:
                return result
        return await self._take(_Turn(assignment, resume=None), program, stop)

    async def _take(
        self, turn: "_Turn", program: Path, stop: StopSignal
    ) -> AgentResult:
        assignment = turn.assignment
        own = self._own | {"VIBE_RUN": assignment.run}
        with turn:
            async with self._sandbox.open(
                tree=assignment.tree,
                home=assignment.home,
                own=own,
                reach=reach_of(assignment, program),
            ) as cell:
                ended = await process.run(
                    cell.command(
                        [
                            str(program),
                            *turn.options(),
                            "--allowedTools",
                            *self._allowed,
                        ],
                        assignment.prompt.encode(errors="replace"),
                    ),
                    limits=Limits(assignment.agent.time_limit),
                    stop=stop,
                    stdout=turn.hear,
                    stderr=turn.hear_complaint,
                    give_up=turn.hopeless,
                )
                turn.take_notes(cell)
        return turn.result(ended)


class _Turn:
    """One run of the program, and what it has said so far."""

    def __init__(self, assignment: Assignment, *, resume: str | None) -> None:
        self.assignment = assignment
        self.hopeless = asyncio.Event()
        self._resume = resume
        self._log = RunLog(assignment.log)
        self._events = EventLog(assignment.log)
        self._lines = Lines()
        self._complaints = Tail()
        self._finished: Finished | None = None
        self._session: str | None = None
        self._last_warning = ""
        self._notes: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()
        self._events.__exit__(None, None, None)

    @property
    def session_missing(self) -> bool:
        """Whether the session to be continued is not known here."""
        said = self._finished.reason if self._finished else ""
        return self._session is None and _NO_SESSION in said + self._complaints.text

    def options(self) -> list[str]:
        agent = self.assignment.agent
        options = ["-p", "--output-format", "stream-json", "--verbose"]
        options += ["--permission-mode", "acceptEdits"]
        options += ["--setting-sources", "", "--strict-mcp-config"]
        if self._resume is not None:
            options += ["--resume", self._resume]
        else:
            options += ["--session-id", str(self._new_session())]
        if agent.model is not None:
            options += ["--model", agent.model]
        if agent.turns is not None:
            options += ["--max-turns", str(agent.turns)]
        if agent.usd is not None:
            options += ["--max-budget-usd", str(agent.usd)]
        return options

    def hear(self, chunk: bytes) -> None:
        at = self._log.size
        self._log.append(chunk)
        for line in self._lines.feed(chunk):
            for event in read_line(line, resumed=self._resume is not None):
                self._events.keep(event, at=at)
                if isinstance(event, SessionStarted):
                    self._session = event.session
                elif isinstance(event, Finished):
                    self._finished = event
                elif isinstance(event, Warned):
                    self._last_warning = event.text
                    if event.fatal:
                        self.hopeless.set()

    def hear_complaint(self, chunk: bytes) -> None:
        self._log.aside(chunk)
        self._complaints.append(chunk)

    def take_notes(self, cell: Cell) -> None:
        self._notes = note(self._log, cell)

    def result(self, ended: Ended) -> AgentResult:
        """How it went; the program's own word unless it was cut off."""
        finished = self._finished
        summary = read_inside(self.assignment.tree, SUMMARY)
        if finished is not None:
            summary = summary or finished.summary
        end, reason = end_of(ended, self.assignment) or self._own_end(ended)
        return AgentResult(
            end,
            summary=summary or "",
            reason=reason,
            cost=(finished or Finished(ok=False)).cost,
            session=self._session,
            notes=self._notes,
        )

    def _own_end(self, ended: Ended) -> tuple[AgentEnd, str]:
        if self._finished is not None:
            end = AgentEnd.FINISHED if self._finished.ok else AgentEnd.FAILED
            return end, self._finished.reason
        if self.hopeless.is_set():
            return AgentEnd.FAILED, self._last_warning
        said = self._complaints.lines(5) or self._last_warning
        reason = (
            f"Claude Code ended with exit code {ended.exit_code} without saying how "
            "it went"
        )
        return AgentEnd.FAILED, f"{reason}: {said}" if said else reason

    def _new_session(self) -> UUID:
        # A continuation that begins anew must not take the id of the first attempt.
        again = "" if self.assignment.session is None else ":anew"
        return uuid5(
            _SESSIONS, f"{self.assignment.run}:{self.assignment.attempt}{again}"
        )
