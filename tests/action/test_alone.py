"""Jobs without a server, as processes: an event in, a pull request out."""

import signal

import pytest

from tests.action.workbench import Workbench

pytestmark = pytest.mark.processes


async def test_a_comment_becomes_a_tested_pull_request(bench: Workbench) -> None:
    issue = bench.issue(
        "Add a tock", "write tock.py def tock():\\n    return 2", "summary Added."
    )

    job = await bench.comment_job(issue, "/agent develop")
    ended = await job.ended()

    assert ended.code == 0, ended.log
    (pull,) = bench.pulls
    assert pull.draft
    assert "tock.py" in bench.files(pull.head_sha)
    assert bench.files(pull.head_sha) > {"tock.py", "clock.py"}
    assert ended.outputs == {
        "run": ended.outputs["run"],
        "state": "succeeded",
        "pull-request": str(pull.number),
        "commit": pull.head_sha,
    }
    assert f"| Pull request | [#{pull.number}](" in ended.summary
    (shown,) = bench.replies(issue)
    assert "### ✅ done · develop" in shown
    (run,) = bench.sheet(issue)["runs"]
    assert (run["id"], run["state"]) == (ended.outputs["run"], "succeeded")
    (check,) = [
        one
        for suite in bench.repository.check_suites
        for one in suite.runs
        if one.name == "vibeboard / develop"
    ]
    assert check.conclusion == "success"


async def test_a_job_that_is_cancelled_saves_the_work_and_says_so(
    bench: Workbench,
) -> None:
    issue = bench.issue("Wait", "write half.txt half", "sleep 60")
    job = await bench.comment_job(issue, "/agent develop")
    await bench.until(lambda: bench.wrote("half.txt"))

    job.gets(signal.SIGINT)
    ended = await job.ended()

    assert ended.outputs["state"] == "stopped", ended.log
    assert "half.txt" in bench.files("vibe/1-wait")
    (shown,) = bench.replies(issue)
    assert "was cancelled" in shown
    assert f"/actions/runs/{bench.workflow_run}" in shown


async def test_what_a_killed_step_left_is_ended_by_the_last_one(
    bench: Workbench,
) -> None:
    issue = bench.issue("Wait", "write half.txt half", "sleep 60")
    job = await bench.comment_job(issue, "/agent develop")
    await bench.until(lambda: bench.wrote("half.txt"))
    job.gets(signal.SIGKILL)
    await job.ended()

    last = await bench.last_step()
    ended = await last.ended()

    assert ended.outputs["state"] == "stopped", ended.log
    assert "half.txt" in bench.files("vibe/1-wait")
    (shown,) = bench.replies(issue)
    assert "was cut off" in shown


async def test_the_next_job_takes_over_from_one_that_is_gone(bench: Workbench) -> None:
    issue = bench.issue("Wait", "write half.txt half", f"sleep {bench.home}/go")
    first = await bench.comment_job(issue, "/agent develop")
    await bench.until(lambda: bench.wrote("half.txt"))
    first.gets(signal.SIGKILL)
    await first.ended()
    (bench.home / "go").touch()

    second = await (await bench.comment_job(issue, "/agent status")).ended()

    assert second.outputs["state"] == "succeeded", second.log
    (pull,) = bench.pulls
    assert "half.txt" in bench.files(pull.head_sha)
    (run,) = bench.sheet(issue)["runs"]
    assert (run["attempt"], run["state"]) == (2, "succeeded")


async def test_strangers_and_forks_start_nothing(bench: Workbench) -> None:
    issue = bench.issue("Wait", "write a.txt a")
    stranger = await (
        await bench.comment_job(issue, "/agent develop", by="mallory")
    ).ended()
    fork = {
        "action": "submitted",
        "pull_request": {"head": {"repo": {"full_name": "mallory/clock"}}},
        "repository": {"full_name": "acme/clock"},
    }
    refused = await (await bench.job("pull_request_review", fork)).ended()
    target = await (await bench.job("pull_request_target", {})).ended()

    assert (stranger.code, refused.code, target.code) == (0, 0, 0)
    assert "may not" in bench.replies(issue)[0] or "write" in bench.replies(issue)[0]
    assert "comes from a fork" in refused.log
    assert "`pull_request_target` gives" in target.log
    assert bench.pulls == []
