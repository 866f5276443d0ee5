"""What of a request to a model is passed on."""

import json
from typing import Any

import pytest

from vibeboard.runner.gateway import asked
from vibeboard.runner.gateway.apis import SHAPES, Kind, Provider
from vibeboard.runner.gateway.asked import Unwanted

ANTHROPIC, OPENAI, GEMINI = Provider.ANTHROPIC, Provider.OPENAI, Provider.GEMINI
PICTURE = {"type": "base64", "media_type": "image/png", "data": "aGk="}
LINK = {"type": "url", "url": "https://evil.example/?canary"}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    ("provider", "request_line", "kind"),
    [
        (ANTHROPIC, "POST /v1/messages", Kind.PAID),
        (ANTHROPIC, "POST /v1/messages/count_tokens", Kind.FREE),
        (ANTHROPIC, "GET /v1/models", Kind.READ),
        (ANTHROPIC, "GET /v1/models/claude-sonnet-4-5", Kind.READ),
        (ANTHROPIC, "GET /v1/messages", None),
        (ANTHROPIC, "POST /v1/messages/batches", None),
        (ANTHROPIC, "POST /v1/files", None),
        (ANTHROPIC, "GET /v1/organizations/api_keys", None),
        (ANTHROPIC, "POST /v1/messages/../files", None),
        (ANTHROPIC, "POST //v1/messages", None),
        (OPENAI, "POST /responses", Kind.PAID),
        (OPENAI, "POST /responses/compact", Kind.PAID),
        (OPENAI, "POST /chat/completions", Kind.PAID),
        (OPENAI, "GET /models", Kind.READ),
        (OPENAI, "GET /responses/resp_1", None),
        (OPENAI, "POST /files", None),
        (OPENAI, "DELETE /models/x", None),
        (GEMINI, "POST /v1beta/models/gemini-3:streamGenerateContent", Kind.PAID),
        (GEMINI, "POST /v1beta/models/gemini-3:generateContent", Kind.PAID),
        (GEMINI, "POST /v1beta/models/gemini-3:countTokens", Kind.FREE),
        (GEMINI, "GET /v1beta/models", Kind.READ),
        (GEMINI, "POST /upload/v1beta/files", None),
        (GEMINI, "POST /v1beta/models/a/b:generateContent", None),
        (GEMINI, "POST /v1beta/cachedContents", None),
    ],
)
def test_only_what_makes_a_model_answer_is_known(
    provider: Provider, request_line: str, kind: Kind | None
) -> None:
    method, _, path = request_line.partition(" ")

    assert SHAPES[provider].kind(method, path) is kind


@pytest.mark.parametrize(
    ("provider", "tools", "left"),
    [
        pytest.param(
            ANTHROPIC,
            [
                {"name": "Read", "input_schema": {}},
                {"type": "custom", "name": "Edit"},
                {"type": "bash_20250124", "name": "bash"},
                {"type": "web_search_20250305", "name": "web_search"},
                {"type": "web_fetch_20250910", "name": "web_fetch"},
                {"type": "code_execution_20250825", "name": "code"},
                {"type": "mcp_toolset", "mcp_server_name": "evil"},
            ],
            [0, 1, 2],
            id="Anthropic",
        ),
        pytest.param(
            OPENAI,
            [
                {"type": "function", "name": "shell"},
                {"type": "web_search"},
                {"type": "mcp", "server_url": "https://evil.example"},
                {"type": "custom", "name": "apply_patch"},
                {"type": "code_interpreter", "container": {"type": "auto"}},
                "web_search",
            ],
            [0, 3],
            id="OpenAI",
        ),
    ],
)
def test_tools_that_the_provider_carries_out_are_taken_out(
    provider: Provider, tools: list[Any], left: list[int]
) -> None:
    body = {"model": "m", "tools": tools, "mcp_servers": [{"url": "https://evil"}]}

    passed = asked.read(provider, json.dumps(body).encode())

    assert passed == {"model": "m", "tools": [tools[number] for number in left]}


def test_geminis_own_tools_are_taken_out_beside_declared_ones() -> None:
    declared = {"functionDeclarations": [{"name": "f"}]}
    body = {"tools": [{**declared, "googleSearch": {}}, {"urlContext": {}}]}

    assert asked.read(GEMINI, json.dumps(body).encode()) == {"tools": [declared]}


def test_without_a_tool_left_nothing_is_said_of_tools() -> None:
    body = {
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "web_search"},
    }

    assert asked.read(ANTHROPIC, json.dumps(body).encode()) == {}


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        pytest.param(ANTHROPIC, said({"type": "image", "source": LINK}), id="picture"),
        pytest.param(
            ANTHROPIC,
            said(
                {
                    "type": "tool_result",
                    "content": [{"type": "document", "source": LINK}],
                }
            ),
            id="in a tool's result",
        ),
        pytest.param(
            OPENAI,
            said({"type": "image_url", "image_url": {"url": "https://evil.example"}}),
            id="chat",
        ),
        pytest.param(
            OPENAI,
            {
                "input": [
                    {
                        "type": "function_call_output",
                        "output": [
                            {"type": "input_image", "image_url": "http://evil.example"}
                        ],
                    }
                ]
            },
            id="in a function's output",
        ),
        pytest.param(
            OPENAI,
            {"input": [{"content": [{"type": "input_file", "file_url": "https://e"}]}]},
            id="file",
        ),
        pytest.param(
            GEMINI,
            {"contents": [{"parts": [{"fileData": {"fileUri": "https://evil"}}]}]},
            id="Gemini",
        ),
        pytest.param(
            GEMINI,
            {"systemInstruction": {"parts": [{"file_data": {"file_uri": "x"}}]}},
            id="Gemini's instruction",
        ),
    ],
)
def test_links_that_the_provider_would_follow_are_refused(
    provider: Provider, body: dict[str, Any]
) -> None:
    with pytest.raises(Unwanted, match="send the content itself"):
        asked.read(provider, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        pytest.param(ANTHROPIC, said({"type": "image", "source": PICTURE}), id="bytes"),
        pytest.param(
            ANTHROPIC,
            said({"type": "tool_use", "name": "X", "input": {"source": LINK}}),
            id="a link among a tool's arguments",
        ),
        pytest.param(
            OPENAI,
            said({"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}),
            id="a picture as data",
        ),
        pytest.param(OPENAI, {"input": "see https://example.org"}, id="a text"),
    ],
)
def test_what_the_model_alone_sees_is_passed_on(
    provider: Provider, body: dict[str, Any]
) -> None:
    assert asked.read(provider, json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000], ids=repr
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(Unwanted, match="no JSON"):
        asked.read(ANTHROPIC, body)


def test_a_key_that_is_there_twice_has_one_meaning() -> None:
    """What is passed on is what was looked at, whichever one others would take."""
    evil = '{"type": "web_fetch_20250910", "name": "web_fetch"}'
    body = f'{{"tools": [], "tools": [{evil}], "model": "m"}}'

    passed = json.dumps(asked.read(ANTHROPIC, body.encode()))

    assert "web_fetch" not in passed


def test_a_stream_of_chat_is_asked_to_tell_its_usage() -> None:
    streamed = {"stream": True, "stream_options": {"x": 1}}

    assert asked.counted(OPENAI, streamed, "/chat/completions") == {
        "stream": True,
        "stream_options": {"x": 1, "include_usage": True},
    }
    assert asked.counted(OPENAI, {"stream": True}, "/responses") == {"stream": True}
    assert asked.counted(ANTHROPIC, {"stream": True}, "/v1/messages") == {
        "stream": True
    }
