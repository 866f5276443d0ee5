"""Starting and stopping the server inside another program."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from localhub.fleet import FLEET, Fleet
from localhub.server import create_app
from localhub.state import Hub

RECORD = "LOCALHUB_RECORD"


@dataclass(frozen=True)
class Running:
    """A local GitHub that answers at `url`."""

    url: str
    hub: Hub
    runner: web.AppRunner

    @property
    def fleet(self) -> Fleet:
        """Give the runners of its jobs."""
        return self.runner.app[FLEET]

    async def close(self) -> None:
        """Stop answering and delivering."""
        await self.runner.cleanup()


async def start(
    hub: Hub,
    host: str = "127.0.0.1",
    port: int = 0,
    record: Path | None = None,
    *,
    local_repositories: Mapping[str, Path] | None = None,
) -> Running:
    """Serve a hub; port 0 takes a free one."""
    if record is None and os.environ.get(RECORD):
        record = Path(os.environ[RECORD])
    app = create_app(hub, record, local_repositories)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    taken = runner.addresses[0][1]
    hub.url = f"http://{host}:{taken}"
    return Running(hub.url, hub, runner)
