"""A conversation with a program, in JSON lines over its standard streams.

One task reads what the program says, in order; what takes long (a person's answer)
happens beside it. The program is started here and nowhere else.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from vibeboard.engine.ports import StopSignal
from vibeboard.runner import process, spawn
from vibeboard.runner.agents.events import Lines
from vibeboard.runner.agents.record import Record
from vibeboard.runner.process import Command, Ended, Limits

# What a program has to end its turn after it was asked to, and to leave after it.
_COURTESY = 3.0
_GOODBYE = 3.0


class Speaker(Protocol):
    """One side of a program's protocol: ours."""

    async def speak(self, wire: "Wire") -> None:
        """Talk until the turn is over, or the program is, or there is no hope."""
        ...

    def interrupt(self, wire: "Wire") -> None:
        """Ask the program to end its turn now."""
        ...


@dataclass(frozen=True)
class Heard:
    """A line of the program: its bytes, and where in the raw log it was read."""

    line: bytes
    at: int


class Wire:
    """What goes to and fro."""

    def __init__(self, record: Record) -> None:
        self.feed = spawn.Feed()
        self._record = record
        self._lines = Lines()
        self._heard: asyncio.Queue[Heard | None] = asyncio.Queue()

    def send(self, message: Mapping[str, Any]) -> None:
        """Say something; nobody minds if the program has gone."""
        self.feed.give(json.dumps(message).encode() + b"\n")

    async def heard(self) -> Heard | None:
        """What the program says next; None when it has gone."""
        return await self._heard.get()

    async def all(self) -> AsyncIterator[Heard]:
        """Everything that the program says."""
        while (heard := await self.heard()) is not None:
            yield heard

    def hear(self, chunk: bytes) -> None:
        """Take a piece of what it prints."""
        at = self._record.size
        self._record.hear(chunk)
        for line in self._lines.feed(chunk):
            self._heard.put_nowait(Heard(line, at))

    def over(self) -> None:
        """Nothing more is to be heard."""
        self._heard.put_nowait(None)


async def converse(
    command: Command,
    speaker: Speaker,
    *,
    record: Record,
    limits: Limits,
    stop: StopSignal,
) -> Ended:
    """Run the program while ``speaker`` talks with it.

    When the speaker has finished, the program has a moment to leave. When it is to be
    stopped, it has a moment to end its turn by itself and to say what it used.
    """
    wire = Wire(record)
    leave = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            talk = group.create_task(speaker.speak(wire))
            goodbye = group.create_task(_goodbye(talk, wire, record, leave))
            ended = await process.run(
                command,
                limits=limits,
                stop=_Courteous(stop, lambda: _interrupt(speaker, wire, record)),
                stdout=wire.hear,
                stderr=record.hear_complaint,
                give_up=leave,
                feed=wire.feed,
            )
            wire.over()
            await asyncio.wait([talk])
            goodbye.cancel()
    except ExceptionGroup as group_error:
        raise _first(group_error) from group_error
    finally:
        wire.feed.close()
    return ended


def _interrupt(speaker: Speaker, wire: Wire, record: Record) -> None:
    record.interrupted = True
    speaker.interrupt(wire)


async def _goodbye(
    talk: "asyncio.Task[None]", wire: Wire, record: Record, leave: asyncio.Event
) -> None:
    await asyncio.wait([talk])
    wire.feed.end()
    if not record.hopeless.is_set():
        await asyncio.sleep(_GOODBYE)
    leave.set()


class _Courteous:
    """A stop signal that asks politely first."""

    def __init__(self, stop: StopSignal, ask: Callable[[], None]) -> None:
        self._stop = stop
        self._ask = ask

    def is_set(self) -> bool:
        return self._stop.is_set()

    async def wait(self) -> bool:
        await self._stop.wait()
        self._ask()
        await asyncio.sleep(_COURTESY)
        return True


@asynccontextmanager
async def beside() -> AsyncIterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Tasks beside a conversation; those that are left at its end are cancelled."""
    tasks: list[asyncio.Task[None]] = []
    async with asyncio.TaskGroup() as group:
        yield lambda work: tasks.append(group.create_task(work))
        for task in tasks:
            task.cancel()


def read_object(line: bytes) -> dict[str, Any] | None:
    """The JSON object on a line; None if it is none."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group
