"""Carries out one run: workspace, agent, tests, reviews, publish, end.

Each part is a durable step. A run that a crash cut off goes on behind its last
finished step; an agent that was cut off begins again on a clean tree.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from vibeboard.domain import prompt, words
from vibeboard.domain.board import Card, CardKey
from vibeboard.domain.evidence import Verdict
from vibeboard.domain.proof import Proof
from vibeboard.domain.retry import MOST_CRASHES
from vibeboard.domain.run import Report, Run, RunState, Step
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.workflow import Cli, Result, Stage
from vibeboard.engine.ahead import ahead
from vibeboard.engine.approvals import Approvals
from vibeboard.engine.briefing import Briefing, Told
from vibeboard.engine.meter import Meter, Unmetered
from vibeboard.engine.outlast import outlast
from vibeboard.engine.places import Places
from vibeboard.engine.ports import (
    AgentEnd,
    AgentResult,
    Agents,
    Assignment,
    CallCounter,
    Cards,
    Change,
    Remote,
    Repositories,
    Runs,
    TakenRuns,
    Tracker,
    Workspace,
    Workspaces,
)
from vibeboard.engine.prove import Promise, Prover
from vibeboard.engine.publish import Publisher, Work, claimed
from vibeboard.engine.purse import Purse, Purses
from vibeboard.engine.specialists import Reviewed, Specialists
from vibeboard.engine.steps import Steps
from vibeboard.engine.stops import Stops
from vibeboard.engine.tracking import Following, following
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import (
    AppAbsent,
    Fenced,
    GitHubRefused,
    PeopleAsked,
    RetryLater,
    UserError,
)

log = logging.getLogger(__name__)

_WORK = TypeAdapter(Work)
_PROOF = TypeAdapter(Proof)
_REVIEWED = TypeAdapter(Reviewed)
_WORKSPACE = TypeAdapter(Workspace)
# What the agent does where none works.
_TESTED_ONLY = Work(AgentResult(AgentEnd.FINISHED))
# Where a project tells its agents what they should know. Read from the default branch:
# what stands in the tree, an agent may have written itself.
_GUIDANCE: dict[Cli, tuple[str, ...]] = {
    Cli.CLAUDE_CODE: ("CLAUDE.md", "AGENTS.md"),
    Cli.CODEX: ("AGENTS.md",),
    Cli.ACP: ("AGENTS.md",),
    Cli.COMMAND: (),
}
_Fetched = tuple[Remote, Mapping[str, str]]
_SUBJECT = TypeAdapter(tuple[Stage, Card])


@dataclass(frozen=True)
class _Parts:
    """The durable parts of one attempt, as its tracking comment shows them."""

    runs: Runs
    run: Run
    steps: Steps
    comment: Following

    async def __call__(self, name: Step, do: Callable[[], Awaitable[Any]]) -> Any:
        """Do it once, and tell of it."""

        async def shown() -> Any:
            log.info("step", extra={**self.run.log_fields(), "step": name.value})
            # Who was away meanwhile may have been replaced.
            await asyncio.gather(
                self.runs.note(self.run.id, step=name), self.runs.hold(self.run)
            )
            self.comment.changed()
            return await do()

        return await _recorded(self.steps, name.value, shown)


class Executor:
    """Carries runs out, on this machine."""

    def __init__(
        self,
        *,
        runs: Runs,
        queue: TakenRuns,
        cards: Cards,
        repositories: Repositories,
        workspaces: Workspaces,
        agents: Agents,
        approvals: Approvals,
        prover: Prover,
        specialists: Specialists,
        workflows: Workflows,
        briefing: Briefing,
        publisher: Publisher,
        tracking: Tracker,
        stops: Stops,
        places: Places,
        counter: CallCounter,
        purses: Purses,
        meter: Meter | None = None,
    ) -> None:
        self._purses = purses
        self._runs = runs
        self._queue = queue
        self._cards = cards
        self._repositories = repositories
        self._workspaces = workspaces
        self._agents = agents
        self._approvals = approvals
        self._prover = prover
        self._specialists = specialists
        self._workflows = workflows
        self._briefing = briefing
        self._publisher = publisher
        self._tracking = tracking
        self._stops = stops
        self._places = places
        self._meter = meter or Unmetered()
        self._counter = counter

    async def carry_out(self, run_id: str) -> None:
        """Take the run to its end, or to where it must wait.

        Raises RetryLater and AppAbsent, to be called again: it goes on behind the last
        finished step. Raises PeopleAsked, to be called again when they have answered,
        and Fenced if another attempt has the run.
        """
        run = await self._queue.begin(run_id)
        if run.ended:
            return
        log.info("run started", extra={**run.log_fields(), "attempt": run.attempt})
        with self._counter.counted() as calls:
            try:
                async with following(self._tracking, run.id) as comment:
                    report = await self._ended(run, comment)
            finally:
                await self._runs.spent(run, asdict(calls))
        cost = await self._purses.spent(run)
        await self._runs.end(run, replace(report, cost=cost or report.cost))
        log.info("run ended", extra={**run.log_fields(), "state": report.state.value})

    async def _ended(self, run: Run, comment: Following) -> Report:
        try:
            return await self._report(run, Steps(self._runs, run), comment)
        except (RetryLater, AppAbsent, PeopleAsked, Fenced):
            raise
        except UserError as error:
            return Report(RunState.FAILED, reason=str(error))
        except Exception as error:
            log.exception("run broke", extra=run.log_fields())
            return Report(RunState.FAILED, reason=words.run_broke(error))

    async def show(self, run_id: str) -> None:
        """Bring the run's tracking comment up to date."""
        await self._tracking.show(run_id)

    async def _report(self, run: Run, step: Steps, comment: Following) -> Report:
        if run.crashes >= MOST_CRASHES:
            return Report(RunState.FAILED, reason=words.cut_off(run.crashes))

        part = _Parts(self._runs, run, step, comment)

        async def read() -> Any:
            stage, card = await asyncio.gather(self._stage(run), self._card(run))
            return _SUBJECT.dump_python((stage, card), mode="json")

        # Somebody waits to see the agent begin: what is needed next is asked for early.
        first = run.attempt == 1
        async with ahead(partial(self._fetch, run.card), now=first) as fetched:
            stage, card = _SUBJECT.validate_python(await _recorded(step, "read", read))
            tells = first and not run.approved and stage.result is not Result.EVIDENCE
            telling = partial(self._briefing.gather, run, stage, card)
            async with ahead(telling, now=tells) as told:
                workspace = _WORKSPACE.validate_python(
                    await part(Step.WORKSPACE, lambda: self._prepare(card, fetched))
                )
                comment.notes = workspace.notes

                async def agent() -> Any:
                    # Nobody could watch: no agent starts. Work that is done is saved
                    # all the same.
                    await comment.is_seen()
                    return await self._agent(run, stage, card, workspace, told)

                works = partial(part, Step.AGENT, agent)
                work, proof = await self._made(run, stage, works)
        at_work = work.agent.end is AgentEnd.FINISHED and not run.approved
        if stage.tests and at_work:
            proof = _PROOF.validate_python(
                await part(Step.TESTS, lambda: self._tests(run, stage, card, work))
            )
        green = proof is None or proof.verdict is Verdict.PASSED
        if stage.reviews and green and at_work:
            work, proof = await self._looked_at(part, stage, card, work, proof)

        async def publish() -> Any:
            now = await self._runs.get(run.id)
            # As the attempt that we are: another may have begun since.
            now = replace(now, attempt=run.attempt, worker=run.worker)
            left = work
            if now.state is RunState.STOPPING:
                stopped = replace(work.agent, end=AgentEnd.STOPPED)
                left = replace(work, agent=stopped)
            return await self._publisher.publish(
                now, stage, card, workspace, left, proof
            )

        return self._publisher.read(await part(Step.PUBLISH, publish))

    async def _looked_at(
        self, part: _Parts, stage: Stage, card: Card, work: Work, proof: Proof | None
    ) -> tuple[Work, Proof]:
        """The work and its proof with what specialists find in it, and their cost."""

        async def reviews() -> Any:
            await part.comment.is_seen()
            return await self._reviews(part.run, stage, card)

        reviewed = _REVIEWED.validate_python(await part(Step.REVIEWS, reviews))
        proof = proof or Proof(reviewed.commit, reviewed.base)
        proof = replace(proof, reviews=reviewed.results)
        cost = work.agent.cost + reviewed.cost
        return replace(work, agent=replace(work.agent, cost=cost)), proof

    async def _made(
        self, run: Run, stage: Stage, works: Callable[[], Awaitable[Any]]
    ) -> tuple[Work, Proof | None]:
        """What an agent makes now, or made already."""
        if run.approved:
            return await self._approved(run)
        if stage.result is Result.EVIDENCE:
            return _TESTED_ONLY, None
        return _WORK.validate_python(await works()), None

    async def _approved(self, run: Run) -> tuple[Work, Proof | None]:
        """What the run made whose commit was approved: it is pushed as it is."""
        history = await self._runs.history(run.card)
        for earlier in reversed(history.runs):
            report = earlier.report
            if report and report.held and report.held.commit == run.approved:
                made = Work(AgentResult(AgentEnd.FINISHED), summary=report.summary)
                return made, report.proof
        raise UserError(words.approved_gone(run.approved))

    async def _stage(self, run: Run) -> Stage:
        stage = await self._workflows.stage(run)
        if stage is None:
            raise UserError(words.stage_gone(run.stage))
        return stage

    async def _card(self, run: Run) -> Card:
        card = await self._cards.read(run.card)
        if card is None:
            raise UserError(words.card_gone(run.card))
        return card

    async def _fetch(self, card: CardKey) -> _Fetched:
        remote = await self._repositories.remote(card.repository)
        return remote, await self._workspaces.fetch(card, remote=remote)

    async def _prepare(
        self, card: Card, fetched: Callable[[], Awaitable[_Fetched]]
    ) -> Any:
        (remote, refs), history = await asyncio.gather(
            fetched(), self._runs.history(card.key)
        )
        workspace = await self._workspaces.prepare(
            card.key,
            remote=remote,
            branch=history.branch or prompt.branch_name(card.key.number, card.title),
            default_branch=remote.default_branch,
            fetched=refs,
        )
        return _WORKSPACE.dump_python(workspace, mode="json")

    async def _agent(
        self,
        run: Run,
        stage: Stage,
        card: Card,
        workspace: Workspace,
        told: Callable[[], Awaitable[Told]],
    ) -> Any:
        if run.state is RunState.STOPPING:
            # Asked before it began again. What there is of the work is saved.
            stopped = AgentResult(AgentEnd.STOPPED)
            return _dumped(await self._taken_over(run, stage, card, stopped))
        answered, allowed = await asyncio.gather(
            self._approvals.unheard(run), self._purses.allowance(run, stage)
        )
        async with self._stops.watch(run.id) as stop:
            if run.attempt > 1 and not answered:
                # What the cut-off agent left behind goes.
                await self._prepare(card, partial(self._fetch, card.key))
                # What the session believes it has done is gone with it.
                run = replace(run, session=None)
            if allowed.refusal:
                refused = AgentResult(AgentEnd.OUT_OF_BUDGET, reason=allowed.refusal)
                # What it did before it asked people is saved all the same.
                return _dumped(await self._taken_over(run, stage, card, refused))
            known, instructions = await asyncio.gather(
                told(),
                self._workspaces.guidance(card.key, _GUIDANCE[stage.agent.cli]),
            )
            briefed = known.prompt(run, stage, card, workspace)
            assignment = Assignment(
                run=run.id,
                agent=allowed.agent,
                prompt=briefed.text,
                tree=workspace.tree,
                home=self._places.home(run),
                log=self._places.log(run, "agent"),
                session=run.session or known.session,
                attempt=run.attempt,
                answered=answered,
                instructions=instructions,
            )
            await self._meter.agent_starts(run)
            approver = self._approvals.of(run, stage.agent.tools.judge)
            async with self._purses.opened(run, stage, allowed, stop) as purse:
                result = await self._agents.work(
                    replace(assignment, spending=purse), stop, approver
                )
            result = await self._settled(run, stage, purse, result)
        if result.session is not None:
            await self._runs.note(run.id, session=result.session)
        if result.end is AgentEnd.WAITING:
            raise PeopleAsked(run.id)
        work = await self._taken_over(run, stage, card, result)
        return _dumped(replace(work, hidden=briefed.removed))

    async def _settled(
        self, run: Run, stage: Stage, purse: Purse, result: AgentResult
    ) -> AgentResult:
        """The result with what the whole run has cost by now, which is kept."""
        result = purse.settled(result)
        # Paid is paid, even if the database is away for a moment.
        await outlast(
            lambda: self._purses.record(run, stage.agent, purse.model, result.cost)
        )
        return replace(result, cost=await self._purses.spent(run) or result.cost)

    async def _taken_over(
        self, run: Run, stage: Stage, card: Card, result: AgentResult
    ) -> Work:
        """What the agent leaves: words, a spec, and a commit made by us."""
        summary = await self._workspaces.handed_over(card.key, "summary.md")
        spec = await self._workspaces.handed_over(card.key, "spec.md")
        claims = await self._workspaces.handed_over(card.key, "criteria.json")
        change: Change | None = None
        if stage.result is Result.BRANCH:
            change = await self._workspaces.commit(
                card.key,
                prompt.commit_message(
                    title=card.title,
                    number=card.key.number,
                    run=run.id,
                    finished=result.end is AgentEnd.FINISHED,
                ),
            )
        return Work(
            agent=result,
            summary=summary or result.summary,
            spec=spec,
            claims=claims,
            change=change,
        )

    async def _tests(self, run: Run, stage: Stage, card: Card, work: Work) -> Any:
        promise = await self._promise(card, work)
        async with self._stops.watch(run.id) as stop:
            proof = await self._prover.prove(run, stage, promise, stop)
        return _PROOF.dump_python(proof, mode="json")

    async def _promise(self, card: Card, work: Work) -> Promise:
        """What this agent ties to the criteria, else what the last one did."""
        promised = prompt.criteria(card.body)
        claims, _ = claimed(work.claims)
        history = await self._runs.history(card.key) if not claims else CardHistory()
        known = [run.report.claims for run in history.runs if run.report]
        newest = next((claim for claim in reversed(known) if claim), {})
        return Promise(promised, claims or newest)

    async def _reviews(self, run: Run, stage: Stage, card: Card) -> Any:
        async with self._stops.watch(run.id) as stop:
            room = await self._purses.room(run, stage)
            reviewed = await self._specialists.review(run, stage, card, stop, room)
            await outlast(lambda: self._purses.record_reviews(run, reviewed.cost))
        return _REVIEWED.dump_python(reviewed, mode="json")


def _dumped(work: Work) -> Any:
    return _WORK.dump_python(work, mode="json")


async def _recorded(step: Steps, name: str, do: Callable[[], Awaitable[Any]]) -> Any:
    """Do it as a durable step; a refusal is an answer, to be remembered as well."""

    async def told() -> Any:
        try:
            return {"made": await do()}
        except UserError as error:
            return {"refused": str(error)}
        except GitHubRefused as refusal:
            return {"refused": words.github_refused(refusal)}

    answer = await step(name, told)
    if "refused" in answer:
        raise UserError(answer["refused"])
    return answer["made"]
