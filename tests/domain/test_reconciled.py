"""Deliveries come twice, late, in any order or never: the board ends the same."""

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.domain.model import (
    ALICE,
    BOB,
    BOTS,
    COLUMNS,
    PEOPLE,
    UNLISTED,
    WORKFLOWS,
    World,
    heard,
)
from vibeboard.domain.board import Actor
from vibeboard.domain.run import RunState
from vibeboard.domain.workflow import Workflow

# A move into a column, or the change of another field.
Touch = tuple[Actor, str | None]
touches = st.lists(
    st.tuples(st.sampled_from([ALICE, BOB]), st.sampled_from([*COLUMNS, None])),
    max_size=6,
)
outcomes = st.fixed_dictionaries(
    {
        name: st.sampled_from([RunState.SUCCEEDED, RunState.FAILED])
        for name in ("develop", "qa", "look")
    }
)
anyones = st.tuples(st.sampled_from([*PEOPLE, *BOTS]), st.sampled_from(COLUMNS))


def mangled(data: st.DataObject, world: World) -> None:
    """Deliver all there is in any order: some twice, some late, some never."""
    while world.inbox:
        index = data.draw(st.integers(0, len(world.inbox) - 1))
        what = data.draw(st.sampled_from(["deliver", "twice", "lose", "work"]))
        match what:
            case "lose":
                world.lost(index)
            case "twice":
                world.delivered(index, again=True)
            case "work" if not any(run.state is RunState.RUNNING for run in world.runs):
                world.works()
            case _:
                world.delivered(index)


def touched(world: World, touch: Touch) -> None:
    by, column = touch
    if column is None:
        world.touches(by)
    else:
        world.moves(by, column)


@given(st.data(), WORKFLOWS, touches, outcomes)
def test_however_moves_are_told_the_board_ends_the_same(
    data: st.DataObject,
    workflow: Workflow,
    touches: Sequence[Touch],
    outcomes: Mapping[str, RunState],
) -> None:
    in_order, other = World(workflow), World(workflow)
    for touch in touches:
        touched(in_order, touch)
        in_order.delivers()
        touched(other, touch)
        if data.draw(st.booleans()):
            mangled(data, other)
    mangled(data, other)
    other.reconciled()

    assert other.column == in_order.column
    assert other.alive == in_order.alive
    entered = {by.login for by, column in touches if column == other.column}
    assert all(run.asked_by in entered for run in other.runs[-1:] if other.alive)

    in_order.settles(outcomes)
    other.settles(outcomes)

    assert other.column == in_order.column
    assert other.carried_out == in_order.carried_out


@given(st.data(), WORKFLOWS, st.lists(anyones, max_size=8))
def test_a_board_that_was_read_back_has_nothing_more_to_tell(
    data: st.DataObject, workflow: Workflow, moves: Sequence[tuple[Actor, str]]
) -> None:
    world = World(workflow)
    for by, column in moves:
        world.moves(by, column)
        if data.draw(st.booleans()):
            mangled(data, world)
    mangled(data, world)
    world.reconciled()
    world.delivers()

    assert heard(world.reconciled()) == []
    assert not {run.asked_by for run in world.runs} & {"mallory", UNLISTED.login}
