"""The job that a failed check of somebody else starts, without a server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import checks
from localhub.state import PullRequest
from tests.action.workbench import CONFIG, Workbench, open_workbench
from tests.journeys.world import REPOSITORY

pytestmark = [pytest.mark.processes, pytest.mark.thorough]

FIXES = CONFIG.replace("tests: [unit]", "tests: [unit]\n    fix_checks: 1")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Workbench]:
    made = await open_workbench(tmp_path, {".vibe.yml": FIXES})
    yield made
    await made.running.close()


def failed(bench: Workbench, pull: PullRequest) -> dict[str, object]:
    """What GitHub tells of a status that somebody else set."""
    told = {"state": "failure", "context": "elsewhere", "description": "2 failed"}
    checks.set_status(
        bench.hub, pull.repository, pull.head_sha, told, actor=bench.user("alice")
    )
    return {
        **told,
        "sha": pull.head_sha,
        "branches": [{"name": pull.head_ref}],
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "sender": {"login": "alice", "type": "User"},
    }


async def test_the_agent_goes_back_as_often_as_it_may(bench: Workbench) -> None:
    issue = bench.issue("Add a tock", "write tock.py def tock():\\n    return 2")
    await (await bench.comment_job(issue, "/agent develop")).ended()
    (pull,) = bench.pulls
    first = pull.head_sha

    again = await (await bench.job("status", failed(bench, pull))).ended()
    enough = await (await bench.job("status", failed(bench, pull))).ended()

    assert (again.code, again.outputs["state"]) == (0, "succeeded"), again.log
    assert (enough.code, enough.outputs["run"]) == (0, ""), enough.log
    runs = bench.sheet(issue)["runs"]
    assert [run["cause"] for run in runs][1:] == [f"checks-{first}"]
