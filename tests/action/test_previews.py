"""Previews without a server, as processes: told to GitHub, and shown by another job."""

import signal
from collections.abc import Mapping
from typing import Any

import pytest

from localhub import deployments, issues
from localhub.state import PullRequest
from tests.action.workbench import Ended, Workbench, comment_event
from tests.journeys.world import REPOSITORY

pytestmark = [pytest.mark.processes, pytest.mark.thorough]


async def test_a_preview_is_told_shown_and_taken_back(bench: Workbench) -> None:
    issue = bench.issue("Add a tock", "write tock.txt tock", "summary Added.")
    worked = await bench.comment_job(issue, "/agent develop")
    assert (await worked.ended()).code == 0
    (pull,) = bench.pulls

    first = await told(bench, pull, URL="https://one.example.org")
    second = await told(bench, pull, URL="https://two.example.org")
    for given in (first, second):
        assert (given.code, given.log.count("::error")) == (0, 0), given.log
    states = [one.statuses[-1].state for one in bench.repository.deployments]
    assert states == ["inactive", "success"]
    assert bench.repository.deployments[0].transient

    # Started again, the job shows it again, and has no agent work again.
    for attempt in (1, 2):
        seen = await shown(bench, pull, second.outputs["deployment"], attempt)
        assert (seen.code, seen.outputs["run"]) == (0, ""), seen.log
    (comment,) = bench.replies(issue)
    link = f"[preview/pr-{pull.number}](https://two.example.org)"
    assert f"Preview: {link} of `{pull.head_sha[:7]}`" in comment
    assert "**Preview:** [preview/pr-" in (pull.body or "")
    assert len(bench.sheet(issue)["runs"]) == 1

    heard = await (
        await bench.job("deployment_status", of_another(bench, pull))
    ).ended()
    assert " failed · [preview/pr-" in bench.replies(issue)[0], heard.log

    gone = await told(bench, pull, STATE="removed", COMMIT="")
    assert gone.outputs == second.outputs
    await shown(bench, pull, gone.outputs["deployment"], attempt=3)
    assert "preview/pr-" not in bench.replies(issue)[0]
    said = bench.said(issue, "/agent preview")
    for attempt in (1, 2):
        event = comment_event(said, issue, "alice")
        asked = await bench.job("issue_comment", event, run=500, attempt=attempt)
        assert (await asked.ended()).outputs["run"] == ""
    assert "Preview of #2: docs of `" in bench.replies(issue)[-1]
    assert len(bench.replies(issue)) == 2


async def test_a_job_that_shows_a_preview_takes_up_no_run(bench: Workbench) -> None:
    issue = bench.issue("Wait", f"sleep {bench.home}/go", "append half.txt half")
    (bench.home / "go").touch()
    assert (await (await bench.comment_job(issue, "/agent develop")).ended()).code == 0
    (pull,) = bench.pulls
    (bench.home / "go").unlink()
    working = await bench.comment_job(issue, "/agent develop")
    await bench.until(lambda: bench.sheet(issue)["runs"][-1]["state"] == "running")
    working.gets(signal.SIGKILL)
    await working.ended()

    made = await told(bench, pull, URL="https://pr-2.example.org")
    seen = await shown(bench, pull, made.outputs["deployment"])

    (_, run) = bench.sheet(issue)["runs"]
    assert (seen.code, seen.outputs["run"]) == (0, ""), seen.log
    assert (run["state"], run["attempt"]) == ("running", 1)
    assert "[preview/pr-2](https://pr-2.example.org)" in bench.replies(issue)[0]


async def test_of_some_changes_github_is_told_nothing(bench: Workbench) -> None:
    issue = bench.issue("Add a tock", "write tock.txt tock")
    await (await bench.comment_job(issue, "/agent develop")).ended()
    (pull,) = bench.pulls

    cancelled = await told(bench, pull, STATE="cancelled")
    wrong = await told(bench, pull, URL="evil")
    url = "https://pr-2.example.org"
    older = await told(bench, pull, URL=url, COMMIT="0" * 40)
    again = await told(bench, pull, attempt=2, URL=url, COMMIT="0" * 40)
    issues.close(bench.hub, pull, actor=bench.user("alice"))
    closed = await told(bench, pull, URL=url)

    codes = [one.code for one in (cancelled, wrong, older, again, closed)]
    assert codes == [0, 2, 0, 1, 1]
    assert "::notice title=Vibeboard::the job was cancelled" in cancelled.log
    assert "`url` is no web address" in wrong.log
    assert "than 0000000 by now, which has a run of its own" in older.log
    assert f"run the workflow of {pull.head_sha[:7]} again" in again.log
    assert "#2 is closed: what was published" in closed.log
    assert bench.repository.deployments == []


def of_another(bench: Workbench, pull: PullRequest) -> Mapping[str, Any]:
    """What starts a job once an App of somebody's could not deploy the change."""
    alice = bench.user("alice")
    asked = {"ref": pull.head_ref, "environment": "docs"}
    one = deployments.create(bench.hub, bench.repository, asked, actor=alice)
    deployments.report(bench.hub, one, {"state": "failure"}, actor=alice)
    return {
        "action": "created",
        "deployment": {"id": one.id, "ref": one.ref, "sha": one.sha},
        "deployment_status": {"state": "failure"},
        "repository": {"full_name": REPOSITORY},
        "sender": {"login": "vercel[bot]", "type": "Bot"},
    }


async def told(
    bench: Workbench, pull: PullRequest, attempt: int = 1, **given: str
) -> Ended:
    """A step with `action/preview`."""
    inputs = {"PULL_REQUEST": str(pull.number), "COMMIT": pull.head_sha, **given}
    job = await bench.job(
        *("workflow_dispatch", {}, "preview"),
        attempt=attempt,
        environment=named(inputs),
    )
    return await job.ended()


async def shown(
    bench: Workbench, pull: PullRequest, deployment: str, attempt: int = 1
) -> Ended:
    """A later job's step with the action."""
    ran_on = {"GITHUB_REF_NAME": pull.head_ref, "GITHUB_SHA": pull.head_sha}
    job = await bench.job(
        "workflow_dispatch",
        {"inputs": {"pull-request": str(pull.number)}},
        run=int(deployment),
        attempt=attempt,
        environment={**named({"DEPLOYMENT": deployment}), **ran_on},
    )
    return await job.ended()


def named(inputs: Mapping[str, str]) -> dict[str, str]:
    """Inputs as a step of the action has them in its environment."""
    return {f"VIBEBOARD_ACTION_{name}": value for name, value in inputs.items()}
