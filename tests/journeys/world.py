"""The whole product against a local GitHub: signed deliveries in, a board out.

The server runs as a process of its own, as an operator starts it, so that it can be
killed; the local GitHub answers in the test's process, so that it can be asked.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import aiohttp

from localhub import (
    Hub,
    Running,
    comments,
    git,
    issues,
    projects,
    pulls,
    reviews,
    seed,
    start,
)
from localhub.state import (
    CheckRun,
    Comment,
    Issue,
    ProjectItem,
    PullRequest,
    Repository,
    ReviewComment,
    User,
)
from tests.fakes.forked import Forked

AGENT = Path(__file__).parents[1] / "fakes" / "agent.py"
LIGHT_SUITE = f"-IS {Path(__file__).parents[1]}/fakes/suite.py"
PYTEST = "-m pytest -q -p no:cacheprovider --junitxml"
REPOSITORY = "acme/clock"
COLUMNS = (
    "Backlog",
    "Refinement",
    "Development",
    "Review",
    "Attention",
    "Done",
)
PATIENCE = 45.0  # seconds; a journey takes one or two

CONFIG = """\
version: 1
board: {{project: {board}/1}}
agents:
  scripted:
    cli: command
    command: ["{python}", "{agent}"]
    limits: {{minutes: {minutes}}}
stages:
  refine:
    column: Refinement
    agent: scripted
    result: issue
    next: Backlog
  develop:
    column: Development
    agent: scripted
    tests: [unit]
    next: Review
    otherwise: Attention
tests:
  unit:
    run: "{python} {suite} out/unit.xml"
    report: out/unit.xml
"""
FILES = {
    "README.md": "# clock\n",
    ".gitignore": "out/\n__pycache__/\n",
    "clock.py": "def tick():\n    return 1\n",
    "test_clock.py": (
        "from clock import tick\n\n\ndef test_tick():\n    assert tick() == 1\n"
    ),
}


def processes_of(needle: str) -> list[str]:
    """Command lines of living processes that contain ``needle``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if needle in line:
            found.append(line)
    return found


def config(*, minutes: float = 5, board: str = "acme", suite: str = LIGHT_SUITE) -> str:
    return CONFIG.format(
        python=sys.executable, agent=AGENT, minutes=minutes, board=board, suite=suite
    )


PERMISSIONS = {
    "actions": "write",
    "checks": "write",
    "contents": "write",
    "deployments": "read",
    "issues": "write",
    "organization_projects": "write",
    "pull_requests": "write",
    "statuses": "read",
    "merge_queues": "read",
    "members": "read",
}
EVENTS = [
    "check_run",
    "check_suite",
    "deployment_status",
    "issue_comment",
    "issues",
    "merge_group",
    "projects_v2_item",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
    "workflow_run",
]


@dataclass
class Card:
    """An issue on the board, and what became of it."""

    world: "World"
    issue: Issue
    item: ProjectItem

    def moved_to(self, column: str, by: str = "alice") -> "Card":
        projects.move(self.world.hub, self.item, column, actor=self.world.user(by))
        return self

    def said(self, body: str, by: str = "alice") -> Comment:
        return comments.create(
            self.world.hub, self.issue, body, actor=self.world.user(by)
        )

    def rewritten(self, body: str, by: str = "alice") -> None:
        """Somebody edits the issue; a bare order is written as one."""
        if "do: " not in body:
            body = f"do: {body}"
        actor = self.world.user(by)
        issues.edit(self.world.hub, self.issue, actor=actor, body=body)

    @property
    def column(self) -> str | None:
        project = self.item.project
        option = projects.option_of(self.item, projects.status_field(project))
        return option.name if option else None

    @property
    def replies(self) -> list[str]:
        """What the product said on the issue, oldest first."""
        return [
            comment.body
            for comment in self.issue.comments
            if comment.user.login == self.world.us
        ]

    def tracking(self, stage: str = "develop") -> list[str]:
        return [body for body in self.replies if f" · {stage} · " in body]

    @property
    def pull(self) -> PullRequest | None:
        pulls = [
            pull
            for pull in self.world.pulls
            if f"{pull.head_ref}-".startswith(f"vibe/{self.issue.number}-")
        ]
        assert len(pulls) <= 1, "more than one pull request for a card"
        return pulls[0] if pulls else None

    async def reaches(self, column: str) -> None:
        await self.world.until(
            lambda: self.column == column, f"{self.issue.title} in {column}"
        )

    async def says(self, *parts: str, stage: str = "develop") -> str:
        """Wait until the newest tracking comment of a stage has all the parts."""

        def there() -> bool:
            shown = self.tracking(stage)
            return bool(shown) and all(part in shown[-1] for part in parts)

        await self.world.until(there, f"tracking comment with {parts}")
        return self.tracking(stage)[-1]

    async def replied(self, *parts: str) -> str:
        """Wait for a comment of the product that has all the parts."""

        def found() -> list[str]:
            return [b for b in self.replies if all(part in b for part in parts)]

        await self.world.until(lambda: bool(found()), f"a reply with {parts}")
        return found()[-1]


@dataclass
class World:
    """The product and GitHub."""

    running: Running
    home: Path
    database_url: str
    server: asyncio.subprocess.Process | None = None
    port: int = 0
    log: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """What the product is told besides the usual, by the settings' names."""
    breaks: bool = False
    """Whether this test wants the server to log a traceback."""

    def tracebacks(self) -> list[str]:
        """What the server logged about its own faults."""
        if self.breaks:
            return []
        found = [line for line in self.log if "traceback" in line.casefold()]
        return [
            f"{told['event']}: {told['traceback'].splitlines()[-1]}"
            if line.startswith("{") and "traceback" in (told := json.loads(line))
            else line
            for line in found
        ]

    @property
    def hub(self) -> Hub:
        return self.running.hub

    @property
    def us(self) -> str:
        return "vibeboard[bot]"

    def user(self, login: str) -> User:
        found = self.hub.user(login)
        assert found is not None
        return found

    @property
    def repository(self) -> Repository:
        found = self.hub.repository(REPOSITORY)
        assert found is not None
        return found

    @property
    def pulls(self) -> list[PullRequest]:
        return [
            issue
            for issue in self.repository.issues.values()
            if isinstance(issue, PullRequest)
        ]

    def checks(self, name: str) -> list[CheckRun]:
        return [
            check
            for suite in self.repository.check_suites
            for check in suite.runs
            if check.name == name
        ]

    def card(self, title: str, *orders: str, column: str = "Backlog") -> Card:
        """A card whose issue tells the scripted agent what to do."""
        body = "\n".join(f"do: {order}" for order in orders)
        alice = self.user("alice")
        issue = issues.create(
            self.hub, self.repository, actor=alice, title=title, body=body
        )
        project = self.hub.projects[0]
        item = projects.add(self.hub, project, issue, actor=alice)
        projects.move(self.hub, item, column, actor=alice)
        return Card(self, issue, item)

    def files(self, revision: str) -> set[str]:
        entries = git.tree(self.repository.git_dir, revision, recursive=True)
        return {entry.path for entry in entries}

    def commit_file(self, path: str, text: str, branch: str = "main") -> str:
        """Push one file to a branch, as a person would by the web page."""
        directory = self.repository.git_dir
        parent = git.resolve(directory, f"refs/heads/{branch}") or git.resolve(
            directory, "refs/heads/main"
        )
        assert parent is not None
        blob = git.write_blob(directory, text.encode())
        tree = git.write_tree(directory, parent, {path: ("100644", blob)})
        who = pulls.signature(self.hub, self.user("alice"))
        sha = git.write_commit(directory, tree, [parent], f"Change {path}", who, who)
        git.update_ref(directory, f"refs/heads/{branch}", sha)
        return sha

    def pull_request(self, path: str, text: str, title: str) -> PullRequest:
        """Alice proposes a change of one file."""
        branch = title.lower().replace(" ", "-")
        self.commit_file(path, text, branch)
        return pulls.create(
            self.hub,
            self.repository,
            actor=self.user("alice"),
            title=title,
            head=branch,
            base="main",
        )

    def reviewed(
        self, pull: PullRequest, path: str, line: int, body: str, by: str
    ) -> ReviewComment:
        """Somebody comments on a line."""
        asked = {"body": body, "path": path, "line": line, "side": "RIGHT"}
        return reviews.comment(self.hub, pull, asked, actor=self.user(by))

    def prompt(self, card: Card) -> str:
        """What the agent was told last on a card."""
        (file,) = self.home.glob(f"data/homes/*/*/{card.issue.number}/prompt.txt")
        return file.read_text()

    def wrote(self, name: str, *, data: str = "data") -> bool:
        """Whether a file stands in the tree of some card."""
        trees = self.home / data / "workspaces/cards"
        return any(trees.glob(f"*/*/*/tree/{name}"))

    def children(self) -> list[str]:
        """Living processes that work in this world's workspaces, and no other's."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (entry / "cwd").readlink().is_relative_to(self.home / "data"):
                    found.append((entry / "cmdline").read_bytes().decode())
        return found

    def agents(self) -> list[str]:
        """Those of them that are the scripted agent."""
        return [line for line in self.children() if str(AGENT) in line]

    def deliveries(self, event: str) -> int:
        """How many deliveries of a kind GitHub has made so far."""
        return sum(
            delivery.event == event and delivery.status_code in (200, 202)
            for delivery in self.hub.deliveries
        )

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for a condition on GitHub's side; fails with the server's log."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not condition():  # noqa: ASYNC110 - GitHub tells us nothing
                    await asyncio.sleep(0.02)
        except TimeoutError:
            shown = "\n".join(self.log[-40:])
            raise AssertionError(f"waited in vain for {what}\n{shown}") from None

    async def settled(self) -> None:
        """Wait until every delivery sent so far was decided."""
        marker = self.card("settle")
        marker.said("/agent status")
        await marker.replied("No agent has worked on this card yet")

    def environment(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "VIBEBOARD_APP_ID": "1",
            "VIBEBOARD_PRIVATE_KEY_FILE": str(self.home / "app.pem"),
            "VIBEBOARD_WEBHOOK_SECRET_FILE": str(self.home / "secret"),
            "VIBEBOARD_DATABASE_URL": self.database_url,
            "VIBEBOARD_DATA_DIR": str(self.home / "data"),
            "VIBEBOARD_GITHUB_API_URL": self.hub.api_url,
            "VIBEBOARD_PORT": str(self.port),
            "VIBEBOARD_GRACE_SECONDS": "0",
            "VIBEBOARD_LEASE_SECONDS": "2",
            "VIBEBOARD_WRITES_PER_MINUTE": "1200",
            # The scripted agent, and the files that it waits for.
            "VIBEBOARD_SANDBOX_READ": f"{AGENT.parent}:{self.home}",
            **{f"VIBEBOARD_{key.upper()}": v for key, v in self.settings.items()},
        }

    async def started(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command of the product, under way: forked, for importing takes longer."""
        forked = await Forked.start(arguments, self.environment(), (), below=self.home)
        return cast("asyncio.subprocess.Process", forked)

    async def vibeboard(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command of the product to its end."""
        child = await self.started(*arguments)
        out, err = await asyncio.wait_for(child.communicate(), 60)
        return child.returncode or 0, out.decode(), err.decode()

    async def serve(self) -> None:
        """Start the server and wait until it listens."""
        self.server = await self.started("serve")
        self._reader = asyncio.create_task(self._read_log(self.server))
        assert self.server.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self.server.stdout.readline()
        except TimeoutError:
            line = b""
        if b"listens" not in line:
            raise AssertionError("the server did not start\n" + "\n".join(self.log))

    async def _read_log(self, server: asyncio.subprocess.Process) -> None:
        assert server.stderr is not None
        async for line in server.stderr:
            self.log.append(line.decode(errors="replace").rstrip())

    async def http(
        self, path: str, token: str = "", body: str | None = None
    ) -> tuple[int, str]:
        """What the server answers to a request, which posts if it has a body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        how = "GET" if body is None else "POST"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(how, url, data=body) as answer,
        ):
            return answer.status, await answer.text()

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """End the server; gives its exit code."""
        assert self.server is not None
        if self.server.returncode is None:
            self.server.send_signal(how)
        try:
            code = await asyncio.wait_for(self.server.wait(), PATIENCE)
        except TimeoutError:
            self.server.kill()
            shown = "\n".join(self.log[-40:])
            raise AssertionError(f"the server does not end\n{shown}") from None
        await self._reader
        self.server = None
        return code


async def make_world(
    home: Path,
    database_url: str,
    port: int,
    *,
    files: dict[str, str] | None = None,
    board_of: str = "acme",
    actions: Mapping[str, Path] | None = None,
) -> World:
    """A GitHub with one board, one repository, three people and our App."""
    hub = Hub(home / "hub")
    data: dict[str, Any] = {
        "users": [
            {"login": "alice", "token": "alice-token"},
            {"login": "bob", "token": "bob-token"},
            {"login": "mallory", "token": "mallory-token"},
        ],
        "organizations": [
            {
                "login": "acme",
                "members": {"alice": "admin", "bob": "member", "mallory": "member"},
            }
        ],
        "repositories": [
            {
                "name": REPOSITORY,
                "files": {
                    **FILES,
                    ".vibe.yml": config(board=board_of),
                    **(files or {}),
                },
                "collaborators": {"alice": "admin", "bob": "write", "mallory": "read"},
            }
        ],
        "apps": [
            {
                "slug": "vibeboard",
                "id": 1,
                "owner": "acme",
                "private_key_file": "app.pem",
                "webhook_url": f"http://127.0.0.1:{port}/webhook",
                "webhook_secret_file": "secret",
                "permissions": PERMISSIONS,
                "events": EVENTS,
            }
        ],
        "installations": [{"app": "vibeboard", "account": "acme"}],
        "projects": [
            {
                "owner": board_of,
                "number": 1,
                "title": "Clock",
                "columns": list(COLUMNS),
            }
        ],
    }
    seed.apply(hub, data, home)
    served = await start(hub, local_repositories=actions)
    return World(served, home, database_url, port=port)
