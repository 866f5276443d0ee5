"""A process with the durable engine in it and toy workflows to carry out.

Which steps a workflow takes is read from the file ``FOLDER/KIND-IDENTITY``; what it
did is appended to ``FOLDER/journal``. Orders come on standard input, one a line, and
each is answered with one line.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from vibeboard.engine.durable import Durable, Steps
from vibeboard.errors import RetryLater
from vibeboard.store.database import Database, open_database


class Toys:
    """The bodies of the workflows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def note(self, line: str) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        handle = os.open(self._folder / "journal", flags, 0o600)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)

    async def advance(self, delivery: int, step: Steps) -> None:
        await self._play(f"advance-{delivery}", step)

    async def carry_out(self, run: str, step: Steps) -> None:
        await self._play(f"carry_out-{run}", step)

    async def _play(self, name: str, step: Steps) -> None:
        for line in (self._folder / name).read_text().splitlines():
            verb, _, word = line.partition(" ")

            async def part(verb: str = verb, word: str = word) -> str:
                return await self._do(verb, word)

            answer = await step(word, part)
            if verb == "step":
                self.note(f"{word} is known as {answer}")
        self.note(f"{name} ended")

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
                raise RetryLater("not now")
            case "fail":
                message = f"{word} is impossible"
                raise ValueError(message)
        return word.upper()

    def _times(self, word: str) -> int:
        return (self._folder / "journal").read_text().splitlines().count(word)


class Program:
    """One process's life."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self._database: Database = open_database(options.url)
        self._toys = Toys(options.folder)

    async def live(self) -> None:
        leave = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
        self._durable = await self._launched()
        say("ready")
        orders = asyncio.create_task(self._obey())
        await leave.wait()
        orders.cancel()
        await self._durable.close()
        await self._database.close()

    async def _launched(self) -> Durable:
        durable = Durable(
            self._database.sync_engine,
            executor=self._options.name,
            runners=self._options.runners,
            place=self._options.place,
        )
        durable.register(advance=self._toys.advance, carry_out=self._toys.carry_out)
        if self._options.idle:
            await durable.prepare()
        else:
            await durable.launch()
        return durable

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := (await reader.readline()).decode().split():
            match line:
                case ["keep", *what]:
                    async with self._database.engine.begin() as connection:
                        await connection.run_sync(self._enqueue, *what)
                case ["drop", *what]:
                    await self._drop(*what)
                case ["relaunch"]:
                    await self._durable.close()
                    self._durable = await self._launched()
            say("done")

    async def _drop(self, *what: str) -> None:
        async with self._database.engine.connect() as connection:
            await connection.begin()
            await connection.run_sync(self._enqueue, *what)
            await connection.rollback()

    def _enqueue(
        self, connection: Connection, kind: str, identity: str, partition: str = ""
    ) -> None:
        self._durable.enqueue(connection, kind, identity, partition)


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
    parser.add_argument("--idle", action="store_true", help="enqueue, take no work")
    asyncio.run(Program(parser.parse_args()).live())


if __name__ == "__main__":
    main()
