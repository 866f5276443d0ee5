"""Who answers for tools in tests, without a team's rules or a store of questions."""

from datetime import timedelta

from vibeboard.domain.tools import Ruling, ToolCall, Verdict


class Person:
    """Answers by what a call is about; whatever is not named is allowed."""

    def __init__(self, **answers: Verdict) -> None:
        self.answers = answers
        self.asked: list[ToolCall] = []
        self.held: list[timedelta] = []

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        self.asked.append(call)
        self.held.append(hold)
        for word, verdict in self.answers.items():
            if word in f"{call.tool} {call.subject}":
                return Ruling(verdict, by="ada", note=f"about {word}")
        return Ruling(Verdict.ALLOW)


class Lost:
    """Cannot say: whoever keeps the answers is not there."""

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        del call, hold
        raise ConnectionError("the answers are not to be had")


class Lets:
    """Allows every call, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[ToolCall] = []

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        del hold
        self.asked.append(call)
        return Ruling(Verdict.ALLOW)
