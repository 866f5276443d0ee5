"""What answers of models used."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from vibeboard.engine.ports import Usage
from vibeboard.runner.gateway.apis import Provider
from vibeboard.runner.gateway.tokens import Tally

ANTHROPIC, OPENAI, GEMINI = Provider.ANTHROPIC, Provider.OPENAI, Provider.GEMINI


def tally(provider: Provider, asked: int = 400) -> Tally:
    return Tally(provider, model="asked-for", asked=asked)


def events(*said: Mapping[str, Any]) -> bytes:
    return b"".join(
        b"event: x\ndata: " + json.dumps(each).encode() + b"\n\n" for each in said
    )


WHOLE = [
    pytest.param(
        ANTHROPIC,
        {
            "model": "claude-x",
            "usage": {
                "input_tokens": 10,
                "output_tokens": 7,
                "cache_read_input_tokens": 300,
                "cache_creation_input_tokens": 40,
            },
        },
        ("claude-x", Usage(10, 7, 300, 40)),
        id="Anthropic",
    ),
    pytest.param(
        OPENAI,
        {
            "model": "gpt-x",
            "usage": {
                "prompt_tokens": 100,
                "completion_tokens": 9,
                "prompt_tokens_details": {"cached_tokens": 60},
            },
        },
        ("gpt-x", Usage(40, 9, 60)),
        id="OpenAI's chat",
    ),
    pytest.param(
        OPENAI,
        {
            "model": "gpt-x",
            "usage": {
                "input_tokens": 100,
                "output_tokens": 9,
                "input_tokens_details": {"cached_tokens": 60},
            },
        },
        ("gpt-x", Usage(40, 9, 60)),
        id="OpenAI's responses",
    ),
    pytest.param(
        GEMINI,
        {
            "modelVersion": "gemini-x",
            "usageMetadata": {
                "promptTokenCount": 50,
                "cachedContentTokenCount": 20,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 6,
            },
        },
        ("gemini-x", Usage(30, 11, 20)),
        id="Gemini",
    ),
]


@pytest.mark.parametrize(("provider", "answer", "used"), WHOLE)
def test_an_answer_in_one_piece_tells_what_it_used(
    provider: Provider, answer: Mapping[str, Any], used: tuple[str, Usage]
) -> None:
    found = tally(provider)

    found.whole(json.dumps(answer).encode())
    found.end()

    assert (found.model, found.usage) == used


STREAMS = [
    pytest.param(
        ANTHROPIC,
        [
            {
                "type": "message_start",
                "message": {
                    "model": "claude-x",
                    "usage": {
                        "input_tokens": 10,
                        "cache_read_input_tokens": 300,
                        "output_tokens": 1,
                    },
                },
            },
            {"type": "content_block_delta", "delta": {"text": "hello"}},
            {"type": "message_delta", "usage": {"output_tokens": 25}},
        ],
        ("claude-x", Usage(10, 25, 300)),
        id="Anthropic",
    ),
    pytest.param(
        OPENAI,
        [
            {"model": "gpt-x", "choices": [{"delta": {"content": "a"}}], "usage": None},
            {
                "model": "gpt-x",
                "choices": [],
                "usage": {"prompt_tokens": 8, "completion_tokens": 3},
            },
        ],
        ("gpt-x", Usage(8, 3)),
        id="OpenAI's chat",
    ),
    pytest.param(
        OPENAI,
        [
            {"type": "response.output_text.delta", "delta": "a"},
            {
                "type": "response.completed",
                "response": {
                    "model": "gpt-x",
                    "usage": {"input_tokens": 8, "output_tokens": 3},
                },
            },
        ],
        ("gpt-x", Usage(8, 3)),
        id="OpenAI's responses",
    ),
    pytest.param(
        GEMINI,
        [
            {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 1}},
            {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 4}},
        ],
        ("asked-for", Usage(5, 4)),
        id="Gemini",
    ),
]


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize(("provider", "said", "used"), STREAMS)
def test_a_stream_tells_it_wherever_it_is_cut(
    provider: Provider,
    said: Sequence[Mapping[str, Any]],
    used: tuple[str, Usage],
    piece: int,
) -> None:
    stream, found = events(*said), tally(provider)

    for at in range(0, len(stream), piece):
        found.feed(stream[at : at + piece])
    found.end()

    assert (found.model, found.usage) == used


def test_an_answer_that_is_broken_off_is_estimated() -> None:
    """Else whoever hangs up before the last line would work for nothing."""
    start = {
        "type": "message_start",
        "message": {"usage": {"input_tokens": 10, "cache_read_input_tokens": 300}},
    }
    bits = [{"type": "content_block_delta", "delta": {"text": "word " * 4}}] * 100
    found = tally(ANTHROPIC)

    found.feed(events(start, *bits))

    assert found.usage.input == 10
    assert found.usage.cache_read == 300
    assert 100 <= found.usage.output <= 1000


def test_one_that_told_nothing_is_estimated_by_what_was_asked() -> None:
    assert tally(OPENAI, asked=4000).usage == Usage(input=1000)


@pytest.mark.parametrize(
    "odd",
    [
        b"data: {\n\n",
        b'data: {"usage": 7}\n\n',
        b'data: {"usage": {"input_tokens": -5, "output_tokens": true}}\n\n',
        b'data: {"usage": {"input_tokens": "9"}}\n\n',
        b"data: [" + b'["usage"],' * 10 + b"]\n\n",
        b'data: {"model": 7, "usage": null}\n\n',
    ],
    ids=repr,
)
def test_what_makes_no_sense_counts_nothing(odd: bytes) -> None:
    found = tally(ANTHROPIC, asked=0)

    found.feed(odd)
    found.end()

    assert found.usage.input == 0
    assert found.usage.output < 10
    assert found.model == "asked-for"
