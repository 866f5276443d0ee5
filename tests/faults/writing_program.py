"""Keeps deliveries as fast as it can, and says of each that it is kept."""

import asyncio
import os
import sys

from vibeboard.clock import SystemClock
from vibeboard.engine.ports import Kept
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.intake import Intake, open_intake


async def main(url: str) -> None:
    database = open_database(url)
    migrate.upgrade(database)
    held = database.sync_engine.connect()  # so that nobody is the last to close
    intake = open_intake(database, SystemClock())
    number = 0
    while True:
        group = range(number, number + 5)
        number += 5
        outcomes = await asyncio.gather(*(keep(intake, f"guid-{n}") for n in group))
        assert all(isinstance(outcome, Kept) for outcome in outcomes), outcomes
        sys.stdout.write("".join(f"guid-{each}\n" for each in group))
        sys.stdout.flush()
        if number > 60_000:
            held.close()
            return


async def keep(intake: Intake, guid: str) -> Kept | Exception:
    told: asyncio.Future[Kept | Exception] = asyncio.get_running_loop().create_future()
    intake.keep(
        hook="1",
        guid=guid,
        event="issues",
        headers={},
        body=os.urandom(700),
        told=told.set_result,
    )
    return await told


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
