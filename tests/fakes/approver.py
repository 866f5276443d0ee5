"""Somebody who lets agents do what they ask for."""

from datetime import timedelta

from vibeboard.domain.tools import Ruling, ToolCall, Verdict


class Lets:
    """Allows every call, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[ToolCall] = []

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        del hold
        self.asked.append(call)
        return Ruling(Verdict.ALLOW)
