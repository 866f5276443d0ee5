"""What the API answers: the shape of a run for other programs.

Names stay as they are; keys may be added. The domain's values are not shown as they
are, so that they may change.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from vibeboard.domain.contract import Criterion
from vibeboard.domain.evidence import Outcome, SuiteResult
from vibeboard.domain.gate import Requirement
from vibeboard.domain.preview import Preview as OfDeployment
from vibeboard.domain.proof import Progress, Proof
from vibeboard.domain.question import Question as OfAgent
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import Report, Run
from vibeboard.domain.tools import Verdict
from vibeboard.engine.ports import StepEnded


class Answer(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Changed(Answer):
    """Tests that the base commit tells apart in one way."""

    count: int
    """How many they are."""

    tests: list[str]
    """The first twenty of them by name; a renamed one as `old → new`."""


class Suite(Answer):
    """What a suite gave on the commit."""

    name: str
    """Its name in `.vibe.yml`."""

    verdict: str
    """`passed`, `failed` or `inconclusive`."""

    fault: str | None
    """Why it proves nothing."""

    shortfalls: list[str]
    """What it asks for besides its tests and did not get, such as coverage."""

    passed: int
    """Tests that passed."""

    failed: int
    """Tests that failed."""

    errors: int
    """Tests that could not be carried out."""

    skipped: int
    """Tests that were skipped."""

    seconds: float
    """How long it took."""

    seconds_more: float | None
    """How much longer than on the base commit; null without a comparison."""

    coverage: float | None
    """The per cent of lines that ran."""

    coverage_before: float | None
    """The same on the base commit."""

    compared: bool
    """Whether there is a result of the base commit to compare with."""

    changes: dict[str, Changed]
    """What became of the tests since the base commit, such as `newly failing`."""


class Finding(Answer):
    """One thing that a specialist found."""

    severity: str
    """`critical`, `major`, `minor` or `note`."""

    title: str
    """What is wrong, in a line."""

    text: str
    """How it shows, as Markdown."""

    path: str | None
    """The file."""

    line: int | None
    """The line."""


class Review(Answer):
    """What a specialist says of the commit."""

    name: str
    """Its name in `.vibe.yml`."""

    verdict: str
    """`passed`, `failed` or `inconclusive`."""

    fault: str | None
    """Why it says nothing."""

    blocks_on: str
    """From which severity upwards findings block, or `never`."""

    findings: list[Finding]
    """The worst first."""

    seconds: float
    """How long it took."""


class Preview(Answer):
    """Where a commit can be looked at, as a deployment on GitHub says."""

    environment: str
    """The deployment's environment."""

    state: str
    """`ready` or `failed`."""

    url: str
    """Its address; empty if it failed."""

    log: str
    """Where its log is; empty if nobody told."""

    commit: str
    """The commit that was deployed."""


class Acceptance(Answer):
    """An acceptance criterion that the agent tied to tests."""

    number: str
    """Such as `AC1`."""

    text: str
    """What the issue says."""

    standing: str
    """`proved`, `untied`, `missing`, `ambiguous` or `not passed`."""

    tests: list[str]
    """The tests that are said to prove it."""

    red_to_green: list[str]
    """Those of them that pass now, and failed on the base commit or were not there."""


class Step(Answer):
    """A step of the run that has ended."""

    name: str
    """`read`, `workspace`, `agent`, `tests`, `reviews` or `publish`."""

    attempt: int
    """The attempt that did it."""

    ended_at: datetime
    """When it ended."""


class Cost(Answer):
    """What agents used, where their programs tell."""

    usd: float | None
    """US dollars."""

    input_tokens: int | None
    """Tokens read."""

    output_tokens: int | None
    """Tokens written."""

    turns: int | None
    """Turns taken."""


class Asked(Answer):
    """One thing that a gate asks for."""

    name: str
    """Such as ``suite `unit` ``."""

    met: bool
    """Whether it is there."""

    waits: bool
    """Whether it is on its way."""

    said: str
    """How it stands, as Markdown."""


class Gate(Answer):
    """How a gate stands now, on the newest commit of the card's pull request."""

    stage: str
    """The stage whose column it stands before."""

    is_open: bool
    """Whether the card may pass."""

    asks_for: list[Asked]
    """Everything that it asks for."""


class Question(Answer):
    """What the run's agent asks people, or asked."""

    id: str
    """Its id, to answer it by."""

    tool: str
    """The tool that the agent wants to use."""

    subject: str
    """What it wants to do with it: the command, the path, the address. This, and what
    follows, are foreign text."""

    arguments: str
    """All that it hands the tool, as JSON."""

    diff: str
    """What would change."""

    cwd: str
    """Where, from the top of the tree."""

    why: str
    """Its own reason."""

    rule: str
    """The rule of `tools` by which people are asked."""

    asked_at: datetime
    """When it asked."""

    allowed: bool | None
    """The answer; null as long as nobody has given one."""

    by: str
    """Who answered."""


class RunAnswer(Answer):
    """A run: one stage on one card."""

    id: str
    """Its id, as the tracking comment's log and the checks have it."""

    card: str
    """The issue, as `owner/name#7`."""

    stage: str
    """The stage; `verify` and `reviews` are runs for gates."""

    state: str
    """`queued`, `running`, `stopping`, `succeeded`, `failed`, `timed_out` or
    `stopped`."""

    step: str | None
    """The step it is at, or was at last."""

    steps: list[Step]
    """The steps that have ended, in order."""

    attempt: int
    """How often it was begun."""

    asked_by: str
    """Who asked for it."""

    config_commit: str
    """The commit that `.vibe.yml` was read at."""

    created_at: datetime
    """When it was asked for."""

    started_at: datetime | None
    """When it began."""

    changed_at: datetime
    """When its state changed last."""

    questions: list[Question]
    """What its agents asked people, oldest first."""

    waits_for: str
    """Why it waits, if it was given back."""

    workflow_run: str | None
    """The page of its workflow run; null unless it is on GitHub Actions."""

    reason: str
    """Why it did not succeed."""

    summary: str
    """What the agent says, as Markdown. Foreign text."""

    branch: str | None
    """The branch that it pushed."""

    pull_request: int | None
    """The pull request's number."""

    previews: list[Preview]
    """Where commits of the card's pull request can be looked at."""

    commit: str | None
    """The commit that its suites and reviews are about."""

    base: str | None
    """The commit of the default branch that it builds on."""

    suites: list[Suite]
    """Its suites, in order."""

    reviews: list[Review]
    """Its reviews, in order."""

    criteria: list[Acceptance]
    """The issue's acceptance criteria, if tests are tied to them."""

    cost: Cost
    """What its agents used."""

    calls: dict[str, int]
    """What it asked of GitHub: `requests`, GraphQL's `points`, and `unchanged` answers,
    which cost nothing."""

    gates: list[Gate] | None
    """How the gates stand, if `?gates=true` asks; null else, for GitHub is asked."""


def run_answer(
    run: Run,
    steps: Sequence[StepEnded],
    questions: Sequence[OfAgent],
    previews: Sequence[OfDeployment],
    gates: Mapping[str, Sequence[Requirement]] | None,
) -> RunAnswer:
    """A run as the API tells it."""
    report = run.report or Report(run.state)
    proof = report.proof or Proof("", "")
    beside = {one.suite: one for one in proof.progress}
    return RunAnswer(
        id=run.id,
        card=str(run.card),
        stage=run.stage,
        state=run.state.value,
        step=run.step.value if run.step is not None else None,
        steps=[
            Step(name=one.name, attempt=one.attempt, ended_at=one.ended_at)
            for one in steps
        ],
        attempt=run.attempt,
        asked_by=run.asked_by,
        config_commit=run.config_commit,
        created_at=run.created_at,
        started_at=run.started_at,
        changed_at=run.changed_at,
        questions=[_question(one) for one in questions],
        waits_for=run.waits_for,
        workflow_run=run.posting.url if run.posting is not None else None,
        reason=report.reason or run.stop_reason,
        summary=report.summary,
        branch=report.branch,
        pull_request=report.pull_request,
        previews=[
            Preview(
                environment=one.environment,
                state=one.state.value,
                url=one.url,
                log=one.log,
                commit=one.commit,
            )
            for one in previews
        ],
        commit=report.commit or proof.commit or None,
        base=proof.base or None,
        suites=[_suite(result, beside.get(result.suite)) for result in proof.results],
        reviews=[_review(result) for result in proof.reviews],
        criteria=[_criterion(one) for one in proof.criteria],
        cost=Cost(
            usd=report.cost.usd,
            input_tokens=report.cost.input_tokens,
            output_tokens=report.cost.output_tokens,
            turns=report.cost.turns,
        ),
        calls=dict(run.calls),
        gates=None if gates is None else [_gate(*one) for one in gates.items()],
    )


def _suite(result: SuiteResult, beside: Progress | None) -> Suite:
    progress = beside or Progress(result.suite, based=False)
    return Suite(
        name=result.suite,
        verdict=result.verdict.value,
        fault=result.fault,
        shortfalls=list(result.shortfalls),
        passed=result.count(Outcome.PASSED),
        failed=result.count(Outcome.FAILED),
        errors=result.count(Outcome.ERROR),
        skipped=result.count(Outcome.SKIPPED),
        seconds=result.seconds,
        seconds_more=progress.seconds,
        coverage=result.covered,
        coverage_before=progress.covered_before,
        compared=progress.based,
        changes={
            change.value: Changed(
                count=number, tests=list(progress.names.get(change, ()))
            )
            for change, number in progress.counts.items()
        },
    )


def _review(result: ReviewResult) -> Review:
    return Review(
        name=result.review,
        verdict=result.verdict.value,
        fault=result.fault,
        blocks_on=result.blocks_on.word if result.blocks_on is not None else "never",
        findings=[
            Finding(
                severity=one.severity.word,
                title=one.title,
                text=one.text,
                path=one.path,
                line=one.line,
            )
            for one in result.findings
        ],
        seconds=result.seconds,
    )


def _criterion(one: Criterion) -> Acceptance:
    return Acceptance(
        number=one.number,
        text=one.text,
        standing=one.standing.value,
        tests=[tied.claimed for tied in one.tests],
        red_to_green=[tied.cases[0].id for tied in one.tests if tied.red_to_green],
    )


def _gate(stage: str, found: Sequence[Requirement]) -> Gate:
    return Gate(
        stage=stage,
        is_open=all(one.met for one in found),
        asks_for=[
            Asked(name=one.name, met=one.met, waits=one.waits, said=one.said)
            for one in found
        ],
    )


def _question(asked: OfAgent) -> Question:
    said = asked.answer
    return Question(
        id=asked.id,
        tool=asked.call.tool,
        subject=asked.call.subject,
        arguments=json.dumps(asked.call.arguments, ensure_ascii=False),
        diff=asked.call.diff,
        cwd=asked.call.cwd,
        why=asked.call.why,
        rule=asked.rule,
        asked_at=asked.asked_at,
        allowed=None if said is None else said.verdict is Verdict.ALLOW,
        by=said.by if said is not None else "",
    )
