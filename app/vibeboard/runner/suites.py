"""Runs a test suite in the tree and gathers its reports."""

import asyncio
import logging
import shutil
from pathlib import Path

from vibeboard.domain import cellwords
from vibeboard.domain.evidence import CaseResult, Coverage, Outcome, SuiteResult
from vibeboard.domain.workflow import Suite
from vibeboard.engine.ports import StopSignal
from vibeboard.errors import ReportUnreadable
from vibeboard.runner import coverage, process, reports
from vibeboard.runner.leftovers import end_leftovers
from vibeboard.runner.log import RunLog, Tail
from vibeboard.runner.process import Ended, How, Limits
from vibeboard.runner.sandbox.cell import Reach, Sandbox

log = logging.getLogger(__name__)

_NOT_FOUND = 127


class ShellSuites:
    """Suites as shell commands; satisfies ``engine.ports.Suites``.

    The command is run as GitHub Actions would (``bash -e``), in a cell with a home of
    its own beside the tree, and without models.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        bash = shutil.which("bash", path=sandbox.path)
        self._shell = bash or "/bin/sh"

    async def run(
        self, suite: Suite, tree: Path, *, log: Path, stop: StopSignal
    ) -> SuiteResult:
        """Run ``suite``; whatever keeps it from proving something is its fault."""
        await end_leftovers(tree)
        left = (*suite.reports, *filter(None, [suite.coverage]))
        await asyncio.to_thread(reports.remove_stale, tree, left)
        tail = Tail()
        own = {**dict(suite.env), "CI": "true", "VIBE_SUITE": suite.name}
        reach = Reach(hosts=suite.network, required=suite.sandbox_required)
        with RunLog(log) as kept:

            def keep(chunk: bytes) -> None:
                kept.append(chunk)
                tail.append(chunk)

            async with self._sandbox.open(
                tree=tree, home=tree.parent / "home", own=own, reach=reach
            ) as cell:
                ended = await process.run(
                    cell.command([self._shell, "-e", "-c", suite.run]),
                    limits=Limits(suite.time_limit),
                    stop=stop,
                    stdout=keep,
                )
                for told in cell.notes:
                    keep(f"\n[vibeboard] {told}\n".encode())
        cases, fault = await asyncio.to_thread(_gather, suite, tree, ended)
        return SuiteResult(
            suite=suite.name,
            cases=cases,
            exit_code=ended.exit_code,
            seconds=ended.seconds,
            fault=fault,
            output_tail=tail.text,
            coverage=await asyncio.to_thread(_coverage, suite, tree),
            policy=suite.flaky,
        )


def _gather(
    suite: Suite, tree: Path, ended: Ended
) -> tuple[tuple[CaseResult, ...], str | None]:
    found = reports.find(tree, suite.reports)
    cases: tuple[CaseResult, ...] = ()
    fault = _fault_of_end(suite, ended)
    try:
        cases = reports.read_all(found.files, tree)
    except ReportUnreadable as unreadable:
        fault = fault or str(unreadable)
    return cases, fault or _fault_of_reports(suite, found, cases, ended)


def _coverage(suite: Suite, tree: Path) -> Coverage | None:
    """What the suite's coverage report says; without one, nothing."""
    if suite.coverage is None:
        return None
    try:
        return coverage.read_all(reports.find(tree, [suite.coverage]).files, tree)
    except ReportUnreadable as unreadable:
        log.info("no coverage", extra={"suite": suite.name, "why": str(unreadable)})
        return None


def _fault_of_end(suite: Suite, ended: Ended) -> str | None:
    if ended.how is How.TIMED_OUT:
        minutes = suite.time_limit.total_seconds() / 60
        return (
            f"The suite was ended after {minutes:g} minutes, its limit: make it "
            "faster or raise the limit."
        )
    if ended.how is How.STOPPED:
        return "The suite was stopped before its end."
    if ended.how is How.TOOK_TOO_MUCH:
        return f"The suite was ended: {cellwords.took_too_much()}."
    if ended.exit_code == _NOT_FOUND:
        return (
            "The command was not found (exit code 127): its program is not installed "
            "on this runner. The end of its output says which."
        )
    return None


def _fault_of_reports(
    suite: Suite, found: reports.Found, cases: tuple[CaseResult, ...], ended: Ended
) -> str | None:
    globs = ", ".join(f"`{glob}`" for glob in suite.reports)
    if found.refused:
        return (
            f"`{found.refused[0]}` leads out of the repository or through a link: "
            "reports must be plain files in it."
        )
    if not found.files:
        return (
            f"The command ended with exit code {ended.exit_code} and wrote no report "
            f"to {globs}. Let it write JUnit XML there; pytest does with "
            "`--junitxml=FILE`."
        )
    if not cases:
        return (
            f"The report in {globs} holds no test: check that the command finds the "
            "tests."
        )
    skipped = sum(1 for case in cases if case.outcome is Outcome.SKIPPED)
    if skipped == len(cases):
        return f"All {skipped} tests were skipped, so nothing was proved."
    good = all(case.outcome in (Outcome.PASSED, Outcome.SKIPPED) for case in cases)
    if good and ended.exit_code != 0:
        return (
            f"The command ended with exit code {ended.exit_code} although its report "
            "shows no failure. The end of its output may say why."
        )
    return None
