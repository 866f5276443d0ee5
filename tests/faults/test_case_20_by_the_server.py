"""Case 20, through the whole product: tricks start nothing, and are answered."""

from localhub import comments
from localhub.state import Repository
from tests.journeys.conftest import still_world, world
from tests.journeys.test_bad_input import runs
from tests.journeys.world import World

__all__ = ["still_world", "world"]


async def test_case_20_a_command_on_a_forks_pull_request_starts_no_card(
    world: World,
) -> None:
    card = world.card("Mine", "write x.txt x")
    number = card.issue.number
    pull = world.pull_request("a.txt", "a", f"vibe/{number}-mine")
    assert pull.head_ref == f"vibe/{number}-mine"
    mallory = world.user("mallory")
    fork = Repository(
        **world.hub.mint("R"),
        owner=mallory,
        name="clock",
        git_dir=world.repository.git_dir,
        created_at=world.hub.now(),
        updated_at=world.hub.now(),
        pushed_at=world.hub.now(),
    )
    world.hub.repositories["mallory/clock"] = world.hub.register(fork)
    pull.head_repository = fork

    comments.create(world.hub, pull, "/agent develop", actor=world.user("alice"))

    await world.until(
        lambda: any("not made from a card" in one.body for one in pull.comments),
        "an answer on the pull request",
    )
    assert runs(world) == 0
    assert card.replies == []


async def test_case_20_fifty_commands_in_one_comment_are_one(world: World) -> None:
    card = world.card("Fifty", "write x.txt x")

    card.said("/agent status\n" * 50)
    card.said("/agent develop\n" * 50, by="mallory")
    await card.replied("@mallory has read")
    await world.settled()

    assert len(card.replies) == 2
    assert runs(world) == 0
