"""One of the servers of the intake benchmark, in a process of its own.

``python -m benchmarks.intake_server URL PORT``: the product's own door, rules and
intake on a database made by its migrations, as ``vibeboard serve`` builds them; with
``limit:FILE`` in place of the URL, the same door before a file to append to.
"""

import argparse
import asyncio
from pathlib import Path

from aiohttp import web

from benchmarks.limit import Log
from benchmarks.payloads import SECRET
from vibeboard.cli.loop import run
from vibeboard.clock import SystemClock
from vibeboard.github.signature import verify
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.intake import open_intake
from vibeboard.web.server import make_runner
from vibeboard.web.webhook import Keeper, Webhook


def _keeper(url: str) -> Keeper:
    kind, _, path = url.partition(":")
    if kind == "limit":
        return Log(Path(path))
    return open_intake(open_database(url), SystemClock())


async def _serve(url: str, port: int) -> None:
    runner = make_runner(Webhook(_keeper(url), verify, [SECRET]))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(prog="benchmarks.intake_server")
    parser.add_argument("url")
    parser.add_argument("port", type=int)
    given = parser.parse_args()
    if not given.url.startswith("limit:"):
        migrate.upgrade(open_database(given.url))
    run(_serve(given.url, given.port))


if __name__ == "__main__":
    main()
