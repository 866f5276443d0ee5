"""Tells what happens while it happens, out of the server's own log."""

import json
import time
from asyncio.subprocess import Process
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Callable

_STEPS = {
    "workspace": "prepares a workspace",
    "agent": "the agent works",
    "tests": "the tests run",
    "reviews": "specialists look at it",
    "publish": "the result is published",
}
_VERBS = {
    "StartRun": "start",
    "StopRun": "stop",
    "MoveCard": "move",
    "Reply": "answer",
    "React": "react",
}


class Timeline:
    """Prints one line an event; remembers when an agent first started."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.began = time.monotonic()
        self.seconds_to_agent_start: float | None = None

    def restart(self) -> None:
        """Count from now on."""
        self.began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def tell(self, text: str, style: str = "") -> None:
        """Print one line with its time."""
        self._console.print(f"[dim]{self.elapsed:6.1f}s[/dim]  {text}", style=style)

    async def follow(self, server: Process) -> None:
        """Read the server's log to its end."""
        assert server.stderr is not None
        async for raw in server.stderr:
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            self._read(line)

    def _read(self, line: dict[str, Any]) -> None:
        tellers: dict[str, Callable[[dict[str, Any]], None]] = {
            "decided": self._decided,
            "step": self._step,
            "run ended": self._ended,
        }
        teller = tellers.get(str(line.get("event")))
        if teller is not None:
            teller(line)
        elif line.get("level") in {"warning", "error"}:
            reason = line.get("reason") or line.get("traceback") or ""
            self.tell(f"{line.get('event')}: {reason}", "yellow")

    def _decided(self, line: dict[str, Any]) -> None:
        kinds = [_VERBS.get(kind) for kind in line.get("kinds", [])]
        verbs = ", ".join(dict.fromkeys(filter(None, kinds)))
        if verbs:
            self.tell(f"{line['card']}  {line['kind']} → decided: {verbs}", "cyan")

    def _step(self, line: dict[str, Any]) -> None:
        step = str(line["step"])
        if step == "agent" and self.seconds_to_agent_start is None:
            self.seconds_to_agent_start = self.elapsed
        self.tell(f"{line['card']}  {line['stage']}: {_STEPS[step]}")

    def _ended(self, line: dict[str, Any]) -> None:
        good = line["state"] == "succeeded"
        self.tell(
            f"{line['card']}  {line['stage']}: {line['state']}",
            "bold green" if good else "bold red",
        )
