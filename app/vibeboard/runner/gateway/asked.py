"""What an agent asks of a model, without what the provider would fetch for it.

A provider's own tools reach the internet, and so do links to pictures and files: by
them an agent without a network could send anything anywhere. Such tools are taken out
of a request; a link has it refused.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, assert_never

from vibeboard.runner.gateway.apis import Provider

# Tools whose work is done by the program that asks. Others are the provider's.
_OWN_TOOLS = {
    Provider.ANTHROPIC: (
        "custom",
        "bash_",
        "text_editor_",
        "computer_",
        "memory_",
        "tool_search_tool_",
    ),
    Provider.OPENAI: (
        "function",
        "custom",
        "local_shell",
        "apply_patch",
        "namespace",
        "tool_search",
    ),
}
# Whole parts of a request that make the provider reach out.
_REACHING = ("mcp_servers", "container", "web_search_options")
_DECLARATIONS = ("functionDeclarations", "function_declarations")


class Unwanted(ValueError):  # noqa: N818 - an event
    """A request that is not passed on; the message says why."""


def read(provider: Provider, body: bytes) -> dict[str, Any]:
    """The request as it may be passed on; raises Unwanted."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unwanted("the request is no JSON") from error
    if not isinstance(asked, dict):
        raise Unwanted("the request is no JSON object")
    for link in _links(provider, asked):
        raise Unwanted(
            f"the request has the provider fetch {link}: send the content itself"
        )
    for part in _REACHING:
        asked.pop(part, None)
    if isinstance(asked.get("tools"), list):
        asked["tools"] = list(_own_tools(provider, asked["tools"]))
        if not asked["tools"]:
            for part in ("tools", "tool_choice", "toolConfig", "tool_config"):
                asked.pop(part, None)
    return asked


def counted(provider: Provider, asked: dict[str, Any], path: str) -> dict[str, Any]:
    """The request with the wish that a stream tells its usage."""
    if (
        provider is Provider.OPENAI
        and path.endswith("/chat/completions")
        and asked.get("stream") is True
    ):
        options = asked.get("stream_options")
        kept = options if isinstance(options, dict) else {}
        return asked | {"stream_options": kept | {"include_usage": True}}
    return asked


def _own_tools(provider: Provider, tools: list[Any]) -> Iterator[Any]:
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        if provider is Provider.GEMINI:
            own = {key: tool[key] for key in _DECLARATIONS if key in tool}
            if own:
                yield own
            continue
        kind = tool.get("type", "custom")
        if isinstance(kind, str) and kind.startswith(_OWN_TOOLS[provider]):
            yield tool


def _links(provider: Provider, asked: Mapping[str, Any]) -> Iterator[str]:
    """What in the conversation is a link that the provider would follow."""
    for turn in (*_list(asked, "messages"), *_list(asked, "input"),
                 *_list(asked, "contents"), asked.get("systemInstruction"),
                 asked.get("system_instruction")):  # fmt: skip
        for block in _blocks(turn):
            match provider:
                case Provider.ANTHROPIC:
                    source = block.get("source")
                    if isinstance(source, dict) and source.get("type") == "url":
                        yield "a link"
                case Provider.OPENAI:
                    yield from _openai_links(block)
                case Provider.GEMINI:
                    if "fileData" in block or "file_data" in block:
                        yield "a file"
                case _:
                    assert_never(provider)


def _openai_links(block: Mapping[str, Any]) -> Iterator[str]:
    if block.get("file_url"):
        yield "a file"
    image = block.get("image_url")
    address = image.get("url") if isinstance(image, dict) else image
    if isinstance(address, str) and not address.startswith("data:"):
        yield "a picture"


def _blocks(turn: Any) -> Iterator[Mapping[str, Any]]:
    """The turn and all blocks of content below it, results of tools too."""
    waiting = [turn]
    while waiting:
        block = waiting.pop()
        if isinstance(block, list):
            waiting += block
        elif isinstance(block, dict):
            yield block
            waiting += [block.get("content"), block.get("output"), block.get("parts")]


def _list(values: Mapping[str, Any], key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []
