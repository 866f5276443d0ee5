"""What a person asks for who runs a job again that carried out a run of ours.

While that run goes on, its next attempt is the run's next attempt. Once it has ended,
the person has asked for another try, as with ``/agent retry``: it is decided the
ordinary way, and what it starts is carried out by the very job that asks.
"""

from datetime import timedelta
from typing import Protocol

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Run, rerun_cause
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Caller, Fleet, Runs
from vibeboard.errors import Fenced, RetryLater

_SOON = timedelta(seconds=2)


class Wishes(Protocol):
    """What people asked for elsewhere than on GitHub's issues, as events."""

    async def ask_again(self, card: CardKey, by: str, cause: str) -> None:
        """Somebody wants the card's last run again; told twice, it is asked once."""
        ...

    async def decided(self, cause: str) -> bool:
        """Whether all is done about it."""
        ...


class Reruns:
    """Finds the run that a job has to carry out."""

    def __init__(self, *, runs: Runs, fleet: Fleet, wishes: Wishes) -> None:
        self._runs = runs
        self._fleet = fleet
        self._wishes = wishes

    async def meant(self, run: Run, caller: Caller) -> Run:
        """The run that the caller has to carry out, which was given ``run``.

        Raises RetryLater until it is there, and Fenced if nothing came of the wish.
        """
        posting = run.posting
        if (
            not run.ended
            or posting is None
            or posting.id != caller.posting
            or posting.attempt >= caller.attempt
        ):
            return run
        cause = rerun_cause(caller.posting, caller.attempt)
        history = await self._runs.history(run.card)
        found = next((one for one in history.runs if one.cause == cause), None)
        if found is not None and found.runner is Runner.OWN:
            message = f"run {found.id} was started instead, on the server's own runners"
            raise Fenced(message)
        if found is not None:
            return found
        if await self._wishes.decided(cause):
            message = f"run {run.id} has ended, and no other one was started for it"
            raise Fenced(message)
        sight = await self._fleet.look(run.card.repository, posting)
        if sight.attempt != caller.attempt or not sight.by:
            message = f"attempt {caller.attempt} of run {run.id} is not the last one"
            raise Fenced(message)
        await self._wishes.ask_again(run.card, sight.by, cause)
        message = f"the next run after {run.id} is asked for"
        raise RetryLater(message, after=_SOON)
