"""What an ACP agent tells, as events, and what it asks, as calls.

Programs differ in what they leave out and add, so everything unknown is let through as
it is. What a session replays while it is loaded is not told again.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vibeboard.domain.run import Cost
from vibeboard.domain.tools import EDIT, FETCH, READ, SHELL, UNTOLD, ToolCall
from vibeboard.runner.agents.codex_stream import unwrapped
from vibeboard.runner.agents.events import (
    AgentEvent,
    Message,
    Raw,
    Thinking,
    ToolFinished,
    ToolStarted,
    UsageSeen,
)
from vibeboard.runner.agents.questions import difference, from_tree

_TOOLS = {
    "delete": EDIT,
    "edit": EDIT,
    "execute": SHELL,
    "fetch": FETCH,
    "move": EDIT,
    "read": READ,
    "search": READ,
}
_CHUNKS = frozenset({"agent_message_chunk", "agent_thought_chunk"})
_ENDED = frozenset({"completed", "failed"})
_PATHS = ("file_path", "filePath", "filepath", "path", "absolute_path", "dir_path")
_DIFFS = frozenset({"content", "diff", "newText"})
# Words for people, chosen anew each time; they change nothing about the deed.
_WORDS = frozenset({"description"})
_ENOUGH = 20_000


@dataclass
class AcpReader:
    """Reads one session's updates, in order."""

    loading: bool = False
    mode: str = ""
    last_message: str = ""
    cost: Cost = field(default_factory=Cost)
    _usd_before: float = 0.0
    _said: list[str] = field(default_factory=list)
    _thought: list[str] = field(default_factory=list)
    _calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def read(self, params: Any) -> Iterator[AgentEvent]:
        """The events of one ``session/update``."""
        update = params.get("update") if isinstance(params, dict) else None
        update = update if isinstance(update, dict) else {}
        kind = _text(update, "sessionUpdate")
        if kind not in _CHUNKS:
            yield from self.flush()
        match kind:
            case "agent_message_chunk":
                self._said.append(_text_of(update.get("content")))
            case "agent_thought_chunk":
                self._thought.append(_text_of(update.get("content")))
            case "tool_call" | "tool_call_update":
                yield from self._tool(update)
            case "usage_update":
                yield from self._usage(update.get("cost"))
            case "current_mode_update":
                self.mode = _text(update, "currentModeId") or self.mode
            case "config_option_update":
                self.mode = mode_option(update)[1] or self.mode
            case _:
                yield Raw(f"update/{kind}")

    def flush(self) -> Iterator[AgentEvent]:
        """What was said piece by piece, as a whole."""
        thought, said = "".join(self._thought), "".join(self._said)
        self._thought.clear()
        self._said.clear()
        if self.loading:
            return
        if thought:
            yield Thinking(thought)
        if said:
            self.last_message = said[:_ENOUGH]
            yield Message(said)

    def end(self, result: Mapping[str, Any]) -> None:
        """Add what one prompt used, by its answer."""
        usage = result.get("usage")
        if not isinstance(usage, dict):
            meta = result.get("_meta")
            quota = meta.get("quota") if isinstance(meta, dict) else None
            usage = quota.get("token_count") if isinstance(quota, dict) else None
        usage = usage if isinstance(usage, dict) else {}
        fresh = _number(usage, "inputTokens", "input_tokens")
        cached = [
            _number(usage, "cachedReadTokens"),
            _number(usage, "cachedWriteTokens"),
        ]
        known = [each for each in (fresh, *cached) if each is not None]
        self.cost = replace(
            self.cost,
            input_tokens=_plus(self.cost.input_tokens, sum(known) if known else None),
            output_tokens=_plus(
                self.cost.output_tokens,
                _number(usage, "outputTokens", "output_tokens"),
            ),
        )

    def call(self, params: Mapping[str, Any], tree: Path) -> ToolCall:
        """What a request for permission is about."""
        asked = params.get("toolCall")
        asked = asked if isinstance(asked, dict) else {}
        name = _text(asked, "toolCallId")
        told = self._calls.get(name, {}) | {k: v for k, v in asked.items() if v}
        given = told.get("rawInput")
        given = given if isinstance(given, dict) else {}
        tool = _TOOLS.get(_text(told, "kind"), "")
        paths = tuple(dict.fromkeys(_paths(told, given, tree)))
        diff = _diff(told, tree)
        subject = ", ".join(paths) or _text(told, "title")
        if tool == SHELL:
            subject = command_of(given)
            if not subject:
                # A title is for people: it may be cut or adorned, and rules on
                # command lines must not take it for one.
                tool, subject = UNTOLD, _text(told, "title")
        if tool == FETCH:
            subject = _text(given, "url") or subject
        return ToolCall(
            name,
            tool or _text(told, "name") or "Other",
            subject,
            # Who does not tell its tool's input tells a title, and what it changes.
            {key: value for key, value in given.items() if key not in _WORDS}
            or {"title": _text(told, "title"), "diff": diff},
            cwd="",
            diff=diff,
            why=_text(given, "description"),
            paths=paths if tool in (EDIT, READ) else (),
        )

    def _tool(self, update: Mapping[str, Any]) -> Iterator[AgentEvent]:
        name = _text(update, "toolCallId")
        known = name in self._calls
        told = self._calls.setdefault(name, {})
        told.update({key: value for key, value in update.items() if value})
        if self.loading:
            return
        if not known:
            tool = _TOOLS.get(_text(told, "kind")) or _text(told, "name") or "Other"
            yield ToolStarted(name, tool, _text(told, "title"))
        if _text(update, "status") in _ENDED and name not in self._ended:
            self._ended.add(name)
            yield ToolFinished(
                name, failed=update.get("status") == "failed", output=_output(update)
            )

    def _usage(self, cost: Any) -> Iterator[AgentEvent]:
        amount = cost.get("amount") if isinstance(cost, dict) else None
        if not isinstance(amount, int | float) or cost.get("currency") != "USD":
            return
        if self.loading:
            self._usd_before = amount
            return
        used = round(max(0.0, amount - self._usd_before), 6)
        self.cost = replace(self.cost, usd=used)
        yield UsageSeen(self.cost)


def command_of(given: Mapping[str, Any]) -> str:
    """The command line that a shell would be given; empty if it is not told."""
    command = given.get("command")
    if isinstance(command, str):
        return unwrapped(command)
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        return unwrapped(shlex.join(command))
    return ""


def modes(session: Mapping[str, Any]) -> tuple[list[str], str]:
    """The modes that a session has, and the one it is in."""
    found = session.get("modes")
    if not isinstance(found, dict):
        return [], ""
    offered = found.get("availableModes")
    names = [_text(mode, "id") for mode in offered] if isinstance(offered, list) else []
    return names, _text(found, "currentModeId")


def mode_option(session: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    """The option that is the mode: its name, its value, and what it may be."""
    return option(session, "mode")


def option(session: Mapping[str, Any], category: str) -> tuple[str, str, list[str]]:
    """A session's option of a kind: its name, its value, and what it may be."""
    options = session.get("configOptions")
    for each in options if isinstance(options, list) else ():
        if isinstance(each, dict) and each.get("category") == category:
            return _text(each, "id"), _text(each, "currentValue"), _values(each)
    return "", "", []


def _values(option: Mapping[str, Any]) -> list[str]:
    offered = option.get("options")
    return [_text(each, "value") for each in offered or () if isinstance(each, dict)]


def _paths(
    told: Mapping[str, Any], given: Mapping[str, Any], tree: Path
) -> Iterator[str]:
    places = [*_list(told.get("locations")), *_diffs(told)]
    for path in [*(_text(place, "path") for place in places), *_named(given)]:
        if path:
            yield from_tree(tree, path)


def _named(given: Mapping[str, Any]) -> Iterator[str]:
    yield from (_text(given, key) for key in _PATHS)


def _diffs(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [each for each in _list(told.get("content")) if each.get("type") == "diff"]


def _diff(told: Mapping[str, Any], tree: Path) -> str:
    return "\n".join(
        difference(
            from_tree(tree, _text(each, "path")),
            _text(each, "oldText"),
            _text(each, "newText"),
        )
        for each in _diffs(told)
    )


def _output(update: Mapping[str, Any]) -> str:
    output = update.get("rawOutput")
    if isinstance(output, str):
        return output
    if output:
        return json.dumps(output)
    blocks = _list(update.get("content"))
    return "\n".join(filter(None, (_text_of(block.get("content")) for block in blocks)))


def _plus(before: int | None, more: int | None) -> int | None:
    return before if more is None else (before or 0) + more


def _list(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [each for each in value if isinstance(each, dict)]


def _text_of(content: Any) -> str:
    return _text(content, "text")


def _text(values: Any, key: str) -> str:
    value = values.get(key) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) else ""


def _number(values: Mapping[str, Any], *keys: str) -> int | None:
    found = (values.get(key) for key in keys)
    return next((each for each in found if isinstance(each, int)), None)
