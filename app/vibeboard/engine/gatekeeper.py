"""Looks at pull requests for gates, and says how the gates stand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vibeboard.domain import words
from vibeboard.domain.board import CardKey, Permission
from vibeboard.domain.comparison import combined
from vibeboard.domain.contract import Contract, Waiver, contract
from vibeboard.domain.effects import JudgeGroup, ShowGates, VouchFor
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.gate import (
    GATE,
    Head,
    OthersCheck,
    Requirement,
    Vouch,
    askers,
    judge,
    unmet,
)
from vibeboard.domain.prompt import criteria, parse_branch
from vibeboard.domain.review import ReviewResult, standing
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.workflow import Stage, Suite, Workflow
from vibeboard.engine.ports import (
    Cards,
    CheckRun,
    Checks,
    Conclusion,
    Evidence,
    Marker,
    Pulls,
    PullView,
    Replies,
    Repositories,
    Reviews,
    ReviewState,
    Runs,
    Vouches,
)
from vibeboard.engine.workflows import Workflows

_NO_CARD = 0  # what a group of pull requests is checked under
_GOOD = frozenset({"success", "neutral", "skipped", "stale"})  # as GitHub has it


@dataclass(frozen=True)
class Look:
    """How some gates stand, by stage, the pull request, and others' checks on it."""

    gates: Mapping[str, tuple[Requirement, ...]] = field(default_factory=dict)
    head: Head | None = None
    others: tuple[OthersCheck, ...] = ()


class Gatekeeper:
    """Gathers what gates ask about. Whether that is enough is ``domain/gate.py``'s."""

    def __init__(
        self,
        *,
        runs: Runs,
        cards: Cards,
        pulls: Pulls,
        checks: Checks,
        replies: Replies,
        repositories: Repositories,
        workflows: Workflows,
        evidence: Evidence,
        reviews: Reviews,
        vouches: Vouches,
    ) -> None:
        self._runs = runs
        self._cards = cards
        self._pulls = pulls
        self._checks = checks
        self._replies = replies
        self._repositories = repositories
        self._workflows = workflows
        self._evidence = evidence
        self._reviews = reviews
        self._vouches = vouches

    async def look(
        self, card: CardKey, workflow: Workflow, stages: Collection[str]
    ) -> Look:
        """How the gates of some stages stand for a card."""
        history = await self._runs.history(card)
        view = await self._view(card, history)
        head = None
        if view is not None:
            head = await self._seen(card, workflow, view, history)
        gates = {name: judge(workflow.gates[name], head) for name in stages}
        return Look(gates, head, _others(view) if view is not None else ())

    async def gates(self, card: CardKey) -> Mapping[str, tuple[Requirement, ...]]:
        """How all gates of the card's repository stand for it, by stage."""
        configuration = await self._workflows.read(card.repository)
        workflow = configuration.workflow
        if workflow is None or not workflow.gates:
            return {}
        return (await self.look(card, workflow, workflow.gates)).gates

    async def perform(self, effect: ShowGates | JudgeGroup | VouchFor) -> None:
        """Carry out what was decided about gates."""
        match effect:
            case ShowGates():
                await self._show(effect)
            case JudgeGroup():
                await self._judge_group(effect)
            case VouchFor():
                pass  # written down with the decision

    async def _show(self, effect: ShowGates) -> None:
        """Put the gates' checks on the head, and keep their comments true.

        It goes by what is there now: what was decided earlier may be overtaken.
        """
        repository = effect.card.repository
        configuration = await self._workflows.read(repository)
        workflow = configuration.workflow
        if workflow is None or not workflow.gates:
            return
        head = (await self.look(effect.card, workflow, ())).head
        for name, gate in workflow.gates.items():
            found = judge(gate, head)
            if head is not None and head.is_open:
                check = _check(name, head.commit, effect.card.number, found)
                await self._checks.put(repository, check)
            await self._say(effect, workflow.stages[name], found)

    async def _say(
        self, effect: ShowGates, stage: Stage, found: Sequence[Requirement]
    ) -> None:
        marker = Marker(f"gate-{stage.name}")
        if effect.moved_by and effect.stage == stage.name:
            body = words.gate_refused(effect, stage, found)
            await self._replies.ensure(effect.card, marker, body)
        else:
            body = words.gate_stands(stage, found)
            await self._replies.amend(effect.card, marker, body)

    async def _judge_group(self, effect: JudgeGroup) -> None:
        """Answer the merge queue: good if all of its pull requests may pass.

        GitHub asks by required checks, so that each gate answers under its own name.
        """
        configuration = await self._workflows.read(effect.repository)
        workflow = configuration.workflow
        if workflow is None:
            return
        heads = []
        for number in effect.pull_requests if workflow.gates else ():
            view = await self._pulls.view(effect.repository, number)
            worked_on = parse_branch(view.branch)
            if worked_on is None:
                continue  # no card's: nothing here speaks against it
            card = CardKey(effect.repository, worked_on)
            heads.append(await self._seen(card, workflow, view))
        for stage, gate in workflow.gates.items():
            found = [one for head in heads for one in judge(gate, head)]
            check = _check(stage, effect.head, _NO_CARD, found)
            await self._checks.put(effect.repository, check)

    async def _view(self, card: CardKey, history: CardHistory) -> PullView | None:
        number = await self._pull_request(card, history)
        if number is None:
            return None
        return await self._pulls.view(card.repository, number)

    async def _pull_request(self, card: CardKey, history: CardHistory) -> int | None:
        """What the newest run with a pull request left, else its branch's."""
        reports = [run.report for run in reversed(history.runs) if run.report]
        for report in reports:
            if report.pull_request is not None:
                return report.pull_request
        if history.branch is None:
            return None
        pull = await self._pulls.of_branch(card.repository, history.branch)
        return pull.number if pull is not None else None

    async def _seen(
        self,
        card: CardKey,
        workflow: Workflow,
        view: PullView,
        history: CardHistory | None = None,
    ) -> Head:
        history = history or await self._runs.history(card)
        opinions = [one for one in view.reviews if not one.by.is_bot]
        approved = {
            one.by.login: one.commit == view.head
            for one in opinions
            if one.state is ReviewState.APPROVED
        }
        vouches = await self._vouches.of(card)
        results = await self._results(card.repository, view.head, workflow)
        for vouch in vouches:
            if vouch.subject == view.head:
                approved[vouch.by] = True
        may = {
            login
            for login in approved
            if await self._may(card.repository, login, workflow)
        }
        objected = {
            one.by.login
            for one in opinions
            if one.state is ReviewState.CHANGES_REQUESTED
            and await self._may(card.repository, one.by.login, workflow)
        }
        return Head(
            number=view.number,
            commit=view.head,
            is_open=view.is_open,
            merged=view.merged,
            behind=view.behind,
            base=view.base,
            approved_by=frozenset(may & {who for who, now in approved.items() if now}),
            approved_before=frozenset(may),
            objected_by=frozenset(objected),
            asked_by=askers(history.runs),
            results=results,
            reviews=await self._looks(card.repository, view.head, workflow),
            reviewed_now=_reviewed_now(history, workflow),
            passed_over={
                name: vouch
                for vouch in vouches
                if (name := _passed_over(vouch, view.head)) is not None
            },
            contract=await self._contract(card, workflow, history, results, vouches),
            tested_now=history.unfinished is not None,
        )

    async def _contract(
        self,
        card: CardKey,
        workflow: Workflow,
        history: CardHistory,
        results: Mapping[str, SuiteResult],
        vouches: Sequence[Vouch],
    ) -> Contract | None:
        """How the issue's criteria stand, if a gate asks for them."""
        if not any(gate.criteria for gate in workflow.gates.values()):
            return None
        issue = await self._cards.read(card, board=workflow.board)
        claims = [run.report.claims for run in history.runs if run.report]
        return contract(
            criteria(issue.body) if issue is not None else (),
            next((claim for claim in reversed(claims) if claim), {}),
            results.values(),
            waivers={one.subject: Waiver(one.by, one.reason) for one in vouches},
        )

    async def _may(self, repository: str, login: str, workflow: Workflow) -> bool:
        permission = await self._repositories.permission(repository, login)
        least = (workflow.least_permission, Permission.WRITE)
        return all(map(permission.covers, least))

    async def _results(
        self, repository: str, commit: str, workflow: Workflow
    ) -> dict[str, SuiteResult]:
        found: dict[str, SuiteResult] = {}
        suites: Sequence[Suite] = workflow.verification().tests
        for suite in suites:
            kept = await self._evidence.of(repository, commit, suite)
            if kept:
                found[suite.name] = combined(kept)
        return found

    async def _looks(
        self, repository: str, commit: str, workflow: Workflow
    ) -> dict[str, ReviewResult]:
        found: dict[str, ReviewResult] = {}
        for review in workflow.reviewing().reviews:
            kept = standing(await self._reviews.of(repository, commit, review))
            if kept is not None:
                found[review.name] = replace(kept, blocks_on=review.blocks_on)
        return found


def _reviewed_now(history: CardHistory, workflow: Workflow) -> frozenset[str]:
    """The reviews that a run will make, or is making, if its tests let it."""
    stages = (workflow.stage_named(run.stage) for run in history.runs if not run.ended)
    return frozenset(one.name for stage in stages if stage for one in stage.reviews)


def _passed_over(vouch: Vouch, head: str) -> str | None:
    """The review that somebody does not want at this head."""
    review, at, commit = vouch.subject.partition("@")
    return review if at and commit == head else None


def _others(view: PullView) -> tuple[OthersCheck, ...]:
    return tuple(
        OthersCheck(
            check.name,
            None if check.conclusion is None else check.conclusion in _GOOD,
            check.url,
            check.summary,
        )
        for check in view.checks
        if not check.ours
    )


def _check(
    stage: str, commit: str, card: int, found: Sequence[Requirement]
) -> CheckRun:
    missing = unmet(found)
    conclusion: Conclusion | None = Conclusion.SUCCESS
    if missing:
        waits = all(one.waits for one in missing)
        conclusion = None if waits else Conclusion.FAILURE
    return CheckRun(
        name=words.run_check(stage),
        head=commit,
        external_id=f"{GATE}{card}",
        title=words.gate_title(found),
        summary=words.gate_table(found) if found else "Nothing is asked for here.",
        conclusion=conclusion,
    )
