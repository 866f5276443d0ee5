"""The main job on PostgreSQL: one server, and a server with workers beside it."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.journeys.conftest import free_port
from tests.journeys.world import PATIENCE, World, make_world, processes_of

pytestmark = [pytest.mark.postgres, pytest.mark.thorough]


@dataclass
class Worker:
    """A process that carries runs out, with settings of its own."""

    world: World
    name: str
    settings: dict[str, str]
    log: list[str] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    async def start(self, command: str = "worker") -> "Worker":
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "vibeboard", command, "--name", self.name,
            env=self.world.environment() | self.settings,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read(self.process))
        await self.world.until(lambda: self.says("ready"), f"{self.name} to be ready")
        return self

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            self.log.append(line.decode(errors="replace"))

    def says(self, word: str) -> bool:
        return any(word in line for line in self.log)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        await asyncio.wait_for(self.process.wait(), PATIENCE)
        await self._reader


class Staffed(World):
    """A world that can have workers."""

    async def employs(self, name: str, **settings: str) -> Worker:
        given = {f"VIBEBOARD_{key.upper()}": value for key, value in settings.items()}
        worker = Worker(self, name, given)
        self.workers.append(worker)
        return await worker.start()

    @property
    def workers(self) -> list[Worker]:
        known: list[Worker] = self.__dict__.setdefault("_workers", [])
        return known

    async def serves_without_runners(self) -> Worker:
        return await self.serves_as("server", runners="0")

    async def serves_as(self, name: str, **settings: str) -> Worker:
        given = {f"VIBEBOARD_{key.upper()}": value for key, value in settings.items()}
        server = Worker(self, name, given)
        self.workers.append(server)
        return await server.start("serve")


@pytest.fixture
async def world(postgres_url: str, tmp_path: Path) -> AsyncIterator[Staffed]:
    """A world on an empty PostgreSQL that was just upgraded."""
    plain = await make_world(tmp_path, postgres_url, free_port())
    made = Staffed(plain.running, plain.home, plain.database_url, port=plain.port)
    code, told, error = await made.vibeboard("db", "upgrade")
    assert code == 0, error
    assert "from empty to" in told
    yield made
    for worker in made.workers:
        await worker.end()
    if made.server is not None:
        await made.end()
    await made.running.close()
    assert [line for worker in made.workers for line in worker.log
            if "traceback" in line.casefold()] == []  # fmt: skip


async def test_a_database_that_was_not_upgraded_is_refused(
    postgres_url: str, tmp_path: Path
) -> None:
    world = await make_world(tmp_path, postgres_url, free_port())
    try:
        code, _, error = await world.vibeboard("serve")
    finally:
        await world.running.close()

    assert code == 2
    assert "vibeboard db upgrade" in error
    assert "Traceback" not in error


async def test_a_card_becomes_a_tested_pull_request(world: Staffed) -> None:
    await world.serve()
    card = world.card("Add a tock", "write tock.txt tock", "summary Added a tock.")

    card.moved_to("Development")
    await card.reaches("Review")

    assert card.pull is not None
    (check,) = world.checks("vibeboard / develop")
    assert check.conclusion == "success"
    await card.says("✅ done", f"#{card.pull.number}")
    assert len(card.tracking()) == 1


async def test_moving_the_card_away_stops_the_agent(world: Staffed) -> None:
    await world.serve()
    card = world.card("Start something", "write begun.txt begun", "sleep 600")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("begun.txt"), "the agent's file")

    card.moved_to("Backlog")

    await card.says("✋ stopped", "The work is saved on branch")
    assert not processes_of(str(world.home))[1:]


async def test_a_run_survives_the_death_of_its_server(world: Staffed) -> None:
    await world.serve()
    card = world.card("Survive", "write a.txt a", "sleep 1.5", "write b.txt b")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("a.txt"), "the first file")

    await world.end(signal.SIGKILL)
    await world.serve()
    await card.reaches("Review")

    await card.says("✅ done", "attempt 2")
    assert len(card.tracking()) == 1


async def test_a_refined_issue_is_then_developed(world: Staffed) -> None:
    await world.serve()
    card = world.card("Ring", "spec A bell.\\n\\nAC1. It rings.", "summary Wrote it.")
    card.moved_to("Refinement")
    await card.reaches("Backlog")
    await card.says("✅ done", stage="refine")

    card.rewritten(f"{card.issue.body}\ndo: write bell.txt ring")
    card.moved_to("Development")
    await card.reaches("Review")

    assert "Wrote it." in world.prompt(card)
    assert card.pull is not None
    assert "bell.txt" in world.files(card.pull.head_sha)


async def test_a_worker_carries_out_what_the_server_decides(world: Staffed) -> None:
    server = await world.serves_without_runners()
    worker = await world.employs("w1", data_dir=str(world.home / "elsewhere"))
    card = world.card("Add a tock", "write tock.txt tock", "summary Added a tock.")

    card.moved_to("Development")
    await card.reaches("Review")
    await card.says("✅ done")

    assert worker.says("run started")
    assert not server.says("run started")
    assert card.pull is not None
    assert len(card.tracking()) == 1


async def test_a_stop_reaches_the_worker(world: Staffed) -> None:
    await world.serves_without_runners()
    elsewhere = world.home / "elsewhere"
    await world.employs("w1", data_dir=str(elsewhere))
    card = world.card("Start something", "write begun.txt begun", "sleep 600")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("begun.txt", data="elsewhere"), "the file")

    card.said("/agent stop", by="bob")

    await card.says("✋ stopped", "The work is saved on branch")
    assert "begun.txt" in world.files(f"vibe/{card.issue.number}-start-something")


async def test_server_and_worker_share_runs_and_one_directory(world: Staffed) -> None:
    server = await world.serves_as("server", runners="1")
    worker = await world.employs("w1", runners="1")
    cards = [world.card(f"Card {n}", f"write {n}.txt x", "sleep 600") for n in (1, 2)]
    for card in cards:
        card.moved_to("Development")
    for n in (1, 2):
        await world.until(
            lambda n=n: world.wrote(f"{n}.txt"),  # type: ignore[misc]  # n is bound
            "both agents",
        )

    assert server.says("run started")
    assert worker.says("run started")
    for card in cards:
        card.moved_to("Backlog")
    for card in cards:
        await card.says("✋ stopped", "The work is saved on branch")
        assert len(card.tracking()) == 1


async def test_a_run_goes_on_with_another_worker_of_the_name_elsewhere(
    world: Staffed,
) -> None:
    await world.serves_without_runners()
    left, right = world.home / "left", world.home / "right"
    worker = await world.employs("w1", data_dir=str(left))
    card = world.card("Survive", "write a.txt a", "sleep 1.5", "write b.txt b")
    card.moved_to("Development")
    await world.until(lambda: world.wrote("a.txt", data="left"), "the first file")

    await worker.end(signal.SIGKILL)
    await world.employs("w1", data_dir=str(right))
    await card.reaches("Review")

    await card.says("✅ done", "attempt 2")
    assert card.pull is not None
    assert {"a.txt", "b.txt"} < world.files(card.pull.head_sha)
    assert len(card.tracking()) == 1


async def test_two_processes_of_one_name_are_refused(world: Staffed) -> None:
    await world.serve()

    code, _, error = await world.vibeboard("serve")

    assert code == 2
    assert "another Vibeboard called 'server' uses this database" in error
    assert "--name" in error
    assert "Traceback" not in error
