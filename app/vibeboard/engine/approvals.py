"""Answers for the tools that agents want to use."""

from datetime import timedelta

from vibeboard.domain.tools import Ruling, ToolCall, Verdict


class Unasked:
    """Lets through what is put before it; satisfies ``engine.ports.Approver``.

    What an agent may do is then what its program was started with.
    """

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        """Allow the call."""
        del call, hold
        return Ruling(Verdict.ALLOW)
