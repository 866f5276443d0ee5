"""Answers for the tools that agents want to use: by the rules, else by people.

A question is kept before it is shown, and its answer before the agent is told. Nobody
has to hurry: an agent that is not answered in time ends its turn, and goes on with its
session once people have answered.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from vibeboard.domain.question import Question, answered, unheard
from vibeboard.domain.run import Run
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.engine.ports import Approver, Questions

Rules = Callable[[ToolCall], Ruling]

_NOBODY = "nobody is asked about it here"
_LOOK_EVERY = timedelta(seconds=1)


class ByRules:
    """The rules alone, where nobody could be asked; satisfies ``Approver``."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        """As the rules say; what people would be asked about is refused."""
        del hold
        ruling = self._rules(call)
        if ruling.verdict is Verdict.ASK:
            return replace(ruling, verdict=Verdict.DENY, note=_NOBODY)
        return ruling


class Approvals:
    """Makes approvers."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def of(self, run: Run, rules: Rules) -> Approver:
        """Who answers for the tools in this attempt of a run."""
        return _OfRun(self._questions, run, rules)

    async def unheard(self, run: Run) -> tuple[Question, ...]:
        """Answers that the run's agent has waited for."""
        return unheard(await self._questions.of(run.id))


class _OfRun:
    """Satisfies ``Approver``."""

    def __init__(self, questions: Questions, run: Run, rules: Rules) -> None:
        self._questions = questions
        self._run = run
        self._rules = rules

    async def decide(self, call: ToolCall, *, hold: timedelta = timedelta(0)) -> Ruling:
        """As the rules say, as a person said before, or as one says within ``hold``."""
        ruling = self._rules(call)
        if ruling.verdict is not Verdict.ASK:
            return ruling
        said = await self._said(call, ruling.rule)
        if said is not None:
            return said
        await self._questions.ask(self._run, call, ruling.rule)
        waited = timedelta(0)
        while waited < hold:
            await asyncio.sleep(_LOOK_EVERY.total_seconds())
            waited += _LOOK_EVERY
            said = await self._said(call, ruling.rule)
            if said is not None:
                return said
        return ruling

    async def _said(self, call: ToolCall, rule: str) -> Ruling | None:
        found = answered(await self._questions.of(self._run.id), call, rule)
        if found is None:
            return None
        said, question = found
        await self._questions.heard(question)
        return said
