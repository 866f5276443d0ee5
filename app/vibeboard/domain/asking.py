"""What is decided about agents' questions: who is asked, and what an answer does."""

from vibeboard.domain import askwords
from vibeboard.domain.effects import AnswerQuestion, Effect, ShowQuestion, ShowRun
from vibeboard.domain.events import CheckAsked
from vibeboard.domain.question import Question, is_id, still_open
from vibeboard.domain.situation import Situation
from vibeboard.domain.tools import Verdict
from vibeboard.domain.trust import may_direct

_ALWAYS = "always"
_ALLOW, _REFUSE = "allow", "refuse"


def topic(question: str) -> str:
    """What marks the one comment of a question."""
    return f"question-{question}"


def asked(question: str, situation: Situation) -> list[Effect]:
    """Put an agent's question where people are told of it."""
    found = _named(question, situation)
    run = situation.history.active
    if found is None or run is None or found.answer is not None:
        return []
    shown = ShowRun(run.id, f"asks-{found.id}")
    return [ShowQuestion(found.card, run.id, found.id), shown]


def answered(
    verdict: Verdict, target: str | None, note: str, by: str, situation: Situation
) -> list[Effect] | str | None:
    """Write an answer down, or say why not; None if it is about something else.

    Without ``target`` it is about the one question that is open.
    """
    waiting = still_open(situation.questions)
    if target is None:
        if len(waiting) > 1:
            return askwords.which(waiting)
        found = waiting[0] if waiting else None
        if found is None:
            return None
    elif is_id(target):
        found = _named(target, situation)
        if found is None:
            return askwords.unknown(target, waiting)
        if found.answer is not None:
            return askwords.was_answered(found)
    else:
        return None
    for_run, note = _whether_always(note) if verdict is Verdict.ALLOW else (False, note)
    return told(found, verdict, by, note, for_run=for_run)


def told(
    question: Question, verdict: Verdict, by: str, note: str, *, for_run: bool
) -> list[Effect]:
    """Write an answer down and show it."""
    answer = AnswerQuestion(
        question.card, question.run, question.id, verdict, by, note, for_run=for_run
    )
    return [answer, ShowRun(question.run, f"answered-{question.id}")]


def pressed(event: CheckAsked, situation: Situation) -> list[Effect]:
    """Somebody pressed a button of the check that asks."""
    word, _, identity = event.pressed.partition(" ")
    found = _named(identity, situation)
    if not may_direct(situation) or found is None or found.answer is not None:
        return []
    verdict = Verdict.DENY if word == _REFUSE else Verdict.ALLOW
    return told(found, verdict, event.by.login, "", for_run=word == _ALWAYS)


def buttons(question: Question) -> tuple[tuple[str, str, str], ...]:
    """What the check offers: each button's identifier, label and description."""
    return (
        (f"{_ALLOW} {question.id}", "Allow once", "Let the agent do this"),
        (
            f"{_ALWAYS} {question.id}",
            "Allow in this run",
            "And what its rule asks alike",
        ),
        (f"{_REFUSE} {question.id}", "Refuse", "Tell the agent not to"),
    )


def _whether_always(note: str) -> tuple[bool, str]:
    first, _, rest = note.partition(" ")
    if first.casefold() == _ALWAYS:
        return True, rest.strip()
    return False, note


def _named(target: str, situation: Situation) -> Question | None:
    wanted = target.casefold()
    return next((each for each in situation.questions if each.id == wanted), None)
