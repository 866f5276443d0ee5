"""The webhook served by a process of its own, and what can be seen of it."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.web.door import SECRET, Door
from vibeboard.store.database import Database

_PROGRAM = Path(__file__).with_name("door_program.py")
_NUMBERS = itertools.count(1)


class OwnDoor(Door):
    """A served webhook in another process."""

    pid: int
    log: Path

    @property
    def said(self) -> str:
        """What the process wrote, tracebacks included."""
        return self.log.read_text()

    def memory(self) -> int:
        """The most memory it ever held, in bytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(peak.split()[1]) * 1024

    def forget_the_most(self) -> None:
        """Count the most memory from here on."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@asynccontextmanager
async def served(
    database: Database, folder: Path, *secrets: str
) -> AsyncIterator[OwnDoor]:
    """Serve the webhook on ``database`` in a process of its own."""
    log = folder / f"door-{next(_NUMBERS)}.log"
    given = secrets or (SECRET.decode(),)
    url = database.url.render_as_string(hide_password=False)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(str(_PROGRAM), url, *given),
            stdout=asyncio.subprocess.PIPE,
            stderr=file,
        )
    assert process.stdout
    try:
        async with asyncio.timeout(30):
            port = int(await process.stdout.readline() or b"0")
        assert port, log.read_text()
        door = OwnDoor(port, database)
        door.pid, door.log = process.pid, log
        yield door
    finally:
        process.kill()
        await process.wait()
