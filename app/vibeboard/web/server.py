"""The HTTP server's routes."""

from aiohttp import web

from vibeboard.web.webhook import LARGEST, Webhook


def make_app(webhook: Webhook) -> web.Application:
    """The application: the webhook, and whether we are alive."""
    app = web.Application(client_max_size=LARGEST + 1)
    app.add_routes(
        [
            web.post("/webhook", webhook.receive),
            web.get("/healthz", _alive),
        ]
    )
    return app


async def _alive(request: web.Request) -> web.Response:
    del request
    return web.json_response({"status": "ok"})
