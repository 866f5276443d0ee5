"""Case 10: kill -9 before an effect, after it, and before it is written down."""

import pytest

from tests.faults.worlds import Doomed, Point, developed, request

SETTLE = "vibeboard.store.deliveries:SqlDeliveries.settle"
PERFORMED = "vibeboard.store.deliveries:SqlDeliveries.performed"
FINISH = "vibeboard.store.delivery_queue:SqlDeliveryQueue.finish"
PUSH = "vibeboard.runner.workspace:GitWorkspaces.push"
END = "vibeboard.store.runs:SqlRuns.end"
COMMENT = r"POST .*/issues/1/comments"
PULL = r"POST .*/pulls "
CHECK = r"POST .*/check-runs "
# The first server dies at the first point, the next one at the second; no delivery
# and no run sees three of them, for then it is given up.
DEATHS = (
    (
        Point(SETTLE),
        request(CHECK, "after"),
        Point(END),
        request("MoveItem", "before"),
    ),
    (
        Point(SETTLE, "after"),
        Point(PUSH),
        request(PULL, "after"),
        Point(PERFORMED, given="MoveCard"),
    ),
    (
        Point(PERFORMED, given="StartRun"),
        request(PULL, "before"),
        request("MoveItem", "after"),
        Point(FINISH),
    ),
    (
        request(COMMENT, "before"),
        Point(PUSH, "after"),
        Point(END, "after"),
    ),
    (
        request(COMMENT, "after"),
        request(CHECK, "before"),
    ),
)


@pytest.mark.parametrize("deaths", DEATHS, ids=lambda x: "+".join(map(str, x)))
async def test_case_10_each_effect_happens_once(
    doomed: Doomed, deaths: tuple[Point, ...]
) -> None:
    first, *later = deaths
    await doomed.serve_until(first)
    card = doomed.card("Survive", "write a.txt a", "summary Wrote it.")
    card.moved_to("Development")
    await doomed.died()
    for death in later:
        await doomed.serve_until(death)
        await doomed.died()
    await doomed.serve()
    doomed.redeliver_failed()
    await card.reaches("Review")
    await doomed.is_quiet()

    assert doomed.made() == developed(card)
    assert len(doomed.runs_kept()) == 1
