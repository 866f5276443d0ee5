"""A job without a server: its event goes the ordinary way, and its runs are done here.

What the event leads to is decided, performed and carried out until nothing is left;
meanwhile other jobs may stop the run or answer its agent, through the card's sheet.
"""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from vibeboard.action import attempt
from vibeboard.action import sheet as rules
from vibeboard.action.memory import Memory
from vibeboard.action.retrying import tried
from vibeboard.action.shelf import Sheets
from vibeboard.domain.effects import StopRun
from vibeboard.domain.run import Run
from vibeboard.engine.advance import Advancer
from vibeboard.engine.context import about
from vibeboard.engine.ending import end
from vibeboard.engine.execute import Executor
from vibeboard.engine.perform import Performer
from vibeboard.engine.ports import Clock, Delivery, DeliveryState
from vibeboard.engine.stops import Stops
from vibeboard.errors import MalformedDelivery, RetryLater

log = logging.getLogger(__name__)


class Alone:
    """One job."""

    def __init__(
        self,
        *,
        sheets: Sheets,
        memory: Memory,
        advancer: Advancer,
        performer: Performer,
        executor: Executor,
        stops: Stops,
        clock: Clock,
        worker: str,
    ) -> None:
        self._sheets = sheets
        self._memory = memory
        self._advancer = advancer
        self._performer = performer
        self._executor = executor
        self._stops = stops
        self._clock = clock
        self._worker = worker
        self._settling = asyncio.Lock()
        self._leaving = ""
        self.done: list[str] = []  # runs that were carried out here, oldest first

    async def answer(
        self, hook: str, guid: str, event: str, body: bytes, *, carries_out: bool = True
    ) -> str:
        """Do what the event asks for; why there is nothing to do, or empty.

        Runs wait for another job unless this one ``carries_out`` what there is. Raises
        MalformedDelivery if the event lacks what it must have.
        """
        delivery = await self._memory.deliveries.keep(hook, guid, event, body)
        found = self._advancer.sort(delivery)
        if found.state is DeliveryState.UNREADABLE:
            raise MalformedDelivery(found.reason)
        if found.state is not DeliveryState.RECEIVED:
            self._memory.deliveries.close(delivery.id)
            return found.reason
        await self._work(carries_out=carries_out)
        return ""

    async def _work(self, *, carries_out: bool) -> None:
        """Decide, perform and carry out until nothing is left."""
        await self.settle()
        while carries_out and not self._leaving:
            claimed = await self._memory.run_queue.claim(1)
            if claimed:
                await self._carry_out(claimed[0])
            elif not await self._await_due():
                break
            await self.settle()
        await self._sheets.save()

    async def finish(self, why: str) -> None:
        """Stop what this job left unfinished, save its work, and tell of it."""
        for run in await self._ours():
            await self._stop(run, why)
            await self._carry_out(run.id)
        await self.settle()
        await self._sheets.save()

    async def leave(self, why: str) -> None:
        """Stop what is under way, and begin nothing more."""
        self._leaving = why
        for run in await self._ours():
            await self._stop(run, why)

    async def _ours(self) -> Sequence[Run]:
        return [
            run
            for sheet in await self._sheets.all()
            for run in sheet.runs
            if run.worker == self._worker and not run.ended
        ]

    async def _stop(self, run: Run, why: str) -> None:
        stop = partial(
            rules.stop,
            effect=StopRun(run.id, why),
            worker=self._worker,
            now=self._clock.now(),
        )
        # Known here at once; the next change of the sheet takes it along.
        await self._sheets.note(run.card, stop)
        self._stops.kick(run.id)

    async def _await_due(self) -> bool:
        """Wait for the next run whose time has not come; False if there is none."""
        due = await self._memory.run_queue.next_due()
        if due is None:
            return False
        await asyncio.sleep(max((due - self._clock.now()).total_seconds(), 0))
        return True

    async def _carry_out(self, run: str) -> None:
        if run not in self.done:
            self.done.append(run)
        settler = asyncio.create_task(self._settle_beside(run))
        try:
            await attempt.carry_out(
                run,
                executor=self._executor,
                runs=self._memory.runs,
                queue=self._memory.run_queue,
            )
        finally:
            await end(settler)

    async def _settle_beside(self, run: str) -> None:
        """Tell of the agent's questions, and whatever else comes up, beside a run."""
        while True:
            await self._sheets.bell.wait()
            self._sheets.bell.clear()
            try:
                await self.settle()
                if (await self._memory.runs.get(run)).worker != self._worker:
                    # Another job has it: what the agent does here is for nothing.
                    self._stops.kick(run)
            except Exception:
                log.exception("not settled beside the run")

    async def settle(self) -> None:
        """Decide about all there is, and perform what was decided."""
        deliveries = self._memory.deliveries
        async with self._settling:
            while True:
                for delivery in await deliveries.due():
                    await self._decide(delivery)
                owed = await deliveries.owed()
                for key in owed:
                    await self._perform(key)
                if not owed and not await deliveries.due():
                    return

    async def _decide(self, delivery: Delivery) -> None:
        about(delivery=delivery.guid)
        await tried(lambda: self._advancer.decide(delivery.id))
        self._memory.deliveries.close(delivery.id)

    async def _perform(self, key: str) -> None:
        try:
            await tried(lambda: self._performer.perform(key))
        except RetryLater as later:
            await self._performer.give_up(key, str(later))
