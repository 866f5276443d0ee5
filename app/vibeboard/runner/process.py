"""Starts a child process and answers for its whole tree.

The child gets exactly the environment it is given. It runs under ``leash.py``, which
leaves nothing behind: at its end, at its time limit, on the stop signal, and when
this process is killed. What the child prints is handed on chunk by chunk; keeping it
is the business of ``log.py``, understanding it of ``agents/``.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import IO

from vibeboard.engine.ports import StopSignal
from vibeboard.runner import spawn

LEASH = Path(__file__).with_name("leash.py")

# What the leash may need, beyond its grace period, to end everything.
_LEASH_SLACK = 5.0
# After the leash has ended nobody should hold the pipes; this is for who does.
_DRAIN = 2.0


class How(Enum):
    """Why a child is no longer there."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    GIVEN_UP = "given up"
    TOOK_TOO_MUCH = "took too much"


@dataclass(frozen=True)
class Command:
    """What to start. ``env`` is the whole environment, nothing is added to it.

    ``leash`` are options of the leash that a sandbox wants; it is ``over`` when that
    returns.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes = b""
    leash: tuple[str, ...] = ()
    over: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Limits:
    """What a child may use; ``grace`` is the time between TERM and KILL."""

    wall: timedelta
    grace: timedelta = timedelta(seconds=3)
    open_files: int = 65_536
    processes: int = 4096
    file_bytes: int | None = None

    def options(self) -> list[str]:
        """The same as options of the leash."""
        options = [f"--grace={self.grace.total_seconds()}", "--core=0"]
        options += [f"--nofile={self.open_files}", f"--processes={self.processes}"]
        if self.file_bytes is not None:
            options.append(f"--fsize={self.file_bytes}")
        return options


@dataclass(frozen=True)
class Ended:
    """How a child ended. 128 + n is an end by signal n, as in a shell."""

    how: How
    exit_code: int
    seconds: float


async def run(
    command: Command,
    *,
    limits: Limits,
    stop: StopSignal,
    stdout: Callable[[bytes], None],
    stderr: Callable[[bytes], None] | None = None,
    give_up: asyncio.Event | None = None,
    feed: spawn.Feed | None = None,
) -> Ended:
    """Run ``command`` to its end, its limit or the stop signal.

    ``give_up`` ends it too, for a reader of its output that has seen enough.
    Without ``stderr`` both streams arrive at ``stdout`` in the order written. With
    ``feed`` its standard input is a conversation, and not the command's ``stdin``.
    """
    began = time.monotonic()
    with spawn.in_memory(command.stdin) if feed is None else feed.reading() as stdin:
        child = await _start(command, limits, stdin, stdout, stderr)
    try:
        async with asyncio.TaskGroup() as group:
            watchers = [
                group.create_task(child.end_after(stop.wait(), How.STOPPED)),
                group.create_task(
                    child.end_after(
                        asyncio.sleep(limits.wall.total_seconds()), How.TIMED_OUT
                    )
                ),
            ]
            if give_up is not None:
                watchers.append(
                    group.create_task(child.end_after(give_up.wait(), How.GIVEN_UP))
                )
            if command.over is not None:
                over = child.end_after(command.over(), How.TOOK_TOO_MUCH)
                watchers.append(group.create_task(over))
            code = await child.finish()
            for watcher in watchers:
                watcher.cancel()
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from group_error
    finally:
        await child.be_gone()
        if feed is not None:
            feed.close()
    return Ended(child.how, code, time.monotonic() - began)


class _Child:
    """A leash that has been started, and the pipes of its output."""

    def __init__(
        self, leash: spawn.Child, pipes: Sequence[spawn.Pipe], grace: float
    ) -> None:
        self.how = How.EXITED
        self._leash = leash
        self._pipes = pipes
        self._grace = grace

    async def end_after(self, moment: Awaitable[object], how: How) -> None:
        await moment
        if self.how is How.EXITED:
            self.how = how
        await self._end()

    async def finish(self) -> int:
        code = await self._leash.wait()
        for pipe in self._pipes:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN):
                    await pipe.drained()
        return code if code >= 0 else 128 - code

    async def be_gone(self) -> None:
        """End what is left after a cancellation or an error."""
        if self._leash.exit_code is None:
            await self._end()
        for pipe in self._pipes:
            pipe.close()

    async def _end(self) -> None:
        self._leash.send(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + _LEASH_SLACK):
                await self._leash.wait()
            return
        # The leash itself was stopped or hangs.
        self._leash.send(signal.SIGKILL)
        await self._leash.wait()


async def _start(
    command: Command,
    limits: Limits,
    stdin: IO[bytes],
    stdout: Callable[[bytes], None],
    stderr: Callable[[bytes], None] | None,
) -> _Child:
    out_pipe, out = spawn.pipe(stdout)
    pipes, err = [out_pipe], out
    if stderr is not None:
        err_pipe, err = spawn.pipe(stderr)
        pipes.append(err_pipe)
    try:
        leash = spawn.start(
            [
                sys.executable,
                "-I",
                "-S",
                str(LEASH),
                f"--parent={os.getpid()}",
                *limits.options(),
                *command.leash,
                "--",
                *command.argv,
            ],
            cwd=command.cwd,
            env=command.env,
            stdin=stdin,
            stdout=out,
            stderr=err,
        )
    finally:
        for end in {out, err}:
            os.close(end)
    return _Child(leash, pipes, limits.grace.total_seconds())
