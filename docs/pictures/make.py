"""Takes the pictures of the README from real pages of real runs.

``python docs/pictures/make.py`` starts a local GitHub and Vibeboard on the demo's
project, drags its cards, waits for what the recorded agent makes of them, and lets
Debian's chromium look. No page is made for the picture.
"""  # noqa: INP001 - a script, not a package

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Page, ViewportSize, async_playwright

from localhub import Hub, projects, seed, start
from localhub.state import ProjectItem, PullRequest
from vibeboard.github.manifest import EVENTS, NEEDS

HERE = Path(__file__).parent
PROJECT = HERE.parents[1] / "app" / "vibeboard" / "cli" / "demo" / "files" / "project"
CHROMIUM = "/usr/bin/chromium"
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (
    ("light", ""),
    ("dark", "-dark"),
)
LARGEST = 300_000  # bytes of a picture
PATIENCE = 60.0  # seconds for a run
PORT = 8907

# Five columns fit into the picture; the project's stages know some more.
COLUMNS = ["Backlog", "Development", "Review", "Needs attention", "Done"]
HOURS = "Show hours in long durations"
LONG = "Write the units out"
NEGATIVE = "Refuse negative durations"
PARSE = "Read durations back into seconds"
CARDS = {
    "Say days for very long durations": "enhancement",
    "Take fractions of a second": "enhancement",
    HOURS: "enhancement",
    NEGATIVE: "bug",
    PARSE: "enhancement",
    LONG: "enhancement",
    "Start the project": "chore",
}
LABELS = {"bug": "d73a4a", "enhancement": "0e8a16", "chore": "8b949e"}
# Keeps its card in Development while the picture is taken.
SLOW = {
    "title": PARSE,
    "kind": "branch",
    "summary": ["Nothing yet."],
    "steps": [{"say": f"Thinking, part {part}."} for part in range(200)],
}


@dataclass
class Scene:
    """A board with its cards."""

    hub: Hub

    def item(self, title: str) -> ProjectItem:
        """The card with a title."""
        return next(
            one for one in self.hub.projects[0].items if one.content.title == title
        )

    def drag(self, title: str, column: str) -> None:
        """Alice puts a card into a column."""
        alice = self.hub.user("alice")
        assert alice is not None
        projects.move(self.hub, self.item(title), column, actor=alice)

    def column(self, title: str) -> str:
        """Where a card stands."""
        item = self.item(title)
        option = projects.option_of(item, projects.status_field(item.project))
        return option.name if option else ""

    def pull(self, title: str) -> PullRequest:
        """The pull request of a card."""
        return next(
            issue
            for issue in self.hub.repositories["acme/timebox"].issues.values()
            if isinstance(issue, PullRequest) and issue.title == title
        )

    async def reached(self, title: str, column: str) -> None:
        """Wait until a card stands in a column."""
        await until(lambda: self.column(title) == column, f"{title} in {column}")


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, or say what did not happen."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - GitHub tells nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise SystemExit(f"waited in vain for {what}") from None


def _seed() -> dict[str, Any]:
    issues = [
        {"title": title, "user": "alice", "labels": [label], "state": _state(label)}
        for title, label in CARDS.items()
    ]
    return {
        "users": [{"login": "alice", "token": "t"}, {"login": "bob", "token": "u"}],
        "organizations": [
            {"login": "acme", "members": {"alice": "admin", "bob": "member"}}
        ],
        "repositories": [
            {
                "name": "acme/timebox",
                "from": str(PROJECT),
                "files": {"tools/recordings/parse-branch.json": json.dumps(SLOW)},
                "collaborators": {"alice": "admin", "bob": "write"},
                "labels": [{"name": n, "color": c} for n, c in LABELS.items()],
                "issues": issues,
            }
        ],
        "apps": [
            {
                "slug": "vibeboard",
                "id": 1,
                "owner": "acme",
                "private_key_file": "app.pem",
                "webhook_url": f"http://127.0.0.1:{PORT}/webhook",
                "webhook_secret_file": "secret",
                "permissions": {need.permission: need.access for need in NEEDS},
                "events": list(EVENTS),
            }
        ],
        "installations": [{"app": "vibeboard", "account": "acme"}],
        "projects": [
            {
                "owner": "acme",
                "number": 1,
                "title": "timebox",
                "columns": COLUMNS,
                "cards": [
                    {"issue": f"acme/timebox#{number}", "column": _column(label)}
                    for number, label in enumerate(CARDS.values(), start=1)
                ],
            }
        ],
    }


def _state(label: str) -> str:
    return "closed" if label == "chore" else "open"


def _column(label: str) -> str:
    return "Done" if label == "chore" else "Backlog"


@asynccontextmanager
async def scene(home: Path) -> AsyncIterator[tuple[Scene, str]]:
    """A local GitHub and a Vibeboard that listens to it; its board's address."""
    hub = Hub(home / "hub")
    seed.apply(hub, _seed(), home)
    running = await start(hub)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "vibeboard", "serve"),
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "VIBEBOARD_APP_ID": "1",
            "VIBEBOARD_PRIVATE_KEY_FILE": str(home / "app.pem"),
            "VIBEBOARD_WEBHOOK_SECRET_FILE": str(home / "secret"),
            "VIBEBOARD_DATA_DIR": str(home / "data"),
            "VIBEBOARD_GITHUB_API_URL": hub.api_url,
            "VIBEBOARD_PORT": str(PORT),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert server.stdout is not None
        if b"listens" not in await server.stdout.readline():
            raise SystemExit("the server did not start")
        yield Scene(hub), f"{running.url}/orgs/acme/projects/1"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()
        await running.close()


async def play(scene: Scene) -> None:
    """Everything that happens before the pictures are taken."""
    for title in (HOURS, NEGATIVE, LONG):
        scene.drag(title, "Development")
    await scene.reached(HOURS, "Review")
    await scene.reached(NEGATIVE, "Review")
    await scene.reached(LONG, "Needs attention")
    scene.drag(PARSE, "Development")


async def shoot(page: Page, address: str, name: str, size: ViewportSize) -> None:
    """One picture of one page."""
    await page.set_viewport_size(size)
    await page.goto(address)
    await page.wait_for_selector("#board, #thread")
    file = HERE / f"{name}.png"
    await page.screenshot(path=file, animations="disabled")
    size_now = file.stat().st_size
    if size_now > LARGEST:
        raise SystemExit(f"{file} has {size_now} bytes, more than {LARGEST}")
    sys.stdout.write(f"{file.name}: {size_now} bytes\n")


async def main() -> None:
    """Play the scene and take the pictures."""
    with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
        home = Path(folder)
        async with scene(home) as (told, board), async_playwright() as driver:
            await play(told)
            pull = f"{board.partition('/orgs')[0]}/acme/timebox/pull"
            number = told.pull(HOURS).number
            for scheme, suffix in SCHEMES:
                browser = await driver.chromium.launch_persistent_context(
                    home / f"chromium{suffix}",
                    executable_path=CHROMIUM,
                    args=list(BROWSER_OPTIONS),
                    color_scheme=scheme,
                    device_scale_factor=1.5,
                )
                page = await browser.new_page()
                await shoot(
                    page, board, f"board{suffix}", {"width": 1440, "height": 650}
                )
                await shoot(
                    page,
                    f"{pull}/{number}",
                    f"pull-request{suffix}",
                    {"width": 1180, "height": 1000},
                )
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
