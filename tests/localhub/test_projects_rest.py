"""Boards over REST, each answer valid by GitHub's OpenAPI."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from openapi_schema_validator import OAS30Validator

from localhub import projects, projects_rest
from localhub.errors import Refused
from tests import contracts
from tests.localhub.small_hub import SmallHub, small_hub

Client = TestClient[web.Request, web.Application]
BOARD = "/api/v3/orgs/acme/projectsV2/1"
pytestmark = pytest.mark.npm


@pytest.fixture
def small(tmp_path: Path) -> SmallHub:
    return small_hub(tmp_path)


@web.middleware
async def refusals(
    request: web.Request,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        body = {"message": refused.message}
        return web.json_response(body, status=refused.status)


@pytest.fixture
async def client(small: SmallHub, aiohttp_client: Any) -> Client:
    app = web.Application(middlewares=[refusals])
    app.add_routes(projects_rest.routes(small.hub))
    headers = small.headers("ghs_full")
    client: Client = await aiohttp_client(app, headers=headers)
    return client


def conforms(name: str, body: Any) -> None:
    components = contracts.document(contracts.OPENAPI)["components"]
    rooted = {"$ref": f"#/components/schemas/{name}", "components": components}
    wrong = [str(one.message)[:300] for one in OAS30Validator(rooted).iter_errors(body)]
    assert wrong == []


def _draft(content: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "node_id", "title", "body", "user", "created_at", "updated_at")
    return {key: content[key] for key in kept}


async def test_boards_and_fields(client: Client) -> None:
    boards = await (await client.get("/api/v3/orgs/acme/projectsV2")).json()
    board = await (await client.get(BOARD)).json()
    fields = await (await client.get(f"{BOARD}/fields")).json()

    assert boards == [board]
    conforms("projects-v2", board)
    for field in fields:
        conforms("projects-v2-field", field)
    [status] = [one for one in fields if one["name"] == "Status"]
    assert status["options"][1]["name"]["raw"] == "Refine"


async def test_a_card_is_added_moved_and_removed(
    client: Client, small: SmallHub
) -> None:
    asked = {"type": "PullRequest", "owner": "acme", "repo": "cart", "number": 2}
    added = await client.post(f"{BOARD}/items", json=asked)
    assert added.status == 201
    card = await added.json()
    # The published schema wants exactly one kind of content, and a draft issue's is so
    # loose that every pull request is one too: the content is checked by itself.
    content = card["content"]
    conforms("pull-request-simple", content)
    conforms("projects-v2-item-simple", {**card, "content": _draft(content)})
    again = {"type": "PullRequest", "id": small.pull.pull_id}
    assert (await (await client.post(f"{BOARD}/items", json=again)).json()) == card

    field = projects.status_field(small.board)
    change = {"fields": [{"id": field.id, "value": small.option("Review")}]}
    moved = await client.patch(f"{BOARD}/items/{card['id']}", json=change)
    conforms("projects-v2-item-with-content", await moved.json())
    assert small.column(small.card("Round once, at the end")) == "Review"

    removed = await client.delete(f"{BOARD}/items/{card['id']}")
    assert removed.status == 204
    assert (await client.get(f"{BOARD}/items/{card['id']}")).status == 404


async def test_cards_are_filtered_and_show_the_fields_asked_for(
    client: Client, small: SmallHub
) -> None:
    field = projects.status_field(small.board)
    projects.move(
        small.hub, small.card("Fix the rounding"), "Develop", actor=small.alice
    )
    await client.post(f"{BOARD}/drafts", json={"title": "Note"})

    query = {"q": "status:Develop is:issue label:bug", "fields": str(field.id)}
    shown = await (await client.get(f"{BOARD}/items", params=query)).json()

    [card] = shown
    conforms("projects-v2-item-with-content", card)
    [value] = card["fields"]
    assert value["value"]["name"]["raw"] == "Develop"


async def test_pages_follow_the_link_header(client: Client) -> None:
    for title in ("two", "three"):
        await client.post(f"{BOARD}/drafts", json={"title": title})

    titles = []
    url: Any = f"{BOARD}/items?per_page=2"
    while url:
        answer = await client.get(url)
        titles += [one["content"]["title"] for one in await answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else None
        url = str(url).replace(str(client.make_url("")).rstrip("/"), "") if url else ""

    assert titles == ["Fix the rounding", "two", "three"]


async def test_fields_can_be_added_and_cleared(client: Client, small: SmallHub) -> None:
    asked = {"name": "Estimate", "data_type": "number"}
    refused = await client.post(f"{BOARD}/fields", json=asked)
    assert refused.status == 403
    alice = small.headers("ghp_alice")
    added = await client.post(f"{BOARD}/fields", json=asked, headers=alice)
    field = await added.json()
    conforms("projects-v2-field", field)

    item = f"{BOARD}/items/{small.card('Fix the rounding').id}"
    for value in (3.5, None):
        change = {"fields": [{"id": field["id"], "value": value}]}
        assert (await client.patch(item, json=change)).status == 200
    assert small.card("Fix the rounding").values == {}


@pytest.mark.parametrize(
    ("request_line", "body", "token", "status"),
    [
        (f"GET {BOARD}", None, "ghs_none", 403),
        (f"GET {BOARD}", None, "ghp_mallory", 404),
        (f"POST {BOARD}/drafts", {"title": "x"}, "ghs_reads", 403),
        (f"POST {BOARD}/drafts", {"title": " "}, "ghs_full", 422),
        (f"POST {BOARD}/items", {"type": "Card", "id": 1}, "ghs_full", 422),
        (f"POST {BOARD}/items", {"type": "Issue", "id": 1}, "ghs_full", 404),
        ("GET /api/v3/orgs/acme/projectsV2/9", None, "ghs_full", 404),
    ],
)
async def test_refusals(
    client: Client,
    small: SmallHub,
    *,
    request_line: str,
    body: Any,
    token: str,
    status: int,
) -> None:
    method, path = request_line.split(" ")
    headers = small.headers(token)
    answer = await client.request(method, path, json=body, headers=headers)

    assert answer.status == status


async def test_a_stale_option_is_refused(client: Client, small: SmallHub) -> None:
    field = projects.status_field(small.board)
    change = {"fields": [{"id": field.id, "value": "00000000"}]}
    item = f"{BOARD}/items/{small.card('Fix the rounding').id}"

    answer = await client.patch(item, json=change)

    assert answer.status == 422
    said = "The single select option Id does not belong to the field"
    assert (await answer.json())["message"] == said
