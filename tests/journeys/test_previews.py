"""Where a change can be looked at is shown on its card and its pull request."""

from localhub import deployments, issues
from localhub.state import Deployment
from tests.journeys.world import World


async def test_a_deployment_of_the_change_is_shown_as_its_preview(world: World) -> None:
    card = world.card("Add a tock", "append tock.txt tock")
    card.moved_to("Development")
    await card.reaches("Review")
    pull = card.pull
    assert pull is not None
    there = "[preview/pr-2](https://pr-2.example.org)"

    first = deployed(world, pull.head_sha, "success", "https://pr-2.example.org")
    shown = await card.says("Preview: ", there)
    assert len(card.tracking()) == 1, shown
    await world.until(lambda: there in (pull.body or ""), "the link in the body")

    # The next run of the pull request shows it, and the one before no more.
    card.said("/agent develop")
    await world.until(lambda: len(card.tracking()) == 2, "a second run")
    await card.says("✅ done", there)
    await world.until(lambda: there not in card.tracking()[0], "one link")
    kept = f"{there} of `{first.sha[:7]}`"
    await world.until(lambda: kept in (pull.body or ""), "the link in the body")

    deployed(world, f"refs/pull/{pull.number}/head", "failure")
    await card.says("preview/pr-2 of ", " failed")
    card.said("/agent preview")
    await card.replied(f"Preview of #{pull.number}", " failed")

    # Another's, of no pull request of ours, and one of production.
    world.commit_file("a.txt", "a", "staging")
    deployed(world, "staging", "success", "https://staging.example.org")
    deployed(world, pull.head_sha, "success", "https://example.org", live=True)
    last = deployed(world, pull.head_sha, "success", "https://new.example.org")
    await card.says("Preview: [preview/pr-2](https://new.example.org)")
    await world.until(lambda: "https://new." in (pull.body or ""), "the newest link")

    issues.close(world.hub, pull, actor=world.user("alice"))
    status = {"state": "inactive"}
    deployments.report(world.hub, last, status, actor=world.user("alice"))
    await world.until(lambda: "Preview" not in card.tracking()[-1], "no link any more")
    await world.until(lambda: "Preview" not in (pull.body or ""), "no link any more")
    card.said("/agent preview")
    await card.replied(f"There is no preview of #{pull.number}")


def deployed(
    world: World, ref: str, state: str, url: str = "", *, live: bool = False
) -> Deployment:
    """Somebody's pipeline tells GitHub how a deployment of its went."""
    alice = world.user("alice")
    asked = {
        "ref": ref,
        "environment": "production" if live else "preview/pr-2",
        "transient_environment": not live,
    }
    one = deployments.create(world.hub, world.repository, asked, actor=alice)
    for step in ("in_progress", state):
        status = {"state": step, "environment_url": url}
        deployments.report(world.hub, one, status, actor=alice)
    return one
