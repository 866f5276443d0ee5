"""Specialists with real checkouts, programs and a database, and without GitHub."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.fakes.stop import Never, Stop
from tests.runner.desks import CARD
from tests.runner.desks import World as Desks
from vibeboard.domain.board import Actor, Card
from vibeboard.domain.evidence import Verdict
from vibeboard.domain.review import ReviewResult, Severity
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import (
    Agent,
    Cli,
    Prompt,
    Result,
    Review,
    Stage,
)
from vibeboard.engine.places import Places
from vibeboard.engine.ports import Base
from vibeboard.engine.specialists import Reviewed, Specialists
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.sandbox.cell import Sandbox
from vibeboard.runner.sandbox.view import View
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.results import SqlReviews

AT = datetime(2026, 1, 2, tzinfo=UTC)
SCRIPTED = (sys.executable, str(Path(__file__).parents[1] / "fakes" / "agent.py"))
HOLE = {"severity": "critical", "title": "It leaks", "text": "Close it."}


def review(name: str, *orders: str, command: tuple[str, ...] = SCRIPTED) -> Review:
    text = "\n".join(f"do: {order}" for order in orders)
    return Review(name, Agent(name, Cli.COMMAND, command), Prompt(text=text))


def finds(*found: object) -> str:
    return f"findings {json.dumps({'findings': found})}"


# The commit and what it builds on can be asked for in the cell, too.
LOOKS_AT_HISTORY = """
test "$(git diff --name-only HEAD~1 HEAD)" = a
mkdir -p .vibe/out
echo '{"findings": []}' > .vibe/out/findings.json
"""


async def told(run: Run, one: Review, card: Card, base: Base) -> str:
    del run, card, base
    return one.prompt.text or ""


@dataclass
class World:
    """A card whose branch has a commit."""

    desks: Desks
    reviews: SqlReviews
    places: Places
    specialists: Specialists
    commit: str = ""

    async def look(
        self, *reviews: Review, run: str = "r1", stop: Stop | Never | None = None
    ) -> Reviewed:
        stage = Stage(
            "qa", "QA", reviews[0].agent, Prompt(), Result.EVIDENCE, reviews=reviews
        )
        card = Card(CARD, "I_7", "Fix", "", "", Actor("alice"), is_open=True)
        begun = Run(run, CARD, "qa", "d1", "alice", RunState.RUNNING, AT, AT)
        return await self.specialists.review(begun, stage, card, stop or Never())

    def logs(self) -> list[str]:
        return sorted(path.name for path in self.places.root.glob("runs/*/*.log"))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.upgrade(database)
    desks = Desks(tmp_path)
    desks.origin.has({"clock.py": "tick = 1\n"})
    reviews = SqlReviews(database.engine, HandClock())
    places = Places(tmp_path / "data")
    places.root.mkdir()
    path = os.environ["PATH"]
    seen = View(path, more=(Path(SCRIPTED[1]).parent, places.root))
    specialists = Specialists(
        agents=CommandAgent(Sandbox(Environment(path), view=seen)),
        workspaces=desks.workspaces,
        lending=desks.workspaces,
        reviews=reviews,
        tell=told,
        places=places,
    )
    made = World(desks, reviews, places, specialists)
    made.commit = (await desks.with_a_commit()).commit
    yield made
    await database.close()


async def test_each_says_what_it_found_or_why_it_says_nothing(world: World) -> None:
    found = await world.look(
        review("security", "write clock.py broken", finds(HOLE)),
        review("fine", finds()),
        review("broken", "findings {}"),
        review("silent"),
        review("fails", finds(), "exit 3"),
        review("absent", command=("no-such-program",)),
        review("history", command=("bash", "-ec", LOOKS_AT_HISTORY)),
    )

    assert found.commit == world.commit
    verdicts = [one.verdict for one in found.results]
    assert verdicts == [
        Verdict.FAILED,
        Verdict.PASSED,
        *[Verdict.INCONCLUSIVE] * 4,
        Verdict.PASSED,
    ]
    faults = [one.fault or "" for one in found.results[2:6]]
    assert 'has no list "findings"' in faults[0]
    assert "it left no `.vibe/out/findings.json`" in faults[1]
    assert "the agent failed" in faults[2]
    assert "exit code 3" in faults[2]
    assert "`no-such-program`" in faults[3]
    assert found.results[0].findings[0].severity is Severity.CRITICAL
    assert not list(world.desks.root.glob("cards/*/*/*/tested/review-*"))


async def test_only_what_said_nothing_is_looked_at_again(world: World) -> None:
    security, silent = review("security", finds(HOLE)), review("silent")
    first = await world.look(security, silent)
    logs = world.logs()

    again = await world.look(security, silent, run="r2")

    assert again.results[0] == first.results[0]
    assert again.cost == first.cost
    assert [one for one in world.logs() if one not in logs or "silent" in one] == [
        "review-silent-0.log",
        "review-silent-0.log",
    ]
    kept = await world.reviews.of(CARD.repository, world.commit, silent)
    assert len(kept) == 2


async def test_no_more_than_three_look_at_the_same_time(world: World) -> None:
    gate = world.places.root / "gate"
    five = [review(f"look{n}", f"sleep {gate}", finds()) for n in range(5)]
    looking = asyncio.create_task(world.look(*five))

    while len(world.logs()) < 3:  # noqa: ASYNC110 - a file tells nobody
        await asyncio.sleep(0.01)
    for name in ("one", "two"):  # as long as another one would need to begin
        async with world.desks.workspaces.lend(CARD, world.commit, name=name):
            pass
    assert len(world.logs()) == 3
    gate.touch()

    results = (await looking).results
    assert [one.review for one in results] == [one.name for one in five]
    assert {one.verdict for one in results} == {Verdict.PASSED}


async def test_what_is_stopped_is_not_kept(world: World) -> None:
    stop = Stop()
    slow = review("slow", "sleep 60")
    looking = asyncio.create_task(world.look(slow, stop=stop))
    while not world.logs():  # noqa: ASYNC110 - a file tells nobody
        await asyncio.sleep(0.01)

    stop.ask()

    (result,) = (await looking).results
    assert "the agent was stopped" in (result.fault or "")
    assert await world.reviews.of(CARD.repository, world.commit, slow) == []


async def test_where_nothing_changed_nobody_looks(world: World) -> None:
    card = world.desks
    await card.prepared(branch="vibe/7-empty")

    (result,) = (await world.look(review("security", finds()))).results

    assert result == ReviewResult(
        "security", fault="the branch changes nothing", seconds=result.seconds
    )
    assert world.logs() == []
