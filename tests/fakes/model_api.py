"""A model's API on loopback that plays a script instead of thinking.

It speaks as much of Anthropic's Messages API as an agent program needs. Which turn is
played follows from how many answers the request already holds, so it has no state and
a resumed session goes on where it was.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.serving import served, streamed


@dataclass(frozen=True)
class Say:
    """The model says something."""

    text: str

    def block(self, number: int) -> dict[str, Any]:
        del number
        return {"type": "text", "text": self.text}

    def delta(self) -> dict[str, Any]:
        return {"type": "text_delta", "text": self.text}


@dataclass(frozen=True)
class Use:
    """The model uses a tool."""

    tool: str
    given: dict[str, Any]

    def block(self, number: int) -> dict[str, Any]:
        return {
            "type": "tool_use",
            "id": f"toolu_{number:08}",
            "name": self.tool,
            "input": self.given,
        }

    def delta(self) -> dict[str, Any]:
        return {"type": "input_json_delta", "partial_json": json.dumps(self.given)}


@dataclass(frozen=True)
class Refuse:
    """The API answers with an error."""

    status: int
    kind: str = "error"


@dataclass(frozen=True)
class Stall:
    """The API takes the request and says nothing until it is ``over``."""

    then: Sequence[Say | Use]
    over: asyncio.Event = field(default_factory=asyncio.Event)


Turn = Sequence[Say | Use] | Refuse | Stall


@dataclass
class ModelApi:
    """The script, and what was asked."""

    script: Sequence[Turn]
    url: str = ""
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request; what is not a message does not exist."""
        self.paths.append(request.path)
        self.keys.append(request.headers.get("x-api-key", ""))
        if request.method != "POST" or request.path != "/v1/messages":
            return web.json_response({"type": "error"}, status=404)
        asked = await request.json()
        self.prompts.append(json.dumps(asked["messages"]))
        self.systems.append(json.dumps(asked.get("system")))
        turn = self._turn(asked)
        if isinstance(turn, Stall):
            await turn.over.wait()
            turn = turn.then
        if isinstance(turn, Refuse):
            error = {"type": turn.kind, "message": "as the script says"}
            return web.json_response(
                {"type": "error", "error": error}, status=turn.status
            )
        return await _stream(request, asked, turn)

    def _turn(self, asked: dict[str, Any]) -> Turn:
        if not asked.get("tools"):
            return [Say("a side question")]
        number = sum(1 for m in asked["messages"] if m["role"] == "assistant")
        return self.script[min(number, len(self.script) - 1)]


async def _stream(
    request: web.Request, asked: dict[str, Any], turn: Sequence[Say | Use]
) -> web.StreamResponse:
    tools = any(isinstance(part, Use) for part in turn)
    stop = "tool_use" if tools else "end_turn"
    usage = {"input_tokens": 100, "output_tokens": 1}
    message = {
        "id": f"msg_{len(asked['messages']):08}",
        "type": "message",
        "role": "assistant",
        "model": asked.get("model"),
        "stop_sequence": None,
    }
    number = len(asked["messages"]) * 100
    blocks = [part.block(number + place) for place, part in enumerate(turn)]
    if not asked.get("stream"):
        return web.json_response(
            message | {"content": blocks, "stop_reason": stop, "usage": usage}
        )
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": message | {"content": [], "stop_reason": None, "usage": usage},
        }
    ]
    for place, (part, block) in enumerate(zip(turn, blocks, strict=True)):
        empty: dict[str, Any] = {"text": ""} if isinstance(part, Say) else {"input": {}}
        events += [
            {
                "type": "content_block_start",
                "index": place,
                "content_block": block | empty,
            },
            {"type": "content_block_delta", "index": place, "delta": part.delta()},
            {"type": "content_block_stop", "index": place},
        ]
    events += [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 25},
        },
        {"type": "message_stop"},
    ]
    lines = (f"event: {one['type']}\ndata: {json.dumps(one)}\n\n" for one in events)
    return await streamed(request, lines)


@asynccontextmanager
async def model_api(*script: Turn) -> AsyncIterator[ModelApi]:
    """The API on a port of its own."""
    api = ModelApi(script)
    async with served(api.answer) as url:
        api.url = url
        yield api
