"""Starts a child process and answers for its whole tree.

The child gets exactly the environment it is given. It runs under ``leash.py``, which
leaves nothing behind: at its end, at its time limit, on the stop signal, and when
this process is killed. What the child prints is handed on chunk by chunk; keeping it
is the business of ``log.py``, understanding it of ``agents/``.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import IO

from vibeboard.engine.ports import StopSignal

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


@dataclass(frozen=True)
class Command:
    """What to start. ``env`` is the whole environment, nothing is added to it."""

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    stdin: bytes = b""


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
) -> Ended:
    """Run ``command`` to its end, its limit or the stop signal.

    ``give_up`` ends it too, for a reader of its output that has seen enough.
    Without ``stderr`` both streams arrive at ``stdout`` in the order written.
    """
    began = time.monotonic()
    with ExitStack() as opened:
        child = await _start(command, limits, opened, stdout, stderr)
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
                code = await child.finish()
                for watcher in watchers:
                    watcher.cancel()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from group_error
        finally:
            await child.be_gone()
    return Ended(child.how, code, time.monotonic() - began)


class _Child:
    """A leash that has been started, and the pumps of its output."""

    def __init__(
        self, leash: asyncio.subprocess.Process, pumps: list["_Pump"], grace: float
    ) -> None:
        self.how = How.EXITED
        self._leash = leash
        self._pumps = pumps
        self._grace = grace

    async def end_after(self, moment: Awaitable[object], how: How) -> None:
        await moment
        if self.how is How.EXITED:
            self.how = how
        await self._end()

    async def finish(self) -> int:
        code = await self._leash.wait()
        for pump in self._pumps:
            await pump.drained()
        return code if code >= 0 else 128 - code

    async def be_gone(self) -> None:
        """End what is left after a cancellation or an error."""
        if self._leash.returncode is None:
            await self._end()
        for pump in self._pumps:
            pump.close()

    async def _end(self) -> None:
        with suppress(ProcessLookupError):
            self._leash.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace + _LEASH_SLACK):
                await self._leash.wait()
            return
        # The leash itself was stopped or hangs.
        with suppress(ProcessLookupError):
            self._leash.kill()
        await self._leash.wait()


class _Pump(asyncio.Protocol):
    """Hands on what comes out of one pipe.

    A pipe of our own and not asyncio's: the end of the leash must be seen even
    while somebody still holds the writing end.
    """

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        self._ended = asyncio.Event()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._sink(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._ended.set()

    async def drained(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN):
                await self._ended.wait()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def _start(
    command: Command,
    limits: Limits,
    opened: ExitStack,
    stdout: Callable[[bytes], None],
    stderr: Callable[[bytes], None] | None,
) -> _Child:
    out_pump, out = await _pipe(stdout, opened)
    pumps = [out_pump]
    err = out
    if stderr is not None:
        err_pump, err = await _pipe(stderr, opened)
        pumps.append(err_pump)
    leash = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(LEASH),
        f"--parent={os.getpid()}",
        *limits.options(),
        "--",
        *command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        stdin=in_memory(command.stdin, opened),
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    for end in {out, err}:
        os.close(end)
    return _Child(leash, pumps, limits.grace.total_seconds())


def in_memory(given: bytes, opened: ExitStack) -> IO[bytes]:
    """What a child is to read, whole: one that ends or never reads blocks nobody."""
    file = opened.enter_context(os.fdopen(os.memfd_create("stdin"), "wb"))
    file.write(given)
    file.flush()
    file.seek(0)
    return file


async def _pipe(sink: Callable[[bytes], None], opened: ExitStack) -> tuple[_Pump, int]:
    reading, writing = os.pipe()
    pump = _Pump(sink)
    source = opened.enter_context(os.fdopen(reading, "rb", buffering=0))
    await asyncio.get_running_loop().connect_read_pipe(lambda: pump, source)
    return pump, writing
