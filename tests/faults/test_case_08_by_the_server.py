"""Case 8: two moves and a comment, told in any order, twice or not at all."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from tests.faults.missing import Told, told_of

FIRST, SECOND, COMMENT = range(3)
HELP = "| Command | What it does |"


pytestmark = pytest.mark.processes


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    async with told_of(tmp_path) as one:
        yield one


@pytest.mark.parametrize(
    ("order", "lost"),
    [
        pytest.param([FIRST, SECOND, COMMENT], [], id="in-order"),
        pytest.param([COMMENT, SECOND, FIRST], [], id="last-to-first"),
        pytest.param([SECOND, SECOND, FIRST, COMMENT, FIRST, COMMENT], [], id="twice"),
        pytest.param([COMMENT, FIRST], [SECOND], id="without-the-second-move"),
        pytest.param([SECOND], [COMMENT, FIRST], id="only-the-second-move"),
        pytest.param([], [COMMENT, SECOND, FIRST], id="nothing-at-all"),
    ],
)
async def test_the_board_ends_the_same(
    told: Told, order: Sequence[int], lost: Sequence[int]
) -> None:
    world = told.world
    await world.serve()
    card = world.card("Add a tock", "write tock.txt tock", "summary Added a tock.")
    await world.settled()
    await told.quiet()

    told.courier.orders.paused = True
    card.moved_to("Refinement")
    card.moved_to("Development")
    card.said("/agent help")
    events = list(told.courier.waiting)
    assert [one.event for one in events] == [
        "projects_v2_item",
        "projects_v2_item",
        "issue_comment",
    ]
    for each in lost:
        told.lose(events[each])
    told.courier.waiting.clear()
    told.courier.waiting.extend(events[each] for each in order)
    told.courier.orders.paused = False
    told.courier.order(told.courier.orders)

    await card.reaches("Review")
    await card.replied(HELP)
    await world.settled()

    assert {one.guid for one in events} <= told.has()
    # What is still on its way may be asked for, too; once, like the rest.
    assert {events[each].guid for each in lost} <= set(told.sent_again)
    assert len(told.sent_again) == len(set(told.sent_again))
    assert card.column == "Review"
    assert card.pull is not None
    assert len(card.tracking()) == 1
    assert not card.tracking("refine")
    assert len([body for body in card.replies if HELP in body]) == 1
