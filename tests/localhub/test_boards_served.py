"""Boards in the whole server: a move is delivered, and delivered again by its page."""

from localhub import projects
from tests.localhub.served import World

MOVE = """
mutation ($project: ID!, $item: ID!, $field: ID!, $option: String!) {
  updateProjectV2ItemFieldValue(input: {
    projectId: $project, itemId: $item, fieldId: $field,
    value: {singleSelectOptionId: $option}
  }) { clientMutationId }
}
"""


async def move(world: World, column: str) -> None:
    [board] = world.hub.projects
    field = projects.status_field(board)
    option = next(one for one in field.options if one.name == column)
    variables = {
        "project": board.node_id,
        "item": board.items[0].node_id,
        "field": field.node_id,
        "option": option.id,
    }
    token = await world.token()
    body = {"query": MOVE, "variables": variables}
    answer = await world.call("POST", "//api/graphql", body, token=token)
    assert "errors" not in answer.json


async def test_a_move_by_an_app_comes_back_as_a_webhook(world: World) -> None:
    await move(world, "Code")

    told = await world.inbox.until("projects_v2_item.edited")
    assert told.payload["changes"]["field_value"]["to"]["name"] == "Code"
    assert told.payload["sender"]["login"] == "vibe[bot]"
    assert told.payload["organization"]["login"] == "acme"
    assert "repository" not in told.payload


async def test_a_delivery_is_repeated_from_its_page_with_the_same_guid(
    world: World,
) -> None:
    await move(world, "Code")
    first = await world.inbox.until("projects_v2_item.edited")
    page = await world.call("GET", "//_localhub/deliveries", token=None)
    assert first.guid in page.text
    delivery = next(one for one in world.hub.deliveries if one.guid == first.guid)

    address = f"//_localhub/deliveries/{delivery.id}/redeliver"
    answer = await world.call("POST", address, token=None)

    assert answer.status == 303
    again = await world.inbox.until("projects_v2_item.edited", times=2)
    assert (again.guid, again.body) == (first.guid, first.body)


async def test_closing_an_issue_over_rest_moves_its_card(world: World) -> None:
    path = "/repos/acme/clock/issues/1"
    await world.call("PATCH", path, {"state": "closed"})

    told = await world.inbox.until("projects_v2_item.edited")
    assert told.payload["changes"]["field_value"]["to"]["name"] == "Done"
    assert told.payload["sender"]["login"] == "github-project-automation[bot]"
