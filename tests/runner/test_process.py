"""Real processes: what the leash holds, and that nothing is left of them."""

import asyncio
import ctypes
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.fakes.stop import Never, Stop
from tests.runner.children import ENV, Output, daemon, daemon_pid, gone, seconds, shell
from vibeboard.runner import process, spawn
from vibeboard.runner.process import Command, How, Limits


async def test_a_child_reads_its_input_and_its_streams_arrive_apart(
    tmp_path: Path,
) -> None:
    out, err = Output(), Output()

    ended = await process.run(
        shell("cat; echo oops >&2; exit 7", tmp_path, b"hello"),
        limits=seconds(20),
        stop=Never(),
        stdout=out,
        stderr=err,
    )

    assert (ended.how, ended.exit_code) == (How.EXITED, 7)
    assert (out.data, err.data) == (b"hello", b"oops\n")


async def test_a_child_has_exactly_the_environment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "secret")
    out = Output()

    await process.run(
        Command(["/usr/bin/env"], cwd=tmp_path, env={"ONLY": "this=that"}),
        limits=seconds(20),
        stop=Never(),
        stdout=out,
    )

    assert out.data == b"ONLY=this=that\n"


async def test_a_child_that_does_not_read_a_large_input_does_not_block(
    tmp_path: Path,
) -> None:
    ended = await process.run(
        shell("true", tmp_path, b"x" * (1 << 22)),
        limits=seconds(20),
        stop=Never(),
        stdout=Output(),
    )

    assert ended.exit_code == 0


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["no-such-program"], 127), (["/etc/hostname"], 126)],
    ids=["missing", "not executable"],
)
async def test_a_program_that_cannot_start_says_so(
    tmp_path: Path, argv: list[str], code: int
) -> None:
    out = Output()

    ended = await process.run(
        Command(argv, cwd=tmp_path, env=ENV),
        limits=seconds(20),
        stop=Never(),
        stdout=out,
    )

    assert ended.exit_code == code
    assert argv[0].encode() in out.data


async def test_a_child_can_be_talked_with_while_it_lives(tmp_path: Path) -> None:
    out, feed = Output(), spawn.Feed()
    large = b"x" * (1 << 20) + b"\n"

    async def talk() -> None:
        feed.give(b"one\n")
        await out.has(b"heard one")
        feed.give(large)
        feed.end()

    async with asyncio.TaskGroup() as group:
        group.create_task(talk())
        ended = await process.run(
            shell("read a; echo heard $a; cat | wc -c", tmp_path),
            limits=seconds(20),
            stop=Never(),
            stdout=out,
            feed=feed,
        )

    assert ended.how is How.EXITED
    assert out.data.split()[-1] == str(len(large)).encode()


async def test_a_child_that_stopped_reading_holds_nobody_up(tmp_path: Path) -> None:
    feed = spawn.Feed()
    feed.give(b"x" * (1 << 22))

    ended = await process.run(
        shell("exec <&-; sleep 0.1; exit 4", tmp_path),
        limits=seconds(20),
        stop=Never(),
        stdout=Output(),
        feed=feed,
    )

    assert ended.exit_code == 4


async def test_a_child_killed_by_a_signal_tells_which(tmp_path: Path) -> None:
    ended = await process.run(
        shell("kill -SEGV $$", tmp_path),
        limits=seconds(20),
        stop=Never(),
        stdout=Output(),
    )

    assert ended.exit_code == 128 + signal.SIGSEGV


async def test_a_child_over_its_time_is_ended(tmp_path: Path) -> None:
    ended = await process.run(
        shell("trap '' TERM; while :; do sleep 1; done", tmp_path),
        limits=seconds(0.3),
        stop=Never(),
        stdout=Output(),
    )

    assert ended.how is How.TIMED_OUT
    assert ended.seconds < 5


async def test_a_stopped_child_may_say_goodbye(tmp_path: Path) -> None:
    out, stop = Output(), Stop()

    async def stop_when_ready() -> None:
        await out.has(b"ready")
        stop.ask()

    async with asyncio.TaskGroup() as group:
        group.create_task(stop_when_ready())
        ended = await process.run(
            shell("trap 'echo bye; exit 3' TERM; echo ready; sleep 60", tmp_path),
            limits=seconds(60, grace=20),
            stop=stop,
            stdout=out,
        )

    assert ended.how is How.STOPPED
    assert b"bye" in out.data
    assert ended.seconds < 20  # it was not killed


async def test_daemons_do_not_outlive_the_command(tmp_path: Path) -> None:
    out = Output()

    ended = await process.run(
        shell(f"{daemon(tmp_path)}; sleep 0.5; echo done", tmp_path),
        limits=seconds(60),
        stop=Never(),
        stdout=out,
    )

    assert ended.how is How.EXITED
    assert ended.exit_code == 0
    await gone(daemon_pid(out))


async def test_a_cancelled_run_leaves_nothing(tmp_path: Path) -> None:
    out = Output()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(
            process.run(
                shell(f"{daemon(tmp_path)}; sleep 60", tmp_path),
                limits=seconds(60),
                stop=Never(),
                stdout=out,
            )
        )
        await out.has(b"daemon")
        await asyncio.sleep(0)
        running.cancel()

    assert running.cancelled()
    await gone(daemon_pid(out))


async def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    server = tmp_path / "server.py"
    server.write_text(
        "import asyncio, os, sys\n"
        "from datetime import timedelta\n"
        "from pathlib import Path\n"
        "from vibeboard.runner import process\n"
        "class Never:\n"
        "    async def wait(self): await asyncio.Event().wait()\n"
        "asyncio.run(process.run(\n"
        "    process.Command(sys.argv[1:], Path('.'), dict(os.environ)),\n"
        "    limits=process.Limits(timedelta(60), grace=timedelta(seconds=1)),\n"
        "    stop=Never(), stdout=lambda c: os.write(1, c)))\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable,
        str(server),
        "bash",
        "-c",
        f"{daemon(tmp_path)}; echo main $$; sleep 60",
        stdout=asyncio.subprocess.PIPE,
    )
    assert parent.stdout is not None
    pids: dict[bytes, int] = {}
    async with asyncio.timeout(20):
        while len(pids) < 2:
            name, number = (await parent.stdout.readline()).split()
            pids[name] = int(number)

    parent.kill()
    await parent.wait()

    for pid in pids.values():
        await gone(pid)


async def test_a_file_may_not_grow_past_its_limit(tmp_path: Path) -> None:
    limits = Limits(timedelta(seconds=20), file_bytes=1 << 20)

    ended = await process.run(
        shell("head -c 5000000 /dev/zero > big", tmp_path),
        limits=limits,
        stop=Never(),
        stdout=Output(),
    )

    assert ended.exit_code != 0
    assert (tmp_path / "big").stat().st_size == 1 << 20


async def test_a_child_that_multiplies_is_ended(tmp_path: Path) -> None:
    out = Output()

    ended = await process.run(
        shell("for i in $(seq 60); do setsid sleep 600 & done; wait", tmp_path),
        limits=Limits(timedelta(seconds=60), processes=50),
        stop=Never(),
        stdout=out,
    )

    assert ended.exit_code != 0
    assert ended.seconds < 10
    assert b"more than 50 processes" in out.data


async def test_keys_that_the_kernel_keeps_for_us_are_not_passed_on(
    tmp_path: Path,
) -> None:
    """A session's keyring goes to every child, whatever its environment."""
    if os.uname().machine != "x86_64":
        missing("keys are looked for by numbers of system calls: run this on x86_64")
    search = (
        "import ctypes\n"
        "found = ctypes.CDLL(None).syscall(250, 10, -3, b'user', b'canary', 0)\n"
        "print('found' if found > 0 else 'nothing')\n"
    )
    libc = ctypes.CDLL(None)
    key = libc.syscall(248, b"user", b"canary", b"secret", 6, -3)
    out = Output()

    await process.run(
        Command([sys.executable, "-c", search], tmp_path, ENV),
        limits=Limits(timedelta(seconds=60)),
        stop=Never(),
        stdout=out,
    )

    _, ours, _ = await spawn.collect(
        [sys.executable, "-c", search], cwd=tmp_path, env=ENV, stdin=b"", seconds=60
    )
    libc.syscall(250, 9, key, -3)
    assert (ours, out.data) == (b"found\n", b"nothing\n")
