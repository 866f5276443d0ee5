"""GitHub does it and its answer is lost: there is one of it all the same."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localhub import pulls
from tests.github.on_localhub import World, on_localhub
from tests.localhub.small_hub import commit
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import CheckRun, Marker
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.transport import Retries

CARD = CardKey("acme/cart", 1)
BRANCH = "vibe/9-clock"
IMPATIENT = Retries(attempts=2, time_limit=timedelta(milliseconds=600))

Act = Callable[[World], Awaitable[object]]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with on_localhub(tmp_path, retries=IMPATIENT) as one:
        yield one


def comment(world: World) -> Awaitable[object]:
    return world.replies.ensure(CARD, Marker("run=01J"), "Working.")


def pull_request(world: World) -> Awaitable[object]:
    return world.pulls.ensure(
        "acme/cart", branch=BRANCH, base="main", title="Clock", body="Why."
    )


def check(world: World) -> Awaitable[object]:
    head = world.small.pull.head_sha
    run = CheckRun("vibeboard / qa", head, "01J", "Running", "Soon.", None)
    return world.checks.put("acme/cart", run)


def reaction(world: World) -> Awaitable[object]:
    asked = world.small.issue.comments[0].id
    return world.replies.react("acme/cart", asked, "eyes", review=False)


def reply(world: World) -> Awaitable[object]:
    pull = world.small.pull
    asked = pull.review_comments[0].id
    return world.replies.answer_review("acme/cart", pull.number, asked, "Done.")


def comments_of(world: World) -> int:
    return len(world.ours)


def pull_requests_of(world: World) -> int:
    return len([one for one in world.small.repository.pulls if one.head_ref == BRANCH])


def checks_of(world: World) -> int:
    suites = world.small.repository.check_suites
    runs = [run for suite in suites for run in suite.runs]
    return len([run for run in runs if run.name == "vibeboard / qa"])


def reactions_of(world: World) -> int:
    return len(world.small.issue.comments[0].reactions)


def replies_of(world: World) -> int:
    return len(world.small.pull.review_comments) - 1


async def again_and_again(world: World, act: Act) -> int:
    """Carry an effect out as the engine does; how often it had to be tried."""
    for tries in range(1, 4):
        try:
            await act(world)
        except GitHubUnavailable:
            continue
        return tries
    raise AssertionError(act)


LOST = [
    pytest.param({"status": 500}, id="500"),
    pytest.param({"status": 502}, id="502"),
    pytest.param({"status": 0}, id="hang-up"),
    pytest.param({"status": 502, "seconds": 1.2}, id="time-out"),
]
EFFECTS = [
    pytest.param(comment, "/issues/1/comments$", comments_of, id="comment"),
    pytest.param(pull_request, "/pulls$", pull_requests_of, id="pull request"),
    pytest.param(check, "/check-runs$", checks_of, id="check"),
    pytest.param(reaction, "/reactions$", reactions_of, id="reaction"),
    pytest.param(reply, "/replies$", replies_of, id="reply"),
]


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize(("act", "path", "made"), EFFECTS)
async def test_case_13_what_was_done_without_an_answer_is_done_once(
    world: World,
    act: Act,
    path: str,
    made: Callable[[World], int],
    lost: dict[str, Any],
) -> None:
    small = world.small
    commit(small.repository, small.clock, "Fix", {"clock.py": "x = 1\n"}, BRANCH)
    world.order({"kind": "fail_after_effect", **lost}, method="POST", path=path)

    await again_and_again(world, act)
    await again_and_again(world, act)

    assert made(world) == 1


@pytest.mark.parametrize(("act", "path", "made"), EFFECTS)
async def test_case_13_what_was_not_done_is_done_by_the_next_try(
    world: World, act: Act, path: str, made: Callable[[World], int]
) -> None:
    small = world.small
    commit(small.repository, small.clock, "Fix", {"clock.py": "x = 1\n"}, BRANCH)
    world.order({"kind": "status", "status": 502}, method="POST", path=path)

    assert await again_and_again(world, act) == 2

    assert made(world) == 1


@pytest.mark.parametrize("lost", LOST)
async def test_case_13_an_edit_and_a_move_without_an_answer_are_done(
    world: World, lost: dict[str, Any]
) -> None:
    await comment(world)
    world.order({"kind": "fail_after_effect", **lost}, method="PATCH")
    world.order({"kind": "fail_after_effect", **lost}, graphql="MoveItem")

    def edit(world: World) -> Awaitable[object]:
        return world.replies.ensure(CARD, Marker("run=01J"), "Done.")

    def move(world: World) -> Awaitable[object]:
        return world.cards.move(world.place(), "Develop", field="Status")

    await again_and_again(world, edit)
    await again_and_again(world, move)

    assert world.ours == ["Done.\n\n<!-- vibe:run=01J -->"]
    assert world.place().column == "Develop"
    assert len(world.effects("MoveItem")) == 1


async def test_case_13_a_pull_request_that_exists_is_adopted_if_it_is_the_same(
    world: World,
) -> None:
    small = world.small
    commit(small.repository, small.clock, "Fix", {"clock.py": "x = 1\n"}, BRANCH)
    there = open_by_bob(world, base="main")
    not_seen_yet(world)

    adopted = await world.pulls.ensure(
        "acme/cart", branch=BRANCH, base="main", title="Clock", body="Why."
    )

    assert adopted.number == there
    assert pull_requests_of(world) == 1


async def test_case_13_a_pull_request_into_another_branch_is_not_adopted(
    world: World,
) -> None:
    small = world.small
    commit(small.repository, small.clock, "Fix", {"clock.py": "x = 1\n"}, BRANCH)
    commit(small.repository, small.clock, "Old", {"old.py": "x = 1\n"}, "release")
    open_by_bob(world, base="release")
    not_seen_yet(world)
    refusal = '{"message": "A pull request already exists for acme:vibe/9-clock."}'
    order = {"kind": "status", "status": 422, "body": refusal}
    world.order(order, method="POST", path="/pulls$")

    with pytest.raises(GitHubRefused) as caught:
        await pull_request(world)

    assert caught.value.status_code == 422


async def test_case_13_any_other_422_is_an_error_at_once(world: World) -> None:
    with pytest.raises(GitHubRefused) as caught:
        await pull_request(world)  # of a branch that nobody has pushed

    assert caught.value.status_code == 422
    assert world.ports.calls["POST /repos/{owner}/{name}/pulls"] == 1


def open_by_bob(world: World, base: str) -> int:
    small = world.small
    pull = pulls.create(
        small.hub,
        small.repository,
        actor=small.bob,
        title="Mine",
        head=BRANCH,
        base=base,
        body="",
    )
    return int(pull.number)


def not_seen_yet(world: World) -> None:
    """As when somebody is just a little faster."""
    nothing = {"kind": "status", "status": 200, "body": "[]"}
    world.order(nothing, method="GET", path="/pulls$")
