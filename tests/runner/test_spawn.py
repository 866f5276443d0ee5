"""Children start, end and are cut off alike on asyncio's loop and on uvloop."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.journeys.world import processes_of
from vibeboard.runner import spawn

Runner = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Runner:
    runner: Runner = request.param
    return runner


async def python(
    code: str, *, stdin: bytes = b"", seconds: float = 20.0
) -> tuple[int, bytes, bytes]:
    return await spawn.collect(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=Path("/"),
        env={"PATH": os.defpath},
        stdin=stdin,
        seconds=seconds,
    )


def test_all_that_a_child_prints_is_collected(run: Runner) -> None:
    async def checked() -> None:
        code, out, err = await python(
            "import sys; data = sys.stdin.read(); print(data * 2, end='');"
            "print('no', end='', file=sys.stderr); sys.exit(3)",
            stdin=b"x" * 300_000,
        )
        assert (code, out, err) == (3, b"x" * 600_000, b"no")

    run(checked())


def test_a_child_that_takes_too_long_is_killed_with_its_children(run: Runner) -> None:
    word = f"{os.getpid()}-late-{run.__module__}"

    async def checked() -> None:
        with pytest.raises(TimeoutError):
            await python(
                "import subprocess, sys, time;"
                "late = [sys.executable, '-c', 'import time; time.sleep(600)'];"
                f"subprocess.Popen([*late, {word!r}]);"
                "time.sleep(600)",
                seconds=1.0,
            )

    run(checked())

    give_up = time.monotonic() + 5  # they are killed, and may take a moment to die
    while processes_of(word) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert processes_of(word) == []


def test_no_descriptor_is_left_open(run: Runner) -> None:
    async def checked() -> None:
        await python("pass")
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - descriptors, not files
        for _ in range(5):
            await python("print('x')")
            with pytest.raises(TimeoutError):
                await python("import time; time.sleep(60)", seconds=0.05)
        await asyncio.sleep(0)
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - the same

    run(checked())


def test_no_descriptor_of_another_thread_is_closed(run: Runner, tmp_path: Path) -> None:
    """SQLite's threads open files while children come and go."""
    closed: list[OSError] = []
    over = threading.Event()

    def opens_files(name: int) -> None:
        while not over.is_set():
            try:
                handle = os.open(tmp_path / str(name), os.O_RDWR | os.O_CREAT)
                time.sleep(0.0002)
                os.close(handle)
            except OSError as error:
                closed.append(error)

    async def checked() -> None:
        for _ in range(50):
            await asyncio.gather(*(python("pass", seconds=10) for _ in range(4)))

    threads = [threading.Thread(target=opens_files, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    try:
        run(checked())
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert closed == []


def test_what_cannot_be_started_says_so(run: Runner) -> None:
    async def checked() -> None:
        with pytest.raises(FileNotFoundError):
            await spawn.collect(
                ["/none/git"], cwd=Path("/"), env={}, stdin=b"", seconds=1
            )

    run(checked())


def test_the_end_is_seen_while_somebody_still_holds_the_pipe(run: Runner) -> None:
    async def checked() -> None:
        taken = bytearray()
        pipe, end = spawn.pipe(taken.extend)
        with spawn.in_memory(b"") as stdin:
            child = spawn.start(
                ["sh", "-c", "sleep 5 & echo said"],
                cwd=Path("/"),
                env={"PATH": os.defpath},
                stdin=stdin,
                stdout=end,
                stderr=end,
            )
        os.close(end)
        async with asyncio.timeout(4):
            assert await child.wait() == 0
            pipe.close()
        assert bytes(taken) in (b"said\n", b"")

    run(checked())
