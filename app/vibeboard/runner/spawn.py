"""Starts child processes, whichever event loop there is.

A loop's own way may copy the whole server to start a child (measured with uvloop: 28 ms
at 100 MB, and longer with more); ``subprocess`` does not. The end of a child is seen
through a descriptor of it, and not by waiting for any child there is.
"""

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

_AT_ONCE = 256 * 1024  # bytes


class Child:
    """A child process of ours; leads a session of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._handle = os.pidfd_open(process.pid)
        self._loop.add_reader(self._handle, self._over)

    @property
    def pid(self) -> int:
        """Its number; nobody else has it before its end was seen."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it lives, and -n for an end by signal n."""
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        return await asyncio.shield(self._ended)

    def send(self, what: signal.Signals, *, to_group: bool = False) -> None:
        """Send it (or all of its group) a signal, unless its end was seen."""
        if self.exit_code is None:
            with suppress(ProcessLookupError):
                (os.killpg if to_group else os.kill)(self.pid, what)

    def _over(self) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        self._ended.set_result(self._process.wait())


class Pipe:
    """Hands on what comes out of one pipe.

    A pipe of our own: the end of a child must be seen even while somebody else still
    holds the writing end. And read by ourselves: uvloop's own transport closes the
    descriptor twice, and in between a thread may have got the same number for a file
    (seen: SQLite's).
    """

    def __init__(self, reading: int, sink: Callable[[bytes], None]) -> None:
        self._reading = reading
        self._sink = sink
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        os.set_blocking(reading, False)
        self._loop.add_reader(reading, self._read)

    async def drained(self) -> None:
        """Wait until nobody holds the writing end any more."""
        await self._ended.wait()

    def close(self) -> None:
        """Read no more."""
        if not self._ended.is_set():
            self._ended.set()
            self._loop.remove_reader(self._reading)
            os.close(self._reading)

    def _read(self) -> None:
        try:
            data = os.read(self._reading, _AT_ONCE)
        except BlockingIOError:
            return
        if data:
            self._sink(data)
        else:
            self.close()


class Feed:
    """What a child reads while it lives, given piece by piece.

    A child that reads no more holds nobody up.
    """

    def __init__(self) -> None:
        self._reading, self._writing = os.pipe()
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._ending = False
        self._open = True
        os.set_blocking(self._writing, False)

    def reading(self) -> IO[bytes]:
        """The child's end; ours to close once it has been started."""
        return os.fdopen(self._reading, "rb")

    def give(self, data: bytes) -> None:
        """Let the child read this next."""
        if not self._open or self._ending:
            return
        if not self._waiting:
            self._loop.add_writer(self._writing, self._write)
        self._waiting += data

    def end(self) -> None:
        """There is nothing more, once what was given has been read."""
        self._ending = True
        if not self._waiting:
            self.close()

    def close(self) -> None:
        """There is nothing more, at once."""
        if self._open:
            self._open = False
            self._loop.remove_writer(self._writing)
            os.close(self._writing)

    def _write(self) -> None:
        try:
            written = os.write(self._writing, self._waiting[:_AT_ONCE])
        except BlockingIOError:
            return
        except BrokenPipeError:
            self.close()
            return
        del self._waiting[:written]
        if not self._waiting:
            self._loop.remove_writer(self._writing)
            if self._ending:
                self.close()


def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int | IO[bytes],
    stdout: int,
    stderr: int,
    holding: Sequence[int] = (),
) -> Child:
    """Start a child; raises OSError if that is not possible.

    ``holding`` are descriptors that it keeps open beside its three.
    """
    # No context: the child outlives this call, and is waited for by Child.
    process = subprocess.Popen(  # noqa: S603 - a list, never a shell
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        pass_fds=holding,
    )
    return Child(process)


def pipe(sink: Callable[[bytes], None]) -> tuple[Pipe, int]:
    """A pipe to ``sink``, and its writing end, which is the caller's to close."""
    reading, writing = os.pipe()
    return Pipe(reading, sink), writing


def in_memory(given: bytes) -> IO[bytes]:
    """What a child is to read, whole: one that ends or never reads blocks nobody."""
    file = os.fdopen(os.memfd_create("stdin"), "wb")
    file.write(given)
    file.flush()
    file.seek(0)
    return file


async def collect(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes,
    seconds: float,
    holding: Sequence[int] = (),
) -> tuple[int, bytes, bytes]:
    """A child's exit code, and all that it wrote to its two outputs.

    Raises OSError if it cannot be started, and TimeoutError after ``seconds``. Whoever
    is not waited for is killed with the group that it leads.
    """
    out, err = bytearray(), bytearray()
    out_pipe, to_out = pipe(out.extend)
    err_pipe, to_err = pipe(err.extend)
    try:
        try:
            with in_memory(stdin) as given:
                child = start(
                    argv,
                    cwd=cwd,
                    env=env,
                    stdin=given,
                    stdout=to_out,
                    stderr=to_err,
                    holding=holding,
                )
        finally:
            os.close(to_out)
            os.close(to_err)
        try:
            async with asyncio.timeout(seconds):
                await out_pipe.drained()
                await err_pipe.drained()
                code = await child.wait()
        finally:
            child.send(signal.SIGKILL, to_group=True)
            await child.wait()
    finally:
        out_pipe.close()
        err_pipe.close()
    return code, bytes(out), bytes(err)
