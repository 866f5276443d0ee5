"""Shows agents' questions where people look, and keeps them true."""

from vibeboard.domain import askwords
from vibeboard.domain.asking import buttons, topic
from vibeboard.domain.board import CardKey
from vibeboard.domain.question import Question, still_open
from vibeboard.engine.ports import (
    Button,
    CheckRun,
    Checks,
    Conclusion,
    Marker,
    Pulls,
    Questions,
    Replies,
    Runs,
)


class Asker:
    """A comment tells somebody; a check on the pull request's head has buttons."""

    def __init__(
        self,
        *,
        questions: Questions,
        runs: Runs,
        replies: Replies,
        pulls: Pulls,
        checks: Checks,
    ) -> None:
        self._questions = questions
        self._runs = runs
        self._replies = replies
        self._pulls = pulls
        self._checks = checks

    async def show(self, card: CardKey, run_id: str, question: str) -> None:
        """Ask, or say what was answered."""
        run = await self._runs.get(run_id)
        asked = await self._questions.of(run_id)
        found = next(each for each in asked if each.id == question)
        body = (
            askwords.settled(found) if found.answer else askwords.question(found, run)
        )
        await self._replies.ensure(card, Marker(topic(question)), body)
        # One check a run: it offers what is still open.
        offered = next(iter(still_open(asked)), found)
        head = await self._head(card)
        if head is not None:
            await self._checks.put(card.repository, _check(offered, head, run.stage))

    async def _head(self, card: CardKey) -> str | None:
        """The newest commit of the card's open pull request."""
        history = await self._runs.history(card)
        if history.branch is None:
            return None
        pull = await self._pulls.of_branch(card.repository, history.branch)
        return pull.head if pull is not None and pull.is_open else None


def _check(question: Question, head: str, stage: str) -> CheckRun:
    is_open = question.answer is None
    return CheckRun(
        name=askwords.CHECK,
        head=head,
        external_id=question.run,
        title=askwords.title(question),
        summary=askwords.summary(question, stage),
        conclusion=Conclusion.ACTION_REQUIRED if is_open else Conclusion.NEUTRAL,
        buttons=tuple(Button(*each) for each in buttons(question)) if is_open else (),
    )
