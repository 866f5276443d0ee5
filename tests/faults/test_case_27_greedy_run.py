"""Case 27: a run that takes all it can get is ended, and leaves the rest alone.

The leash bounds time, processes, descriptors, the size of one file and the log, and
leaves nobody of the tree behind. Memory, fork bombs, disk and inodes are the cell's.
"""

import asyncio
import os
import resource
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import pytest

from tests.fakes.approver import Lets
from tests.fakes.stop import Never, Stop
from tests.runner.cells import Place, Tried, need_bubblewrap
from tests.runner.children import (
    ENV,
    Output,
    daemon,
    daemon_pid,
    gone,
    working_in,
)
from vibeboard.domain.workflow import Agent, Cli, Suite
from vibeboard.engine.ports import AgentEnd, AgentResult, Assignment
from vibeboard.runner import log, process
from vibeboard.runner.agents.command import CommandAgent
from vibeboard.runner.environment import Environment
from vibeboard.runner.log import RunLog
from vibeboard.runner.process import Command, How, Limits
from vibeboard.runner.sandbox import groups
from vibeboard.runner.sandbox.cell import Kind, Policy, Sandbox, look
from vibeboard.runner.sandbox.groups import Bounds
from vibeboard.runner.suites import ShellSuites

GONE_WITHIN = 5.0


def limits(wall: float = 60, grace: float = 0.5, **given: int) -> Limits:
    return Limits(timedelta(seconds=wall), grace=timedelta(seconds=grace), **given)


def python(tmp_path: Path, script: str) -> Command:
    return Command([sys.executable, "-c", script], cwd=tmp_path, env=ENV)


async def agent(tmp_path: Path, script: str, *, seconds: float = 60) -> AgentResult:
    """An agent with a tree, as a run gives it one."""
    tree = tmp_path / "tree"
    tree.mkdir()
    configured = Agent(
        "greedy",
        Cli.COMMAND,
        (sys.executable, "-c", script),
        time_limit=timedelta(seconds=seconds),
    )
    assignment = Assignment(
        run="r-1",
        agent=configured,
        prompt="Take it all",
        tree=tree,
        home=tmp_path / "home",
        log=tmp_path / "agent.log",
    )
    return await CommandAgent(Sandbox(Environment(os.environ["PATH"]))).work(
        assignment, Never(), Lets()
    )


async def test_case_27_a_line_without_an_end_is_cut_in_the_log_with_a_mark(
    tmp_path: Path,
) -> None:
    """More than the log holds, as one line; what we need for it stays small."""
    size = log.CAP + (16 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    result = await agent(
        tmp_path,
        "import os\n"
        f"left = {size}\n"
        "while left: left -= os.write(1, b'x' * min(left, 1 << 20))\n",
    )

    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert result.end is AgentEnd.FINISHED
    assert len(result.summary) < 10_000
    mark = f"\n[cut here: the log reached {log.CAP} bytes]\n".encode()
    assert (tmp_path / "agent.log").stat().st_size == log.CAP + len(mark)
    assert log.last_bytes(tmp_path / "agent.log", len(mark)) == mark
    assert (after - before) / 1024 < 64  # MiB


async def test_case_27_a_flood_does_not_outlive_its_time(tmp_path: Path) -> None:
    result = await agent(
        tmp_path, "import os\nwhile True: os.write(1, b'x' * 65536)", seconds=0.5
    )

    assert result.end is AgentEnd.TIMED_OUT
    assert "limit" in result.reason


async def test_case_27_a_flood_leaves_others_their_turn(tmp_path: Path) -> None:
    """While it is read, everything else on the loop goes on."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.monotonic()
        while True:
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    ticking = asyncio.create_task(tick())
    with RunLog(tmp_path / "log", cap=1 << 20) as kept:
        await process.run(
            python(tmp_path, "import os\nwhile True: os.write(1, b'x\\n' * 32768)"),
            limits=limits(1),
            stop=Never(),
            stdout=kept.append,
        )
    ticking.cancel()

    assert kept.dropped
    assert longest < 0.5


async def test_case_27_a_run_that_sleeps_for_a_day_is_ended(tmp_path: Path) -> None:
    began = time.monotonic()

    result = await agent(tmp_path, "import time\ntime.sleep(86400)", seconds=0.3)

    assert result.end is AgentEnd.TIMED_OUT
    assert result.reason == "it reached its limit of 0.005 minutes"
    assert time.monotonic() - began < GONE_WITHIN


async def test_case_27_a_suite_that_sleeps_for_a_day_is_ended_and_told(
    tmp_path: Path,
) -> None:
    suite = Suite("unit", "sleep 86400", ("out.xml",), timedelta(seconds=0.3))
    (tmp_path / "tree").mkdir()

    result = await ShellSuites(Sandbox(Environment(os.environ["PATH"]))).run(
        suite, tmp_path / "tree", log=tmp_path / "unit.log", stop=Never()
    )

    assert "its limit" in (result.fault or "")
    assert result.seconds < GONE_WITHIN


@pytest.mark.parametrize("end", ["by itself", "time", "stop"])
async def test_case_27_a_daemon_is_gone_soon_after_its_run(
    tmp_path: Path, end: str
) -> None:
    """It left its session twice and does not hear TERM."""
    out, stop = Output(), Stop()
    wait = "sleep 0.2" if end == "by itself" else "sleep 600"
    command = Command(
        ["bash", "-c", f"{daemon(tmp_path)}; echo started; {wait}"], tmp_path, ENV
    )

    async with asyncio.TaskGroup() as group:
        running = group.create_task(
            process.run(
                command,
                limits=limits(1 if end == "time" else 60),
                stop=stop,
                stdout=out,
            )
        )
        await out.has(b"started")
        began = time.monotonic()
        if end == "stop":
            stop.ask()
    await gone(daemon_pid(out))

    assert time.monotonic() - began < GONE_WITHIN + (1 if end == "time" else 0)
    assert running.result().how is not How.GIVEN_UP


async def test_case_27_a_tree_that_grows_while_it_is_ended_is_ended_whole(
    tmp_path: Path,
) -> None:
    """Each child answers TERM with two more."""
    script = (
        "import os, signal, time\n"
        "def more(*_):\n"
        "    for _ in range(2):\n"
        "        if not os.fork():\n"
        "            os.setsid()\n"
        "            break\n"
        "signal.signal(signal.SIGTERM, more)\n"
        f"open({str(tmp_path / 'ready')!r}, 'w').close()\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.05)\n"
    )
    out, stop = Output(), Stop()

    async with asyncio.TaskGroup() as group:
        running = group.create_task(
            process.run(
                python(tmp_path, script), limits=limits(), stop=stop, stdout=out
            )
        )
        await out.has(b"ready")
        stop.ask()

    assert running.result().seconds < GONE_WITHIN
    assert not working_in(tmp_path)


async def test_case_27_too_many_processes_end_the_run_with_the_reason(
    tmp_path: Path,
) -> None:
    out = Output()

    ended = await process.run(
        python(
            tmp_path,
            "import os, time\n"
            "for _ in range(120):\n"
            "    if not os.fork(): break\n"
            "time.sleep(600)\n",
        ),
        limits=limits(processes=100),
        stop=Never(),
        stdout=out,
    )

    assert b"more than 100 processes" in out.data
    assert ended.exit_code
    assert ended.seconds < GONE_WITHIN
    assert not working_in(tmp_path)


async def test_case_27_a_hundred_thousand_descriptors_are_its_own_trouble(
    tmp_path: Path,
) -> None:
    out = Output()

    ended = await process.run(
        python(
            tmp_path,
            "import os\nkept = [os.open('/dev/null', 0) for _ in range(100_000)]",
        ),
        limits=limits(open_files=1000),
        stop=Never(),
        stdout=out,
    )

    assert ended.exit_code == 1
    assert b"Too many open files" in out.data


async def test_case_27_a_file_is_not_longer_than_it_may_be(tmp_path: Path) -> None:
    ended = await process.run(
        python(tmp_path, "open('big', 'wb').truncate(100 << 30)"),
        limits=limits(file_bytes=1 << 20),
        stop=Never(),
        stdout=Output(),
    )

    assert ended.exit_code
    assert (tmp_path / "big").stat().st_size <= 1 << 20


async def test_case_27_one_greedy_run_does_not_hold_up_another(
    tmp_path: Path,
) -> None:
    """The other one is done in its time, and keeps what it printed."""
    greedy = limits(3, processes=200)
    bomb = "import os, time\nfor _ in range(100): os.fork() or time.sleep(600)"
    flood = "import os\nwhile True: os.write(1, b'x' * 65536)"
    stop, good = Stop(), Output()

    async with asyncio.TaskGroup() as group:
        for script in (bomb, flood):
            group.create_task(
                process.run(
                    python(tmp_path, script),
                    limits=greedy,
                    stop=stop,
                    stdout=lambda _: None,
                )
            )
        ended = await process.run(
            python(tmp_path, "print('done')"),
            limits=limits(30),
            stop=Never(),
            stdout=good,
        )
        stop.ask()

    assert (ended.how, ended.exit_code, good.data) == (How.EXITED, 0, b"done\n")
    assert not working_in(tmp_path)


MIB = 1 << 20
SMALL = Bounds(memory=256 * MIB, processes=64, disk=64 * MIB, files=2000)


async def in_cell(
    tmp_path: Path, script: str, *, bounds: Bounds = SMALL, seconds: float = 60
) -> Tried:
    """A script in a cell that may use little."""
    need_bubblewrap()
    sandbox = Sandbox(Environment(os.environ["PATH"]), bounds=bounds)
    return await Place(tmp_path / "card", sandbox).python(script, seconds=seconds)


def bounds_whole_runs(tried: Tried) -> bool:
    """Whether control groups can be made here."""
    return tried.kind is Kind.BUBBLEWRAP and isinstance(
        groups.find(arrange=False), groups.Groups
    )


async def test_case_27_memory_is_bounded_for_all_of_a_run_together(
    tmp_path: Path,
) -> None:
    """Four processes, none of which takes more than it may alone."""
    tried = await in_cell(
        tmp_path,
        "import os, sys, time\n"
        "for n in range(4):\n"
        "    if not os.fork():\n"
        "        kept = bytearray(150 << 20)\n"
        "        print('took', flush=True)\n"
        "        time.sleep(600 if n else 0)\n"
        "        os._exit(0)\n"
        "ended = [os.waitpid(-1, 0)[1] for _ in range(2)]\n"
        "sys.exit(9 if any(ended) else 0)\n",
        seconds=20,
    )

    if bounds_whole_runs(tried):
        assert tried.ended.exit_code == 9
        assert "VIBEBOARD_RUN_MEMORY_GB" in "".join(tried.notes)
    assert not working_in(tmp_path)


async def test_case_27_without_control_groups_each_process_is_bounded(
    tmp_path: Path,
) -> None:
    need_bubblewrap()
    found = replace(look(os.environ["PATH"], Policy.PREFERRED), groups="none here")
    sandbox = Sandbox(Environment(os.environ["PATH"]), bounds=SMALL, found=found)

    tried = await Place(tmp_path / "card", sandbox).python("bytearray(1 << 30)")

    assert "MemoryError" in tried.out


async def test_case_27_a_fork_bomb_is_ended_and_leaves_nobody(tmp_path: Path) -> None:
    began = time.monotonic()

    tried = await in_cell(
        tmp_path,
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        seconds=1,
    )

    assert tried.ended.how is How.TIMED_OUT
    assert time.monotonic() - began < 2 * GONE_WITHIN
    assert not working_in(tmp_path)
    if bounds_whole_runs(tried):
        assert "VIBEBOARD_RUN_PROCESSES" in "".join(tried.notes)


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param("open(name, 'wb').write(bytes(4 << 20))", id="bytes"),
        pytest.param("[open(f'{name}-{m}', 'w') for m in range(200)]", id="files"),
    ],
)
async def test_case_27_a_run_that_fills_the_disk_is_ended_with_the_reason(
    tmp_path: Path, writes: str
) -> None:
    """It would write 300 MiB, or 15,000 files, and then stay."""
    tried = await in_cell(
        tmp_path,
        "import os, time\n"
        "for n in range(75):\n"
        "    name = f'f{n}'\n"
        f"    {writes}\n"
        "    time.sleep(0.02)\n"
        "time.sleep(600)\n",
    )

    assert tried.ended.how is How.TOOK_TOO_MUCH
    assert "VIBEBOARD_RUN_DISK_GB" in "".join(tried.notes)
    rmtree(tmp_path / "card")


async def test_case_27_files_in_memory_and_single_files_have_an_end(
    tmp_path: Path,
) -> None:
    tried = await in_cell(
        tmp_path,
        "import errno\n"
        "for place in ('/tmp/x', '/dev/shm/x', 'x'):\n"
        "    try:\n"
        "        with open(place, 'wb') as file:\n"
        "            while True: file.write(bytes(1 << 20))\n"
        "    except OSError as error:\n"
        "        print(errno.errorcode[error.errno])\n"
        "        open(place, 'wb').close()\n",
        bounds=replace(SMALL, memory=96 * MIB, disk=200 * MIB),
    )

    assert tried.out.split() == ["ENOSPC", "ENOSPC", "EFBIG"]
