"""Case 19, through the whole product: what was taken back is not obeyed."""

import aiohttp

from localhub import comments
from tests.journeys.conftest import still_world, world
from tests.journeys.test_bad_input import runs
from tests.journeys.world import World

__all__ = ["still_world", "world"]


async def test_case_19_a_command_that_was_deleted_before_it_is_read_starts_nothing(
    world: World,
) -> None:
    card = world.card("Not now", "write x.txt x")
    await world.settled()
    orders = f"{world.hub.url}/_localhub/deliveries"
    async with aiohttp.ClientSession() as session:
        await session.post(orders, json={"paused": True})
        said = card.said("/agent develop")
        comments.delete(world.hub, said, actor=world.user("alice"))
        await session.post(orders, json={"paused": False})
    await world.settled()

    assert runs(world) == 0
    assert card.replies == []
