"""The two kinds of job, with a server and without: begun, left, finished alike.

What a job works on is written into a file of its own, so that the last step knows what
the one before has left undone when it was killed.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from vibeboard.action.compose import Parts, running
from vibeboard.action.event import Started, again, read_event
from vibeboard.action.inputs import Inputs
from vibeboard.action.served import Served, serving
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Run
from vibeboard.engine.ending import end

_LEFT = "left.json"


class Job(Protocol):
    """What the program does, from a step's beginning to its end."""

    async def work(self) -> str:
        """Do all there is to do; why nothing was done, or empty."""
        ...

    async def leave(self, why: str) -> None:
        """Stop what is under way, and begin nothing more."""
        ...

    async def finish(self, why: str) -> None:
        """Stop what the step before left unfinished, save its work, and tell of it."""
        ...

    async def last(self) -> Run | None:
        """The last run that was carried out here."""
        ...


@asynccontextmanager
async def opened(inputs: Inputs) -> AsyncIterator[Job]:
    """The job that the inputs ask for."""
    if inputs.server:
        async with serving(inputs) as served:
            yield ServedJob(inputs, served)
    else:
        started = read_event(inputs)  # refused before anything is asked for
        async with running(inputs) as parts:
            yield AloneJob(inputs, started, parts)


class AloneJob:
    """Satisfies ``Job`` without a server."""

    def __init__(self, inputs: Inputs, started: Started, parts: Parts) -> None:
        self._inputs = inputs
        self._started = started
        self._parts = parts

    async def work(self) -> str:
        """Do all that the event leads to."""
        alone, started = self._parts.alone, self._started
        asks = not self._inputs.is_news
        noting = asyncio.create_task(self._note_cards())
        try:
            told = await alone.answer(
                started.hook,
                started.guid,
                started.event,
                started.body,
                carries_out=asks,
            )
            if asks and not alone.done and await self._had_a_run():
                # Nothing was left of the attempt before: it is to be done once more.
                more = again(self._inputs, self._parts.sheets.cards[0].number)
                told = await alone.answer(more.hook, more.guid, more.event, more.body)
        finally:
            await end(noting)
        await asyncio.to_thread(_left(self._inputs).unlink, missing_ok=True)
        return told

    async def _had_a_run(self) -> bool:
        """Whether an earlier attempt of this very job carried a run out."""
        if self._inputs.attempt == 1:
            return False
        postings = (
            run.posting.id
            for sheet in await self._parts.sheets.all()
            for run in sheet.runs
            if run.posting is not None
        )
        return self._inputs.workflow_run in postings

    async def leave(self, why: str) -> None:
        """Stop what is under way, and begin nothing more."""
        await self._parts.alone.leave(why)

    async def finish(self, why: str) -> None:
        """Stop what the step before left unfinished."""
        for card in await asyncio.to_thread(_read_left, self._inputs):
            await self._parts.sheets.of(CardKey.parse(card))
        await self._parts.alone.finish(why)
        await asyncio.to_thread(_left(self._inputs).unlink, missing_ok=True)

    async def last(self) -> Run | None:
        """The last run that was carried out here."""
        done = self._parts.alone.done
        if not done:
            return None
        return (await self._parts.sheets.of_run(done[-1])).run(done[-1])

    async def _note_cards(self) -> None:
        """Write down which cards this job works on."""
        opened = self._parts.sheets.opened
        while True:
            await opened.wait()
            opened.clear()
            cards = [str(card) for card in self._parts.sheets.cards]
            await asyncio.to_thread(_write_left, self._inputs, cards)


class ServedJob:
    """Satisfies ``Job`` for a run of a server."""

    def __init__(self, inputs: Inputs, served: Served) -> None:
        self._inputs = inputs
        self._served = served

    async def work(self) -> str:
        """Carry the run out."""
        await asyncio.to_thread(_write_left, self._inputs, [self._inputs.run])
        told = await self._served.work()
        await asyncio.to_thread(_left(self._inputs).unlink, missing_ok=True)
        return told

    async def leave(self, why: str) -> None:
        """Stop the run."""
        await self._served.leave(why)

    async def finish(self, why: str) -> None:
        """Stop what the step before left unfinished."""
        if await asyncio.to_thread(_read_left, self._inputs):
            await self._served.finish(why)
            await asyncio.to_thread(_left(self._inputs).unlink, missing_ok=True)

    async def last(self) -> Run | None:
        """The run, as far as it has come."""
        return await self._served.ended()


def _left(inputs: Inputs) -> Path:
    return inputs.data / _LEFT


def _write_left(inputs: Inputs, what: list[str]) -> None:
    _left(inputs).write_text(json.dumps(what))


def _read_left(inputs: Inputs) -> list[str]:
    try:
        found: Any = json.loads(_left(inputs).read_text())
    except FileNotFoundError:
        return []
    return [str(one) for one in found]
