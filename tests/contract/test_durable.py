"""What we rest on in the durable engine, on both databases, with real processes."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import engine_program

PATIENCE = 20.0


class Process:
    """A process with the engine in it."""

    def __init__(self, child: asyncio.subprocess.Process, bench: "Bench") -> None:
        self._child = child
        self._bench = bench

    async def orders(self, order: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(f"{order}\n".encode())
        assert await self.says() == "done", self._bench.complaints()

    async def says(self) -> str:
        assert self._child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return (await self._child.stdout.readline()).decode().strip()

    async def ends(self, how: signal.Signals) -> None:
        if self._child.returncode is None:
            self._child.send_signal(how)
        async with asyncio.timeout(PATIENCE):
            await self._child.wait()

    @property
    def pid(self) -> int:
        return self._child.pid


class Bench:
    """One database, scripts for toy workflows, and processes that carry them out."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._processes: list[Process] = []

    def script(self, workflow: str, *lines: str) -> None:
        (self._folder / workflow).write_text("\n".join(lines))

    def release(self, word: str) -> None:
        """Let a step that holds go on."""
        (self._folder / word).touch()

    @property
    def journal(self) -> list[str]:
        path = self._folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def complaints(self) -> str:
        return (self._folder / "stderr").read_text()

    async def starts(self, *options: str) -> Process:
        with (self._folder / "stderr").open("ab") as complaints:
            child = await asyncio.create_subprocess_exec(
                sys.executable, engine_program.__file__, self._url, str(self._folder),
                *options,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
            )  # fmt: skip
        process = Process(child, self)
        self._processes.append(process)
        assert await process.says() == "ready", self.complaints()
        return process

    async def reads(self, *lines: str) -> None:
        """Wait until the journal has all the lines, as often as they are given."""

        def missing() -> list[str]:
            return [x for x in lines if self.journal.count(x) < lines.count(x)]

        try:
            async with asyncio.timeout(PATIENCE):
                while missing():  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.01)
        except TimeoutError:
            told = "\n".join([*self.journal, self.complaints()[-3000:]])
            raise AssertionError(f"{missing()} not in the journal:\n{told}") from None

    async def closes(self) -> None:
        for process in self._processes:
            await process.ends(signal.SIGKILL)


@pytest.fixture
async def bench(database_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(database_url, tmp_path)
    yield made
    await made.closes()


@pytest.fixture
async def bench_on_postgres(postgres_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(postgres_url, tmp_path)
    yield made
    await made.closes()


async def test_what_is_rolled_back_leaves_nothing(bench: Bench) -> None:
    bench.script("advance-1", "step dropped")
    bench.script("advance-2", "step kept")
    process = await bench.starts()

    await process.orders("drop advance 1 acme")
    await process.orders("keep advance 2 acme")

    await bench.reads("advance-2 ended")
    assert "dropped" not in bench.journal


async def test_the_same_identity_twice_is_one_workflow(bench: Bench) -> None:
    bench.script("carry_out-r1", "hold once")
    bench.script("carry_out-r2", "step after")
    process = await bench.starts()

    await process.orders("keep carry_out r1")
    await process.orders("keep carry_out r1")
    bench.release("once")
    await bench.reads("carry_out-r1 ended")
    await process.orders("keep carry_out r1")
    await process.orders("keep carry_out r2")

    await bench.reads("carry_out-r2 ended")
    assert bench.journal.count("once") == 1


async def test_deliveries_of_one_account_run_in_order_one_at_a_time(
    bench: Bench,
) -> None:
    # Around ten, where the order of names is not that of numbers.
    numbers = range(8, 14)
    for number in numbers:
        bench.script(f"advance-{number}", f"step {number}a", f"step {number}b")
    mute = await bench.starts("--idle")
    for number in numbers:
        await mute.orders(f"keep advance {number} acme")
    await mute.ends(signal.SIGTERM)

    await bench.starts()
    await bench.reads(*(f"advance-{number} ended" for number in numbers))

    steps = [line for line in bench.journal if line[-1] in "ab"]
    assert steps == [f"{number}{part}" for number in numbers for part in "ab"]


async def test_deliveries_of_two_accounts_run_side_by_side(bench: Bench) -> None:
    bench.script("advance-1", "hold first")
    bench.script("advance-2", "hold second")
    process = await bench.starts()

    await process.orders("keep advance 1 acme")
    await process.orders("keep advance 2 globex")

    await bench.reads("first", "second")


async def test_no_more_runs_at_once_than_there_are_runners(bench: Bench) -> None:
    for number in (1, 2, 3):
        bench.script(f"carry_out-r{number}", f"hold r{number}")
    process = await bench.starts("--runners=2")

    for number in (1, 2, 3):
        await process.orders(f"keep carry_out r{number}")
        if number < 3:
            await bench.reads(f"r{number}")
    bench.script("advance-1", "step looked")
    await process.orders("keep advance 1 acme")
    await bench.reads("advance-1 ended")

    assert "r3" not in bench.journal
    bench.release("r1")
    await bench.reads("r3")


async def test_only_the_unfinished_step_is_done_again_after_a_kill(
    bench: Bench,
) -> None:
    bench.script("carry_out-r1", "step before", "hold under-way", "step after")
    process = await bench.starts()
    await process.orders("keep carry_out r1")
    await bench.reads("under-way")

    await process.ends(signal.SIGKILL)
    await bench.starts()
    await bench.reads("under-way", "under-way")
    bench.release("under-way")

    await bench.reads("carry_out-r1 ended")
    assert bench.journal.count("before") == 1
    assert bench.journal.count("before is known as BEFORE") == 2
    assert bench.journal.count("after") == 1


async def test_an_orderly_end_in_the_middle_is_taken_up_at_the_next_start(
    bench: Bench,
) -> None:
    bench.script("carry_out-r1", "step before", "hold under-way")
    bench.script("advance-1", "hold deciding")
    process = await bench.starts()
    await process.orders("keep carry_out r1")
    await process.orders("keep advance 1 acme")
    await bench.reads("under-way", "deciding")

    await process.ends(signal.SIGTERM)
    assert {"under-way cut off", "deciding cut off"} <= set(bench.journal)
    assert "Traceback" not in bench.complaints()
    await bench.starts()
    bench.release("under-way")
    bench.release("deciding")

    await bench.reads("carry_out-r1 ended", "advance-1 ended")
    assert bench.journal.count("before") == 1


async def test_closing_and_launching_again_in_one_process(bench: Bench) -> None:
    bench.script("carry_out-r1", "hold under-way")
    bench.script("carry_out-r2", "step new")
    process = await bench.starts()
    await process.orders("keep carry_out r1")
    await bench.reads("under-way")

    await process.orders("relaunch")
    await bench.reads("under-way cut off", "under-way", "under-way")
    bench.release("under-way")
    await process.orders("keep carry_out r2")

    await bench.reads("carry_out-r1 ended", "carry_out-r2 ended")


async def test_what_was_enqueued_while_nobody_worked_is_taken_up(bench: Bench) -> None:
    bench.script("carry_out-r1", "step at-last")
    idle = await bench.starts("--idle")
    await idle.orders("keep carry_out r1")
    await idle.ends(signal.SIGKILL)
    assert bench.journal == []

    await bench.starts()

    await bench.reads("carry_out-r1 ended")


async def test_what_is_asked_to_come_later_is_tried_again(bench: Bench) -> None:
    bench.script("advance-1", "step before", "later patience")
    process = await bench.starts()

    await process.orders("keep advance 1 acme")

    await bench.reads("patience", "patience", "advance-1 ended")
    assert bench.journal.count("before") == 1


async def test_an_error_ends_its_workflow_and_not_the_queue(bench: Bench) -> None:
    bench.script("advance-1", "fail wrong", "step never")
    bench.script("advance-2", "step right")
    process = await bench.starts()

    await process.orders("keep advance 1 acme")
    await process.orders("keep advance 2 acme")

    await bench.reads("advance-2 ended")
    assert bench.journal.count("wrong") == 1
    assert "never" not in bench.journal


@pytest.mark.postgres
async def test_a_process_without_runners_leaves_runs_to_others(
    bench_on_postgres: Bench,
) -> None:
    bench = bench_on_postgres
    bench.script("carry_out-r1", "step run")
    bench.script("advance-1", "step decide")
    server = await bench.starts("--name=server", "--runners=0")
    await server.orders("keep carry_out r1")
    await server.orders("keep advance 1 acme")
    await bench.reads("advance-1 ended")
    assert "run" not in bench.journal

    await bench.starts("--name=worker", "--runners=1")

    await bench.reads("carry_out-r1 ended")


@pytest.mark.postgres
async def test_a_run_taken_up_where_its_files_are_not_begins_anew(
    bench_on_postgres: Bench,
) -> None:
    bench = bench_on_postgres
    bench.script("carry_out-r1", "step before", "hold under-way")
    first = await bench.starts("--name=one", "--place=left")
    await first.orders("keep carry_out r1")
    await bench.reads("under-way")
    await first.ends(signal.SIGKILL)

    # The same name, so that it takes up what is left, on another disk.
    await bench.starts("--name=one", "--place=right")
    await bench.reads("before", "before", "under-way", "under-way")
    bench.release("under-way")

    await bench.reads("carry_out-r1 ended")
