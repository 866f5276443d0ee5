"""The composite Action as a runner takes it: installed, started, cancelled.

`act` runs the workflow that we ship in jobs of the local GitHub.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import actions
from tests.action.composite import (
    TRAPS,
    ended,
    has_an_agent,
    in_tree,
    the_action,
    until,
    workflow,
)
from tests.action.workbench import CONFIG, Workbench, open_workbench
from tests.journeys.on_actions import log_of

pytestmark = pytest.mark.processes


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
async def bench(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workbench]:
    has_an_agent(tmp_path, monkeypatch)
    made = await open_workbench(
        tmp_path,
        {**TRAPS, ".github/workflows/agent.yml": workflow(tmp_path, canary)},
        the_action(tmp_path),
    )
    yield made
    await made.running.close()


async def test_what_people_write_is_never_run(bench: Workbench, canary: Path) -> None:
    touch = f"touch {canary}"
    issue = bench.issue(
        f'zzz";echo${{IFS}}hello;# $({touch}) `{touch}` ${{{{ github.token }}}}',
        "write tock.py def tock():\\n    return 2",
        "say ::set-output name=state::evil",
        f"summary Done\\n::set-output name=commit::evil\\n$({touch})",
    )

    bench.said(issue, f"/agent develop\n::add-path::/evil\n$({touch}); `{touch}`")
    (run,) = bench.repository.workflow_runs
    await ended(run)

    assert run.latest.conclusion == "success", log_of(run)
    (pull,) = bench.pulls
    assert "tock.py" in bench.files(pull.head_sha)
    assert not await asyncio.to_thread(canary.exists), log_of(run)
    assert not await asyncio.to_thread((bench.home / "elsewhere").exists)
    assert bench.token not in log_of(run)


async def test_a_run_that_fails_and_one_that_is_late_end_their_jobs_red(
    bench: Workbench,
) -> None:
    config = CONFIG.replace("minutes: 5", "minutes: 0.1")
    bench.write(".vibe.yml", config)
    failing = bench.issue("Fail", "write half.txt half", "say I give up", "exit 3")
    late = bench.issue("Dawdle", "write half.txt half", "sleep 600")

    for issue in (failing, late):
        bench.said(issue, "/agent develop")
    for run in bench.repository.workflow_runs:
        await ended(run)

    for issue, run, state, shown in zip(
        (failing, late),
        bench.repository.workflow_runs,
        ("failed", "timed_out"),
        ("❌ failed", "⌛ out of time"),
        strict=True,
    ):
        assert run.latest.conclusion == "failure", log_of(run)
        assert bench.sheet(issue)["runs"][0]["state"] == state
        assert shown in bench.replies(issue)[0]
        summaries = [text for job in run.latest.jobs for text in job.summaries]
        assert state.replace("_", " ") in summaries[0]
        branch = f"vibe/{issue.number}-{issue.title.lower()}"
        assert "half.txt" in bench.files(branch)
    assert bench.pulls == []


async def test_a_job_that_github_ends_for_its_time_saves_the_work(
    bench: Workbench,
) -> None:
    file = ".github/workflows/agent.yml"
    there = bench.read(file)
    bench.write(file, there.replace("timeout-minutes: 360", "timeout-minutes: 0.25"))
    issue = bench.issue("Dawdle", "write half.txt half", "sleep 600")

    bench.said(issue, "/agent develop")
    (run,) = bench.repository.workflow_runs
    await ended(run)

    assert run.latest.conclusion == "cancelled", log_of(run)
    assert bench.sheet(issue)["runs"][0]["state"] == "stopped"
    assert "was cancelled" in bench.replies(issue)[0]
    assert "half.txt" in bench.files(f"vibe/{issue.number}-dawdle")


async def test_jobs_hear_of_people_and_of_each_other(bench: Workbench) -> None:
    stopped = bench.issue("Stop me", "write half.txt half", "sleep 600")
    cancelled = bench.issue("Cancel me", "write half.txt half", "sleep 600")
    bench.said(stopped, "/agent develop")
    bench.said(cancelled, "/agent develop")
    first, second = bench.repository.workflow_runs
    for number in (stopped.number, cancelled.number):
        await until(in_tree(bench.hub.root, number, "half.txt"), first)

    bench.said(stopped, "/agent stop")
    actions.cancel(bench.hub, second, actor=bench.user("alice"))
    for run in bench.repository.workflow_runs:
        await ended(run)

    third = bench.repository.workflow_runs[2]
    ends = [run.latest.conclusion for run in (first, second, third)]
    assert ends == ["success", "cancelled", "success"], log_of(first)
    for issue, why in ((stopped, "asked to stop"), (cancelled, "was cancelled")):
        (run,) = bench.sheet(issue)["runs"]
        assert (run["state"], run["attempt"]) == ("stopped", 1), log_of(third)
        (shown,) = bench.replies(issue)
        assert why in shown
        branch = f"vibe/{issue.number}-{issue.title.lower().replace(' ', '-')}"
        assert "half.txt" in bench.files(branch)
