"""Keeps each run's one tracking comment true."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta

from vibeboard.domain import words
from vibeboard.domain.budget import Spent
from vibeboard.domain.run import ACTIVE, Run, RunState
from vibeboard.engine.ending import end
from vibeboard.engine.ports import (
    Clock,
    Expenses,
    Locks,
    Marker,
    Pauses,
    Previews,
    Replies,
    Runs,
    Tracker,
)
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import AppAbsent, GitHubRefused, RetryLater

log = logging.getLogger(__name__)

# Edits do not notify anybody, but they count as writes: a long run shows its time
# less and less often.
_FIRST_REFRESH = timedelta(seconds=30)
_LAST_REFRESH = timedelta(minutes=5)
_LULL = 1.0  # seconds; steps that follow each other more quickly are one edit
_ANSWER = 0.1  # seconds that an agent waits to hear that nobody can watch


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
        expenses: Expenses,
        previews: Previews,
        clock: Clock,
        notes: Sequence[str] = (),
    ) -> None:
        """``notes`` are told with every run."""
        self._notes = notes
        self._expenses = expenses
        self._previews = previews
        self._pauses = pauses
        self._runs = runs
        self._replies = replies
        self._workflows = workflows
        self._clock = clock
        self._locks = locks

    async def show_started(self, run_id: str) -> None:
        """Post the comment of a run that was just asked for.

        There is none if it was added to a run that waits: that one has its comment.
        """
        try:
            await self._runs.get(run_id)
        except KeyError:
            return
        await self.post(run_id)

    async def post(self, run: str) -> None:
        """Post the comment unless there is one; who carries the run out shows more."""
        async with self._held(run):
            now = await self._runs.get(run)
            if now.comment is None:
                await self._bring(now, (), at_work=True)

    async def show(self, run: str, notes: Sequence[str] = ()) -> None:
        """Bring the comment up to date, posting it the first time."""
        async with self._held(run):
            await self._bring(await self._runs.get(run), notes)

    def _held(self, run: str) -> AbstractAsyncContextManager[None]:
        return self._locks.hold(f"tracking {run}")

    async def _bring(
        self, now: Run, notes: Sequence[str], *, at_work: bool = False
    ) -> None:
        """Write until it is true, or until the run is ``at_work`` and followed."""
        while True:
            await self._write(now, notes)
            # Who stood still in between has lost the lock, and may have written
            # old words over newer ones.
            shown, now = now, await self._runs.get(now.id)
            if _told(shown) == _told(now):
                return
            if at_work and now.state in ACTIVE and now.worker is not None:
                return

    async def _write(self, run: Run, notes: Sequence[str]) -> None:
        stage = await self._workflows.stage(run)
        if stage is None:
            return
        opened = (await self._runs.history(run.card)).opened if run.report else ()
        body = words.tracking(
            run,
            stage,
            now=self._clock.now(),
            waiting_for=await self._waiting_for(run),
            notes=(*notes, *self._notes, *_where(run), *_held_up(run)),
            spent=Spent(
                await self._expenses.of_run(run.id),
                await self._expenses.of_card(run.card),
            ),
            previews=await self._previews.of(run.card) if run in opened[:1] else (),
        )
        marker = Marker(words.tracking_topic(run))
        comment = await self._replies.ensure(run.card, marker, body, known=run.comment)
        if comment != run.comment:
            await self._runs.note(run.id, comment=comment)

    async def _waiting_for(self, run: Run) -> str:
        if run.state is not RunState.QUEUED:
            return ""
        paused = await self._pauses.reason(run.card)
        if paused is not None:
            return words.waiting_paused(paused)
        if run.posting is not None and not run.posting.over:
            return words.waiting_for_machine(run.posting)
        if run.due_at is not None:
            return words.waiting_delayed(run.due_at)
        active = (await self._runs.history(run.card)).active
        if active is not None:
            return f"*{active.stage}* on this card to end"
        return "a free place among this repository's runs"


@asynccontextmanager
async def following(tracker: Tracker, run: str) -> AsyncIterator["Following"]:
    """Keep the comment up to date beside a run that is at work."""
    comment = Following(
        lambda: tracker.post(run), lambda notes: tracker.show(run, notes)
    )
    follower = asyncio.create_task(comment.follow())
    try:
        yield comment
    finally:
        await end(follower)


class Following:
    """The comment of a run at work. The run does not wait for GitHub to take it."""

    def __init__(
        self,
        post: Callable[[], Awaitable[None]],
        show: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        self.notes: Sequence[str] = ()
        self._post = post
        self._show = show
        self._changed = asyncio.Event()
        self._answered = asyncio.Event()
        self._refusal: GitHubRefused | None = None

    def changed(self) -> None:
        """The run has got on."""
        self._changed.set()

    async def is_seen(self) -> None:
        """Raise GitHubRefused if nobody can watch; an answer is not awaited long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER):
                await self._answered.wait()
        if self._refusal is not None:
            raise self._refusal

    async def follow(self) -> None:
        """Show what changes, and now and then the time it takes; until cancelled."""
        await self._try(self._post)
        wait = _FIRST_REFRESH
        while True:
            try:
                async with asyncio.timeout(wait.total_seconds()):
                    await self._changed.wait()
                await asyncio.sleep(_LULL)
                wait = _FIRST_REFRESH
            except TimeoutError:
                wait = min(wait * 2, _LAST_REFRESH)
            self._changed.clear()
            await self._try(lambda: self._show(self.notes))

    async def _try(self, do: Callable[[], Awaitable[None]]) -> None:
        try:
            await do()
        except GitHubRefused as refusal:
            self._refusal = refusal
        except (RetryLater, AppAbsent):
            return  # the next change, refresh, or the run's end shows it
        except Exception:
            log.exception("cannot show a run")
        else:
            self._refusal = None
        self._answered.set()


def _told(run: Run) -> tuple[object, ...]:
    """What of a run changes its comment at once."""
    return (
        *(run.state, run.step, run.attempt, run.worker),
        *(run.due_at, run.asked_at, run.stop_reason, run.posting),
    )


def _where(run: Run) -> Sequence[str]:
    """Where a run is, or was, if not here."""
    if run.posting is None or not run.posting.begun:
        return ()
    return (words.posted(run.posting),)


def _held_up(run: Run) -> Sequence[str]:
    """Why a run that has begun does not go on just now."""
    if run.state not in ACTIVE or run.worker is not None:
        return ()
    if run.posting is not None and not run.posting.over:
        return (words.silent(),)
    if run.asked_at is not None:
        return (words.asks(),)
    if run.due_at is not None:
        return (f"Waiting for {words.waiting_again(run.due_at, run.waits_for)}.",)
    return (words.interrupted(),)
