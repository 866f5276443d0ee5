"""Keeps each run's one tracking comment true."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from vibeboard.domain import words
from vibeboard.domain.run import ACTIVE, Run, RunState
from vibeboard.engine.ending import end
from vibeboard.engine.ports import Clock, Locks, Marker, Pauses, Replies, Runs
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused, RetryLater

# Edits do not notify anybody, but they count as writes: a long run shows its time
# less and less often.
_FIRST_REFRESH = timedelta(seconds=30)
_LAST_REFRESH = timedelta(minutes=5)


class Tracking:
    """Posts the comment before the agent starts, and edits it in place after.

    One process posts it and another may edit it, so that both look and write under
    one lock: else there are two comments, or an old state over a new one.
    """

    def __init__(
        self,
        *,
        runs: Runs,
        replies: Replies,
        workflows: Workflows,
        locks: Locks,
        pauses: Pauses,
        clock: Clock,
    ) -> None:
        self._pauses = pauses
        self._runs = runs
        self._replies = replies
        self._workflows = workflows
        self._clock = clock
        self._locks = locks

    async def show(self, run_id: str, notes: Sequence[str] = ()) -> None:
        """Bring the comment up to date, posting it the first time."""
        async with self._locks.hold(f"tracking {run_id}"):
            run = await self._runs.get(run_id)
            while True:
                await self._write(run, notes)
                # Who stood still in between has lost the lock, and may have written
                # old words over newer ones.
                shown, run = run, await self._runs.get(run_id)
                if _told(shown) == _told(run):
                    return

    async def _write(self, run: Run, notes: Sequence[str]) -> None:
        stage = await self._workflows.stage(run)
        if stage is None:
            return
        body = words.tracking(
            run,
            stage,
            now=self._clock.now(),
            waiting_for=await self._waiting_for(run),
            notes=(*notes, *_held_up(run)),
        )
        marker = Marker(words.tracking_topic(run))
        comment = await self._replies.ensure(run.card, marker, body, known=run.comment)
        if comment != run.comment:
            await self._runs.note(run.id, comment=comment)

    @asynccontextmanager
    async def refreshed(self, run_id: str, notes: Sequence[str]) -> AsyncIterator[None]:
        """Keep the elapsed time moving while something long goes on."""
        refresher = asyncio.create_task(self._refresh(run_id, notes))
        try:
            yield
        finally:
            await end(refresher)

    async def _refresh(self, run_id: str, notes: Sequence[str]) -> None:
        wait = _FIRST_REFRESH
        while True:
            await asyncio.sleep(wait.total_seconds())
            wait = min(wait * 2, _LAST_REFRESH)
            try:
                await self.show(run_id, notes)
            except (RetryLater, GitHubRefused):
                continue  # the next refresh, or the next step, shows it

    async def _waiting_for(self, run: Run) -> str:
        if run.state is not RunState.QUEUED:
            return ""
        paused = await self._pauses.reason(run.card)
        if paused is not None:
            return words.waiting_paused(paused)
        if run.due_at is not None:
            return words.waiting_delayed(run.due_at)
        active = (await self._runs.history(run.card)).active
        if active is not None:
            return f"*{active.stage}* on this card to end"
        return "a free place among this repository's runs"


def _told(run: Run) -> tuple[object, ...]:
    """What of a run changes its comment at once."""
    return run.state, run.step, run.attempt, run.worker, run.due_at, run.stop_reason


def _held_up(run: Run) -> Sequence[str]:
    """Why a run that has begun does not go on just now."""
    if run.state not in ACTIVE or run.worker is not None:
        return ()
    if run.due_at is not None:
        return (f"Waiting for {words.waiting_again(run.due_at, run.waits_for)}.",)
    return (words.interrupted(),)
