"""The web application: everything that answers at one address, and the courier."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path

from aiohttp import web

from localhub import actions, project_automations, queue
from localhub.admin import Admin, plain_refusals
from localhub.faults import FAULTS, Faults
from localhub.fleet import FLEET, Fleet, working
from localhub.githttp import GitServer
from localhub.ledger import LEDGER
from localhub.manifest import Manifests
from localhub.oidc import ISSUER, Issuer
from localhub.recorder import Recorder
from localhub.rest import actions as actions_rest
from localhub.rest import (
    apps,
    checks,
    comments,
    commits,
    contents,
    deployments,
    gitdata,
    issues,
    protections,
    pulls,
    repositories,
    reviews,
)
from localhub.rest.call import PREFIX, Route
from localhub.standards import Standards
from localhub.state import Hub
from localhub.webhooks import COURIER, Courier

LARGEST_BODY = 40 * 1024 * 1024
API_HOST = "api.github.localhost"

ROUTES: list[Route] = [
    *apps.ROUTES,
    *comments.ROUTES,
    *issues.ROUTES,
    *reviews.ROUTES,
    *pulls.ROUTES,
    *checks.ROUTES,
    *deployments.ROUTES,
    *actions_rest.ROUTES,
    *contents.ROUTES,
    *gitdata.ROUTES,
    *protections.ROUTES,
    *commits.ROUTES,
    *repositories.ROUTES,
]
"""Every REST address with the permission it needs. Order matters: first fit."""


def create_app(
    hub: Hub,
    record: Path | None = None,
    local_repositories: Mapping[str, Path] | None = None,
) -> web.Application:
    """Build the application of a hub; with `record`, calls are written there.

    `local_repositories` are folders that stand for the actions which jobs use, each by
    `owner/name@ref`.
    """
    recorder, faults = Recorder(record), Faults()
    app = web.Application(client_max_size=LARGEST_BODY)
    app[LEDGER], app[FAULTS] = [], faults
    app[COURIER] = Courier(hub, recorder)
    app[ISSUER] = Issuer(hub)
    app[FLEET] = Fleet(hub, app[ISSUER], local_repositories or {})
    standards = Standards(hub, recorder, app[LEDGER])
    app.middlewares.extend(
        (faults.around, standards.recording, standards.answering, plain_refusals)
    )
    app.add_routes(Admin(hub).routes())
    app.add_routes(app[ISSUER].routes())
    app.add_routes(GitServer(hub).routes())
    app.add_routes(Manifests(hub).routes())
    app.router.add_get(f"{PREFIX}/rate_limit", standards.rate_limit)
    app.add_routes([one.bind(hub, PREFIX) for one in ROUTES])
    _add_boards(app, hub)
    app.add_domain(API_HOST, _api_host(hub, standards))
    app.cleanup_ctx.extend((_deliver, _work))
    return app


def _add_boards(app: web.Application, hub: Hub) -> None:
    # graphql-core and Jinja take most of the time to start, so they come last.
    from localhub import graphql_api, pages, projects_rest  # noqa: PLC0415 - slow, so last

    project_automations.listen(hub)
    queue.listen(hub)
    actions.listen(hub)
    app.add_routes(projects_rest.routes(hub))
    app.add_routes(graphql_api.routes(hub))
    app.add_routes(pages.routes(hub))


def _api_host(hub: Hub, standards: Standards) -> web.Application:
    # github.com has its APIs on a host of their own; `gh` knows only that shape for
    # plain HTTP (GH_HOST=github.localhost with this server as HTTP_PROXY).
    from localhub import graphql_api, projects_rest  # noqa: PLC0415 - slow, so last

    api = web.Application(client_max_size=LARGEST_BODY)
    api.router.add_get("/rate_limit", standards.rate_limit)
    api.add_routes([one.bind(hub, "") for one in ROUTES])
    for board in projects_rest.routes(hub):
        path = board.path.removeprefix(PREFIX)
        api.router.add_route(board.method, path, board.handler)
    api.add_routes(graphql_api.routes(hub))
    return api


async def _deliver(app: web.Application) -> AsyncIterator[None]:
    courier = app[COURIER]
    # First, so that what an automation does in answer is delivered after its cause.
    courier.hub.listeners.emission.insert(0, courier.take)
    running = asyncio.create_task(courier.run())
    yield
    courier.hub.listeners.emission.remove(courier.take)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    courier.recorder.close()


async def _work(app: web.Application) -> AsyncIterator[None]:
    app[FLEET].listen()
    async with working(app[FLEET]):
        yield
