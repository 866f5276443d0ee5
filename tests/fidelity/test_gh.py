"""GitHub's own command line as a second client of the local GitHub.

gh speaks plain HTTP to a host called github.localhost, reached through HTTP_PROXY.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from localhub import checks, comments, issues
from tests.conftest import missing
from tests.localhub.served import BOB, World, serve

CLOCK = "acme/clock"


@dataclass
class Gh:
    """The program, acting for bob."""

    world: World
    program: str
    home: Path

    async def __call__(self, *arguments: str, code: int = 0) -> str:
        child = await asyncio.create_subprocess_exec(
            self.program,
            *arguments,
            cwd=self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "GH_HOST": "github.localhost",
                "GH_ENTERPRISE_TOKEN": BOB,
                "GH_TOKEN": BOB,
                "GH_NO_UPDATE_NOTIFIER": "1",
                "GH_PROMPT_DISABLED": "1",
                "GIT_TERMINAL_PROMPT": "0",
                "HTTP_PROXY": self.world.hub.url,
                "http_proxy": self.world.hub.url,  # git reads this one
                "NO_COLOR": "1",
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(child.communicate(), 30)
        assert child.returncode == code, f"{arguments}: {err.decode()}{out.decode()}"
        return out.decode()

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments))


@pytest.fixture
async def gh(tmp_path: Path) -> AsyncIterator[Gh]:
    program = shutil.which("gh")
    if program is None:
        missing("gh is missing: apt-get install gh")
        raise AssertionError
    home = tmp_path / "home"
    home.mkdir()
    async with serve(tmp_path) as world:
        yield Gh(world, program, home)


async def test_gh_calls_rest_and_graphql(gh: Gh) -> None:
    user = await gh.json("api", "user")
    issue = await gh.json("api", f"repos/{CLOCK}/issues", "-f", "title=Early")
    viewer = await gh.json("api", "graphql", "-f", "query={viewer{login}}")
    numbers = await gh(
        "api", f"repos/{CLOCK}/issues?per_page=1", "--paginate", "--jq", ".[].number"
    )

    assert user["login"] == "bob"
    assert issue["number"] == 2
    assert viewer["data"]["viewer"]["login"] == "bob"
    assert numbers.split() == ["2", "1"]


async def test_gh_reads_and_comments_issues(gh: Gh) -> None:
    await gh("issue", "comment", "1", "-R", CLOCK, "--body", "By two minutes.")
    await gh("api", f"repos/{CLOCK}/issues", "-f", "title=Early")

    listed = await gh("issue", "list", "-R", CLOCK)
    fields = "number,title,body,state,author,labels,assignees,comments,url"
    shown = await gh.json("issue", "view", "1", "-R", CLOCK, "--json", fields)

    assert [line.split("\t")[:3] for line in listed.splitlines()] == [
        ["2", "OPEN", "Early"],
        ["1", "OPEN", "The clock is late"],
    ]
    assert shown["state"] == "OPEN"
    assert [one["body"] for one in shown["comments"]] == ["By two minutes."]


async def test_gh_finds_issues(gh: Gh) -> None:
    hub = gh.world.hub
    bob, issue = hub.users["bob"], hub.repositories[CLOCK].issues[1]
    issues.create(hub, issue.repository, actor=hub.users["carol"], title="Hers")
    issues.set_assignees(hub, issue, ["bob"], actor=bob)

    hers = await gh("issue", "list", "-R", CLOCK, "--author", "carol")
    his = await gh("issue", "list", "-R", CLOCK, "--assignee", "bob")

    assert hers.split("\t")[0] == "2"
    assert his.split("\t")[0] == "1"


async def test_gh_reads_pull_requests_and_their_checks(gh: Gh) -> None:
    opened = await gh.world.pull("topic", body="Closes #1")
    hub, head = gh.world.hub, opened["head"]["sha"]
    repository = hub.repositories[CLOCK]
    asked = {
        "name": "unit",
        "head_sha": head,
        "status": "completed",
        "conclusion": "success",
        "details_url": "https://vibeboard.example/runs/1",
    }
    checks.create_run(hub, repository, gh.world.app, asked, actor=gh.world.app.bot)
    where = f"repos/{CLOCK}/statuses/{head}"
    await gh("api", where, "-f", "state=success", "-f", "context=lint")
    comments.create(hub, repository.issues[2], "Nice.", actor=hub.users["alice"])

    listed = await gh("pr", "list", "-R", CLOCK)
    fields = "number,title,isDraft,mergeable,files,comments,statusCheckRollup"
    shown = await gh.json("pr", "view", "2", "-R", CLOCK, "--json", fields)
    checked = await gh("pr", "checks", "2", "-R", CLOCK)

    assert listed.split("\t")[:3] == ["2", "Topic", "topic"]
    assert shown["mergeable"] == "MERGEABLE"
    assert [one["path"] for one in shown["files"]] == ["topic.txt"]
    assert sorted(line.split("\t")[:2] for line in checked.splitlines()) == [
        ["lint", "pass"],
        ["unit", "pass"],
    ]


async def test_gh_clones(gh: Gh) -> None:
    await gh("repo", "clone", CLOCK, "here")

    assert (gh.home / "here" / "README.md").read_text() == "# Clock\n"


async def test_gh_is_told_what_is_not_there(gh: Gh) -> None:
    await gh("issue", "view", "99", "-R", CLOCK, "--json", "title", code=1)
    await gh("api", f"repos/{CLOCK}/nothing", code=1)
