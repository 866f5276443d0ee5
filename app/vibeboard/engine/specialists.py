"""Has specialists look at a commit, each alone in a checkout of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from time import monotonic

from vibeboard.domain import budget, words
from vibeboard.domain import review as reviews
from vibeboard.domain.board import Card
from vibeboard.domain.budget import Room
from vibeboard.domain.markdown import inline
from vibeboard.domain.review import FindingsInvalid, ReviewResult, standing
from vibeboard.domain.run import Cost, Run
from vibeboard.domain.workflow import Review, Stage
from vibeboard.engine.approvals import ByRules
from vibeboard.engine.places import Places
from vibeboard.engine.ports import (
    AgentEnd,
    Agents,
    Assignment,
    Base,
    Lending,
    Lent,
    Reviews,
    StopSignal,
    Workspaces,
)
from vibeboard.errors import UserError

_AT_ONCE = 3  # programs of agents beside each other, for one run
_LONGEST_REASON = 500
_LONGEST_SUMMARY = 4_000
_ENDS = {
    AgentEnd.FAILED: "the agent failed",
    AgentEnd.TIMED_OUT: "the agent ran out of time",
    AgentEnd.STOPPED: "the agent was stopped",
    AgentEnd.OUT_OF_BUDGET: "the agent is out of budget",
    AgentEnd.WAITING: "the agent waits for an answer, which nobody gives it here",
}


Tell = Callable[[Run, Review, Card, Base], Awaitable[str]]


@dataclass(frozen=True)
class Reviewed:
    """What specialists say of ``commit``, which builds on ``base``, and their cost."""

    commit: str
    base: str
    results: tuple[ReviewResult, ...] = ()
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class _Look:
    """One specialist's task."""

    run: Run
    review: Review
    card: Card
    base: Base
    text: str
    refusal: str = ""


class Specialists:
    """A commit is looked at once: what was found in it is not haggled over.

    Only a review that said nothing is made again.
    """

    def __init__(
        self,
        *,
        agents: Agents,
        workspaces: Workspaces,
        lending: Lending,
        reviews: Reviews,
        tell: Tell,
        places: Places,
    ) -> None:
        """``tell`` makes a specialist's prompt."""
        self._agents = agents
        self._workspaces = workspaces
        self._lending = lending
        self._reviews = reviews
        self._tell = tell
        self._places = places

    async def review(
        self,
        run: Run,
        stage: Stage,
        card: Card,
        stop: StopSignal,
        room: Room | None = None,
    ) -> Reviewed:
        """What the stage's reviews say of the commit that the card's tree is at.

        None of them may spend more than there is ``room`` for.
        """
        base = await self._workspaces.base(card.key)
        is_spent = room is not None and room.is_empty
        refusal = words.cap_reached(room) if room is not None and is_spent else ""
        looks = [
            _Look(
                run,
                replace(one, agent=budget.within(one.agent, room)),
                card,
                base,
                await self._tell(run, one, card, base),
                refusal,
            )
            for one in stage.reviews
        ]
        places, laying = asyncio.Semaphore(_AT_ONCE), asyncio.Lock()

        async def made(look: _Look) -> tuple[ReviewResult, Cost]:
            async with places:
                return await self._made(look, laying, stop)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(made(look)) for look in looks]
        except ExceptionGroup as broken:
            raise broken.exceptions[0] from None  # as if they came one by one
        found = [task.result() for task in tasks]
        cost = Cost()
        for _, spent in found:
            cost += spent
        return Reviewed(base.head, base.commit, tuple(one for one, _ in found), cost)

    async def _made(
        self, look: _Look, laying: asyncio.Lock, stop: StopSignal
    ) -> tuple[ReviewResult, Cost]:
        repository, review, commit = (
            look.card.key.repository,
            look.review,
            look.base.head,
        )
        kept = standing(await self._reviews.of(repository, commit, review))
        if kept is not None and kept.fault is None:
            return replace(kept, blocks_on=review.blocks_on), Cost()
        began = monotonic()
        cost = Cost()
        if look.refusal:
            result = ReviewResult(review.name, fault=look.refusal)
        elif commit == look.base.commit:
            result = ReviewResult(review.name, fault="the branch changes nothing")
        else:
            try:
                result, cost = await self._looked(look, laying, stop)
            except UserError as refused:
                result = ReviewResult(review.name, fault=str(refused))
        result = replace(
            result, blocks_on=review.blocks_on, seconds=monotonic() - began
        )
        if not stop.is_set():
            await self._reviews.keep(
                repository, commit, review, result, run=look.run.id
            )
        return result, cost

    async def _looked(
        self, look: _Look, laying: asyncio.Lock, stop: StopSignal
    ) -> tuple[ReviewResult, Cost]:
        name = f"review-{look.review.name}"
        async with AsyncExitStack() as until:
            async with laying:  # git works on what all of them share
                lent = await until.enter_async_context(
                    self._lending.lend(look.card.key, look.base.head, name=name)
                )
            assignment = Assignment(
                run=look.run.id,
                agent=look.review.agent,
                prompt=look.text,
                tree=lent.tree,
                home=lent.home,
                log=self._places.log(look.run, name),
                attempt=look.run.attempt,
            )
            ended = await self._agents.work(
                assignment, stop, ByRules(look.review.agent.tools.judge)
            )
            if ended.end is not AgentEnd.FINISHED:
                why = inline(ended.reason, _LONGEST_REASON)
                fault = f"{_ENDS[ended.end]}: {why}" if why else _ENDS[ended.end]
                return ReviewResult(look.review.name, fault=fault), ended.cost
            result = await self._read(look.review, lent)
            summary = await self._lending.left(lent, "summary.md") or ended.summary
            return replace(result, summary=summary[:_LONGEST_SUMMARY]), ended.cost

    async def _read(self, review: Review, lent: Lent) -> ReviewResult:
        text = await self._lending.left(lent, "findings.json")
        if text is None:
            return ReviewResult(review.name, fault=f"it left no `{reviews.FILE}`")
        try:
            return ReviewResult(review.name, reviews.findings(text))
        except FindingsInvalid as invalid:
            why = inline(str(invalid), _LONGEST_REASON)
            return ReviewResult(review.name, fault=f"`{reviews.FILE}`: {why}")
