"""Has each run carried out where its stage wants it: here, or by the fleet.

A run of the fleet's is claimed here only to be posted and looked after: it is given
back in between, and whoever claims it next may be another process. What carries it
out there speaks for itself; GitHub is asked what became of what is silent.
"""

import logging
from datetime import timedelta
from typing import Protocol

from vibeboard.domain import words
from vibeboard.domain.retry import MOST_CRASHES, STOPS_WITHIN
from vibeboard.domain.run import Posting, Report, Run, RunState, rerun_of
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import (
    Clock,
    Fleet,
    Postings,
    Runs,
    Sight,
    Tracker,
    Whereabouts,
)
from vibeboard.errors import GitHubRefused, UserError

log = logging.getLogger(__name__)

# What GitHub tells by itself is not waited for.
_LOOK_EVERY = timedelta(minutes=1)
# Who has to wait longer for a machine has none.
_PATIENCE = timedelta(minutes=30)


class Carrier(Protocol):
    """Carries runs out."""

    async def carry_out(self, run_id: str) -> None:
        """Take the run as far as it goes now; raises as ``Executor`` does."""
        ...

    async def show(self, run_id: str) -> None:
        """Bring the run's tracking comment up to date."""
        ...


class Carriers:
    """Satisfies ``Carrier``: gives each run to ``here``, or posts it."""

    def __init__(
        self,
        here: Carrier,
        *,
        fleet: Fleet | None,
        runs: Runs,
        postings: Postings,
        tracker: Tracker,
        clock: Clock,
    ) -> None:
        """Without a ``fleet`` no machine elsewhere could reach us."""
        self._here = here
        self._fleet = fleet
        self._runs = runs
        self._postings = postings
        self._tracker = tracker
        self._clock = clock

    async def carry_out(self, run_id: str) -> None:
        """Take the run as far as it goes now; raises as ``Executor`` does."""
        run = await self._runs.get(run_id)
        if run.ended:
            return
        if run.runner is Runner.OWN:
            await self._here.carry_out(run_id)
            return
        if self._fleet is None:
            await self._close(run, RunState.FAILED, words.no_fleet())
        elif run.posting is None or run.posting.over:
            await self._post(run, self._fleet)
        else:
            await self._look(run, run.posting, self._fleet)

    async def show(self, run_id: str) -> None:
        """Bring the run's tracking comment up to date."""
        await self._here.show(run_id)

    async def recall(self, run_id: str) -> None:
        """Have a run that was stopped before it began not begin there, either."""
        run = await self._runs.get(run_id)
        posting = run.posting
        if self._fleet is None or posting is None or not run.ended:
            return
        if not (posting.begun or posting.over):
            await self._fleet.cancel(run.card.repository, posting)

    async def _post(self, run: Run, fleet: Fleet) -> None:
        if run.state is RunState.STOPPING:
            await self._close(run, RunState.STOPPED, run.stop_reason)
            return
        if run.crashes >= MOST_CRASHES:
            where = run.posting.url if run.posting is not None else ""
            why = words.lost_there(run.crashes, where)
            await self._close(run, RunState.FAILED, why)
            return
        try:
            posting = await self._asking(run) or await fleet.post(run)
        except UserError as refused:
            await self._close(run, RunState.FAILED, str(refused))
            return
        except GitHubRefused as refusal:
            await self._close(run, RunState.FAILED, words.github_refused(refusal))
            return
        log.info("run posted", extra={**run.log_fields(), "posting": posting.id})
        await self._postings.posted(run.id, posting, _LOOK_EVERY)
        await self._tracker.show(run.id)

    async def _asking(self, run: Run) -> Posting | None:
        """The posting that asked for the run and waits for it; None if none does."""
        asking = rerun_of(run.cause) if run.posting is None else None
        if asking is None:
            return None
        number, attempt = asking
        history = await self._runs.history(run.card)
        known = (one.posting for one in history.runs if one.posting is not None)
        before = next((one for one in known if one.id == number), None)
        if before is None:
            return None
        return Posting(number, before.url, self._clock.now(), attempt)

    async def _look(self, run: Run, posting: Posting, fleet: Fleet) -> None:
        sight = await fleet.look(run.card.repository, posting)
        log.info(
            "looked after a run",
            extra={**run.log_fields(), "posting": posting.id, "is": sight.where.value},
        )
        match sight.where:
            case Whereabouts.CANCELLED:
                # Who asked us first has said why.
                why = run.stop_reason or words.cancelled_there(posting.url)
                await self._close(run, RunState.STOPPED, why)
            case Whereabouts.ENDED | Whereabouts.GONE:
                await self._ended(run, sight)
            case Whereabouts.WAITS | Whereabouts.AT_WORK:
                await self._alive(run, posting, fleet)

    async def _ended(self, run: Run, sight: Sight) -> None:
        if run.state is RunState.STOPPING:
            await self._close(run, RunState.STOPPED, run.stop_reason)
            return
        log.warning(
            "run lost",
            extra={**run.log_fields(), "conclusion": sight.conclusion or "unknown"},
        )
        await self._postings.lost(run.id)

    async def _alive(self, run: Run, posting: Posting, fleet: Fleet) -> None:
        now = self._clock.now()
        if run.state is RunState.STOPPING and now - run.changed_at >= STOPS_WITHIN:
            await fleet.cancel(run.card.repository, posting)
            await self._close(run, RunState.STOPPED, run.stop_reason)
        elif not posting.begun and now - posting.posted_at >= _PATIENCE:
            await fleet.cancel(run.card.repository, posting)
            why = words.never_began(_PATIENCE, posting.url)
            await self._close(run, RunState.FAILED, why)
        else:
            await self._postings.wait(run.id, _LOOK_EVERY)

    async def _close(self, run: Run, state: RunState, why: str) -> None:
        await self._postings.close(run.id, Report(state, reason=why))
