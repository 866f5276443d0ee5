"""Shows what a run made: branch, pull request, check, or the issue's spec."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from vibeboard.domain import prompt, reviewwords, testwords, words
from vibeboard.domain.board import Card
from vibeboard.domain.contract import Claim, ProposalInvalid, proposal
from vibeboard.domain.evidence import SuiteResult, Verdict
from vibeboard.domain.markdown import inline
from vibeboard.domain.proof import Proof
from vibeboard.domain.protected import is_protected
from vibeboard.domain.review import ReviewResult, Severity
from vibeboard.domain.run import Report, Run, RunState
from vibeboard.domain.workflow import Result, Stage
from vibeboard.engine.ports import (
    AgentEnd,
    AgentResult,
    Annotation,
    Cards,
    Change,
    CheckRun,
    Checks,
    Conclusion,
    PullRequest,
    Pulls,
    Repositories,
    Runs,
    Workspace,
    Workspaces,
)
from vibeboard.errors import UserError

_REPORT = TypeAdapter(Report)
_TEMPLATES = (
    ".github/pull_request_template.md",
    ".github/PULL_REQUEST_TEMPLATE.md",
    "PULL_REQUEST_TEMPLATE.md",
    "docs/pull_request_template.md",
)
_LONGEST_REASON = 500
_VERDICTS = {
    Verdict.PASSED: Conclusion.SUCCESS,
    Verdict.FAILED: Conclusion.FAILURE,
    # Green for GitHub is everything but these.
    Verdict.INCONCLUSIVE: Conclusion.ACTION_REQUIRED,
}
_STATES = {
    AgentEnd.FINISHED: RunState.SUCCEEDED,
    AgentEnd.FAILED: RunState.FAILED,
    AgentEnd.TIMED_OUT: RunState.TIMED_OUT,
    AgentEnd.STOPPED: RunState.STOPPED,
    AgentEnd.OUT_OF_BUDGET: RunState.OUT_OF_BUDGET,
}


@dataclass(frozen=True)
class Work:
    """What an agent left behind, taken over by us.

    ``hidden`` counts what was taken out of people's words before it read them.
    """

    agent: AgentResult
    summary: str = ""
    spec: str | None = None
    claims: str | None = None
    change: Change | None = None
    hidden: int = 0


class Publisher:
    """Makes a run's work visible on GitHub.

    Before every write it is asked whether the attempt still has the run: one that was
    cut off and comes back must not push or report.
    """

    def __init__(
        self,
        *,
        runs: Runs,
        cards: Cards,
        repositories: Repositories,
        workspaces: Workspaces,
        pulls: Pulls,
        checks: Checks,
    ) -> None:
        self._runs = runs
        self._cards = cards
        self._repositories = repositories
        self._workspaces = workspaces
        self._pulls = pulls
        self._checks = checks

    def read(self, value: Any) -> Report:
        """A report from what ``publish`` gave."""
        return _REPORT.validate_python(value)

    async def publish(
        self,
        run: Run,
        stage: Stage,
        card: Card,
        workspace: Workspace,
        work: Work,
        proof: Proof | None,
    ) -> Any:
        """Publish and report; what is refused is raised as UserError."""
        match stage.result:
            case Result.BRANCH:
                report = await self._branch(run, stage, card, workspace, work, proof)
            case Result.ISSUE:
                report = await self._issue(run, stage, card, work)
            case Result.EVIDENCE:
                report = await self._evidence(run, stage, work, proof)
            case Result.REPORT | Result.NOTHING:
                report = _judged(run, stage, work, proof)
        return _REPORT.dump_python(report, mode="json")

    async def _evidence(
        self, run: Run, stage: Stage, work: Work, proof: Proof | None
    ) -> Report:
        report = _judged(run, stage, work, proof)
        if proof is None:
            return report
        report = replace(report, commit=proof.commit)
        await self._runs.hold(run)
        await self.check(run, stage, report)
        return report

    async def _issue(self, run: Run, stage: Stage, card: Card, work: Work) -> Report:
        report = _judged(run, stage, work, None)
        if report.state is not RunState.SUCCEEDED:
            return report
        if work.spec is None:
            raise UserError(words.no_spec())
        if not prompt.criteria(work.spec):
            raise UserError(words.no_criteria())
        current = await self._cards.read(card.key)
        body = words.with_spec((current or card).body, work.spec)
        await self._runs.hold(run)
        await self._cards.write_body(card.key, body)
        return report

    async def _branch(
        self,
        run: Run,
        stage: Stage,
        card: Card,
        workspace: Workspace,
        work: Work,
        proof: Proof | None,
    ) -> Report:
        repository = card.key.repository
        report = _judged(run, stage, work, proof)
        kept_back = await self._kept_back(run, stage, card, workspace, report)
        if kept_back is not None:
            return kept_back
        await self._runs.hold(run)
        pushed = await self._workspaces.push(
            card.key,
            await self._repositories.remote(repository, approved=bool(run.approved)),
        )
        if pushed is None:
            if report.state is RunState.SUCCEEDED:
                raise UserError(words.nothing_changed(stage.agent.name))
            return report
        report = replace(
            report,
            commit=pushed.commit,
            branch=workspace.branch,
            changed_files=len(pushed.files),
        )
        await self._runs.hold(run)
        pull = await self._pull(run, card, workspace, work, report)
        if pull is None:
            return report
        report = replace(report, pull_request=pull.number)
        await self._runs.hold(run)
        await self.check(run, stage, report)
        return report

    async def _kept_back(
        self, run: Run, stage: Stage, card: Card, workspace: Workspace, report: Report
    ) -> Report | None:
        """The report of work that a person has to look at first; None if none has."""
        if run.approved:
            # Pushed before a crash, it is not held any more, and still the newest.
            if (await self._workspaces.base(card.key)).head != run.approved:
                raise UserError(words.approved_gone(run.approved))
            return None
        held = await self._workspaces.held(
            card.key, lambda path: is_protected(path, stage.protected)
        )
        if held is None:
            return None
        done = report.state is RunState.SUCCEEDED
        return replace(
            report,
            state=RunState.NEEDS_APPROVAL if done else report.state,
            reason=words.held_back(held) if done else report.reason,
            commit=held.commit,
            branch=workspace.branch,
            held=held,
        )

    async def check(self, run: Run, stage: Stage, report: Report) -> None:
        """Put the stage's check on the commit, and one for each suite and review."""
        await self._checks.put(run.card.repository, _check(run, stage, report))
        checks = [_suite_check(run, report, result) for result in report.tests]
        checks += [_review_check(run, report, result) for result in report.reviews]
        for check in checks:
            await self._runs.hold(run)
            await self._checks.put(run.card.repository, check)

    async def _pull(
        self, run: Run, card: Card, workspace: Workspace, work: Work, report: Report
    ) -> PullRequest | None:
        """The pull request; saved work alone does not open one."""
        repository = card.key.repository
        pull = await self._pulls.of_branch(repository, workspace.branch)
        if pull is not None and not pull.is_open:
            pull = None
        if work.agent.end is not AgentEnd.FINISHED:
            return pull
        return await self._pulls.ensure(
            repository,
            branch=workspace.branch,
            base=workspace.default_branch,
            title=words.pull_title(card.title),
            body=words.pull_body(
                run,
                report,
                current=pull.body if pull else None,
                template=None if pull else await self._template(repository),
                notes=workspace.notes,
            ),
        )

    async def _template(self, repository: str) -> str | None:
        for path in _TEMPLATES:
            try:
                found = await self._repositories.file(repository, path)
            except UserError:
                continue  # no text; the work must not be held up by that
            if found is not None:
                return found.text
        return None


def _judged(run: Run, stage: Stage, work: Work, proof: Proof | None) -> Report:
    """What the agent's end and the tests say together."""
    state = _STATES[work.agent.end]
    reason = inline(work.agent.reason, _LONGEST_REASON)  # its last words, often
    if state is RunState.STOPPED:
        reason = run.stop_reason or reason
    elif state is RunState.OUT_OF_BUDGET:
        reason = work.agent.reason  # in our words
    against = _against(stage, proof) if proof is not None else ""
    if state is RunState.SUCCEEDED and against:
        state, reason = RunState.FAILED, against
    claims, unreadable = claimed(work.claims)
    return Report(
        state=state,
        claims=claims,
        claims_fault=unreadable,
        summary=work.summary,
        reason=reason,
        proof=proof,
        cost=work.agent.cost,
        session=work.agent.session,
        notes=work.agent.notes,
        hidden=work.hidden,
    )


def _against(stage: Stage, proof: Proof) -> str:
    """What speaks against the work; nothing if all is well."""
    if len(proof.results) < len(stage.tests):
        return words.not_all_tested()
    if tests := testwords.objections(proof.results):
        return tests
    if len(proof.reviews) < len(stage.reviews):
        return words.not_all_reviewed()
    return reviewwords.objections(proof.reviews)


def claimed(text: str | None) -> tuple[dict[str, Claim], str]:
    """What the agent ties to which criterion, or why that cannot be read."""
    if text is None:
        return {}, ""
    try:
        return proposal(text), ""
    except ProposalInvalid as invalid:
        return {}, inline(str(invalid), _LONGEST_REASON)


def _check(run: Run, stage: Stage, report: Report) -> CheckRun:
    assert report.commit is not None
    return CheckRun(
        name=words.run_check(stage.name),
        head=report.commit,
        external_id=run.id,
        title=words.check_title(report),
        summary=words.stage_summary(run, report),
        conclusion=_conclusion(report),
    )


def _suite_check(run: Run, report: Report, result: SuiteResult) -> CheckRun:
    proof = report.proof
    assert proof is not None
    alone = replace(
        proof,
        results=(result,),
        progress=tuple(one for one in proof.progress if one.suite == result.suite),
    )
    return CheckRun(
        name=words.run_check(result.suite),
        head=proof.commit,
        external_id=run.id,
        title=testwords.title(alone.results),
        summary=words.suite_summary(run, report, alone),
        conclusion=_VERDICTS[result.verdict],
        annotations=tuple(_annotations(result)),
    )


def _review_check(run: Run, report: Report, result: ReviewResult) -> CheckRun:
    assert report.proof is not None
    conclusion = _VERDICTS[result.verdict]
    if conclusion is not Conclusion.SUCCESS and not result.objects:
        conclusion = Conclusion.NEUTRAL
    return CheckRun(
        name=words.review_check(result.review),
        head=report.proof.commit,
        external_id=run.id,
        title=reviewwords.title(result),
        summary=words.review_summary(run, report, result),
        conclusion=conclusion,
        annotations=tuple(_remarks(result)),
    )


def _conclusion(report: Report) -> Conclusion:
    match report.state:
        case RunState.SUCCEEDED:
            # Without tests nothing is proved, and nothing is red.
            proved = report.tests or report.reviews
            return Conclusion.SUCCESS if proved else Conclusion.NEUTRAL
        case RunState.TIMED_OUT:
            return Conclusion.TIMED_OUT
        case RunState.STOPPED:
            return Conclusion.CANCELLED
        case RunState.OUT_OF_BUDGET:
            return Conclusion.NEUTRAL
        case _:
            return Conclusion.FAILURE


def annotations_of(report: Report) -> list[Annotation]:
    """All remarks at lines that a run's tests and reviews came to."""
    found = [one for result in report.tests for one in _annotations(result)]
    return found + [one for result in report.reviews for one in _remarks(result)]


def _annotations(result: SuiteResult) -> list[Annotation]:
    return [
        Annotation(
            path=case.file,
            line=case.line or 1,
            title=case.id,
            message=case.message or case.detail or "failed",
        )
        for case in result.failures
        if case.file
    ]


def _remarks(result: ReviewResult) -> list[Annotation]:
    return [
        Annotation(
            path=found.path,
            line=found.line or 1,
            title=f"{found.severity.word}: {found.title}",
            message=found.text,
            level="failure" if found in result.blocking else _LEVELS[found.severity],
        )
        for found in result.findings
        if found.path is not None
    ]


_LEVELS = {
    Severity.CRITICAL: "warning",
    Severity.MAJOR: "warning",
    Severity.MINOR: "notice",
    Severity.NOTE: "notice",
}
