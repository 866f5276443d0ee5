"""What real programs said in conversations that were recorded, as events and calls."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vibeboard.domain.run import Cost
from vibeboard.domain.tools import DEFAULT, ToolCall, Verdict
from vibeboard.runner.agents.acp_stream import AcpReader, mode_option, modes
from vibeboard.runner.agents.claude_calls import call_of
from vibeboard.runner.agents.claude_stream import read_line
from vibeboard.runner.agents.codex_stream import CodexReader, unwrapped
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Message,
    Outcome,
    Raw,
    SessionStarted,
    ToolFinished,
    ToolStarted,
    UsageSeen,
    Warned,
)

GOLDEN = Path(__file__).with_name("golden")


def said(name: str) -> Iterator[dict[str, Any]]:
    """What the program said, object by object."""
    for line in GOLDEN.joinpath(f"{name}.wire.jsonl").read_text().splitlines():
        recorded = json.loads(line)
        if recorded["dir"] == "<" and "m" in recorded:
            yield recorded["m"]


def kinds(events: list[AgentEvent]) -> Counter[str]:
    return Counter(type(event).__name__ for event in events)


# --- Claude Code ------------------------------------------------------------------


def test_claude_asks_for_calls_and_ends_twice_in_one_process() -> None:
    events: list[AgentEvent] = []
    calls: list[ToolCall] = []
    for message in said("claude-2.1.329-control-allow-deny"):
        request = message.get("request", {})
        if request.get("subtype") == "can_use_tool":
            calls.append(call_of(request, Path("/srv/w/cc1/wt")))
        elif message["type"] not in ("control_request", "control_response"):
            events += read_line(json.dumps(message).encode(), resumed=False)

    assert [(call.tool, call.subject) for call in calls] == [
        ("Write", "a.txt"),
        ("Bash", "rm -rf build && touch made-by-bash"),
        ("Edit", "README.md"),
    ]
    assert "-# demo" in calls[2].diff
    assert "+# demo2" in calls[2].diff
    assert calls[1].why == "clean"
    ends = [event for event in events if isinstance(event, Finished)]
    assert [end.outcome for end in ends] == [Outcome.OK, Outcome.OK]
    assert "Not permitted: Bash (1x)." in ends[0].summary


# --- Codex ------------------------------------------------------------------------


def codex(name: str, tree: str) -> tuple[list[AgentEvent], list[ToolCall]]:
    reader = CodexReader()
    events: list[AgentEvent] = []
    calls: list[ToolCall] = []
    for message in said(name):
        thread = message.get("result", {}).get("thread")
        if thread is not None:
            reader.thread = thread["id"]
        elif "id" in message and "method" in message:
            calls.append(reader.call(message["method"], message["params"], Path(tree)))
        elif "method" in message:
            events += reader.read(message)
    return events, calls


def test_codex_runs_one_command_and_is_denied_another() -> None:
    events, calls = codex("codex-app-server-1", "/srv/w/xa1/wt")

    assert [(call.tool, call.subject) for call in calls] == [
        ("Bash", "touch made-1"),
        ("Bash", "touch made-2"),
    ]
    assert {DEFAULT.judge(call).verdict for call in calls} == {Verdict.ALLOW}
    tools = [event for event in events if isinstance(event, ToolFinished)]
    assert [tool.denied for tool in tools] == [False, True]
    assert [e.text for e in events if isinstance(e, Message)] == ["Creating.", "Done."]
    assert events[-1] == Finished(
        Outcome.OK,
        summary="Done.",
        cost=Cost(input_tokens=450, output_tokens=75, turns=3),
    )


def test_codex_says_why_it_wants_out_of_its_sandbox() -> None:
    _, calls = codex("codex-app-server-2", "/srv/w/xa2/wt")

    assert [call.why for call in calls] == ["need to write outside", "again"]
    assert calls[0].key != calls[1].key


def test_codex_shows_what_a_change_of_files_would_do() -> None:
    events, calls = codex("codex-app-server-3", "/srv/w/xa3/wt")

    (edit, _) = calls
    assert (edit.tool, edit.paths, edit.diff) == ("Edit", ("p.txt",), "patched\n")
    assert kinds(events)["ToolFinished"] == 2


@pytest.mark.parametrize("resumed_aloud", [False, True])
def test_codex_counts_a_thread_and_we_its_turn(*, resumed_aloud: bool) -> None:
    reader = CodexReader(thread="t")
    last = {"inputTokens": 10, "outputTokens": 2}
    if resumed_aloud:
        usage = {"total": {"inputTokens": 100, "outputTokens": 48}, "last": last}
        params = {"threadId": "t", "tokenUsage": usage}
        told = {"method": "thread/tokenUsage/updated", "params": params}
        assert list(reader.read(told)) == []
    list(reader.read({"method": "turn/started", "params": {"threadId": "t"}}))
    for total in (110, 120):
        usage = {"total": {"inputTokens": total, "outputTokens": 50}, "last": last}
        params = {"threadId": "t", "tokenUsage": usage}
        (seen,) = reader.read({"method": "thread/tokenUsage/updated", "params": params})

    assert isinstance(seen, UsageSeen)
    assert seen.cost == Cost(input_tokens=20, output_tokens=2, turns=2)


@pytest.mark.parametrize(
    ("info", "outcome", "reason"),
    [
        ("unauthorized", Outcome.API, "did not take the key (401)"),
        (
            {"responseTooManyFailedAttempts": {"httpStatusCode": 529}},
            Outcome.API,
            "answered 529: told",
        ),
        ("sandboxError", Outcome.FAILED, "told"),
    ],
)
def test_codex_says_what_failed(info: Any, outcome: Outcome, reason: str) -> None:
    error = {"message": "told", "codexErrorInfo": info}
    turn = {"id": "x", "status": "failed", "error": error}
    params = {"threadId": "t", "turn": turn}

    (end,) = CodexReader(thread="t").read(
        {"method": "turn/completed", "params": params}
    )

    assert isinstance(end, Finished)
    assert end.outcome is outcome
    assert end.reason.endswith(reason)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("/bin/bash -lc 'rm -rf x'", "rm -rf x"),
        ("bash -c x -- y", "bash -c x -- y"),
        ("python3 -c 'x y'", "python3 -c 'x y'"),
        ("bash -lc 'open", "bash -lc 'open"),
    ],
)
def test_a_line_is_judged_without_the_shell_it_is_given(
    command: str, line: str
) -> None:
    assert unwrapped(command) == line


# --- The Agent Client Protocol ----------------------------------------------------


def acp(name: str) -> tuple[list[AgentEvent], list[ToolCall], Cost]:
    reader = AcpReader()
    events: list[AgentEvent] = []
    calls: list[ToolCall] = []
    for message in said(f"acp-{name}"):
        if message.get("method") == "session/update":
            events += reader.read(message["params"])
        elif message.get("method") == "session/request_permission":
            tree = Path(f"/srv/w/acp-{name}/wt")
            calls.append(reader.call(message["params"], tree))
        elif "stopReason" in (message.get("result") or {}):
            events += reader.flush()
            reader.end(message["result"])
    return events, calls, reader.cost


@pytest.mark.parametrize(
    ("name", "asked", "tokens"),
    [
        ("claude", [("Edit", "a.txt"), ("Bash", "touch made-by-bash")], 450),
        ("codex", [("Bash", "touch /srv/runs/acp-escalated")], 450),
        # Gemini gives no command line, only a title for people.
        ("gemini", [("Edit", "a.txt"), ("Execute", "touch made-by-bash")], 450),
        ("opencode", [("Edit", "a.txt"), ("Bash", "touch made-by-bash")], 150),
        ("qwen", [("Edit", "a.txt"), ("Bash", "touch made-by-bash")], None),
    ],
)
def test_acp_agents_ask_for_the_same_in_their_own_ways(
    name: str, asked: list[tuple[str, str]], tokens: int | None
) -> None:
    events, calls, cost = acp(name)

    assert [(call.tool, call.subject) for call in calls] == asked
    assert "+a" in calls[0].diff or name == "codex"
    assert "".join(e.text for e in events if isinstance(e, Message)) in (
        "Creating.All done.",
        "Creating.",  # opencode ends its turn where it is refused
    )
    assert kinds(events)["ToolFinished"] >= 1
    assert cost.input_tokens == tokens


def test_acp_agents_say_what_their_turn_cost() -> None:
    assert acp("claude")[2].usd == 0.004024
    assert acp("opencode")[2].usd == 0.00034

    reader = AcpReader(loading=True)
    for amount in (3.0, 3.5):
        update = {
            "sessionUpdate": "usage_update",
            "cost": {"amount": amount, "currency": "USD"},
        }
        list(reader.read({"update": update}))
        reader.loading = False
    assert reader.cost.usd == 0.5


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("claude", "default"),
        ("codex", "agent"),
        ("gemini", "default"),
        ("opencode", "build"),
        ("qwen", "auto"),
    ],
)
def test_acp_agents_offer_modes_in_two_ways(name: str, current: str) -> None:
    (session,) = (
        message["result"]
        for message in said(f"acp-{name}")
        if "sessionId" in (message.get("result") or {})
    )
    names, by_mode = modes(session)
    _, by_option, values = mode_option(session)

    assert current in (by_mode, by_option)
    assert current in [*names, *values]


def test_what_a_session_replays_is_not_told_again() -> None:
    reader = AcpReader(loading=True)
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"text": "Old."}}
    call = {"sessionUpdate": "tool_call", "toolCallId": "1", "kind": "edit"}

    events = [
        *reader.read({"update": chunk}),
        *reader.read({"update": call}),
        *reader.flush(),
    ]

    assert events == []


# --- Of all -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"method": 7, "params": []},
        {"method": "item/started", "params": {"item": None}},
        {"method": "item/completed", "params": {"item": {"type": ["x"]}}},
        {"method": "turn/completed", "params": {"threadId": "", "turn": 7}},
        {"method": "thread/tokenUsage/updated", "params": {"threadId": ""}},
        {"method": "error", "params": {"error": {"codexErrorInfo": 7}}},
    ],
)
def test_odd_lines_do_no_harm(line: dict[str, Any]) -> None:
    for event in [*CodexReader().read(line), *AcpReader().read(line)]:
        assert isinstance(
            event, Raw | Finished | Warned | UsageSeen | ToolStarted | SessionStarted
        )
