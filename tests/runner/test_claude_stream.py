"""Recorded lines of Claude Code 2.1.329, and lines it should never send."""

import json
from pathlib import Path

import pytest

from vibeboard.domain.run import Cost
from vibeboard.runner.agents.claude_stream import read_line
from vibeboard.runner.agents.events import (
    AgentEvent,
    Finished,
    Lines,
    Message,
    Outcome,
    Raw,
    SessionStarted,
    ToolFinished,
    ToolStarted,
    Warned,
)

GOLDEN = Path(__file__).with_name("golden")


def recorded(name: str) -> list[AgentEvent]:
    data = (GOLDEN / f"claude-2.1.329-{name}.jsonl").read_bytes()
    return [
        event for line in data.splitlines() for event in read_line(line, resumed=False)
    ]


def finished(name: str) -> Finished:
    last = recorded(name)[-1]
    assert isinstance(last, Finished)
    return last


def test_a_run_is_told_in_order() -> None:
    events = recorded("acceptEdits")

    assert [type(event) for event in events] == [
        SessionStarted,
        Message,
        ToolStarted,
        ToolFinished,
        ToolStarted,
        ToolFinished,
        Message,
        Finished,
    ]
    assert isinstance(events[4], ToolStarted)
    assert (events[4].tool, events[4].title) == ("Bash", "cat hello.txt && ls")


def test_a_good_end_has_words_and_cost() -> None:
    assert finished("acceptEdits") == Finished(
        Outcome.OK,
        summary="Done: created hello.txt.",
        cost=Cost(usd=0.003018, input_tokens=450, output_tokens=75, turns=3),
        session="b2b69b11-38af-4517-8430-445433e62c54",
    )


def test_a_tool_that_was_denied_is_told_although_the_run_succeeded() -> None:
    end = finished("denied")

    assert end.outcome is Outcome.OK
    assert end.summary.endswith("Not permitted: Write (1x).")
    assert any(isinstance(event, Warned) for event in recorded("denied"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("max_turns", "limit of turns: Reached maximum number of turns (1)"),
        ("max_budget", "its budget: Reached maximum budget ($0.0015)"),
    ],
)
def test_a_limit_is_the_reason(name: str, reason: str) -> None:
    end = finished(name)

    assert end.outcome is not Outcome.OK
    assert end.reason.endswith(reason)


def test_an_api_failure_is_one_although_its_subtype_says_success() -> None:
    line = {
        "type": "result",
        "subtype": "success",
        "is_error": True,
        "api_error_status": 529,
        "result": "Overloaded",
    }

    (end,) = read_line(json.dumps(line).encode(), resumed=False)

    assert isinstance(end, Finished)
    assert end.outcome is not Outcome.OK
    assert end.reason == "the model's API answered 529: Overloaded"


def test_a_result_without_a_word_on_errors_is_no_success() -> None:
    (end,) = read_line(b'{"type":"result","subtype":"success"}', resumed=False)

    assert isinstance(end, Finished)
    assert end.outcome is not Outcome.OK


def test_a_continued_session_is_not_billed_its_total() -> None:
    line = b'{"type":"result","is_error":false,"total_cost_usd":9.5}'

    (end,) = read_line(line, resumed=True)

    assert isinstance(end, Finished)
    assert end.cost.usd is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_fatal_at_once(status: int) -> None:
    line = {"type": "system", "subtype": "api_retry", "error_status": status}

    (warning,) = read_line(json.dumps(line).encode(), resumed=False)

    assert isinstance(warning, Warned)
    assert warning.fatal


@pytest.mark.parametrize(
    "line",
    [
        b"garbage",
        b"\xff\xfe",
        b"[1]",
        b"null",
        b"[" * 100_000,
        b'{"type":"brand_new"}',
        b'{"type":"system"}',
        b'{"type":null}',
    ],
)
def test_what_is_not_understood_is_let_through(line: bytes) -> None:
    (event,) = read_line(line, resumed=False)

    assert isinstance(event, Raw)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"type":"assistant"}',
        b'{"type":"assistant","message":7}',
        b'{"type":"assistant","message":{"content":"text"}}',
        b'{"type":"user","message":{"content":[7,null,{"type":"image"}]}}',
    ],
)
def test_what_is_empty_is_nothing(line: bytes) -> None:
    assert list(read_line(line, resumed=False)) == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"assistant","message":{"content":[{"type":"tool_use","input":7}]}}',
        b'{"type":"user","message":{"content":[{"type":"tool_result","content":[]}]}}',
        b'{"type":"system","subtype":"init","session_id":7}',
        b'{"type":"result","permission_denials":[7],"errors":[{}],"result":7}',
        b'{"type":"result","model_usage_since_last_result":{"m":7}}',
    ],
)
def test_fields_of_another_kind_do_no_harm(line: bytes) -> None:
    assert len(list(read_line(line, resumed=False))) == 1


def test_lines_are_put_together_and_endless_ones_dropped() -> None:
    lines = Lines(longest=10)

    assert list(lines.feed(b"on")) == []
    assert list(lines.feed(b"e\ntwo\nthr")) == [b"one", b"two"]
    assert list(lines.feed(b"x" * 50)) == []
    assert list(lines.feed(b"x" * 50)) == []
    assert list(lines.feed(b"\nfour\n")) == [b"four"]
