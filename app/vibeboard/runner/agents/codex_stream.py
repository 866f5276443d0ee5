"""What Codex's app-server tells, as events, and what it asks, as calls.

Every release adds methods and fields, so everything unknown is let through as it is.
Its tokens are counted over the whole thread; a turn's are the difference.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vibeboard.domain.run import Cost
from vibeboard.domain.tools import EDIT, FETCH, SHELL, ToolCall
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Message,
    Outcome,
    Raw,
    Thinking,
    ToolFinished,
    ToolStarted,
    UsageSeen,
    Warned,
)
from vibeboard.runner.agents.questions import from_tree

_SHELL_COMMAND = 3  # bash -lc LINE
_NO_KEY = "unauthorized"
_KEY_REFUSED = (401, 403)
_API = frozenset(
    {
        "flexUnavailable", "httpConnectionFailed", "internalServerError",
        "rateLimitExceeded", "responseStreamConnectionFailed",
        "responseStreamDisconnected", "responseTooManyFailedAttempts",
        "serverOverloaded", "unauthorized", "usageLimitExceeded",
    }
)  # fmt: skip
_TOOLS = frozenset(
    {"commandExecution", "dynamicToolCall", "fileChange", "mcpToolCall", "webSearch"}
)
# What goes by on every turn and says nothing that is kept otherwise.
_ECHOES = frozenset({"userMessage"})
_MOST_MESSAGE = 20_000


@dataclass
class CodexReader:
    """Reads one thread's notifications, in order."""

    thread: str = ""
    responses: int = 0
    _begun: bool = False
    _items: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    _base: dict[str, int] = field(default_factory=dict)
    _used: Cost = field(default_factory=Cost)
    _last_message: str = ""

    def read(self, said: Mapping[str, Any]) -> Iterator[AgentEvent]:
        """The events of one notification."""
        params = said.get("params")
        params = params if isinstance(params, dict) else {}
        item = params.get("item")
        item = item if isinstance(item, dict) else {}
        match said.get("method"):
            case "item/started":
                yield from self._started(item)
            case "item/completed":
                yield from self._completed(item)
            case "turn/started" if params.get("threadId") == self.thread:
                self._begun = True
            case "thread/tokenUsage/updated" if params.get("threadId") == self.thread:
                yield from self._usage(params.get("tokenUsage"))
            case "turn/completed" if params.get("threadId") == self.thread:
                yield self._finished(params.get("turn"))
            case "error":
                yield _error(params)
            case "warning" | "configWarning" | "deprecationNotice":
                yield Warned(_text(params, "message") or _text(params, "summary"))
            case other:
                yield Raw(str(other))

    def call(self, method: str, params: Mapping[str, Any], tree: Path) -> ToolCall:
        """What a request for approval is about; of no known tool if it is unknown."""
        item = _text(params, "itemId")
        asked = _text(params, "approvalId") or item
        why = _text(params, "reason")
        cwd = from_tree(tree, _text(params, "cwd") or ".")
        if method == "item/fileChange/requestApproval":
            return _edit(asked, self._items.get(item, {}), tree, why)
        network = params.get("networkApprovalContext")
        if isinstance(network, dict):
            address = f"{_text(network, 'protocol')}://{_text(network, 'host')}"
            return ToolCall(asked, FETCH, address, {"address": address}, why=why)
        line = unwrapped(_text(params, "command"))
        if params.get("kind", "command") != "command" or not line:
            return ToolCall(asked, "BashInput", line, {"command": line}, why=why)
        return ToolCall(
            asked,
            SHELL,
            line,
            {"command": line},
            cwd="" if cwd == "." else cwd,
            why=why,
        )

    def _started(self, item: Mapping[str, Any]) -> Iterator[AgentEvent]:
        name = _text(item, "id")
        self._items[name] = item
        if _text(item, "type") in _TOOLS:
            yield ToolStarted(name, _tool(item), _title(item))

    def _completed(self, item: Mapping[str, Any]) -> Iterator[AgentEvent]:
        match _text(item, "type"):
            case "agentMessage":
                self._last_message = _text(item, "text")
                yield Message(self._last_message)
            case "reasoning":
                parts = [*_strings(item.get("summary")), *_strings(item.get("content"))]
                yield Thinking("\n".join(parts))
            case kind if kind in _TOOLS:
                outcome = item.get("status")
                yield ToolFinished(
                    _text(item, "id"),
                    failed=outcome not in ("completed", None),
                    output=_output(item),
                    denied=outcome == "declined",
                )
            case kind if kind in _ECHOES:
                return
            case other:
                yield Raw(f"item/{other}")

    def _usage(self, usage: Any) -> Iterator[AgentEvent]:
        total, last = (
            _numbers(usage.get(key) if isinstance(usage, dict) else None)
            for key in ("total", "last")
        )
        if not self._begun:
            # A thread that is resumed tells again what it had used.
            self._base = total
            return
        if not self.responses and not self._base:
            self._base = {key: total[key] - last.get(key, 0) for key in total}
        self.responses += 1
        used = {key: total[key] - self._base.get(key, 0) for key in total}
        self._used = Cost(
            input_tokens=used.get("inputTokens"),
            output_tokens=used.get("outputTokens"),
            turns=self.responses,
        )
        yield UsageSeen(self._used)

    def _finished(self, turn: Any) -> Finished:
        error = turn.get("error") if isinstance(turn, dict) else None
        outcome = {
            "completed": Outcome.OK,
            "interrupted": Outcome.INTERRUPTED,
        }.get(_text(turn, "status"), Outcome.FAILED)
        reason = ""
        if outcome is Outcome.FAILED:
            told, kind, number = _told(error)
            if kind in _API:
                outcome = Outcome.API
            known = f"the model's API answered {number}: " if number else ""
            reason = known + (told or "it gave up")
            if number in _KEY_REFUSED or kind == _NO_KEY:
                reason = f"the model's API did not take the key ({number or 401})"
        elif outcome is Outcome.INTERRUPTED:
            reason = "its turn was interrupted"
        return Finished(
            outcome, reason, self._last_message[:_MOST_MESSAGE], cost=self._used
        )


def unwrapped(command: str) -> str:
    """The line that a shell is given, without the shell."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    if len(words) == _SHELL_COMMAND and words[1] in ("-c", "-lc"):
        name = words[0].rpartition("/")[2]
        return words[2] if name in ("bash", "sh", "zsh") else command
    return command


def _edit(name: str, item: Mapping[str, Any], tree: Path, why: str) -> ToolCall:
    changes = item.get("changes")
    found = [each for each in changes if isinstance(each, dict)] if changes else []
    paths: list[str] = []
    for change in found:
        kind = change.get("kind")
        moved = kind.get("move_path") if isinstance(kind, dict) else None
        paths += [path for path in (change.get("path"), moved) if path]
    shown = tuple(from_tree(tree, path) for path in dict.fromkeys(paths))
    return ToolCall(
        name,
        EDIT,
        ", ".join(shown),
        {"changes": found},
        diff="\n".join(_text(change, "diff") for change in found)[:_MOST_MESSAGE],
        why=why,
        paths=shown,
    )


def _error(params: Mapping[str, Any]) -> Warned:
    told, kind, number = _told(params.get("error"))
    fatal = kind == _NO_KEY or number in _KEY_REFUSED
    if fatal:
        return Warned(
            f"the model's API did not take the key ({number or 401})", fatal=True
        )
    return Warned(told or "an error without words")


def _told(error: Any) -> tuple[str, str, int | None]:
    """An error's words, its kind, and the number that the API answered."""
    if not isinstance(error, dict):
        return "", "", None
    info = error.get("codexErrorInfo")
    if isinstance(info, dict) and info:
        kind, facts = next(iter(info.items()))
        number = facts.get("httpStatusCode") if isinstance(facts, dict) else None
        return _text(error, "message"), str(kind), number
    return _text(error, "message"), str(info or ""), None


def _tool(item: Mapping[str, Any]) -> str:
    match item.get("type"):
        case "commandExecution":
            return SHELL
        case "fileChange":
            return EDIT
        case "webSearch":
            return "WebSearch"
        case "mcpToolCall":
            return f"mcp__{_text(item, 'server')}__{_text(item, 'tool')}"
        case _:
            return _text(item, "tool")


def _title(item: Mapping[str, Any]) -> str:
    if item.get("type") == "fileChange":
        changes = item.get("changes")
        found = changes if isinstance(changes, list) else []
        return ", ".join(_text(change, "path") for change in found)
    return unwrapped(_text(item, "command")) or _text(item, "query")


def _output(item: Mapping[str, Any]) -> str:
    output = _text(item, "aggregatedOutput")
    if output or "result" not in item:
        return output
    return json.dumps(item.get("error") or item.get("result"))


def _strings(value: Any) -> list[str]:
    return [each for each in value or () if isinstance(each, str)]


def _numbers(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {key: each for key, each in value.items() if isinstance(each, int)}


def _text(values: Any, key: str) -> str:
    value = values.get(key) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) else ""
