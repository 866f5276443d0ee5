"""GraphQL as GitHub answers it, executed by graphql-core on `schema.graphql`.

Queries and mutations reach the same state and the same operations as REST and pages.
"""

from aiohttp import web

from localhub.graphql_api.endpoint import Endpoint
from localhub.state import Hub


def routes(hub: Hub) -> list[web.RouteDef]:
    """List the endpoint's addresses, GitHub's and an Enterprise Server's."""
    endpoint = Endpoint(hub)
    return [web.post(path, endpoint.answer) for path in ("/api/graphql", "/graphql")]
