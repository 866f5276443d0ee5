"""Runs a stage's suites on a commit and on its base, and says what that proves."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from vibeboard.domain.comparison import combined, compare
from vibeboard.domain.contract import Claim, shown
from vibeboard.domain.evidence import SuiteResult, Verdict
from vibeboard.domain.proof import Proof, progress, shortfalls
from vibeboard.domain.run import Run
from vibeboard.domain.weakening import weakenings
from vibeboard.domain.workflow import Stage, Suite
from vibeboard.engine.places import Places
from vibeboard.engine.ports import (
    Base,
    Evidence,
    StopSignal,
    Suites,
    Workspaces,
)
from vibeboard.errors import WorkspaceRefused

_MOST_WEAKENED = 50


@dataclass(frozen=True)
class Promise:
    """The issue's acceptance criteria, and the tests that are said to prove them."""

    criteria: tuple[str, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)


class Prover:
    """Never believes an agent: what counts is what our own runs of the suites gave."""

    def __init__(
        self,
        *,
        suites: Suites,
        workspaces: Workspaces,
        evidence: Evidence,
        places: Places,
    ) -> None:
        self._suites = suites
        self._workspaces = workspaces
        self._evidence = evidence
        self._places = places

    async def prove(
        self, run: Run, stage: Stage, promise: Promise, stop: StopSignal
    ) -> Proof:
        """What the stage's suites say of the commit that the card's tree is at."""
        base = await self._workspaces.base(run.card)
        found = weakenings(base.changed) if stage.tests else ()
        proof = Proof(base.head, base.commit, weakened=tuple(found[:_MOST_WEAKENED]))
        pairs: list[tuple[SuiteResult, SuiteResult | None]] = []
        for suite in stage.tests:
            if stop.is_set():
                break
            before = await self._before(run, suite, base, stop)
            result = await self._now(run, suite, base.head, stop)
            result = replace(
                result,
                policy=suite.flaky,
                shortfalls=tuple(shortfalls(suite, result, before)),
            )
            if not stop.is_set():
                await self._evidence.keep(
                    run.card.repository, base.head, suite, result, run=run.id
                )
            if promise.claims:
                pairs.append((result, before))
            compared = progress(compare(before, result), before)
            proof = replace(
                proof,
                results=(*proof.results, result.brief()),
                progress=(*proof.progress, compared),
            )
        if not promise.claims:
            return proof
        return replace(proof, criteria=shown(promise.criteria, promise.claims, pairs))

    async def _now(
        self, run: Run, suite: Suite, commit: str, stop: StopSignal
    ) -> SuiteResult:
        """The suite on the commit, again as often as it may be while it fails.

        It gets a clean tree: what an agent left beside its commit proves nothing.
        """
        results: list[SuiteResult] = []
        for attempt in range(suite.retries + 1):
            again = f"-{attempt + 1}" if attempt else ""
            log_file = self._places.log(run, f"tests-{suite.name}{again}")
            tree = await self._workspaces.checkout(run.card, commit, name="head")
            results.append(await self._suites.run(suite, tree, log=log_file, stop=stop))
            if stop.is_set() or results[-1].verdict is Verdict.PASSED:
                break
        return combined(results)

    async def _before(
        self, run: Run, suite: Suite, base: Base, stop: StopSignal
    ) -> SuiteResult | None:
        """The suite's result on the base commit, found out once for each of those."""
        repository = run.card.repository
        if base.commit == base.head or not suite.baseline:
            return None
        known = await self._evidence.of(repository, base.commit, suite)
        if known:
            return combined(known)
        with suppress(WorkspaceRefused):
            tree = await self._workspaces.checkout(run.card, base.commit, name="base")
            log_file = self._places.log(run, f"base-{suite.name}")
            result = await self._suites.run(suite, tree, log=log_file, stop=stop)
            if not stop.is_set():
                await self._evidence.keep(
                    repository, base.commit, suite, result, run=run.id
                )
            return result
        return None
