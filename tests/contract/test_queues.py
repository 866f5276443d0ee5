"""Rows as the queue: what we rest on, on both databases, with real processes."""

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.fakes import engine_program
from tests.store.ledgers import Ledger, start
from vibeboard.clock import SystemClock
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import RunState
from vibeboard.engine.ports import DeliveryState
from vibeboard.errors import Fenced
from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database

PATIENCE = 20.0

pytestmark = pytest.mark.processes


class Process:
    """A process that takes work."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def is_ready(self) -> bool:
        assert self._child.stdout is not None
        async with asyncio.timeout(PATIENCE):
            return await self._child.stdout.readline() == b"ready\n"

    def gets(self, what: signal.Signals) -> None:
        self._child.send_signal(what)

    async def ends(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._child.returncode is None:
            self._child.send_signal(how)
            self._child.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENCE):
            await self._child.wait()

    async def dies(self) -> None:
        async with asyncio.timeout(PATIENCE):
            assert await self._child.wait() == -signal.SIGKILL


class Bench:
    """One database, and processes that take toy work from it."""

    def __init__(self, database: Database, url: str, folder: Path) -> None:
        self.database = database
        self.ledger = Ledger(database, SystemClock(), name="test")
        self._url = url
        self._folder = folder
        self._processes: list[Process] = []

    @property
    def journal(self) -> list[str]:
        path = self._folder / "journal"
        return path.read_text().splitlines() if path.exists() else []

    def release(self, word: str) -> None:
        """Let what holds go on."""
        (self._folder / word).touch()

    def complaints(self) -> str:
        return (self._folder / "stderr").read_text()

    async def starts(self, *options: str) -> Process:
        with (self._folder / "stderr").open("ab") as complaints:
            child = await asyncio.create_subprocess_exec(
                sys.executable, engine_program.__file__, self._url, str(self._folder),
                *options,
                stdout=asyncio.subprocess.PIPE,
                stderr=complaints,
            )  # fmt: skip
        process = Process(child)
        self._processes.append(process)
        assert await process.is_ready(), self.complaints()
        return process

    async def delivers(self, *scripts: str) -> list[int]:
        """Deliveries of ``ACCOUNT KEY SCRIPT``."""
        return list(await self.ledger.delivered(*scripts))

    async def wants(self, name: str, script: str, priority: int = 0) -> str:
        """A run that plays the script."""
        number = sum(map(ord, name)) * 100 + len(name)
        card = CardKey("acme/clock", number)
        wish = start(
            card, name, instructions=script, priority=priority, parallel=9, cause=name
        )
        # Without a delivery: who takes work here would be quicker to decide it.
        await self.ledger.starts(wish)
        (run,) = (await self.ledger.runs.history(card)).runs
        return run.id

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
            await process.ends()


@pytest.fixture
async def bench(
    database: Database, database_url: str, tmp_path: Path
) -> AsyncIterator[Bench]:
    made = Bench(database, database_url, tmp_path)
    yield made
    await made.closes()


@pytest.fixture
async def shared(postgres_url: str, tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench on the database that several processes may share."""
    database = open_database(postgres_url)
    migrate.upgrade(database)
    made = Bench(database, postgres_url, tmp_path)
    yield made
    await made.closes()
    await database.close()


async def test_what_is_about_one_thing_is_taken_in_order_one_at_a_time(
    bench: Bench,
) -> None:
    # Around ten, where the order of names is not that of numbers.
    numbers = range(8, 14)
    await bench.delivers(*(f"acme k step {n}a; step {n}b" for n in numbers))

    await bench.starts()
    await bench.reads(*(f"{n}b" for n in numbers))

    steps = [line for line in bench.journal if line[-1] in "ab"]
    assert steps == [f"{n}{part}" for n in numbers for part in "ab"]


async def test_what_is_about_two_things_goes_side_by_side(bench: Bench) -> None:
    await bench.starts()

    await bench.delivers("acme k1 hold first", "acme k2 hold second")

    await bench.reads("first", "second")


async def test_an_account_with_much_to_do_holds_up_no_other(bench: Bench) -> None:
    await bench.starts()
    await bench.delivers(*(f"acme k{n} hold acme-{n}" for n in range(40)))
    await bench.reads(*(f"acme-{n}" for n in range(8)))

    await bench.delivers("globex k step other")

    await bench.reads("other")
    assert "acme-39" not in bench.journal


async def test_two_processes_never_take_the_same(database: Database) -> None:
    clock = SystemClock()
    pair = [Ledger(database, clock, name=name) for name in ("one", "two")]
    for ledger in pair:
        await ledger.workers.enter()
    stored = await pair[0].sorted(*(f"acme{n % 5} k{n}" for n in range(100)))

    taken: list[int] = []
    while True:
        both = await asyncio.gather(*(x.delivery_queue.claim(7) for x in pair))
        if not any(both):
            break
        taken += [one for claimed in both for one in claimed]
        for ledger, claimed in zip(pair, both, strict=True):
            for one in claimed:
                await ledger.delivery_queue.finish(one)

    assert sorted(taken) == sorted(stored)


async def test_no_more_runs_at_once_than_there_are_places(bench: Bench) -> None:
    await bench.starts("--runners=2")
    for name in ("r1", "r2", "r3"):
        await bench.wants(name, f"hold {name}")
    await bench.reads("r1", "r2")
    await bench.delivers("acme k step looked")
    await bench.reads("looked")

    assert "r3" not in bench.journal
    bench.release("r1")
    await bench.reads("r3")


async def test_what_is_urgent_comes_first(bench: Bench) -> None:
    await bench.wants("slow", "step slow")
    await bench.wants("soon", "step soon", priority=1)
    await bench.wants("first", "step first", priority=2)

    await bench.starts("--runners=1")
    await bench.reads("slow ended by one")

    done = [line for line in bench.journal if line in ("slow", "soon", "first")]
    assert done == ["first", "soon", "slow"]


async def test_where_it_is_paused_no_run_starts(bench: Bench) -> None:
    await bench.ledger.pauses.pause("acme/clock", why="a release", by="alice")
    await bench.wants("held", "step held")
    await bench.starts()
    await bench.delivers("acme k step looked")
    await bench.reads("looked")
    assert "held" not in bench.journal

    await bench.ledger.pauses.resume("acme/clock", by="alice")

    await bench.reads("held ended by one")


async def test_only_the_unfinished_step_is_done_again_after_a_kill(
    bench: Bench,
) -> None:
    run = await bench.wants("r1", "step before; hold under-way; step after")
    process = await bench.starts()
    await bench.reads("under-way")

    await process.ends(signal.SIGKILL)
    await bench.starts()
    await bench.reads("under-way", "under-way")
    bench.release("under-way")

    await bench.reads("r1 ended by one")
    assert bench.journal.count("before") == 1
    assert bench.journal.count("before is known as BEFORE") == 2
    assert bench.journal.count("after") == 1
    stored = await bench.ledger.runs.get(run)
    assert (stored.attempt, stored.crashes) == (2, 0), "it got on"


async def test_an_orderly_end_in_the_middle_is_no_crash(bench: Bench) -> None:
    run = await bench.wants("r1", "step before; hold under-way")
    (delivery,) = await bench.delivers("acme k hold deciding")
    process = await bench.starts()
    await bench.reads("under-way", "deciding")

    await process.ends(signal.SIGTERM)
    assert {"under-way cut off", "deciding cut off"} <= set(bench.journal)
    assert "r1 shown" in bench.journal
    assert "Traceback" not in bench.complaints()
    assert (await bench.ledger.runs.get(run)).worker is None
    await bench.starts()
    await bench.reads("deciding", "deciding")
    bench.release("under-way")
    bench.release("deciding")

    await bench.reads("r1 ended by one")
    assert bench.journal.count("before") == 1
    assert (await bench.ledger.runs.get(run)).crashes == 0
    assert (await bench.ledger.deliveries.get(delivery)).crashes == 0


async def test_what_is_postponed_comes_at_its_time(bench: Bench) -> None:
    await bench.starts()
    began = time.monotonic()
    await bench.delivers("acme k later patience; step done")
    await bench.wants("r1", "step before; later breath")

    await bench.reads("patience", "patience", "done", "breath", "breath")
    assert 1.2 <= time.monotonic() - began < 4.5

    await bench.reads("r1 ended by one")
    assert bench.journal.count("before") == 1


async def test_what_is_postponed_holds_up_what_follows_on_the_same_thing(
    bench: Bench,
) -> None:
    await bench.starts()
    await bench.delivers("acme k later wait", "acme k step next", "acme j step other")

    await bench.reads("wait", "wait", "next")

    told = [line for line in bench.journal if line in ("wait", "next", "other")]
    assert told.index("other") < told.index("next")
    assert told.count("wait") == 2
    assert told[-1] == "next"


async def test_an_error_is_kept_and_the_queue_goes_on(bench: Bench) -> None:
    await bench.starts()

    wrong, _ = await bench.delivers("acme k fail wrong; step never", "acme k step x")

    await bench.reads("x")
    assert bench.journal.count("wrong") == 1
    assert "never" not in bench.journal
    assert (await bench.ledger.deliveries.get(wrong)).state is DeliveryState.FAILED


async def test_what_waits_for_the_app_comes_when_it_is_back(bench: Bench) -> None:
    await bench.starts()
    (parked,) = await bench.delivers("acme k absent away; step back")
    await bench.delivers("acme k step next")
    await bench.reads("next")
    assert (await bench.ledger.deliveries.get(parked)).state is DeliveryState.PARKED

    await bench.ledger.deliveries.release_parked("Acme")

    await bench.reads("back")


async def test_what_kills_every_process_is_given_up(bench: Bench) -> None:
    (poison,) = await bench.delivers("acme k die poison")
    await bench.delivers("acme k step good")
    for _ in range(3):
        process = await bench.starts()
        await process.dies()

    await bench.starts()

    await bench.reads("good")
    assert bench.journal.count("poison") == 3
    assert (await bench.ledger.deliveries.get(poison)).state is DeliveryState.FAILED


@pytest.mark.postgres
async def test_a_process_without_places_leaves_runs_to_others(shared: Bench) -> None:
    await shared.starts("--name=server", "--runners=0")
    await shared.wants("r1", "step run")
    await shared.delivers("acme k step decide")
    await shared.reads("decide")
    assert "run" not in shared.journal

    await shared.starts("--name=worker", "--runners=1")

    await shared.reads("r1 ended by worker")


@pytest.mark.postgres
async def test_work_that_another_process_makes_due_is_taken_at_once(
    shared: Bench,
) -> None:
    await shared.starts("--look-every=600")
    await shared.delivers("acme k step warm")
    await shared.reads("warm")

    began = time.monotonic()
    for n in range(5):
        await shared.delivers(f"acme k{n} step s{n}")
        await shared.wants(f"r{n}", f"step t{n}")
        await shared.reads(f"s{n}", f"r{n} ended by one")

    assert time.monotonic() - began < 5


@pytest.mark.postgres
async def test_a_process_whose_connections_break_hears_of_work_again(
    shared: Bench,
) -> None:
    await shared.starts("--look-every=600", "--lease=5")
    await shared.delivers("acme k step warm")
    await shared.reads("warm")

    async with shared.database.engine.connect() as connection:
        await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        )
    await shared.delivers("acme k step missed")
    await shared.reads("missed")
    await shared.delivers("acme k step heard")

    await shared.reads("heard")


@pytest.mark.postgres
async def test_the_work_of_the_dead_is_taken_over_within_the_lease(
    shared: Bench,
) -> None:
    first = await shared.starts("--name=one")
    await shared.wants("r1", "step before; hold under-way")
    await shared.delivers("acme k hold deciding")
    await shared.reads("under-way", "deciding")
    await shared.starts("--name=two", "--look-every=600")

    await first.ends(signal.SIGKILL)
    began = time.monotonic()
    await shared.reads("under-way", "under-way", "deciding", "deciding")

    assert time.monotonic() - began < 3  # a lease of one second, and a look at it
    shared.release("under-way")
    await shared.reads("r1 ended by two")
    assert shared.journal.count("before") == 1


@pytest.mark.postgres
async def test_who_comes_back_from_the_dead_is_fenced_and_begins_anew(
    shared: Bench,
) -> None:
    first = await shared.starts("--name=one")
    run = await shared.wants("r1", "step before; hold under-way; step after")
    await shared.reads("under-way")
    second = await shared.starts("--name=two")

    first.gets(signal.SIGSTOP)
    await shared.reads("under-way", "under-way")
    shared.release("under-way")  # the first one's step ends, too, when it comes back
    await shared.reads("r1 ended by two")
    first.gets(signal.SIGCONT)
    await second.ends(signal.SIGTERM)
    await shared.wants("r2", "step new")

    await shared.reads("r2 ended by one")
    assert "r1 ended by one" not in shared.journal
    assert shared.journal.count("after") == 1
    assert shared.journal.count("before") == 1
    stored = await shared.ledger.runs.get(run)
    assert (stored.attempt, stored.state) == (2, RunState.SUCCEEDED)


@pytest.mark.postgres
async def test_who_comes_back_before_the_other_is_done_takes_nothing_from_it(
    shared: Bench,
) -> None:
    first = await shared.starts("--name=one")
    await shared.wants("r1", "hold under-way; step after")
    await shared.reads("under-way")
    await shared.starts("--name=two")

    first.gets(signal.SIGSTOP)
    await shared.reads("under-way", "under-way")
    first.gets(signal.SIGCONT)
    await shared.reads("under-way cut off")
    shared.release("under-way")

    await shared.reads("r1 ended by two")
    assert shared.journal.count("after") == 1


@pytest.mark.postgres
async def test_who_was_declared_dead_before_it_began_cannot_begin(
    shared: Bench,
) -> None:
    one, two = (
        Ledger(shared.database, SystemClock(), name=name, lease=timedelta(0))
        for name in ("one", "two")
    )
    await one.workers.enter()
    run = await shared.wants("r1", "step never")
    assert await one.run_queue.claim(1) == [run]
    assert await two.workers.reap() == 1
    await two.workers.enter()
    assert await two.run_queue.claim(1) == [run]
    begun = await two.run_queue.begin(run)

    with pytest.raises(Fenced):
        await one.run_queue.begin(run)
    assert not one.workers.beat()

    await two.runs.hold(begun)


@pytest.mark.postgres
async def test_a_run_taken_up_where_its_files_are_not_begins_anew(
    shared: Bench,
) -> None:
    await shared.wants("r1", "step before; hold under-way")
    first = await shared.starts("--name=one", "--place=left")
    await shared.reads("under-way")
    await first.ends(signal.SIGKILL)

    await shared.starts("--name=two", "--place=right")
    await shared.reads("before", "before", "under-way", "under-way")
    shared.release("under-way")

    await shared.reads("r1 ended by two")
