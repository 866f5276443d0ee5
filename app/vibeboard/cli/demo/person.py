"""What a person does and sees in the demo, over the local GitHub's own API."""

import asyncio
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from vibeboard.cli.demo.local import BOARD, REPOSITORY, Local
from vibeboard.settings import Machine

_TRACKING = re.compile(r"^<!-- vibe:run=r[0-9a-f]+ -->$", re.MULTILINE)
_SUMMARY = re.compile(r"(\d+) (passed|failed|error)")
_LOOK_EVERY = 0.1  # seconds


@dataclass
class ReadBack:
    """What the local GitHub says became of a card; ``faults`` is what is wrong."""

    card_column: str | None = None
    pull_request: int | None = None
    check_conclusion: str | None = None
    tests: dict[str, int] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Person:
    """Alice, at her board."""

    def __init__(
        self, session: aiohttp.ClientSession, local: Local, machine: Machine
    ) -> None:
        self._session = session
        self._local = local
        self._machine = machine

    async def _get(self, path: str, **query: str) -> Any:
        url = f"{self._local.api_url}/{path}"
        headers = {"Authorization": f"Bearer {self._local.token}"}
        async with self._session.get(url, params=query, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def move(self, issue: int, column: str) -> None:
        """Drag a card."""
        status = await self._status_field()
        (option,) = [o for o in status["options"] if o["name"]["raw"] == column]
        item = await self._item(issue)
        url = f"{self._local.api_url}/orgs/{self._items}/{item['id']}"
        headers = {"Authorization": f"Bearer {self._local.token}"}
        body = {"fields": [{"id": status["id"], "value": option["id"]}]}
        async with self._session.patch(url, json=body, headers=headers) as answer:
            answer.raise_for_status()

    @property
    def _items(self) -> str:
        return f"{BOARD.replace('projects', 'projectsV2')}/items"

    async def _status_field(self) -> Any:
        fields = await self._get(
            f"orgs/{BOARD.replace('projects', 'projectsV2')}/fields"
        )
        (status,) = [each for each in fields if each["name"] == "Status"]
        return status

    async def _item(self, issue: int) -> Any:
        status = await self._status_field()
        items = await self._get(
            f"orgs/{self._items}", per_page="100", fields=str(status["id"])
        )
        (item,) = [each for each in items if each["content"]["number"] == issue]
        return item

    async def column(self, issue: int) -> str | None:
        """Where a card stands."""
        for value in (await self._item(issue)).get("fields", []):
            if value["name"] == "Status" and value["value"]:
                return str(value["value"]["name"]["raw"])
        return None

    async def waits_for(self, issue: int, columns: set[str], seconds: float) -> None:
        """Watch the card until it stands in one of the columns, or patience ends."""
        for _ in range(round(seconds / _LOOK_EVERY)):
            if await self.column(issue) in columns:
                return
            await asyncio.sleep(_LOOK_EVERY)

    async def reads_back(self, issue: int, column: str) -> ReadBack:
        """Look at board, pull request, check, comment, tests and commits."""
        found = ReadBack(card_column=await self.column(issue))
        if found.card_column != column:
            found.faults.append(f"the card is in {found.card_column}, not in {column}")
        await self._comments(issue, found)
        await self._pull(issue, found)
        return found

    async def _comments(self, issue: int, found: ReadBack) -> None:
        comments = await self._get(f"repos/{REPOSITORY}/issues/{issue}/comments")
        ours = [c for c in comments if c["user"]["login"] == "vibeboard[bot]"]
        tracking = [c for c in ours if _TRACKING.search(c["body"])]
        if len(tracking) != 1:
            found.faults.append(f"{len(tracking)} tracking comments instead of one")
        elif "✅ done" not in tracking[0]["body"]:
            found.faults.append("the tracking comment does not say done")

    async def _pull(self, issue: int, found: ReadBack) -> None:
        pulls = await self._get(f"repos/{REPOSITORY}/pulls", state="all")
        if len(pulls) != 1:
            found.faults.append(f"{len(pulls)} pull requests instead of one")
            return
        pull = pulls[0]
        found.pull_request = pull["number"]
        if not pull["draft"] or f"Closes #{issue}" not in (pull["body"] or ""):
            found.faults.append("the pull request is no draft that closes the issue")
        head = pull["head"]["sha"]
        checks = await self._get(f"repos/{REPOSITORY}/commits/{head}/check-runs")
        ours = [c for c in checks["check_runs"] if c["name"] == "vibeboard / develop"]
        if len(ours) == 1:
            found.check_conclusion = ours[0]["conclusion"]
        if found.check_conclusion != "success":
            found.faults.append(f"the check says {found.check_conclusion}")
        await asyncio.to_thread(self._clone, pull["head"]["ref"], head, found)

    def _clone(self, branch: str, head: str, found: ReadBack) -> None:
        """Fetch the branch as anybody would, and run its tests once more."""
        clone = self._local.directory / "clone"
        url = f"{self._local.url}/{REPOSITORY}.git"
        self._git(self._local.directory, "clone", "--quiet", url, str(clone))
        self._git(clone, "checkout", "--quiet", branch)
        if self._git(clone, "rev-parse", "HEAD").strip() != head:
            found.faults.append("the branch's head is not the pull request's")
        log = self._git(clone, "log", "--format=%h %an: %s", "origin/main..HEAD")
        found.commits = log.splitlines()
        if not found.commits:
            found.faults.append("the branch has no commit of its own")
        tests = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
            cwd=clone,
            env={"PATH": self._machine.path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        counted = {word: int(n) for n, word in _SUMMARY.findall(tests.stdout)}
        found.tests = {"passed": counted.get("passed", 0)}
        found.tests["failed"] = counted.get("failed", 0) + counted.get("error", 0)
        if tests.returncode != 0 or not found.tests["passed"]:
            found.faults.append("the branch's tests do not pass in a fresh clone")

    def _git(self, directory: Path, *arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - our own argument list
            [self._machine.git, *arguments],
            cwd=directory,
            env={
                "PATH": self._machine.path,
                "HOME": str(self._local.directory),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{self._local.url}/.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Bearer {self._local.token}",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout
