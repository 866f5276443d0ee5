"""Claude Code, by its control protocol.

Settings of the repository are shut out: its hooks and servers would run here, and its
``ANTHROPIC_BASE_URL`` would be sent the key. Every tool is put before the approver by a
hook that blocks if it is not answered. The session's id is chosen by us, so a second
attempt is told from the first.
"""

import asyncio
import shutil
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from vibeboard.domain.tools import Ruling, Verdict
from vibeboard.engine.ports import (
    AgentResult,
    Approver,
    Assignment,
    StopSignal,
)
from vibeboard.errors import AgentMissing
from vibeboard.runner.agents.claude_calls import call_of
from vibeboard.runner.agents.claude_stream import read_line
from vibeboard.runner.agents.command import cell_of, write_home
from vibeboard.runner.agents.events import Finished, Outcome
from vibeboard.runner.agents.questions import Questions, answers_told, refusal
from vibeboard.runner.agents.record import Record
from vibeboard.runner.agents.wire import Wire, beside, converse, read_object
from vibeboard.runner.process import Limits
from vibeboard.runner.sandbox.cell import Sandbox

INSTALL = "pip install claude-agent-sdk"
_SESSIONS = UUID("7b2f8f4e-8f0c-5c1d-9d0e-56a1b7c0e3a9")
_NO_SESSION = "No conversation found"
_BEGIN = "begin"
_HOOK = "tools"
# How long a resumed session may keep silent before it is told what was answered.
_SILENCE = 3.0
_QUIET = {
    "SHELL": "/bin/bash",  # what rules on command lines understand
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
    """Agents of the kind ``cli: claude-code``.

    A person may answer within ``hold`` while it waits; after that it ends and is
    resumed with the answer.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        program: Path | None = None,
        retries: int = 10,
        hold: timedelta = timedelta(minutes=1),
    ) -> None:
        self._sandbox = sandbox
        self._own = {**_QUIET, "CLAUDE_CODE_MAX_RETRIES": str(retries)}
        self._program = program
        self._hold = hold

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Continue the session, or begin one if there is none to continue."""
        program = find_claude(self._sandbox.path, chosen=self._program)
        if program is None:
            raise AgentMissing(f"Claude Code is not on this runner: run `{INSTALL}`.")
        for session in dict.fromkeys([assignment.session, None]):
            with Record(assignment) as record:
                result = await self._turn(record, session, program, stop, approver)
                if session is None or not _session_missing(record):
                    return result
        raise AssertionError("a session of our own cannot be missing")

    async def _turn(
        self,
        record: Record,
        session: str | None,
        program: Path,
        stop: StopSignal,
        approver: Approver,
    ) -> AgentResult:
        assignment = record.assignment
        own = self._own | {"VIBE_RUN": assignment.run}
        talk = _Talk(record, session, Questions(approver, record, self._hold))
        argv = [str(program), *options(assignment, session)]
        async with cell_of(self._sandbox, assignment, program, own) as cell:
            ended = await converse(
                cell.command(argv),
                talk,
                record=record,
                limits=Limits(assignment.agent.time_limit),
                stop=stop,
            )
            record.take_notes(cell)
        return record.result(ended, "Claude Code")


def options(assignment: Assignment, session: str | None) -> list[str]:
    """The program's arguments, to continue ``session`` or begin one."""
    agent = assignment.agent
    given = ["-p", "--input-format", "stream-json", "--output-format", "stream-json"]
    given += ["--verbose", "--permission-prompt-tool", "stdio"]
    given += ["--permission-mode", "default"]
    given += ["--setting-sources", "", "--strict-mcp-config"]
    if session is not None:
        given += ["--resume", session]
    else:
        given += ["--session-id", str(_new_session(assignment))]
    if assignment.instructions:
        path = write_home(assignment, "instructions.md", assignment.instructions)
        # Without the second a resumed session keeps what it was told first.
        given += ["--append-system-prompt-file", str(path)]
        given += ["--system-prompt-snapshot", "off"]
    if agent.model is not None:
        given += ["--model", agent.model]
    if agent.turns is not None:
        given += ["--max-turns", str(agent.turns)]
    if agent.usd is not None:
        given += ["--max-budget-usd", str(agent.usd)]
    return given


class _Talk:
    """Our side of the control protocol, for one turn."""

    def __init__(
        self, record: Record, session: str | None, questions: Questions
    ) -> None:
        self._record = record
        self._session = session
        self._questions = questions
        self._asked_since = asyncio.Event()

    async def speak(self, wire: Wire) -> None:
        hook = {
            "matcher": ".*",
            "hookCallbackIds": [_HOOK],
            "timeout": int(self._questions.patience.total_seconds()),
            "onFailure": "block",
        }
        begin = {"subtype": "initialize", "hooks": {"PreToolUse": [hook]}}
        wire.send(_request(_BEGIN, begin))
        async with beside() as aside:
            async for heard in wire.all():
                said = read_object(heard.line)
                match (said or {}).get("type"):
                    case "control_response":
                        self._begin(said or {}, wire, aside)
                    case "control_request":
                        self._asked_since.set()
                        aside(self._answer(said or {}, wire))
                    case _:
                        resumed = self._session is not None
                        for event in read_line(heard.line, resumed=resumed):
                            self._record.keep(event, at=heard.at)
                if self._record.finished or self._record.hopeless.is_set():
                    return

    def interrupt(self, wire: Wire) -> None:
        wire.send(_request("stop", {"subtype": "interrupt"}))

    def _begin(
        self,
        said: Mapping[str, Any],
        wire: Wire,
        aside: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        """The program is ready: tell it what to do, unless it waits for an answer."""
        response = said.get("response")
        if not isinstance(response, dict) or response.get("request_id") != _BEGIN:
            return
        if response.get("subtype") != "success":
            # Without the hook nothing would ask before it works.
            reason = f"Claude Code did not take our hook: {response.get('error')}"
            self._record.keep(Finished(Outcome.FAILED, reason))
            return
        assignment = self._record.assignment
        told = answers_told(assignment.answered) if assignment.answered else ""
        if self._session is None:
            wire.send(_said("\n\n".join(filter(None, [assignment.prompt, told]))))
        elif not told:
            wire.send(_said(assignment.prompt))
        else:
            aside(self._remind(wire, told))

    async def _remind(self, wire: Wire, told: str) -> None:
        """A resumed session asks again by itself, unless it has forgotten to."""
        try:
            async with asyncio.timeout(_SILENCE):
                await self._asked_since.wait()
        except TimeoutError:
            wire.send(_said(told))

    async def _answer(self, said: Mapping[str, Any], wire: Wire) -> None:
        request = said.get("request")
        request = request if isinstance(request, dict) else {}
        tree = self._record.assignment.tree
        answer: dict[str, Any]
        match request.get("subtype"):
            case "hook_callback":
                asked = request.get("input")
                call = call_of(asked if isinstance(asked, dict) else {}, tree)
                answer = _decided(await self._questions.decide(call))
            case "can_use_tool":
                ruling = await self._questions.decide(call_of(request, tree))
                answer = _permitted(ruling, request)
            case other:
                wire.send(_refused(said, f"{other} is not supported"))
                return
        wire.send(_response(said, answer))


_DECISIONS = {Verdict.ALLOW: "allow", Verdict.DENY: "deny", Verdict.ASK: "defer"}


def _decided(ruling: Ruling) -> dict[str, Any]:
    """The ruling as a hook's answer."""
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": _DECISIONS[ruling.verdict],
            "permissionDecisionReason": ""
            if ruling.verdict is Verdict.ALLOW
            else refusal(ruling),
        }
    }


def _permitted(ruling: Ruling, request: Mapping[str, Any]) -> dict[str, Any]:
    """The same ruling, where the program asks a second time."""
    if ruling.verdict is Verdict.ALLOW:
        return {"behavior": "allow", "updatedInput": request.get("input")}
    return {"behavior": "deny", "message": refusal(ruling)}


def _request(name: str, request: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "control_request", "request_id": name, "request": request}


def _response(to: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    facts = {"request_id": to.get("request_id"), "response": answer}
    return {"type": "control_response", "response": {"subtype": "success", **facts}}


def _refused(to: Mapping[str, Any], why: str) -> dict[str, Any]:
    facts = {"request_id": to.get("request_id"), "error": why}
    return {"type": "control_response", "response": {"subtype": "error", **facts}}


def _said(text: str) -> dict[str, Any]:
    plain = text.encode(errors="replace").decode()
    return {
        "type": "user",
        "session_id": "",
        "parent_tool_use_id": None,
        "message": {"role": "user", "content": plain},
    }


def _session_missing(record: Record) -> bool:
    """Whether the session to be continued is not known here."""
    said = record.finished.reason if record.finished else ""
    return _NO_SESSION in said + record.complaints


def _new_session(assignment: Assignment) -> UUID:
    # A continuation that begins anew must not take the id of the first attempt.
    again = "" if assignment.session is None else ":anew"
    return uuid5(_SESSIONS, f"{assignment.run}:{assignment.attempt}{again}")
