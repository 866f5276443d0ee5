"""Claude Code's stream-json lines as events.

Every release adds types and fields, so everything unknown is let through as it is.
How a run went is read from the ``result`` line alone, and there not from its subtype:
an API failure comes as ``"subtype":"success"`` with ``"is_error":true``.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from vibeboard.domain.run import Cost
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Message,
    Outcome,
    Raw,
    SessionStarted,
    Thinking,
    ToolFinished,
    ToolStarted,
    Warned,
)

_KEY_REFUSED = (401, 403)
# What of a tool's input tells a person most.
_TITLES = ("command", "file_path", "path", "pattern", "url", "query", "description")
_LIMITS = {
    "error_max_turns": (Outcome.TURNS, "it reached its limit of turns"),
    "error_max_budget_usd": (Outcome.BUDGET, "it reached its budget"),
}
_ABORTED = "aborted_"
_DEFERRED = "tool_deferred"
_GOOD = (Outcome.OK, Outcome.DEFERRED)


def read_line(line: bytes, *, resumed: bool) -> Iterator[AgentEvent]:
    """The events of one line; ``resumed`` if the session had a run before."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        if line.strip():
            yield Raw("no JSON")
        return
    if not isinstance(said, dict):
        yield Raw("no object")
        return
    match said.get("type"):
        case "system":
            yield from _system(said)
        case "assistant" | "user":
            for block in _blocks(said):
                yield from _block(block)
        case "result":
            yield _finished(said, resumed=resumed)
        case other:
            yield Raw(str(other))


def _system(said: Mapping[str, Any]) -> Iterator[AgentEvent]:
    match said.get("subtype"):
        case "init":
            yield SessionStarted(_text(said, "session_id"), _text(said, "model"))
        case "api_retry":
            number = said.get("error_status")
            tries = f"{said.get('attempt')} of {said.get('max_retries')}"
            yield Warned(
                f"the model's API answered {number} (try {tries})",
                fatal=number in _KEY_REFUSED,
            )
        case "permission_denied":
            yield Warned(f"{_text(said, 'tool_name')} was not permitted")
        case other:
            yield Raw(f"system/{other}")


def _blocks(said: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    message = said.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict)]


def _block(block: Mapping[str, Any]) -> Iterator[AgentEvent]:
    match block.get("type"):
        case "text":
            yield Message(_text(block, "text"))
        case "thinking":
            yield Thinking(_text(block, "thinking"))
        case "tool_use":
            given = block.get("input")
            title = next(
                (_text(given, key) for key in _TITLES if _text(given, key)), ""
            )
            yield ToolStarted(_text(block, "id"), _text(block, "name"), title)
        case "tool_result":
            output = block.get("content")
            yield ToolFinished(
                _text(block, "tool_use_id"),
                failed=block.get("is_error") is True,
                output=output if isinstance(output, str) else "",
            )


def _finished(said: Mapping[str, Any], *, resumed: bool) -> Finished:
    outcome = _outcome(said)
    summary = _text(said, "result")
    denied = Counter(
        _text(denial, "tool_name") or "a tool"
        for denial in said.get("permission_denials") or ()
    )
    if denied:
        tools = ", ".join(f"{tool} ({count}x)" for tool, count in denied.items())
        summary = f"{summary}\n\nNot permitted: {tools}.".strip()
    return Finished(
        outcome,
        reason="" if outcome in _GOOD else _reason(said),
        summary=summary,
        cost=_cost(said, resumed=resumed),
        session=_text(said, "session_id") or None,
    )


def _outcome(said: Mapping[str, Any]) -> Outcome:
    if said.get("stop_reason") == _DEFERRED:
        return Outcome.DEFERRED
    if said.get("is_error") is False:
        # An interruption may come as a success that says nothing.
        aborted = _text(said, "terminal_reason").startswith(_ABORTED)
        return Outcome.INTERRUPTED if aborted else Outcome.OK
    if said.get("api_error_status") is not None:
        return Outcome.API
    if _text(said, "terminal_reason").startswith(_ABORTED):
        return Outcome.INTERRUPTED
    return _LIMITS.get(_text(said, "subtype"), (Outcome.FAILED, ""))[0]


def _reason(said: Mapping[str, Any]) -> str:
    number = said.get("api_error_status")
    if number in _KEY_REFUSED:
        return f"the model's API did not take the key ({number})"
    told = "; ".join(str(error) for error in said.get("errors") or ())
    told = told or _text(said, "result") or _text(said, "terminal_reason")
    if number is not None:
        return f"the model's API answered {number}: {told}"
    _, known = _LIMITS.get(_text(said, "subtype"), (None, ""))
    return f"{known}: {told}" if known and told else known or told or "it gave up"


def _cost(said: Mapping[str, Any], *, resumed: bool) -> Cost:
    """What this run used. Totals run on over all runs of a session."""
    used = said.get("model_usage_since_last_result")
    turns = said.get("num_turns")
    if not isinstance(used, dict):
        total = None if resumed else said.get("total_cost_usd")
        return Cost(usd=total, turns=turns)
    models = [model for model in used.values() if isinstance(model, dict)]

    def total_of(*keys: str) -> float:
        return sum(model.get(key) or 0 for model in models for key in keys)

    return Cost(
        usd=round(total_of("costUSD"), 6),
        input_tokens=int(
            total_of("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
        ),
        output_tokens=int(total_of("outputTokens")),
        turns=turns,
    )


def _text(values: Any, key: str) -> str:
    value = values.get(key) if isinstance(values, Mapping) else None
    return value if isinstance(value, str) else ""
