"""Keeps deliveries as fast as it can, and says of each that it is kept."""

import asyncio
import os
import sys

from tests.store.keeping import kept
from vibeboard.clock import SystemClock
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.intake import open_intake


async def main(url: str) -> None:
    database = open_database(url)
    migrate.upgrade(database)
    held = database.sync_engine.connect()  # so that nobody is the last to close
    intake = open_intake(database, SystemClock())
    number = 0
    while True:
        group = range(number, number + 5)
        number += 5
        await asyncio.gather(
            *(
                kept(
                    intake,
                    hook="1",
                    guid=f"guid-{each}",
                    event="issues",
                    headers={},
                    body=os.urandom(700),
                )
                for each in group
            )
        )
        sys.stdout.write("".join(f"guid-{each}\n" for each in group))
        sys.stdout.flush()
        if number > 60_000:
            held.close()
            return


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
