"""Thousands of deliveries while servers and databases die every few seconds.

``make soak``; ``make soak ARGS="--deliveries 500"`` for a short one. Deliveries come
twice, in any order, or not at all until they are asked for. For each database a line
of numbers in JSON; the exit code is not 0 if anything was lost or happened twice.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.shaken import Shaken, killed_server, on_file
from tests.faults.storm import Numbers, Size, Storm
from tests.faults.worlds import make_doomed

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_A_SECOND = 50  # deliveries, while it lasts
_EACH_RUN = 350  # deliveries to one run, and to how many commands below
_EACH_COMMAND = 100


def size(deliveries: int) -> Size:
    return Size(
        seconds=deliveries / _A_SECOND,
        deliveries=deliveries,
        runs=max(deliveries // _EACH_RUN, 1),
        commands=max(deliveries // _EACH_COMMAND, 1),
        pause=(2, 6),
        away=(0.2, 4),
        patience=120,
    )


async def soak(kind: str, deliveries: int, folder: Path) -> Numbers:
    """One storm over a new database of the kind."""
    opened: AbstractContextManager[Shaken] = (
        on_file(folder) if kind == "sqlite" else killed_server()
    )
    with opened as database:
        world = await make_doomed(folder, database.url)
        try:
            numbers = await Storm(world, database, size(deliveries)).rage()
        finally:
            (folder / "server.log").write_text("\n".join(world.log))
            await world.close()
        numbers.faults = world.tracebacks()
        return numbers


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--deliveries", type=int, default=5000, help="for each")
    parser.add_argument("--database", choices=("sqlite", "postgres"))
    parser.add_argument("--keep", type=Path, help="a folder for the servers' logs")
    given = parser.parse_args()
    bad = 0
    for kind in (given.database,) if given.database else ("sqlite", "postgres"):
        with tempfile.TemporaryDirectory(prefix="vibe-soak-") as folder:
            numbers = asyncio.run(soak(kind, given.deliveries, Path(folder)))
            if given.keep is not None:
                given.keep.mkdir(parents=True, exist_ok=True)
                log = (Path(folder) / "server.log").read_text()
                (given.keep / f"soak-{kind}.log").write_text(log)
        sys.stdout.write(f"{kind}: {numbers.told()}\n")
        for what, found in (
            ("lost", numbers.lost),
            ("doubled", numbers.doubled),
            ("fault", numbers.faults),
        ):
            bad += len(found)
            for one in found[:20]:
                sys.stdout.write(f"  {what}: {one}\n")
        sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
