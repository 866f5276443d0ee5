"""``vibeboard serve`` and ``vibeboard worker``."""

import asyncio
import logging
import signal
import sys
from datetime import timedelta

from aiohttp import web

from vibeboard.cli import loop
from vibeboard.cli.logs import log_to_stderr
from vibeboard.compose import Parts, running
from vibeboard.engine.ending import end
from vibeboard.errors import SettingsInvalid
from vibeboard.settings import Settings, read_machine, read_settings
from vibeboard.store.database import open_database
from vibeboard.web.server import make_app, make_runner

log = logging.getLogger(__name__)


def run_server(*, name: str) -> int:
    """Serve until SIGINT or SIGTERM."""
    log_to_stderr(worker=name)
    settings = read_settings()
    return loop.run(_serve(settings, name))


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
    return loop.run(_work(settings, name))


async def _serve(settings: Settings, name: str) -> int:
    async with running(settings, read_machine(), name=name) as parts:
        app = make_app(
            parts.webhook,
            readiness=parts.readiness,
            metrics=parts.metrics,
            api=parts.api,
            fleet=parts.fleet_calls,
        )
        runner = make_runner(parts.webhook, app)
        await runner.setup()
        try:
            site = web.TCPSite(runner, settings.host, settings.port)
            await _start(site, settings)
            asked = _Asked()
            _say_ready(runner, parts.us)
            async with parts.watch.on_duty(), parts.housekeeper.on_duty():
                await asked.once.wait()
            # Deliveries are stored meanwhile: whoever comes next handles them.
            return await _drained(parts, settings, asked)
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


async def _work(settings: Settings, name: str) -> int:
    async with running(settings, read_machine(), name=name) as parts:
        log.info("worker ready", extra={"as": parts.us})
        asked = _Asked()
        async with parts.housekeeper.on_duty():
            await asked.once.wait()
        return await _drained(parts, settings, asked)


def _say_ready(runner: web.AppRunner, us: str) -> None:
    host, port = runner.addresses[0][:2]
    log.info("ready", extra={"url": f"http://{host}:{port}", "as": us})
    sys.stdout.write(f"Vibeboard listens on http://{host}:{port}/webhook as {us}\n")
    sys.stdout.flush()


class _Asked:
    """Whether we were asked to leave, and whether again."""

    def __init__(self) -> None:
        self.once = asyncio.Event()
        self.again = asyncio.Event()
        running_loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            running_loop.add_signal_handler(number, self._told)

    def _told(self) -> None:
        (self.again if self.once.is_set() else self.once).set()


async def _drained(parts: Parts, settings: Settings, asked: _Asked) -> int:
    """Let work end; 1 if we were asked again before, and cut it off."""
    log.info("leaves", extra={"grace": settings.grace_seconds})
    parts.readiness.draining = True
    closing = asyncio.create_task(parts.dispatcher.close(settings.grace))
    again = asyncio.create_task(asked.again.wait())
    await asyncio.wait((closing, again), return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if closing.done():
        await closing
        return 0
    log.warning("was asked again: cuts off what is under way")
    await end(closing)
    await parts.dispatcher.close(timedelta(0))
    return 1
