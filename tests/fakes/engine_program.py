"""A process that takes toy deliveries and toy runs from a database's queues.

What is done for each is written in it: ``step WORD``, ``hold WORD`` (until the file
``FOLDER/WORD`` is there), ``later WORD`` and so on, separated by semicolons. What
was done is appended to ``FOLDER/journal``.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vibeboard.clock import SystemClock
from vibeboard.domain.run import Report, RunState
from vibeboard.engine import pump
from vibeboard.engine.dispatch import Dispatcher
from vibeboard.engine.ports import Decision, Delivery, Sorted
from vibeboard.engine.steps import Steps
from vibeboard.errors import AppAbsent, RetryLater
from vibeboard.store.database import open_database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.delivery_queue import SqlDeliveryQueue
from vibeboard.store.due import Due
from vibeboard.store.notices import Notices
from vibeboard.store.run_queue import SqlRunQueue
from vibeboard.store.runs import SqlRuns
from vibeboard.store.workers import SqlWorkers

if TYPE_CHECKING:
    from vibeboard.engine.advance import Advancer
    from vibeboard.engine.execute import Executor


class Toys:
    """What is done, and the journal of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, line: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        handle = os.open(self._folder / "journal", flags, 0o600)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)

    async def play(
        self,
        script: str,
        do: Callable[[str, Callable[[], Awaitable[str]]], Awaitable[str]],
    ) -> None:
        for line in filter(None, map(str.strip, script.split(";"))):
            verb, _, word = line.partition(" ")

            async def part(verb: str = verb, word: str = word) -> str:
                return await self._do(verb, word)

            answer = await do(word, part)
            if verb == "step":
                self.note(f"{word} is known as {answer}")

    async def _do(self, verb: str, word: str) -> str:
        self.note(word)
        match verb:
            case "hold":
                try:
                    while not (self._folder / word).exists():  # noqa: ASYNC110 - the test makes it
                        await asyncio.sleep(0.01)
                except asyncio.CancelledError:
                    self.note(f"{word} cut off")
                    raise
            case "later" if self._times(word) == 1:
                raise RetryLater("not now", after=timedelta(seconds=1.2))
            case "absent" if self._times(word) == 1:
                raise AppAbsent("acme", "the App is suspended on acme")
            case "fail":
                message = f"{word} is impossible"
                raise ValueError(message)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
        return word.upper()

    def _times(self, word: str) -> int:
        return (self._folder / "journal").read_text().splitlines().count(word)


class ToyAdvancer:
    """Reads ``ACCOUNT KEY SCRIPT`` from a delivery and plays the script."""

    def __init__(self, deliveries: SqlDeliveries, toys: Toys) -> None:
        self._deliveries = deliveries
        self._toys = toys

    def sort(self, delivery: Delivery) -> Sorted:
        account, key, _ = delivery.body.decode().split(" ", 2)
        return Sorted(account, key)

    async def decide(self, identity: int) -> None:
        delivery = await self._deliveries.get(identity)
        _, _, script = f"{delivery.body.decode()}  ".split(" ", 2)
        await self._toys.play(script, lambda _, part: part())
        await self._deliveries.settle(identity, Decision((), "played"))

    async def perform(self, identity: int) -> None:
        del identity  # what starts a run is all in its row

    async def give_up(self, identity: int, reason: str) -> None:
        self._toys.note(f"delivery {identity} given up: {reason}")


class ToyExecutor:
    """Plays the script that is a run's instructions, in durable steps."""

    def __init__(
        self, runs: SqlRuns, queue: SqlRunQueue, toys: Toys, name: str
    ) -> None:
        self._runs = runs
        self._queue = queue
        self._toys = toys
        self._name = name

    async def carry_out(self, identity: str) -> None:
        run = await self._queue.begin(identity)
        if run.ended:
            return
        await self._toys.play(run.instructions, Steps(self._runs, run))
        await self._runs.end(run, Report(RunState.SUCCEEDED))
        self._toys.note(f"{run.stage} ended by {self._name}")

    async def give_up(self, identity: str, reason: str) -> None:
        run = await self._runs.get(identity)
        await self._runs.end(run, Report(RunState.FAILED, reason=reason))

    async def show(self, identity: str) -> None:
        self._toys.note(f"{(await self._runs.get(identity)).stage} shown")


async def live(options: Any) -> None:
    leave = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
    database = open_database(options.url)
    clock, toys = SystemClock(), Toys(options.folder)
    lease = timedelta(seconds=options.lease)
    ears: list[Dispatcher] = []

    def wake() -> None:
        for each in ears:
            each.wake()

    due = Due(database.engine, wake)
    workers = SqlWorkers(
        database, due, clock, name=options.name, place=options.place, lease=lease
    )
    deliveries = SqlDeliveries(database.engine, due, clock)
    runs = SqlRuns(database.engine, due, clock)
    run_queue = SqlRunQueue(database.engine, due, clock, workers, place=options.place)
    dispatcher = Dispatcher(
        deliveries=deliveries,
        delivery_queue=SqlDeliveryQueue(database.engine, due, clock, workers),
        advancer=cast("Advancer", ToyAdvancer(deliveries, toys)),
        runs=runs,
        run_queue=run_queue,
        executor=cast("Executor", ToyExecutor(runs, run_queue, toys, options.name)),
        workers=workers,
        clock=clock,
        runners=options.runners,
        lease=lease,
    )
    ears.append(dispatcher)
    notices = Notices(database, dispatcher.wake)
    notices.start()
    await dispatcher.start()
    say("ready")
    await leave.wait()
    await dispatcher.close(timedelta(0))
    await notices.close()
    await database.close()


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", default="one")
    parser.add_argument("--runners", type=int, default=2)
    parser.add_argument("--place", default="here")
    parser.add_argument("--lease", type=float, default=1.0)
    parser.add_argument("--look-every", type=float, default=1.0)
    options = parser.parse_args()
    pump._LOOK_EVERY = timedelta(seconds=options.look_every)
    asyncio.run(live(options))


if __name__ == "__main__":
    main()
