"""Case 17, through the whole product: nothing starts on a permission not known."""

import pytest

from localhub.faults import FAULTS, Fault
from tests.journeys.conftest import still_world, world
from tests.journeys.test_bad_input import outcomes, runs
from tests.journeys.world import World

__all__ = ["still_world", "world"]


@pytest.mark.parametrize("how", ["command", "move"])
async def test_case_17_a_permission_that_github_does_not_tell_starts_nothing(
    world: World, how: str
) -> None:
    await world.settled()
    card = world.card("Who?", "write x.txt x")
    await world.settled()
    fault = {
        "match": {"path": "collaborators/bob/permission"},
        "do": {"kind": "status", "status": 403},
        "times": 100,
    }
    world.running.runner.app[FAULTS].ordered.append(Fault.model_validate(fault))

    if how == "command":
        card.said("/agent develop", by="bob")
    else:
        card.moved_to("Development", by="bob")

    await world.until(
        lambda: any("403" in reason for _, reason in outcomes(world).values()),
        "the reason beside the delivery",
    )
    await world.settled()
    assert runs(world) == 0
    assert not world.agents()
