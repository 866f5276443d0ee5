"""Jobs without a server, as processes: an event in, a pull request out."""

import asyncio
import signal
from pathlib import Path

import pytest

from localhub import git, issues, projects, reviews
from tests.action.workbench import (
    CONFIG,
    ROBOT,
    Workbench,
    comment_event,
    open_workbench,
)

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
    environ = Path(f"/proc/{job.child.pid}/environ")
    known = await asyncio.to_thread(environ.read_bytes)
    assert b"GITHUB_RUN_ID=" in known
    assert bench.token.encode() not in known

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


async def test_a_job_that_is_run_again_retries_what_failed(bench: Workbench) -> None:
    issue = bench.issue("Fail once", "exit 3")
    said = bench.said(issue, "/agent develop")
    event = comment_event(said, issue, "alice")
    first = await (await bench.job("issue_comment", event)).ended()
    alice = bench.user("alice")
    issues.edit(bench.hub, issue, actor=alice, body="do: write a.txt a")

    again = await bench.job("issue_comment", event, run=bench.workflow_run, attempt=2)
    second = await again.ended()

    assert (first.code, first.outputs["state"]) == (1, "failed"), first.log
    assert "::error title=Vibeboard::" in first.log
    assert (second.code, second.outputs["state"]) == (0, "succeeded"), second.log
    failed, retried = bench.sheet(issue)["runs"]
    assert (failed["state"], retried["asked_by"]) == ("failed", "alice")


async def test_a_remark_at_a_line_sends_the_agent_back(bench: Workbench) -> None:
    issue = bench.issue("Add a tock", "write tock.py def tock(): ...")
    await (await bench.comment_job(issue, "/agent develop")).ended()
    (pull,) = bench.pulls
    line = {"path": "tock.py", "line": 1, "side": "RIGHT"}
    body = "do: append tock.py # as asked"
    alice = bench.user("alice")
    remark = reviews.comment(bench.hub, pull, {**line, "body": body}, actor=alice)
    payload = {
        "action": "created",
        "comment": {
            "id": remark.id,
            "body": body,
            "path": "tock.py",
            "line": 1,
            "diff_hunk": "@@",
        },
        "pull_request": {
            "number": pull.number,
            "state": "open",
            "head": {
                "ref": pull.head_ref,
                "sha": pull.head_sha,
                "repo": {"full_name": "acme/clock"},
            },
            "base": {"ref": "main", "sha": "0" * 40},
        },
        "repository": {"full_name": "acme/clock", "default_branch": "main"},
        "sender": {"login": "alice", "type": "User"},
    }

    job = await bench.job("pull_request_review_comment", payload)
    ended = await job.ended()

    assert ended.outputs["state"] == "succeeded", ended.log
    assert ended.outputs["commit"] == pull.head_sha
    log = git.log(bench.repository.git_dir, f"main..{pull.head_sha}")
    assert len(list(log)) == 2
    answers = [one for one in pull.review_comments if one.user.login == ROBOT]
    assert len(answers) == 1


async def test_cards_move_with_a_token_for_boards_and_else_it_is_said(
    tmp_path: Path,
) -> None:
    config = (
        CONFIG.replace("agents:", "board: {project: acme/1}\nagents:")
        .replace("  refine:", "  refine:\n    column: Refinement")
        .replace("  develop:", "  develop:\n    column: Development\n    next: Review")
    )
    columns = ("Backlog", "Refinement", "Development", "Review")
    bench = await open_workbench(tmp_path, {".vibe.yml": config}, columns=columns)
    try:
        issue = bench.issue("Add a tock", "write tock.py def tock(): ...")
        (board,) = bench.hub.projects
        item = projects.add(bench.hub, board, issue, actor=bench.user("alice"))
        projects.move(bench.hub, item, "Backlog", actor=bench.user("alice"))
        without = await (await bench.comment_job(issue, "/agent develop")).ended()
        assert "does not move on board acme/1" in bench.replies(issue)[-1], without.log
        column = projects.option_of(item, projects.status_field(board))
        assert column is not None
        assert column.name == "Backlog"

        given = {"VIBEBOARD_ACTION_PROJECT_TOKEN": "alice-token"}
        ended = await (
            await bench.comment_job(issue, "/agent develop", environment=given)
        ).ended()

        assert ended.outputs["state"] == "succeeded", ended.log
        column = projects.option_of(item, projects.status_field(board))
        assert column is not None
        assert column.name == "Review"
        assert "does not move" not in bench.replies(issue)[-1]
    finally:
        await bench.running.close()
