"""What one attempt of a run may use of models, counted answer by answer.

Who passes the agent's requests on tells each answer's tokens. Where nobody does, the
purse stays empty of news, and what the agent's program says at its end counts.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from vibeboard.domain import budget, words
from vibeboard.domain.budget import Kind, Prices, Room
from vibeboard.domain.markdown import inline
from vibeboard.domain.run import Cost, Run
from vibeboard.domain.workflow import Agent, Stage
from vibeboard.engine.ending import end
from vibeboard.engine.ports import AgentEnd, AgentResult, Expenses, Usage
from vibeboard.errors import StoreUnavailable

# How often what was used is written down, and others' spending looked at.
_KEPT_EVERY = timedelta(seconds=5)
# Ends that a limit may have brought about.
_CUT_OFF = (AgentEnd.FAILED, AgentEnd.STOPPED, AgentEnd.OUT_OF_BUDGET)


class Purse:
    """Satisfies ``Spending``. ``agent`` has the limits, ``room`` where they come from.

    ``empty`` is called once, when nothing may be spent any more.
    """

    def __init__(
        self,
        agent: Agent,
        prices: Prices,
        *,
        room: Room | None = None,
        empty: Callable[[], None] = lambda: None,
    ) -> None:
        self.cost = Cost()
        self.model = agent.model or ""
        self._agent = agent
        self._prices = prices
        self._room = room
        self._empty = empty
        self._why = ""

    def used(self, model: str, usage: Usage) -> None:
        """A model answered; called once an answer."""
        self.model = model or self.model
        price = self._prices.of(model)
        usd = None
        if price is not None:
            usd = price.of(
                fresh=usage.input,
                cached=usage.cache_read,
                written=usage.cache_write,
                output=usage.output,
            )
        whole = usage.input + usage.cache_read + usage.cache_write
        self.cost += Cost(usd, whole, usage.output, 1, usage.cache_read)
        reached = budget.exceeded(self._agent, self.cost)
        if reached is not None:
            self._run_out(self._told(reached, self.cost))

    def exhausted(self) -> str | None:
        """Why the run may use no more; None while it may."""
        return self._why or None

    def shares(self, room: Room | None) -> None:
        """What is left under the tightest cap now that others have spent, too."""
        if room is not None and room.is_empty:
            self._run_out(words.cap_reached(room))

    def settled(self, result: AgentResult) -> AgentResult:
        """The agent's result with its whole cost, and what a limit made of its end."""
        cost = result.cost
        if cost.usd is None:
            metered = self.cost if self.cost != Cost() else cost
            cost = self._prices.priced(metered, self.model)
        result = replace(result, cost=cost)
        if result.end not in _CUT_OFF:
            return result
        reached = budget.exceeded(self._agent, cost)
        why = self._why
        if not why and reached is not None and result.end is not AgentEnd.STOPPED:
            why = self._told(reached, cost)
        if not why and result.end is AgentEnd.OUT_OF_BUDGET:
            why = inline(result.reason)
        return (
            replace(result, end=AgentEnd.OUT_OF_BUDGET, reason=why) if why else result
        )

    def _run_out(self, why: str) -> None:
        if not self._why:
            self._why = why
            self._empty()

    def _told(self, reached: Kind, cost: Cost) -> str:
        room = self._room
        if reached is Kind.USD and room is not None and self._agent.usd == room.left:
            spent = room.spent + (cost.usd or 0.0)
            return words.cap_reached(Room(room.cap, spent))
        return words.limit_reached(self._agent, reached, cost)


@dataclass(frozen=True)
class Allowance:
    """What an attempt may use: its agent's limits by now.

    With a ``refusal`` it may use nothing, for that reason.
    """

    agent: Agent
    room: Room | None = None
    refusal: str = ""


class Purses:
    """Opens purses, and writes down what was spent out of them."""

    def __init__(self, expenses: Expenses, prices: Prices) -> None:
        self._expenses = expenses
        self._prices = prices

    async def room(self, run: Run, stage: Stage) -> Room | None:
        """What is left for the run under the tightest of its stage's caps."""
        scopes = [cap.scope for cap in stage.caps]
        spent = await self._expenses.under(run, scopes) if scopes else {}
        return budget.tightest(stage.caps, spent)

    async def allowance(self, run: Run, stage: Stage) -> Allowance:
        """What this attempt may use, after those before it and beside other runs."""
        room = await self.room(run, stage)
        if room is not None and room.is_empty:
            return Allowance(stage.agent, room, words.cap_reached(room))
        spent = await self._expenses.of_run(run.id) or Cost()
        reached = budget.exceeded(stage.agent, spent)
        if reached is not None:
            why = words.limit_reached(stage.agent, reached, spent)
            return Allowance(stage.agent, room, why)
        left = budget.after(stage.agent, spent)
        return Allowance(budget.within(left, room), room)

    async def spent(self, run: Run) -> Cost | None:
        """What all attempts of the run have used."""
        return await self._expenses.of_run(run.id)

    @asynccontextmanager
    async def opened(
        self, run: Run, stage: Stage, allowed: Allowance, stop: asyncio.Event
    ) -> AsyncIterator[Purse]:
        """A purse for one attempt; ``stop`` is set once there is nothing left in it."""
        purse = Purse(allowed.agent, self._prices, room=allowed.room, empty=stop.set)
        keeping = asyncio.create_task(self._keep(run, stage, purse))
        try:
            yield purse
        finally:
            await end(keeping)

    async def record(self, run: Run, agent: Agent, model: str, cost: Cost) -> None:
        """Write down what the attempt's agent used."""
        if cost != Cost():
            await self._expenses.record(run, agent=agent.name, model=model, cost=cost)

    async def record_reviews(self, run: Run, cost: Cost) -> None:
        """Write down what the attempt's reviews used."""
        if cost != Cost():
            await self._expenses.record(
                run, agent="reviews", model="", cost=cost, part="reviews"
            )

    async def _keep(self, run: Run, stage: Stage, purse: Purse) -> None:
        """Write down what was used so far: a crash does not make it unspent."""
        kept = Cost()
        while True:
            await asyncio.sleep(_KEPT_EVERY.total_seconds())
            with suppress(StoreUnavailable):
                if purse.cost != kept:
                    kept = purse.cost
                    await self.record(run, stage.agent, purse.model, kept)
                if stage.caps:
                    purse.shares(await self.room(run, stage))
