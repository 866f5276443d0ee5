"""Counts what answers of models used, whole ones and those that come bit by bit."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from vibeboard.engine.ports import Usage
from vibeboard.runner.gateway.apis import Provider

_LONGEST_LINE = 4 << 20
# What an answer that was cut off did not tell of itself is estimated by its size.
_BYTES_A_TOKEN = 4  # of a request
_BYTES_A_STREAMED_TOKEN = 32  # of an answer, with what is around each bit


class Tally:
    """What one answer used, as far as it has told."""

    def __init__(self, provider: Provider, *, model: str, asked: int) -> None:
        self.model = model
        self._provider = provider
        self._asked = asked
        self._heard = 0
        self._seen = Usage()
        self._told = False
        self._ended = False
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> None:
        """A piece of a stream of events, cut anywhere."""
        self._heard += len(chunk)
        *lines, rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:") and b'"usage' in line:
                self.whole(bytes(line[5:]))
        self._rest = bytearray() if len(rest) > _LONGEST_LINE else bytearray(rest)

    def whole(self, text: bytes) -> None:
        """An answer that came in one piece, or one event."""
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        for part in said if isinstance(said, list) else [said]:
            if isinstance(part, dict):
                self._hear(part)

    def end(self) -> None:
        """The answer came to its own end."""
        self._ended = True

    @property
    def usage(self) -> Usage:
        """What was used. An answer that was cut off has not told all of it."""
        if self._ended and self._told:
            return self._seen
        seen = self._seen
        known = seen.input + seen.cache_read + seen.cache_write
        return Usage(
            input=seen.input if known else self._asked // _BYTES_A_TOKEN,
            output=max(seen.output, self._heard // _BYTES_A_STREAMED_TOKEN),
            cache_read=seen.cache_read,
            cache_write=seen.cache_write,
        )

    def _hear(self, said: Mapping[str, Any]) -> None:
        for part in (said, said.get("message"), said.get("response")):
            if not isinstance(part, dict):
                continue
            model = part.get("model") or part.get("modelVersion")
            if isinstance(model, str):
                self.model = model[:200]
            for usage in _usages(self._provider, part):
                self._told = True
                # Each later one tells of the whole answer again.
                self._seen = Usage(
                    max(self._seen.input, usage.input),
                    max(self._seen.output, usage.output),
                    max(self._seen.cache_read, usage.cache_read),
                    max(self._seen.cache_write, usage.cache_write),
                )


def _usages(provider: Provider, part: Mapping[str, Any]) -> Iterator[Usage]:
    told = part.get("usageMetadata" if provider is Provider.GEMINI else "usage")
    if not isinstance(told, dict):
        return
    match provider:
        case Provider.ANTHROPIC:
            yield Usage(
                input=_count(told, "input_tokens"),
                output=_count(told, "output_tokens"),
                cache_read=_count(told, "cache_read_input_tokens"),
                cache_write=_count(told, "cache_creation_input_tokens"),
            )
        case Provider.OPENAI:
            details = told.get(
                "input_tokens_details", told.get("prompt_tokens_details")
            )
            cached = _count(details, "cached_tokens")
            given = _count(told, "input_tokens") or _count(told, "prompt_tokens")
            made = _count(told, "output_tokens") or _count(told, "completion_tokens")
            yield Usage(max(0, given - cached), made, cache_read=cached)
        case Provider.GEMINI:
            cached = _count(told, "cachedContentTokenCount")
            given = _count(told, "promptTokenCount")
            given += _count(told, "toolUsePromptTokenCount")
            made = _count(told, "candidatesTokenCount")
            made += _count(told, "thoughtsTokenCount")
            yield Usage(max(0, given - cached), made, cache_read=cached)
        case _:
            assert_never(provider)


def _count(values: Any, key: str) -> int:
    value = values.get(key) if isinstance(values, dict) else None
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return max(0, value) if is_count and value is not None else 0
