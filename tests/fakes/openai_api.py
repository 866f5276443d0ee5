"""OpenAI's Responses API on loopback, playing a script instead of thinking.

As ``model_api`` does for Anthropic's: which turn is played follows from the request, so
a resumed thread goes on where it was.
"""

import itertools
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import zstandard
from aiohttp import web

from tests.fakes.model_api import Refuse, Say, Stall, Turn, Use
from tests.fakes.serving import served, streamed

# What the model made, of what a request repeats.
MADE = ("custom_tool_call", "function_call", "reasoning")
USAGE = {
    "input_tokens": 150,
    "input_tokens_details": {"cached_tokens": 30},
    "output_tokens": 25,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 175,
}


@dataclass
class OpenAiApi:
    """The script, and what was asked."""

    script: Sequence[Turn]
    url: str = ""
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer any request; what is no response does not exist."""
        self.paths.append(request.path)
        self.keys.append(request.headers.get("Authorization", ""))
        if request.method != "POST" or request.path != "/v1/responses":
            return web.json_response(
                {"error": {"message": "no such thing"}}, status=404
            )
        body = await request.read()
        if request.headers.get("Content-Encoding") == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        asked = json.loads(body)
        self.prompts.append(json.dumps(asked))
        made = [_made(item) for item in asked["input"]]
        number = sum(1 for is_made, _ in itertools.groupby(made) if is_made)
        turn = self.script[min(number, len(self.script) - 1)]
        if isinstance(turn, Stall):
            await turn.over.wait()
            turn = turn.then
        if isinstance(turn, Refuse):
            error = {"message": "as the script says", "type": turn.kind}
            return web.json_response({"error": error}, status=turn.status)
        return await _stream(request, asked, turn)


def _made(item: dict[str, Any]) -> bool:
    return item.get("type") in MADE or item.get("role") == "assistant"


def _item(part: Say | Use, name: str) -> dict[str, Any]:
    if isinstance(part, Say):
        content = [{"type": "output_text", "text": part.text, "annotations": []}]
        return {
            "type": "message",
            "id": f"msg_{name}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    call = {"call_id": f"call_{name}", "name": part.tool, "status": "completed"}
    if set(part.given) == {"raw"}:
        kind = {"type": "custom_tool_call", "id": f"ct_{name}"}
        return kind | call | {"input": part.given["raw"]}
    kind = {"type": "function_call", "id": f"fc_{name}"}
    return kind | call | {"arguments": json.dumps(part.given)}


async def _stream(
    request: web.Request, asked: dict[str, Any], turn: Sequence[Say | Use]
) -> web.StreamResponse:
    name = f"{len(asked['input']):04}"
    items = [_item(part, f"{name}{place}") for place, part in enumerate(turn)]
    whole = {
        "id": f"resp_{name}",
        "object": "response",
        "model": asked.get("model"),
        "status": "completed",
        "output": items,
        "usage": USAGE,
    }
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": whole | {"output": [], "usage": None}},
        *(
            {
                "type": f"response.output_item.{kind}",
                "output_index": place,
                "item": item,
            }
            for place, item in enumerate(items)
            for kind in ("added", "done")
        ),
        {"type": "response.completed", "response": whole},
    ]
    lines = (
        f"event: {event['type']}\n"
        f"data: {json.dumps(event | {'sequence_number': number})}\n\n"
        for number, event in enumerate(events)
    )
    return await streamed(request, lines)


@asynccontextmanager
async def openai_api(*script: Turn) -> AsyncIterator[OpenAiApi]:
    """The API on a port of its own."""
    api = OpenAiApi(script)
    async with served(api.answer) as url:
        api.url = f"{url}/v1"
        yield api
