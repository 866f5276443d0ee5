"""Jobs without a server, as processes: an event in, a pull request out."""

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
