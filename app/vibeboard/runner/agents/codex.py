"""Codex, by its app-server.

Whatever it does not know to be harmless it asks for, and the approver answers. While a
person has not, the turn is interrupted; the thread is resumed with what was answered.
Its own sandbox stands in where there is none of ours.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vibeboard.domain.tools import Verdict
from vibeboard.engine.ports import (
    AgentResult,
    Approver,
    Assignment,
    StopSignal,
)
from vibeboard.errors import AgentMissing
from vibeboard.runner.agents.codex_stream import CodexReader
from vibeboard.runner.agents.command import cell_of
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Outcome,
    SessionStarted,
)
from vibeboard.runner.agents.questions import Questions, answers_told
from vibeboard.runner.agents.record import Record
from vibeboard.runner.agents.rpc import Gone, Refusal, Rpc
from vibeboard.runner.agents.wire import Wire, beside, converse, read_object
from vibeboard.runner.process import Limits
from vibeboard.runner.sandbox.cell import Cell, Kind, Sandbox

INSTALL = "pip install openai-codex-cli-bin"
_ADDRESS, _KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
# Codex's own sandbox cannot be built inside of ours, and need not.
_OWN_SANDBOX = {
    Kind.BUBBLEWRAP: "danger-full-access",
    Kind.LANDLOCK: "danger-full-access",
    Kind.NONE: "workspace-write",
}
_DECISIONS = {
    Verdict.ALLOW: "accept",
    Verdict.DENY: "decline",
    Verdict.ASK: "cancel",  # not this, and the turn ends here
}
_STOP = "stop"  # our other requests have numbers
_APPROVALS = frozenset(
    {"item/commandExecution/requestApproval", "item/fileChange/requestApproval"}
)


def find_codex(path: str, *, chosen: Path | None = None) -> Path | None:
    """The program: the chosen one, the one in the wheel, or one on ``path``."""
    if chosen is not None:
        return chosen if chosen.is_file() else None
    spec = find_spec("codex_cli_bin")
    for folder in (spec and spec.submodule_search_locations) or ():
        bundled = Path(folder, "bin", "codex")
        if bundled.is_file():
            return bundled
    found = shutil.which("codex", path=path)
    return Path(found) if found else None


class CodexAgent:
    """Agents of the kind ``cli: codex``. A person may answer within ``hold``."""

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        program: Path | None = None,
        retries: int = 4,
        hold: timedelta = timedelta(minutes=5),
    ) -> None:
        self._sandbox = sandbox
        self._program = program
        self._retries = retries
        self._hold = hold

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Continue the thread, or begin one if there is none to continue."""
        program = find_codex(self._sandbox.path, chosen=self._program)
        if program is None:
            raise AgentMissing(f"Codex is not on this runner: run `{INSTALL}`.")
        # Below the temporary folder, Codex would refuse to set its sandbox up.
        state = assignment.home / "codex"
        state.mkdir(parents=True, exist_ok=True)
        own = {"VIBE_RUN": assignment.run, "CODEX_HOME": str(state)}
        with Record(assignment) as record:
            async with cell_of(self._sandbox, assignment, program, own) as cell:
                argv = [str(program), "app-server", *self._options(cell)]
                questions = Questions(approver, record, self._hold)
                ended = await converse(
                    cell.command(argv),
                    _Talk(record, questions, _OWN_SANDBOX[cell.kind]),
                    record=record,
                    limits=Limits(assignment.agent.time_limit),
                    stop=stop,
                )
                record.take_notes(cell)
            return record.result(ended, "Codex")

    def _options(self, cell: Cell) -> list[str]:
        address = cell.env.get(_ADDRESS)
        if address is None:
            raise AgentMissing(
                "Codex has no model on this runner: set VIBEBOARD_OPENAI_API_KEY_FILE "
                "on the server."
            )
        provider = {
            "name": "vibeboard",
            "base_url": address,
            "env_key": _KEY,
            "wire_api": "responses",
            "request_max_retries": self._retries,
            "stream_max_retries": self._retries,
        }
        facts = ", ".join(f"{key}={json.dumps(provider[key])}" for key in provider)
        return [
            *("-c", "analytics.enabled=false"),
            *("-c", f'shell_environment_policy.exclude=["{_KEY}", "CODEX_*"]'),
            *("-c", 'model_provider="vibeboard"'),
            *("-c", f"model_providers.vibeboard={{{facts}}}"),
        ]


class _Talk:
    """Our side of the app-server's protocol, for one turn."""

    def __init__(self, record: Record, questions: Questions, sandbox: str) -> None:
        self._record = record
        self._questions = questions
        self._sandbox = sandbox
        self._reader = CodexReader()
        self._turn = ""
        self._interrupted = False

    async def speak(self, wire: Wire) -> None:
        rpc = Rpc(wire)
        async with beside() as aside:
            aside(self._begin(rpc, wire))
            async for heard in wire.all():
                said = read_object(heard.line) or {}
                if rpc.take(said):
                    continue
                if "id" in said:
                    aside(self._answer(said, rpc))
                else:
                    for event in self._reader.read(said):
                        self._record.keep(self._meant(event), at=heard.at)
                    self._keep_to_turns(wire)
                if self._record.finished or self._record.hopeless.is_set():
                    break
            rpc.hang_up()

    def interrupt(self, wire: Wire) -> None:
        self._interrupted = True
        if self._turn:
            params = {"threadId": self._reader.thread, "turnId": self._turn}
            wire.send({"id": _STOP, "method": "turn/interrupt", "params": params})

    async def _begin(self, rpc: Rpc, wire: Wire) -> None:
        assignment = self._record.assignment
        told = answers_told(assignment.answered) if assignment.answered else ""
        try:
            client = {"name": "vibeboard", "title": "Vibeboard", "version": "1"}
            await rpc.ask("initialize", {"clientInfo": client})
            rpc.tell("initialized")
            resumed = await self._thread(rpc)
            prompt = [] if resumed and told else [assignment.prompt]
            text = "\n\n".join([*prompt, told] if told else prompt)
            plain = text.encode(errors="replace").decode()
            turn = await rpc.ask(
                "turn/start",
                {
                    "threadId": self._reader.thread,
                    "input": [{"type": "text", "text": plain}],
                },
            )
            self._turn = _name(turn.get("turn"))
            if self._interrupted:
                self.interrupt(wire)
        except Refusal as refusal:
            reason = f"Codex did not take its orders: {refusal}"
            self._record.keep(Finished(Outcome.FAILED, reason))
            self._record.hopeless.set()
            wire.over()
        except Gone:
            return

    async def _thread(self, rpc: Rpc) -> bool:
        """Begin or resume the thread; whether it was resumed."""
        assignment = self._record.assignment
        facts: dict[str, Any] = {
            "cwd": str(assignment.tree),
            "approvalPolicy": "untrusted",
            "approvalsReviewer": "user",  # never a model of theirs
            "sandbox": self._sandbox,
        }
        if assignment.agent.model is not None:
            facts["model"] = assignment.agent.model
        if assignment.instructions:
            facts["developerInstructions"] = assignment.instructions
        resumed = False
        if assignment.session is not None:
            try:
                found = await rpc.ask(
                    "thread/resume", facts | {"threadId": assignment.session}
                )
                resumed = True
            except Refusal:
                found = await rpc.ask("thread/start", facts)
        else:
            found = await rpc.ask("thread/start", facts)
        policy = found.get("approvalPolicy")
        if policy != facts["approvalPolicy"]:
            raise Refusal(f"it would not ask before it works ({policy})")
        self._reader.thread = _name(found.get("thread"))
        model = found.get("model")
        self._record.keep(
            SessionStarted(self._reader.thread, model if isinstance(model, str) else "")
        )
        return resumed

    async def _answer(self, said: Mapping[str, Any], rpc: Rpc) -> None:
        method, params = said.get("method"), said.get("params")
        if method not in _APPROVALS or not isinstance(params, dict):
            rpc.refuse(said["id"], str(method))
            return
        tree = self._record.assignment.tree
        ruling = await self._questions.decide(self._reader.call(method, params, tree))
        rpc.answer(said["id"], {"decision": _DECISIONS[ruling.verdict]})

    def _meant(self, event: AgentEvent) -> AgentEvent:
        """An interruption says of itself that it was one, not why."""
        if isinstance(event, Finished) and event.outcome is Outcome.INTERRUPTED:
            if self._questions.waiting:
                return replace(event, outcome=Outcome.DEFERRED, reason="")
            if self._out_of_turns:
                reason = "it reached its limit of turns"
                return replace(event, outcome=Outcome.TURNS, reason=reason)
        return event

    @property
    def _out_of_turns(self) -> bool:
        most = self._record.assignment.agent.turns
        return most is not None and self._reader.responses > most

    def _keep_to_turns(self, wire: Wire) -> None:
        if self._out_of_turns and not self._interrupted:
            self.interrupt(wire)


def _name(thing: Any) -> str:
    name = thing.get("id") if isinstance(thing, dict) else None
    return name if isinstance(name, str) else ""
