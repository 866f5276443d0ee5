"""``vibeboard serve`` and ``vibeboard worker``."""

import asyncio
import logging
import signal
import sys

from aiohttp import web

from vibeboard.cli.logs import log_to_stderr
from vibeboard.compose import running
from vibeboard.errors import SettingsInvalid
from vibeboard.settings import Settings, read_machine, read_settings
from vibeboard.store.database import open_database
from vibeboard.web.server import make_runner

log = logging.getLogger(__name__)


def run_server(*, name: str) -> int:
    """Serve until SIGINT or SIGTERM."""
    log_to_stderr(worker=name)
    settings = read_settings()
    asyncio.run(_serve(settings, name))
    return 0


def run_worker(*, name: str) -> int:
    """Carry runs out until SIGINT or SIGTERM; raises SettingsInvalid on SQLite."""
    log_to_stderr(worker=name)
    settings = read_settings()
    if open_database(settings.database).is_sqlite:
        message = (
            "a worker of its own needs a postgresql:// database; on SQLite "
            "`vibeboard serve` carries the runs out itself"
        )
        raise SettingsInvalid(message)
    asyncio.run(_work(settings, name))
    return 0


async def _serve(settings: Settings, name: str) -> None:
    async with running(settings, read_machine(), name=name) as parts:
        runner = make_runner(parts.webhook)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, settings.port)
            await _start(site, settings)
            _say_ready(runner, parts.us)
            await _asked_to_leave()
        finally:
            await runner.cleanup()


async def _start(site: web.TCPSite, settings: Settings) -> None:
    try:
        await site.start()
    except OSError as error:
        message = (
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
            "set VIBEBOARD_HOST and VIBEBOARD_PORT"
        )
        raise SettingsInvalid(message) from error


async def _work(settings: Settings, name: str) -> None:
    async with running(settings, read_machine(), name=name) as parts:
        log.info("worker ready", extra={"worker": name, "as": parts.us})
        await _asked_to_leave()


def _say_ready(runner: web.AppRunner, us: str) -> None:
    host, port = runner.addresses[0][:2]
    log.info("ready", extra={"url": f"http://{host}:{port}", "as": us})
    sys.stdout.write(f"Vibeboard listens on http://{host}:{port}/webhook as {us}\n")
    sys.stdout.flush()


async def _asked_to_leave() -> None:
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave.set)
    await leave.wait()
