"""Questions: calls of tools that a person has to answer for, and the answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vibeboard.domain.board import CardKey
from vibeboard.domain.tools import Ruling, ToolCall, Verdict


@dataclass(frozen=True)
class Answer:
    """What a person said: yes or no, once or, if ``for_run``, until the run ends."""

    verdict: Verdict
    by: str
    note: str = ""
    for_run: bool = False

    @property
    def ruling(self) -> Ruling:
        """The same, as it is told to the agent."""
        return Ruling(self.verdict, by=self.by, note=self.note)


@dataclass(frozen=True)
class Question:
    """A call that ``rule`` lets a person answer for.

    An answer that counts once is ``used`` when the agent has been told.
    """

    id: str
    run: str
    card: CardKey
    call: ToolCall
    rule: str
    asked_at: datetime
    answer: Answer | None = None
    used: bool = False


def is_id(word: str) -> bool:
    """Whether somebody means a question: ``q17``."""
    return word[:1] in ("q", "Q") and word[1:].isdecimal() and word.isascii()


def answered(
    questions: Sequence[Question], call: ToolCall, rule: str
) -> tuple[Ruling, Question] | None:
    """What people said before about ``call``, asked by ``rule``; None: ask them.

    A refusal holds for the same deed until the run ends. Leave holds once, or, if it
    was given for the run, for whatever the same rule asks about the same tool.
    """
    for question in reversed(questions):
        answer = question.answer
        if answer is None:
            continue
        same = question.call.key == call.key
        alike = question.rule == rule and question.call.tool == call.tool
        if answer.verdict is Verdict.DENY:
            holds = same
        elif answer.for_run:
            holds = same or alike
        else:
            holds = same and not question.used
        if holds:
            return answer.ruling, question
    return None


def unheard(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Those that were answered, and the agent has not been told."""
    return tuple(each for each in questions if each.answer and not each.used)


def still_open(questions: Sequence[Question]) -> tuple[Question, ...]:
    """Those that nobody has answered."""
    return tuple(each for each in questions if each.answer is None)
