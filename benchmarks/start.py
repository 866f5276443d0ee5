"""From a card's move to its agent's first breath: an idle server, and a busy one.

The local GitHub and the server are real processes on this machine. The agent is a
shell that says when it started. Busy means that a hundred cards of another
account wait for their turn. Cards are moved on several accounts in turn, because
writes on one are spaced as GitHub asks.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from benchmarks.machine import free_port
from benchmarks.table import numbers, print_ratios, print_table
from localhub import Hub, issues, projects, seed, start
from localhub.state import ProjectItem, User
from tests.journeys.world import EVENTS, PERMISSIONS, World

_GOAL_P50, _GOAL_P99 = 300, 1000  # milliseconds, of an idle server
_ACCOUNTS = tuple(f"team{number}" for number in range(15))
_SLOW = "slow"
_QUEUED = 100
_PATIENCE = 30.0  # seconds

_CONFIG = """\
version: 1
board: {{project: {owner}/1}}
agents:
  shell:
    cli: command
    command: [sh, -c, "{does}"]
stages:
  look: {{column: Look, agent: shell, result: report}}
limits: {{parallel: 1}}
"""


@dataclass
class Bench:
    """A server and its GitHub."""

    world: World

    @property
    def hub(self) -> Hub:
        """GitHub."""
        return self.world.hub

    @property
    def alice(self) -> User:
        """Who moves the cards."""
        return self.world.user("alice")

    def card(self, owner: str, title: str) -> ProjectItem:
        """A new card in the backlog."""
        repository = self.hub.repository(f"{owner}/code")
        assert repository is not None
        issue = issues.create(
            self.hub, repository, actor=self.alice, title=title, body=""
        )
        project = next(p for p in self.hub.projects if p.owner.login == owner)
        item = projects.add(self.hub, project, issue, actor=self.alice)
        projects.move(self.hub, item, "Backlog", actor=self.alice)
        return item

    async def latency(self, item: ProjectItem) -> float:
        """Seconds from the move to the agent's start."""
        known = set(self._started())
        moved = time.time()
        projects.move(self.hub, item, "Look", actor=self.alice)
        give_up = moved + _PATIENCE
        while not (new := set(self._started()) - known):
            if time.time() > give_up:
                raise TimeoutError("\n".join(self.world.log[-30:]))
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.3)  # let the run end: one a repository at a time
        return min(new) - moved

    def _started(self) -> list[float]:
        """What agents said first; a cell lets them write nowhere else."""
        logs = (self.world.home / "data" / "runs").glob("*/agent-*.log")
        return [float(said) for log in logs if (said := log.read_text().strip())]


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table and the ratios."""
    asked = numbers("start", "Delivery to agent.", arguments, cards=60)
    asyncio.run(_run(asked["cards"]))
    return 0


async def _run(cards: int) -> None:
    with tempfile.TemporaryDirectory(prefix="vibe-bench-") as folder:
        bench = await _make(Path(folder))
        try:
            await bench.world.serve()
            idle = await _measured(bench, cards)
            for number in range(_QUEUED + 1):  # the first one holds the place
                waiting = bench.card(_SLOW, f"waits {number}")
                projects.move(bench.hub, waiting, "Look", actor=bench.alice)
            await _queued(bench)
            busy = await _measured(bench, cards)
        finally:
            await bench.world.end()
            await bench.world.running.close()
    (idle_p50, idle_p99), (busy_p50, busy_p99) = _summary(idle), _summary(busy)
    rows = [
        ("idle", idle_p50, idle_p99),
        (f"{_QUEUED} queued", busy_p50, busy_p99),
        ("goal, idle", float(_GOAL_P50), float(_GOAL_P99)),
    ]
    print_table(("server", "p50 ms", "p99 ms"), rows)
    print_ratios(
        {
            "queued_vs_idle_p50": busy_p50 / idle_p50,
            "idle_p50_vs_goal": idle_p50 / _GOAL_P50,
            "idle_p99_vs_goal": idle_p99 / _GOAL_P99,
        }
    )


async def _measured(bench: Bench, cards: int) -> list[float]:
    for owner in _ACCOUNTS:
        await bench.latency(bench.card(owner, "warms up"))
    owners = itertools.islice(itertools.cycle(_ACCOUNTS), cards)
    return [
        await bench.latency(bench.card(owner, f"card {number}"))
        for number, owner in enumerate(owners)
    ]


async def _queued(bench: Bench) -> None:
    """Wait until all cards of the slow account have a run that waits."""
    give_up = time.time() + _PATIENCE
    while (
        sum(f"{_SLOW}/code#" in line and "StartRun" in line for line in bench.world.log)
        <= _QUEUED
    ):
        if time.time() > give_up:
            raise TimeoutError("\n".join(bench.world.log[-30:]))
        await asyncio.sleep(0.5)
    await asyncio.sleep(3)


def _summary(times: Sequence[float]) -> tuple[float, float]:
    if len(times) == 1:
        return times[0] * 1e3, times[0] * 1e3
    return median(times) * 1e3, quantiles(times, n=100, method="inclusive")[98] * 1e3


async def _make(home: Path) -> Bench:
    port = free_port()
    hub = Hub(home / "hub")
    members = {"alice": "admin"}
    owners = (*_ACCOUNTS, _SLOW)
    data = {
        "users": [{"login": "alice", "token": "alice-token"}],
        "organizations": [{"login": owner, "members": members} for owner in owners],
        "repositories": [
            {
                "name": f"{owner}/code",
                "files": {
                    ".vibe.yml": _CONFIG.format(
                        owner=owner,
                        does="sleep 600" if owner == _SLOW else "date +%s.%N",
                    )
                },
                "collaborators": members,
            }
            for owner in owners
        ],
        "apps": [
            {
                "slug": "vibeboard",
                "id": 1,
                "owner": _SLOW,
                "private_key_file": "app.pem",
                "webhook_url": f"http://127.0.0.1:{port}/webhook",
                "webhook_secret_file": "secret",
                "permissions": PERMISSIONS,
                "events": EVENTS,
            }
        ],
        "installations": [{"app": "vibeboard", "account": owner} for owner in owners],
        "projects": [
            {"owner": owner, "number": 1, "title": "B", "columns": ["Backlog", "Look"]}
            for owner in owners
        ],
    }
    seed.apply(hub, data, home)
    url = f"sqlite:///{home}/vibeboard.db"
    return Bench(World(await start(hub), home, url, port=port))
