"""The HTTP server's routes."""

import logging
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from vibeboard.config.schema import json_schema
from vibeboard.web.api import Api
from vibeboard.web.door import Doors, Room, room_here
from vibeboard.web.fleet import PATH, FleetCalls
from vibeboard.web.metrics import MetricsPage
from vibeboard.web.readiness import Readiness
from vibeboard.web.webhook import LARGEST, Webhook


def make_app(
    webhook: Webhook,
    *,
    readiness: Readiness | None = None,
    metrics: MetricsPage | None = None,
    api: Api | None = None,
    fleet: FleetCalls | None = None,
) -> web.Application:
    """The application: webhook, the file's schema, what operators watch, the API."""
    app = web.Application(client_max_size=LARGEST + 1)
    app.add_routes(
        [
            web.post("/webhook", webhook.receive),
            web.get("/schema/vibe-yml.json", _schema),
            web.get("/healthz", _alive),
        ]
    )
    if readiness is not None:
        app.router.add_get("/readyz", readiness.receive)
    if metrics is not None:
        app.router.add_get("/metrics", metrics.receive)
    if api is not None:
        app.router.add_get("/api/runs/{run}", api.receive)
        app.router.add_post("/api/questions/{question}", api.receive_answer)
    if fleet is not None:
        app.router.add_post(PATH, fleet.receive)
    return app


class _Runner(web.AppRunner):
    """Puts the short way in before the application."""

    def __init__(self, webhook: Webhook, app: web.Application, room: Room) -> None:
        log = logging.getLogger(__name__)
        log.addFilter(_is_our_fault)
        super().__init__(
            app,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=room.idle,
            lingering_time=room.parting,
            logger=log,
        )
        self._webhook = webhook
        self._room = room

    async def _make_server(self) -> web.Server:
        behind = await super()._make_server()
        # It has all that a runner and its sites call: `()`, and the two shutdowns.
        return cast("web.Server", Doors(self._webhook, behind, self._room))


def make_runner(
    webhook: Webhook,
    app: web.Application | None = None,
    *,
    room: Room | None = None,
) -> web.AppRunner:
    """What serves the application; bodies come as they were on the wire."""
    return _Runner(webhook, app or make_app(webhook), room or room_here())


def _is_our_fault(record: logging.LogRecord) -> bool:
    # Strangers who speak broken HTTP are answered 400 and must not fill the log.
    fault = record.exc_info[1] if record.exc_info else None
    return not isinstance(fault, HttpProcessingError)


async def _schema(request: web.Request) -> web.Response:
    """What editors check `.vibe.yml` by."""
    del request
    return web.json_response(json_schema(), content_type="application/schema+json")


async def _alive(request: web.Request) -> web.Response:
    del request
    return web.json_response({"status": "ok"})
