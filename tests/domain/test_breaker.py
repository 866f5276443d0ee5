"""What starts by itself ends by itself, and only a person begins it anew."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.model import (
    ALICE,
    BOTS,
    COLUMNS,
    LISTED,
    MACHINE,
    PEOPLE,
    WITH_NEEDS,
    WORKFLOWS,
    World,
    heard,
    stage,
    workflow,
)
from vibeboard.domain.board import Actor
from vibeboard.domain.breaker import LONGEST_CHAIN, MOST_AT_ONCE, WINDOW
from vibeboard.domain.effects import Effect, MoveCard, Reply, StartRun
from vibeboard.domain.events import CardTouched
from vibeboard.domain.run import RunState
from vibeboard.domain.trust import is_person
from vibeboard.domain.workflow import Workflow

COMMANDS = [
    *(f"/agent {word}" for word in ("develop", "qa", "stop", "retry", "status")),
    "/agent help", "/agent nonsense", "/agent merge", "Thanks!",
]  # fmt: skip
OUTCOMES = st.sampled_from([RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT])

FLOWS = WORKFLOWS | st.just(WITH_NEEDS)

# What somebody does, a delivery's fate, a worker's step, or time going by.
Step = tuple[object, ...]


def deeds(*actors: Actor) -> st.SearchStrategy[Step]:
    by = st.sampled_from(actors)
    return st.one_of(
        st.tuples(st.just("moves"), by, st.sampled_from(COLUMNS)),
        st.tuples(st.just("says"), by, st.sampled_from(COMMANDS)),
        st.tuples(st.just("reviews"), by),
        st.tuples(st.just("asks_again"), by),
    )


chances = st.one_of(
    st.tuples(st.just("delivered"), st.integers(0, 9)),
    st.tuples(st.just("repeated"), st.integers(0, 9)),
    st.tuples(st.just("lost"), st.integers(0, 9)),
    st.tuples(st.just("works"), OUTCOMES),
    st.tuples(st.just("passes"), st.sampled_from([1, 60, 700])),
    st.just(("reconciled",)),
)


def goes(world: World, step: Step) -> list[Effect]:
    """One step; gives what was done about it."""
    what, *rest = step
    match what, rest:
        case "moves" | "says" | "reviews" | "asks_again" | "works", _:
            getattr(world, str(what))(*rest)
        case "passes", [int(seconds)]:
            world.now += timedelta(seconds=seconds)
        case "reconciled", _:
            return world.reconciled()
        case _, [int(index)] if world.inbox:
            if what == "lost":
                world.lost(index)
            else:
                return world.delivered(index, again=what == "repeated")
        case _:
            pass
    return []


def automatic(world: World) -> list[list[timedelta]]:
    """When each run began that no person asked for, chain by chain."""
    chains: list[list[timedelta]] = [[]]
    for run in world.runs:
        if run.chain == 0:
            chains.append([])
        else:
            chains[-1].append(run.created_at - world.runs[0].created_at)
    return chains


@given(FLOWS, st.lists(deeds(*PEOPLE, *BOTS) | chances | chances, max_size=60))
@settings(deadline=None)
def test_whatever_happens_runs_are_bounded(
    flow: Workflow, steps: Sequence[Step]
) -> None:
    world = World(flow)
    for step in steps:
        goes(world, step)

    by_people = [run for run in world.runs if run.chain == 0]
    assert len(by_people) <= world.asked_by_people
    assert all(run.chain < LONGEST_CHAIN for run in world.runs)
    for chain in automatic(world):
        rush = zip(chain, chain[MOST_AT_ONCE:], strict=False)
        assert all(after - before > WINDOW for before, after in rush)
    said = [key for key in world.done if ":loop" in key]
    assert len(said) <= len(by_people) + 1


@given(FLOWS, st.lists(deeds(*BOTS) | chances, max_size=40), st.sampled_from(COLUMNS))
@settings(deadline=None)
def test_no_move_of_ours_answers_a_bots(
    flow: Workflow, steps: Sequence[Step], begun: str
) -> None:
    world = World(flow)
    world.moves(ALICE, begun)
    world.delivers()
    for step in steps:
        goes(world, step)
        while world.inbox:
            _, event = world.inbox[0]
            effects = world.delivered()
            if isinstance(event, CardTouched):
                assert not [one for one in effects if isinstance(one, MoveCard)]


@given(
    FLOWS,
    st.lists(deeds(LISTED, MACHINE), min_size=1, max_size=4),
    OUTCOMES,
    st.sampled_from([1, 60, 700]),
)
@settings(deadline=None)
def test_a_tireless_bot_is_answered_no_more(
    flow: Workflow, deeds: Sequence[Step], outcome: RunState, pause: int
) -> None:
    world = World(flow)
    world.moves(ALICE, "Development")
    world.delivers()

    answers: list[int] = []
    for _ in range(80):
        done: list[Effect] = []
        for deed in deeds:
            goes(world, deed)
            world.now += timedelta(seconds=pause)
            while world.inbox or world.alive or world.stopping:
                while world.inbox:
                    done += world.delivered()
                world.works(outcome)
        answers.append(len(heard(done)))

    assert not any(answers[40:])
    assert sum(1 for run in world.runs if run.chain == 0) == 1


PING_PONG = workflow(
    stage("develop", "Development", next="Ready", otherwise="Attention"),
    stage("qa", "QA", next="Review"),
)


def looped(flow: Workflow, *, pause: int, by: Actor = LISTED) -> World:
    """A bot that moves the card back as often as it is moved on."""
    world = World(flow)
    world.moves(ALICE, "Development")
    for _ in range(30):
        world.settles({"develop": RunState.SUCCEEDED, "qa": RunState.SUCCEEDED})
        world.now += timedelta(seconds=pause)
        world.moves(by, "Development")
        world.delivers()
    return world


def loops(world: World) -> list[Reply]:
    return [
        effect
        for effect in world.done.values()
        if isinstance(effect, Reply) and effect.topic.startswith("loop")
    ]


def test_a_quick_loop_is_cut_and_told_once() -> None:
    world = looped(PING_PONG, pause=10)

    (told,) = loops(world)
    assert len(world.runs) == 1 + MOST_AT_ONCE
    assert told.body == (
        "@alice This looks like a loop, so it was cut: without a person in between, 6 "
        "runs began on this card within 1m 10s (*develop* 6 times). So *develop* was "
        "not started, and nothing starts here any more until a person asks for it.\n\n"
        "To go on, move the card into the column of a stage yourself, or comment "
        "`/agent retry` for the last stage or `/agent develop` for this one."
    )


def test_a_slow_loop_is_cut_by_its_length() -> None:
    world = looped(PING_PONG, pause=3600)

    (told,) = loops(world)
    assert [run.chain for run in world.runs] == list(range(LONGEST_CHAIN))
    assert "11 runs began on this card within 10h" in told.body


def test_a_program_behind_a_persons_account_counts_once_it_is_listed() -> None:
    assert len(looped(PING_PONG, pause=10, by=MACHINE).runs) == 1 + MOST_AT_ONCE
    assert not is_person(MACHINE, World(PING_PONG).situation(MACHINE))


def test_every_run_names_the_one_that_led_to_it() -> None:
    world = looped(PING_PONG, pause=3600)

    started = [one for one in world.done.values() if isinstance(one, StartRun)]
    assert started[0].parent == ""
    for run, following in pairwise(zip(world.runs, started, strict=True)):
        assert following[1].parent == run[0].id


def test_only_a_person_closes_the_breaker() -> None:
    world = looped(PING_PONG, pause=10)
    runs = len(world.runs)

    world.now += timedelta(days=30)
    world.says(LISTED, "/agent develop")
    world.reviews(LISTED)
    world.moves(LISTED, "QA")
    world.delivers()
    assert len(world.runs) == runs

    world.says(ALICE, "/agent retry")
    world.delivers()
    assert world.runs[-1].chain == 0
    world.settles({"develop": RunState.SUCCEEDED})
    world.moves(LISTED, "QA")
    world.delivers()
    assert world.runs[-1].chain == 1


def test_stages_that_send_the_card_to_each_other_end_aside() -> None:
    flow = workflow(
        stage("develop", "Development", next="QA", otherwise="Attention"),
        stage("qa", "QA", next="Review", otherwise="Development"),
    )
    world = World(flow)
    world.moves(ALICE, "Development")

    world.settles({"develop": RunState.SUCCEEDED, "qa": RunState.FAILED})

    assert len(world.runs) == 1 + MOST_AT_ONCE
    assert world.runs[-1].stage == "develop"
    assert world.column == "Attention"
    assert len(loops(world)) == 1


def test_a_card_is_never_parked_where_a_stage_would_start() -> None:
    flow = workflow(
        stage("develop", "Development", next="QA", otherwise="QA"),
        stage("qa", "QA", next="Review", otherwise="Development"),
    )
    world = World(flow)
    world.moves(ALICE, "Development")

    world.settles({"develop": RunState.SUCCEEDED, "qa": RunState.FAILED})

    assert world.column == "Development"
    assert world.runs[-1].stage == "develop"


def test_a_long_row_of_quick_stages_is_no_loop() -> None:
    names = [f"s{number}" for number in range(20)]
    stages = [
        stage(name, f"C{name}", next=f"C{following}")
        for name, following in pairwise([*names, "end"])
    ]
    world = World(workflow(*stages))
    world.moves(ALICE, "Cs0")

    world.settles(dict.fromkeys(names, RunState.SUCCEEDED))

    assert [run.stage for run in world.runs] == names
    assert world.column == "Cend"
