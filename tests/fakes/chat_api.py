"""OpenAI's chat completions and Gemini's API on loopback, playing a script.

Which turn is played follows from how many answers the request already holds.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.model_api import Refuse, Say, Stall, Turn, Use
from tests.fakes.serving import served, streamed

_SIDE = "a side answer"
# Gemini lets a small model choose the large one.
_CHOICE = {
    "complexity_reasoning": "none",
    "complexity_score": 50,
    "model_choice": "pro",
    "next_speaker": "user",
    "reasoning": "none",
}


@dataclass
class ChatApi:
    """The script, and what was asked. ``root`` is the address without a path."""

    script: Sequence[Turn]
    root: str = ""
    paths: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request; what is no conversation does not exist."""
        self.paths.append(request.path)
        if request.method != "POST":
            return web.json_response(
                {"error": {"message": "no such thing"}}, status=404
            )
        asked = await request.json()
        self.prompts.append(json.dumps(asked))
        if request.path.endswith(":countTokens"):
            return web.json_response({"totalTokens": 100})
        is_gemini = "contents" in asked
        told = asked.get("contents" if is_gemini else "messages", ())
        number = sum(1 for each in told if each.get("role") in ("assistant", "model"))
        turn: Turn = self.script[min(number, len(self.script) - 1)]
        if not asked.get("tools"):
            as_json = "responseMimeType" in asked.get("generationConfig", {})
            turn = [Say(json.dumps(_CHOICE) if as_json else _SIDE)]
        if isinstance(turn, Stall):
            await turn.over.wait()
            turn = turn.then
        if isinstance(turn, Refuse):
            error = {"message": "as the script says", "code": turn.status}
            return web.json_response({"error": error}, status=turn.status)
        whole = request.path.endswith(":streamGenerateContent") or asked.get("stream")
        pieces = _gemini(turn) if is_gemini else _chat(asked, turn, number)
        if not whole:
            return web.json_response(pieces[-1])
        lines = [f"data: {json.dumps(piece)}\r\n\r\n" for piece in pieces]
        end = [] if is_gemini else ["data: [DONE]\n\n"]
        return await streamed(request, lines + end)


def _gemini(turn: Sequence[Say | Use]) -> list[dict[str, Any]]:
    parts = [
        {"text": part.text}
        if isinstance(part, Say)
        else {"functionCall": {"name": part.tool, "args": part.given}}
        for part in turn
    ]
    usage = {
        "promptTokenCount": 150,
        "candidatesTokenCount": 25,
        "totalTokenCount": 175,
    }
    content = {"content": {"role": "model", "parts": parts}, "index": 0}
    candidate = content | {"finishReason": "STOP"}
    return [{"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m"}]


def _chat(
    asked: dict[str, Any], turn: Sequence[Say | Use], number: int
) -> list[dict[str, Any]]:
    text = "".join(part.text for part in turn if isinstance(part, Say))
    uses = [part for part in turn if isinstance(part, Use)]
    calls = [
        {
            "id": f"call_{number}{place}",
            "index": place,
            "type": "function",
            "function": {"name": use.tool, "arguments": json.dumps(use.given)},
        }
        for place, use in enumerate(uses)
    ]
    facts = {"id": f"chat_{number}", "created": 1, "model": asked.get("model")}
    delta: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        delta["tool_calls"] = calls
    why = "tool_calls" if calls else "stop"
    usage = {"prompt_tokens": 150, "completion_tokens": 25, "total_tokens": 175}
    kind = "chat.completion.chunk"
    pieces: list[dict[str, Any]] = [
        facts
        | {"object": kind, "choices": [{"index": 0, "delta": d, "finish_reason": f}]}
        for d, f in ((delta, None), ({}, why))
    ]
    pieces[-1]["usage"] = usage
    if not asked.get("stream"):
        message = {"index": 0, "message": delta, "finish_reason": why}
        whole = {"object": "chat.completion", "choices": [message], "usage": usage}
        return [facts | whole]
    return pieces


@asynccontextmanager
async def chat_api(*script: Turn) -> AsyncIterator[ChatApi]:
    """The API on a port of its own."""
    api = ChatApi(script)
    async with served(api.answer) as url:
        api.root = url
        yield api
