"""Cards found elsewhere than remembered, by whoever moved them."""

import pytest

from tests.domain.test_decide import ALICE, KEY, kinds, run, situation
from vibeboard.domain.board import Actor, Permission
from vibeboard.domain.decide import decide, sees_place
from vibeboard.domain.effects import MoveCard, Reply, StartRun, StopRun
from vibeboard.domain.events import CardSeen
from vibeboard.domain.run import RunState


def seen(column: str | None) -> CardSeen:
    return CardSeen(KEY, column)


def test_a_move_that_somebody_answers_for_is_like_any_other() -> None:
    event = CardSeen(KEY, "Development", ALICE)

    (start,) = decide(event, situation(), cause="seen-1")

    assert isinstance(start, StartRun)
    assert start.asked_by == "alice"
    assert start.cause == "seen-1"


def test_who_answers_for_a_board_needs_permission_too() -> None:
    event = CardSeen(KEY, "Development", ALICE)
    unknown = situation(permission=Permission.READ)

    move, reply = decide(event, unknown, cause="seen-1")

    assert isinstance(move, MoveCard)
    assert move.column == "Backlog"
    assert isinstance(reply, Reply)


def test_a_card_that_nobody_is_known_to_have_moved_starts_nothing_and_says_so() -> None:
    (reply,) = decide(seen("Development"), situation(), cause="seen-1")

    assert isinstance(reply, Reply)
    assert reply.body == (
        "This card came to *Development* while GitHub's webhooks did not arrive. "
        "GitHub does not tell afterwards who moved it, so nothing was started. "
        "Comment `/agent develop` to start *develop*, or move the card out of the "
        "column and back."
    )


@pytest.mark.parametrize("column", ["Backlog", None, "QA"])
def test_a_card_that_left_its_stage_unseen_has_its_run_stopped(
    column: str | None,
) -> None:
    left = situation(column, before="Development", runs=(run(RunState.RUNNING),))

    stop, *said = decide(seen(column), left, cause="seen-1")

    assert isinstance(stop, StopRun)
    assert stop.run == "r-develop"
    assert kinds(said) == (["Reply"] if column == "QA" else [])


def test_a_card_back_where_its_run_is_goes_on() -> None:
    back = situation("Development", before="Backlog", runs=(run(RunState.RUNNING),))

    assert decide(seen("Development"), back, cause="seen-1") == []


@pytest.mark.parametrize("by", [ALICE, None])
def test_a_card_that_moved_on_meanwhile_is_left_to_whoever_tells_of_that(
    by: Actor | None,
) -> None:
    event = CardSeen(KEY, "Development", by)
    moved_on = situation("QA")

    assert decide(event, moved_on, cause="seen-1") == []
    assert not sees_place(event, moved_on)


def test_a_card_seen_where_it_is_known_to_be_changes_nothing() -> None:
    known = situation("Development", before="Development")

    assert decide(seen("Development"), known, cause="seen-1") == []
    assert sees_place(seen("Development"), known)


def test_a_closed_issue_is_not_talked_about() -> None:
    closed = situation("Development", is_open=False)

    assert decide(seen("Development"), closed, cause="seen-1") == []
