"""Gives due deliveries and runs to those who do them, and puts away what fails.

What time will mend is postponed, what waits for the App's return is parked, what
cannot be done is given up with its reason: a person may ask for it again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from vibeboard.domain.retry import MOST_CRASHES, MOST_TRIES, wait_before
from vibeboard.engine.advance import Advancer
from vibeboard.engine.carry import Carrier
from vibeboard.engine.context import about
from vibeboard.engine.ending import end
from vibeboard.engine.lease import Lease
from vibeboard.engine.outlast import outlast
from vibeboard.engine.ports import (
    Clock,
    Deliveries,
    Delivery,
    DeliveryQueue,
    DeliveryState,
    RunQueue,
    Runs,
    Workers,
)
from vibeboard.engine.pump import Pump
from vibeboard.errors import (
    AppAbsent,
    Fenced,
    GitHubRefused,
    PeopleAsked,
    RetryLater,
    StoreUnavailable,
)

log = logging.getLogger(__name__)

# Both mostly wait: the one for GitHub's answers, the other for its leave to write.
_DECISIONS_AT_ONCE = 16
_PERFORMED_AT_ONCE = 64
_POSTED_AT_ONCE = 16
# How long a run waits for an App that is suspended or gone before it asks again.
_ABSENCE = timedelta(minutes=10)
_LULL = 1.0  # seconds before something is tried again that the database did not take


@dataclass(frozen=True)
class _InState:
    """The deliveries of one state, as a queue of their own."""

    queue: DeliveryQueue
    state: DeliveryState

    async def claim(self, most: int) -> Sequence[int]:
        return await self.queue.claim(most, states=(self.state,))

    async def strays(self, known: Collection[int]) -> int:
        return await self.queue.strays(known, states=(self.state,))

    async def next_due(self) -> datetime | None:
        return await self.queue.next_due()


class Dispatcher:
    """The engine of this process."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        delivery_queue: DeliveryQueue,
        advancer: Advancer,
        runs: Runs,
        run_queue: RunQueue,
        executor: Carrier,
        workers: Workers,
        clock: Clock,
        runners: int,
        lease: timedelta,
        fleet_queue: RunQueue | None = None,
    ) -> None:
        """``runners`` of 0 leaves runs to other processes.

        Runs of ``fleet_queue`` are carried out elsewhere, and take no place here.
        """
        self._kept = deliveries
        self._delivery_queue = delivery_queue
        self._advancer = advancer
        self._stored = runs
        self._run_queue = run_queue
        self._executor = executor
        self._workers = workers
        self._term = lease
        self._lease = self._new_lease()
        self._recovering: asyncio.Task[None] | None = None
        self.decisions = Pump(
            _InState(delivery_queue, DeliveryState.RECEIVED),
            self._decide,
            places=_DECISIONS_AT_ONCE,
            clock=clock,
            prepare=self._sort,
        )
        self.effects = Pump(
            _InState(delivery_queue, DeliveryState.DECIDED),
            self._perform,
            places=_PERFORMED_AT_ONCE,
            clock=clock,
        )
        self.runs = Pump(run_queue, self._carry_out, places=runners, clock=clock)
        self.postings = Pump(
            fleet_queue or run_queue,
            self._carry_out,
            places=_POSTED_AT_ONCE if fleet_queue is not None else 0,
            clock=clock,
        )

    @property
    def pumps(self) -> Mapping[str, Pump[Any]]:
        """What is pumped, by name."""
        return {
            "decisions": self.decisions,
            "effects": self.effects,
            "runs": self.runs,
            "postings": self.postings,
        }

    @property
    def idle(self) -> str:
        """Why this process takes no work now; empty if it does."""
        if self._recovering is not None and not self._recovering.done():
            return "was declared dead, and begins anew"
        if not self.decisions.looks or not self.effects.looks:
            return "takes no work"
        return ""

    def wake(self) -> None:
        """There may be work: look at once."""
        for pump in self.pumps.values():
            pump.wake()

    async def start(self) -> None:
        """Begin to take work, what an earlier process left unfinished first."""
        await self._lease.enter()
        for pump in self.pumps.values():
            pump.start()

    async def close(self, grace: timedelta) -> None:
        """Take no more runs, end what is under way, and give back the rest.

        Runs get ``grace`` to end by themselves, and what their ends bring about is
        done in what is left of it. What is cut off goes on behind its last finished
        step, here or in another process.
        """
        if self._recovering is not None:
            await end(self._recovering)
        began = asyncio.get_running_loop().time()

        def left() -> float:
            spent = asyncio.get_running_loop().time() - began
            return max(grace.total_seconds() - spent, 0)

        await self.runs.stop()
        await self.postings.stop()
        await self.runs.finish(grace)
        await self.postings.finish(timedelta(seconds=left()))
        for pump in (self.decisions, self.effects):
            with suppress(TimeoutError):
                async with asyncio.timeout(left()):
                    await pump.rest()
        for pump in (self.decisions, self.effects):
            await pump.stop()
            await pump.finish(timedelta(seconds=left()))
        await self._lease.leave()

    async def _sort(self) -> bool:
        return await self._delivery_queue.sort(self._advancer.sort) > 0

    async def _decide(self, delivery: int) -> None:
        await self._handle(delivery, self._advancer.decide, DeliveryState.RECEIVED)

    async def _perform(self, delivery: int) -> None:
        async def performed(identity: int) -> None:
            await self._advancer.perform(identity)
            await self._delivery_queue.finish(identity)

        await self._handle(delivery, performed, DeliveryState.DECIDED)

    async def _handle(
        self,
        delivery: int,
        do: Callable[[int], Awaitable[None]],
        state: DeliveryState,
    ) -> None:
        # Once it is in another state, other tasks may have it.
        release = partial(self._delivery_queue.release, delivery, states=(state,))
        give_up = partial(self._delivery_queue.give_up, delivery, states=(state,))
        try:
            try:
                stored = await self._kept.get(delivery)
                about(delivery=stored.guid)
                if stored.crashes >= MOST_CRASHES:
                    await give_up(f"{stored.crashes} processes died over it")
                    return
                await self._do(stored, do, state)
            except StoreUnavailable:
                raise
            except AppAbsent as absent:
                log.warning("parked", extra={"account": absent.account})
                await give_up(str(absent), DeliveryState.PARKED)
            except GitHubRefused as refusal:
                # The App's sight of what this is about may be gone by now.
                reason = f"GitHub answered {refusal.status_code}: {refusal}"
                log.warning("not decided", extra={"why": reason})
                await give_up(reason)
            except Exception as error:
                log.exception("not decided")
                await give_up(f"{type(error).__name__}: {error}")
        except StoreUnavailable as away:
            await _come_again(release, away)
        except asyncio.CancelledError:
            await _quietly(release)
            raise
        except Exception as error:
            # It could not even be given up.
            log.exception("not put away")
            await _come_again(release, error)

    async def _do(
        self,
        delivery: Delivery,
        do: Callable[[int], Awaitable[None]],
        state: DeliveryState,
    ) -> None:
        try:
            await do(delivery.id)
        except StoreUnavailable:
            raise
        except RetryLater as later:
            await self._try_again(delivery, later, state)

    async def _try_again(
        self, delivery: Delivery, later: RetryLater, state: DeliveryState
    ) -> None:
        queue, states = self._delivery_queue, (state,)
        if delivery.tries + 1 >= MOST_TRIES:
            await self._advancer.give_up(delivery.id, str(later))
            await queue.give_up(delivery.id, str(later), states=states)
            return
        wait = wait_before(delivery.tries, later.after)
        log.warning(
            "tried again later",
            extra={"why": str(later), "after": wait.total_seconds()},
        )
        await queue.postpone(delivery.id, wait, str(later), states=states)

    async def _carry_out(self, run: str) -> None:
        release = partial(self._run_queue.release, run)
        try:
            stored = await self._stored.get(run)
            about(run=run, card=str(stored.card), delivery=stored.cause)
            await self._executor.carry_out(run)
        except Fenced as fenced:
            log.warning("fenced", extra={"why": str(fenced)})
            # Nobody else can have it if the row still names this worker.
            await outlast(release)
            # Its last words may have come over those of whoever has it now.
            await _quietly(lambda: self._executor.show(run))
        except StoreUnavailable as away:
            await _come_again(release, away)
        except PeopleAsked:
            await outlast(partial(self._run_queue.wait_for_people, run))
            await _quietly(lambda: self._executor.show(run))
        except (RetryLater, AppAbsent) as later:
            await outlast(partial(self._postpone, run, later))
        except asyncio.CancelledError:
            await _quietly(release)
            await _quietly(lambda: self._executor.show(run))
            raise
        except Exception as error:
            # No fault of the run's own: those end it. Counted, lest it come for ever.
            log.exception("not carried out")
            why = RetryLater(f"{type(error).__name__}: {error}")
            await outlast(partial(self._postpone, run, why))

    async def _postpone(self, run: str, later: RetryLater | AppAbsent) -> None:
        stored = await self._stored.get(run)
        asked = later.after if isinstance(later, RetryLater) else _ABSENCE
        if stored.tries + 1 >= MOST_TRIES:
            await self._run_queue.give_up(run, str(later))
            return
        wait = wait_before(stored.tries, asked)
        log.warning(
            "run waits",
            extra={"why": str(later), "after": wait.total_seconds()},
        )
        await self._run_queue.postpone(run, wait, str(later))

    def _new_lease(self) -> Lease:
        return Lease(self._workers, term=self._term, lost=self._lost)

    def _lost(self) -> None:
        """Others may have our work: drop it, and begin a new life."""
        log.error("declared dead: drops its work and begins anew")
        self._recovering = asyncio.create_task(self._recover())

    async def _recover(self) -> None:
        for pump in self.pumps.values():
            await pump.stop()
        for pump in self.pumps.values():
            await pump.cut_off()
        while True:
            self._lease = self._new_lease()
            try:
                await self.start()
            except StoreUnavailable as away:
                log.warning("cannot begin anew yet", extra={"why": str(away)})
            except Exception:
                log.exception("cannot begin anew yet")
            else:
                return
            await asyncio.sleep(self._lease.pause)


async def _come_again(release: Callable[[], Awaitable[None]], away: Exception) -> None:
    """Give it back as if it had not been taken, once the database is there."""
    log.warning("waits for the database", extra={"why": str(away)})
    try:
        await asyncio.sleep(_LULL)
        await outlast(release)
    except asyncio.CancelledError:
        await _quietly(release)
        raise


async def _quietly(do: Callable[[], Awaitable[None]]) -> None:
    """Do it while this task is cancelled; if it fails, the lease's end mends it."""
    try:
        async with asyncio.timeout(5):
            await do()
    except (StoreUnavailable, TimeoutError) as away:
        log.warning("could not be given back in time", extra={"why": str(away)})
    except Exception:
        log.warning("could not be given back in time", exc_info=True)
