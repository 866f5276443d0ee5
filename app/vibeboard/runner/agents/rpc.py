"""Requests and answers over a wire: as much of JSON-RPC as Codex speaks."""

import asyncio
from collections.abc import Mapping
from typing import Any

from vibeboard.runner.agents.wire import Wire

UNKNOWN = -32601


class Refusal(Exception):  # noqa: N818 - what the program answered
    """The program answered a request with an error."""


class Gone(Exception):  # noqa: N818 - what the program is
    """The program went without an answer."""


class Rpc:
    """Our end: asks, tells, and answers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._last = 0

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """What the program answers; raises Refusal and Gone."""
        self._last += 1
        number = self._last
        answer = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._wire.send({"id": number, "method": method, "params": dict(params)})
        try:
            said = await answer
        finally:
            self._asked.pop(number, None)
        error = said.get("error")
        if error is not None:
            told = error.get("message") if isinstance(error, dict) else None
            raise Refusal(str(told or error))
        result = said.get("result")
        return result if isinstance(result, dict) else {}

    def tell(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Say something that has no answer."""
        message = {"method": method} | ({} if params is None else {"params": params})
        self._wire.send(message)

    def answer(self, to: Any, result: Mapping[str, Any]) -> None:
        """Answer the program's request."""
        self._wire.send({"id": to, "result": result})

    def refuse(self, to: Any, method: str) -> None:
        """Answer what we do not know."""
        error = {"code": UNKNOWN, "message": f"{method} is not supported"}
        self._wire.send({"id": to, "error": error})

    def take(self, said: Mapping[str, Any]) -> bool:
        """Whether this was an answer to us; whoever asked has it then."""
        if "method" in said or "id" not in said:
            return False
        waiting = self._asked.get(said["id"])
        if waiting is not None and not waiting.done():
            waiting.set_result(dict(said))
        return True

    def hang_up(self) -> None:
        """Nothing is answered any more."""
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Gone())
