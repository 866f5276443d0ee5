"""Jobs of GitHub Actions on a local GitHub: an event in, a process, what is left.

The program runs as the composite Action starts it; what the runner would tell it stands
in its environment and in files.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localhub import Hub, Running, apps, comments, git, issues, pulls, seed, start
from localhub.state import Comment, Issue, PullRequest, Repository, User
from tests.journeys.world import AGENT, FILES, LIGHT_SUITE, REPOSITORY

PATIENCE = 60.0
ROBOT = "github-actions[bot]"
PERMISSIONS = {
    "actions": "read",
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "pull_requests": "write",
    "statuses": "read",
}
CONFIG = f"""\
version: 1
agents:
  scripted:
    cli: command
    command: ["{sys.executable}", "{AGENT}"]
    limits: {{minutes: 5}}
stages:
  refine:
    agent: scripted
    result: issue
  develop:
    agent: scripted
    tests: [unit]
tests:
  unit:
    run: "{sys.executable} {LIGHT_SUITE} out/unit.xml"
    report: out/unit.xml
"""


@dataclass(frozen=True)
class Ended:
    """How a job ended, and what it told its workflow."""

    code: int
    log: str
    outputs: Mapping[str, str]
    summary: str


@dataclass
class Job:
    """A job under way."""

    child: asyncio.subprocess.Process
    folder: Path
    _said: list[str] = field(default_factory=list)

    async def ended(self) -> Ended:
        assert self.child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            rest = await self.child.stdout.read()
            code = await self.child.wait()
        log = "".join(self._said) + rest.decode()
        return Ended(
            code,
            log,
            read_outputs((self.folder / "output").read_text()),
            (self.folder / "summary").read_text(),
        )

    async def says(self, word: str) -> None:
        """Wait for a line of the log that has the word."""
        assert self.child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while word not in (line := (await self.child.stdout.readline()).decode()):
                assert line, "".join(self._said)
                self._said.append(line)
        self._said.append(line)

    def gets(self, what: signal.Signals) -> None:
        self.child.send_signal(what)


def read_outputs(text: str) -> dict[str, str]:
    """What the runner reads of a file of outputs."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, mark, word = line.partition("<<")
        assert mark, line
        value = []
        while (part := next(lines)) != word:
            value.append(part)
        found[name] = "\n".join(value)
    return found


@dataclass
class Workbench:
    """A repository with `.vibe.yml`, and jobs."""

    running: Running
    home: Path
    token: str
    workflow_run: int = 7000

    @property
    def hub(self) -> Hub:
        return self.running.hub

    @property
    def repository(self) -> Repository:
        found = self.hub.repository(REPOSITORY)
        assert found is not None
        return found

    def user(self, login: str) -> User:
        found = self.hub.user(login)
        assert found is not None
        return found

    def write(self, path: str, text: str) -> None:
        """Put a file on the default branch."""
        directory = self.repository.git_dir
        parent = git.resolve(directory, "refs/heads/main")
        assert parent is not None
        blob = git.write_blob(directory, text.encode())
        tree = git.write_tree(directory, parent, {path: ("100644", blob)})
        who = pulls.signature(self.hub, self.user("alice"))
        sha = git.write_commit(directory, tree, [parent], f"Change {path}", who, who)
        git.update_ref(directory, "refs/heads/main", sha)

    def read(self, path: str) -> str:
        """A file of the default branch."""
        directory = self.repository.git_dir
        (entry,) = (
            one
            for one in git.tree(directory, "main", recursive=True)
            if one.path == path
        )
        return git.read_blob(directory, entry.sha).decode()

    def issue(self, title: str, *orders: str) -> Issue:
        """An issue that tells the scripted agent what to do."""
        body = "\n".join(f"do: {order}" for order in orders)
        alice = self.user("alice")
        return issues.create(
            self.hub, self.repository, actor=alice, title=title, body=body
        )

    def said(self, issue: Issue, body: str, by: str = "alice") -> Comment:
        return comments.create(self.hub, issue, body, actor=self.user(by))

    def replies(self, issue: Issue) -> list[str]:
        """What the job said on an issue, oldest first."""
        return [one.body for one in issue.comments if one.user.login == ROBOT]

    @property
    def pulls(self) -> list[PullRequest]:
        every = self.repository.issues.values()
        return [one for one in every if isinstance(one, PullRequest)]

    def files(self, revision: str) -> set[str]:
        entries = git.tree(self.repository.git_dir, revision, recursive=True)
        return {entry.path for entry in entries}

    def sheet(self, issue: Issue) -> Any:
        """What is remembered of an issue, in the repository."""
        directory = self.repository.git_dir
        commit = git.resolve(directory, f"refs/vibeboard/cards/{issue.number}")
        if commit is None:
            return None
        (entry,) = git.tree(directory, commit, recursive=True)
        return json.loads(git.read_blob(directory, entry.sha))

    def wrote(self, name: str) -> bool:
        """Whether a file stands in the tree of some card."""
        return any(self.home.glob(f"job-*/**/tree/{name}"))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.02)

    async def comment_job(
        self, issue: Issue, body: str, by: str = "alice", **given: Any
    ) -> Job:
        """The job that a new comment starts."""
        made = self.said(issue, body, by)
        return await self.job("issue_comment", comment_event(made, issue, by), **given)

    async def job(
        self,
        event: str,
        payload: Mapping[str, Any],
        *arguments: str,
        run: int = 0,
        attempt: int = 1,
        environment: Mapping[str, str] | None = None,
    ) -> Job:
        """Start the program as a step of a workflow run does."""
        if not run:
            self.workflow_run += 1
            run = self.workflow_run
        folder = self.home / f"job-{run}-{attempt}"
        folder.mkdir(exist_ok=True)
        (folder / "event.json").write_text(json.dumps(payload))
        for name in ("output", "summary"):
            (folder / name).touch()
        (folder / "temp").mkdir(exist_ok=True)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "vibeboard.action", *arguments),
            cwd=folder,
            env={
                **self.environment(folder, event, run, attempt),
                **(environment or {}),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 20,
        )
        return Job(child, folder)

    async def last_step(self, status: str = "failure") -> Job:
        """The step of the newest job that runs whatever happened before."""
        told = {"VIBEBOARD_ACTION_JOB_STATUS": status}
        return await self.job(
            "issue_comment", {}, "finish", run=self.workflow_run, environment=told
        )

    def environment(
        self, folder: Path, event: str, run: int, attempt: int
    ) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_EVENT_NAME": event,
            "GITHUB_EVENT_PATH": str(folder / "event.json"),
            "GITHUB_ACTOR": "alice",
            "GITHUB_TRIGGERING_ACTOR": "alice",
            "GITHUB_RUN_ID": str(run),
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "GITHUB_API_URL": self.hub.api_url,
            "GITHUB_SERVER_URL": self.hub.url,
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder / "temp"),
            "VIBEBOARD_ACTION_GITHUB_TOKEN": self.token,
            "VIBEBOARD_SANDBOX_READ": f"{AGENT.parent}:{self.home}",
        }


def comment_event(comment: Comment, issue: Issue, by: str) -> dict[str, Any]:
    return {
        "action": "created",
        "comment": {"id": comment.id, "body": comment.body},
        "issue": {"number": issue.number},
        "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        "sender": {"login": by, "type": "User"},
    }


async def open_workbench(
    home: Path,
    files: Mapping[str, str] | None = None,
    actions: Mapping[str, Path] | None = None,
    *,
    columns: Sequence[str] = (),
) -> Workbench:
    """A GitHub with one repository, and the App whose token a job gets.

    Its runners carry out the workflows among the ``files``, with these ``actions``.
    """
    hub = Hub(home / "hub")
    data: dict[str, Any] = {
        "users": [
            {"login": "alice", "token": "alice-token"},
            {"login": "mallory", "token": "mallory-token"},
            {"login": "github"},
        ],
        "organizations": [{"login": "acme", "members": {"alice": "admin"}}],
        "repositories": [
            {
                "name": REPOSITORY,
                "files": {**FILES, ".vibe.yml": CONFIG, **(files or {})},
                "collaborators": {"alice": "admin", "mallory": "read"},
            }
        ],
        "apps": [
            {
                "slug": "github-actions",
                "id": 15368,
                "owner": "github",
                "private_key_file": "actions.pem",
                "webhook_url": "http://127.0.0.1:9/webhook",
                "webhook_secret_file": "secret",
                "permissions": PERMISSIONS,
                "events": [],
            }
        ],
        "installations": [{"app": "github-actions", "account": "acme"}],
        "projects": [{"owner": "acme", "title": "Clock", "columns": list(columns)}]
        if columns
        else [],
    }
    seed.apply(hub, data, home)
    (installation,) = hub.installations.values()
    token = apps.issue_token(hub, installation, permissions=None, repositories=None)
    served = await start(hub, local_repositories=actions)
    return Workbench(served, home, token.value)
