"""Serves the webhook on a database, in a process of its own, as `vibeboard serve` does.

``python door_program.py URL [SECRET…]``; its first line says the port.
"""

import asyncio
import sys
from datetime import UTC, datetime

from aiohttp import web

from vibeboard.cli.loop import run
from vibeboard.github.signature import verify
from vibeboard.store.database import open_database
from vibeboard.store.intake import open_intake
from vibeboard.web.server import make_runner
from vibeboard.web.webhook import Webhook


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


async def serve(url: str, secrets: list[bytes]) -> None:
    intake = open_intake(open_database(url), Clock())
    runner = make_runner(Webhook(intake, verify, secrets))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    run(serve(sys.argv[1], [secret.encode() for secret in sys.argv[2:]]))
