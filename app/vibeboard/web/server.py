"""The HTTP server's routes."""

import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from vibeboard.config.schema import json_schema
from vibeboard.web.webhook import LARGEST, Webhook


def make_app(webhook: Webhook) -> web.Application:
    """The application: the webhook, the file's schema, and whether we are alive."""
    app = web.Application(client_max_size=LARGEST + 1)
    app.add_routes(
        [
            web.post("/webhook", webhook.receive),
            web.get("/schema/vibe-yml.json", _schema),
            web.get("/healthz", _alive),
        ]
    )
    return app


def make_runner(webhook: Webhook) -> web.AppRunner:
    """What serves the application; bodies come as they were on the wire."""
    log = logging.getLogger(__name__)
    log.addFilter(_is_our_fault)
    return web.AppRunner(
        make_app(webhook), access_log=None, auto_decompress=False, logger=log
    )


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
