"""The two ends of the wire in one process: all that crosses is text."""

import json
from collections.abc import Mapping
from typing import Any

from vibeboard.engine import wire


def loop(**targets: object) -> wire.Call:
    """Calls on these ports, by name; each call crosses as JSON, both ways."""

    async def call(port: str, method: str, arguments: Mapping[str, Any]) -> Any:
        codec = wire.PORTS[port].methods[method]
        try:
            given = codec.load(json.loads(json.dumps(arguments)))
            made = await getattr(targets[port], method)(**given)
            answer = {"made": codec.dump_answer(made)}
        except Exception as error:  # noqa: BLE001 - whatever it is, it crosses
            answer = {"error": wire.dump_error(error)}
        return json.loads(json.dumps(answer))

    return call
