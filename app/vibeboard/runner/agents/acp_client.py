"""Our side of the Agent Client Protocol, on the library of the protocol's authors.

Kept apart from ``acp.py``: to import the library takes most of a second, which only who
uses it should pay. Files and terminals stay the program's own business; whatever else
it asks for is unknown to us, and told so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from acp import PROTOCOL_VERSION
from acp.connection import Connection
from acp.exceptions import RequestError
from acp.meta import AGENT_METHODS, CLIENT_METHODS
from acp.schema import (
    CancelNotification,
    ClientCapabilities,
    Implementation,
    InitializeRequest,
    LoadSessionRequest,
    NewSessionRequest,
    PromptRequest,
    SetSessionConfigOptionSelectRequest,
    SetSessionModeRequest,
    TextContentBlock,
)
from pydantic import BaseModel

from vibeboard.domain.tools import Ruling, Verdict
from vibeboard.runner.agents.acp_stream import AcpReader, mode_option, modes, option
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Message,
    Outcome,
    SessionStarted,
    ToolStarted,
    UsageSeen,
    Warned,
)
from vibeboard.runner.agents.questions import Questions, answers_told, refusal
from vibeboard.runner.agents.record import Record
from vibeboard.runner.agents.wire import Wire, read_object

# The mode in which a program asks before it works, by the name it gives itself.
ASKING = {
    "@agentclientprotocol/claude-agent-acp": "default",
    "@agentclientprotocol/codex-acp": "read-only",
    "gemini-cli": "default",
    "OpenCode": "build",
    "qwen-code": "default",
}
# Where a program is not known: modes whose names promise as much.
_LIKELY = ("default", "ask", "manual")
_MOST_REFUSALS = 5
_SET_MODEL = "session/set_model"
_AUTH_REQUIRED = -32000
_KEY_REFUSED = (401, 403, _AUTH_REQUIRED)
_ENDS = {
    "end_turn": (Outcome.OK, ""),
    "max_tokens": (Outcome.FAILED, "it reached the model's limit of tokens"),
    "max_turn_requests": (Outcome.TURNS, "it reached its limit of turns"),
    "refusal": (Outcome.FAILED, "the model refused to go on"),
    "cancelled": (Outcome.INTERRUPTED, "its turn was interrupted"),
}


class Unfit(Exception):  # noqa: N818 - what the program is
    """The program cannot be let to work, for the reason given."""


class Talk:
    """One turn of an ACP agent."""

    def __init__(self, record: Record, questions: Questions) -> None:
        self._record = record
        self._questions = questions
        self._reader = AcpReader()
        self._session = ""
        self._mode = ""
        self._unfit = ""
        self._over_budget = False
        self._refusal = ""
        self._broken: Exception | None = None

    async def speak(self, wire: Wire) -> None:
        """Carry the turn out."""
        self._wire = wire
        connection = Connection(self._asked, self)
        try:
            await self._turn(connection)
        except RequestError as error:
            self._record.keep(_refused(error))
        except Unfit as unfit:
            self._record.keep(Finished(Outcome.FAILED, str(unfit)))
        except ConnectionError:
            pass  # the program has gone, and said nothing
        finally:
            await connection.close()
        if self._broken is not None:
            raise self._broken

    def interrupt(self, wire: Wire) -> None:
        """Ask the program to end its turn."""
        if self._session:
            cancel = CancelNotification(session_id=self._session)
            method = AGENT_METHODS["session_cancel"]
            params = _plain(cancel)
            wire.send({"jsonrpc": "2.0", "method": method, "params": params})

    # --- The library's transport ------------------------------------------------

    async def send(self, message: dict[str, Any]) -> None:
        """Hand a message on."""
        self._wire.send(message)

    async def receive(self) -> dict[str, Any] | None:
        """The next request or answer; what is merely told is read on the way."""
        while (heard := await self._wire.heard()) is not None:
            said = read_object(heard.line)
            if said is None:
                continue
            if "method" not in said or "id" in said:
                return said
            if said["method"] == CLIENT_METHODS["session_update"]:
                for event in self._reader.read(said.get("params")):
                    self._heard(event, at=heard.at)
                self._keep_to_mode()
        return None

    async def close(self) -> None:
        """The wire is not ours to close."""

    # --- The turn ---------------------------------------------------------------

    async def _turn(self, connection: Connection) -> None:
        assignment = self._record.assignment
        hello = InitializeRequest(
            protocol_version=PROTOCOL_VERSION,
            client_capabilities=ClientCapabilities(),
            client_info=Implementation(name="vibeboard", version="1"),
        )
        about = await _ask(connection, "initialize", hello)
        told = answers_told(assignment.answered) if assignment.answered else ""
        found = await self._resumed(connection, about)
        if found is None:
            new = NewSessionRequest(cwd=str(assignment.tree), mcp_servers=[])
            found = await _ask(connection, "session_new", new)
            self._session = str(found.get("sessionId") or "")
            parts = [assignment.instructions, assignment.prompt, told]
        else:
            parts = [told or assignment.prompt]
        self._record.keep(SessionStarted(self._session, assignment.agent.model or ""))
        await self._choose_mode(connection, about, found)
        await self._choose_model(connection, found)
        answer = await self._prompt(connection, "\n\n".join(filter(None, parts)))
        # Some end their turn where they are refused, and never learn why.
        for _ in range(_MOST_REFUSALS):
            if not self._refusal or answer.get("stopReason") != "end_turn":
                break
            answer = await self._prompt(connection, self._refusal)
        self._record.keep(self._finished(answer))

    async def _prompt(self, connection: Connection, text: str) -> dict[str, Any]:
        self._refusal = ""
        plain = text.encode(errors="replace").decode()
        prompt = PromptRequest(
            session_id=self._session, prompt=[TextContentBlock(type="text", text=plain)]
        )
        answer = await _ask(connection, "session_prompt", prompt)
        for event in self._reader.flush():
            self._heard(event)
        self._reader.end(answer)
        return answer

    def _heard(self, event: AgentEvent, *, at: int | None = None) -> None:
        self._record.keep(event, at=at)
        if isinstance(event, Message | ToolStarted):
            self._refusal = ""  # it goes on by itself
        if isinstance(event, UsageSeen):
            self._keep_to_budget(event)

    async def _resumed(
        self, connection: Connection, about: Mapping[str, Any]
    ) -> Mapping[str, Any] | None:
        """The session to be continued; None if there is none, or it is lost."""
        assignment = self._record.assignment
        able = about.get("agentCapabilities")
        can_load = isinstance(able, dict) and able.get("loadSession") is True
        if assignment.session is None or not can_load:
            return None
        self._reader.loading = True
        load = LoadSessionRequest(
            cwd=str(assignment.tree), session_id=assignment.session, mcp_servers=[]
        )
        try:
            found = await _ask(connection, "session_load", load)
        except RequestError as lost:
            self._record.keep(Warned(f"the session is lost ({lost}); it begins anew"))
            return None
        finally:
            list(self._reader.flush())
            self._reader.loading = False
        self._session = assignment.session
        return found

    async def _choose_mode(
        self,
        connection: Connection,
        about: Mapping[str, Any],
        session: Mapping[str, Any],
    ) -> None:
        """Set the mode in which it asks; modes of its own choice may not."""
        names, current = modes(session)
        name, value, values = mode_option(session)
        offered = names or values
        info = about.get("agentInfo")
        program = str(info.get("name") or "") if isinstance(info, dict) else ""
        wanted = _wanted(program, offered)
        if wanted is None:
            self._record.keep(
                Warned(f"{program or 'the program'} has no modes: it asks as it likes")
            )
            return
        if names and current != wanted:
            mode = SetSessionModeRequest(session_id=self._session, mode_id=wanted)
            await _ask(connection, "session_set_mode", mode)
        elif not names and value != wanted:
            choice = SetSessionConfigOptionSelectRequest(
                session_id=self._session, config_id=name, value=wanted
            )
            answer = await _ask(connection, "session_set_config_option", choice)
            if mode_option(answer)[1] != wanted:
                raise Unfit(f"it did not take its mode {wanted!r}")
        self._mode = self._reader.mode = wanted

    async def _choose_model(
        self, connection: Connection, session: Mapping[str, Any]
    ) -> None:
        model = self._record.assignment.agent.model
        if model is None:
            return
        name, value, values = option(session, "model")
        if name:
            if model not in values:
                raise Unfit(f"it has no model {model!r}; there are {_some(values)}")
            if value != model:
                choice = SetSessionConfigOptionSelectRequest(
                    session_id=self._session, config_id=name, value=model
                )
                await _ask(connection, "session_set_config_option", choice)
        elif "models" in session:
            params = {"sessionId": self._session, "modelId": model}
            await connection.send_request(_SET_MODEL, params)
        else:
            raise Unfit("it cannot be told which `model` to use; leave it out")

    # --- What the program asks --------------------------------------------------

    async def _asked(self, method: str, params: Any, _told: bool) -> Any:  # noqa: FBT001 - the library calls it so
        if method != CLIENT_METHODS["session_request_permission"]:
            raise RequestError.method_not_found(method)
        params = params if isinstance(params, dict) else {}
        call = self._reader.call(params, self._record.assignment.tree)
        try:
            ruling = await self._questions.decide(call)
        except Exception as error:
            # Nobody may take this for an answer: the turn ends here.
            self._broken = error
            self._wire.over()
            raise RequestError.internal_error() from error
        chosen = _chosen(ruling, params.get("options"))
        if ruling.verdict is Verdict.DENY:
            self._refusal = f"{call.tool}: {call.subject}\n\n{refusal(ruling)}"
        if chosen is None:
            self.interrupt(self._wire)
            return {"outcome": {"outcome": "cancelled"}}
        return {"outcome": {"outcome": "selected", "optionId": chosen}}

    def _keep_to_mode(self) -> None:
        if self._mode and self._reader.mode != self._mode and not self._unfit:
            self._unfit = (
                f"it left the mode in which it asks ({self._mode}) for "
                f"{self._reader.mode}"
            )
            self.interrupt(self._wire)

    def _keep_to_budget(self, seen: UsageSeen) -> None:
        most = self._record.assignment.agent.usd
        if most is not None and (seen.cost.usd or 0) > most and not self._over_budget:
            self._over_budget = True
            self.interrupt(self._wire)

    def _finished(self, answer: Mapping[str, Any]) -> Finished:
        why = str(answer.get("stopReason") or "")
        outcome, reason = _ENDS.get(why, (Outcome.FAILED, f"it ended by {why or '?'}"))
        if self._unfit:
            outcome, reason = Outcome.FAILED, self._unfit
        elif self._questions.waiting:
            outcome, reason = Outcome.DEFERRED, ""
        elif self._over_budget and outcome is not Outcome.OK:
            outcome, reason = Outcome.BUDGET, "it reached its budget"
        return Finished(
            outcome,
            reason,
            self._reader.last_message,
            cost=self._reader.cost,
        )


def _wanted(program: str, offered: Sequence[str]) -> str | None:
    """The mode to set; None if there is none to choose from."""
    if not offered:
        return None
    known = ASKING.get(program)
    for mode in (known,) if known is not None else _LIKELY:
        if mode in offered:
            return mode
    raise Unfit(
        f"none of its modes is known to ask before it works ({_some(offered)}); "
        "use a version that is known, or `cli: command`"
    )


def _chosen(ruling: Ruling, options: Any) -> str | None:
    """The option that says it; only ever for this once. None cancels the turn."""
    wanted = {Verdict.ALLOW: "allow_once", Verdict.DENY: "reject_once"}
    kind = wanted.get(ruling.verdict)
    for each in options if isinstance(options, list) else ():
        if isinstance(each, dict) and each.get("kind") == kind is not None:
            name = each.get("optionId")
            return name if isinstance(name, str) else None
    return None


def _refused(error: RequestError) -> Finished:
    details = error.data.get("details") if isinstance(error.data, dict) else None
    told = f"{error}: {details}" if details else str(error)
    if error.code in _KEY_REFUSED:
        return Finished(Outcome.API, f"the model's API did not take the key ({told})")
    return Finished(Outcome.FAILED, f"it refused: {told}")


async def _ask(
    connection: Connection, method: str, request: BaseModel
) -> dict[str, Any]:
    answer = await connection.send_request(AGENT_METHODS[method], _plain(request))
    return answer if isinstance(answer, dict) else {}


def _plain(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join([*names[:8], *(["…"] if len(names) > 8 else [])])  # noqa: PLR2004 - enough
