"""What holds of every decision, whatever happens in whatever situation.

A decision rests on its event and situation alone, so what holds of each single one
holds of every sequence of them.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vibeboard.domain.board import Actor, BoardKey, Card, CardKey, Permission, Place
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import MoveCard, StartRun
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    CommentMade,
    ConfigurationChanged,
    Event,
    InstallationChanged,
    IssueClosed,
    PullRequestUpdated,
    ReviewGiven,
    RunEnded,
    StageAsked,
)
from vibeboard.domain.run import ENDED, Report, Run, RunState
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.workflow import Agent, Cli, Prompt, Result, Stage, Workflow
from vibeboard.errors import Fault

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEY = CardKey("acme/clock", 7)
BOARD = BoardKey("acme", 1)
US = Actor("vibeboard[bot]", is_bot=True)
BOTS = [
    US,
    Actor("VibeBoard[bot]", is_bot=True),
    Actor("github-project-automation[bot]", is_bot=True),
    Actor("dependabot[bot]", is_bot=True),
]
PEOPLE = [Actor("alice"), Actor("mallory"), Actor("x" * 39)]
NAMES = ["refine", "develop", "qa"]
COLUMNS = ["Backlog", "Refinement", "Development", "QA", "Done", "ÅNGSTRÖM", ""]

columns = st.none() | st.sampled_from(COLUMNS) | st.text(max_size=20)
bodies = st.sampled_from(
    [
        *(f"/agent {word}" for word in [*NAMES, "stop", "retry", "help", "status"]),
        "/agent retry tests", "/agent approve", "/agent merge", "/agent", "/agent  ",
        "/agent nonsense", "/AGENT Develop Please.", "> /agent stop", "hello",
    ]
) | st.text(max_size=60)  # fmt: skip


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    agent = Agent("recorded", Cli.COMMAND, ("true",))
    stages = {
        name: Stage(
            name,
            draw(columns),
            agent,
            Prompt(text="do"),
            result=draw(st.sampled_from(Result)),
            needs=tuple(draw(st.lists(st.sampled_from(NAMES), max_size=2))),
            next=draw(columns),
            otherwise=draw(columns),
        )
        for name in draw(st.lists(st.sampled_from(NAMES), unique=True))
    }
    return Workflow(
        board=draw(st.none() | st.just(BOARD)),
        column_field="Status",
        stages=stages,
        suites={},
        parallel=draw(st.integers(1, 5)),
        least_permission=draw(st.sampled_from(list(Permission)[2:])),
        commit="c0ffee",
    )


@st.composite
def runs(draw: st.DrawFn) -> Run:
    state = draw(st.sampled_from(RunState))
    run = Run(
        id=f"r{draw(st.integers(0, 10**11))}",
        card=KEY,
        stage=draw(st.sampled_from([*NAMES, "gone"])),
        cause="d0",
        asked_by=draw(st.sampled_from(["alice", "operator"])),
        state=state,
        created_at=AT,
        changed_at=AT + timedelta(seconds=draw(st.integers(0, 100))),
        chain=draw(st.integers(0, 20)),
    )
    if state in ENDED:
        run = replace(run, report=Report(state, reason=draw(st.text(max_size=30))))
    return run


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    places = tuple(
        Place(board, "PVTI_1", draw(columns))
        for board in draw(st.sampled_from([(), (BOARD,), (BoardKey("acme", 2),)]))
    )
    card = Card(
        KEY, "I_7", draw(st.text(max_size=30)), "", "", PEOPLE[0],
        is_open=draw(st.booleans()), places=places,
    )  # fmt: skip
    workflow = draw(st.none() | workflows())
    faults = draw(st.sampled_from([(), (Fault(".vibe.yml", 1, 1, "no"),)]))
    return Situation(
        us=US.login,
        card=draw(st.none() | st.just(card)),
        history=CardHistory(draw(columns), tuple(draw(st.lists(runs(), max_size=4)))),
        workflow=workflow,
        faults=() if workflow else faults,
        config_commit="c0ffee",
        permission=draw(st.sampled_from(Permission)),
    )


def moves(by: Actor) -> st.SearchStrategy[Event]:
    field = st.sampled_from([None, "Status", "Priority"])
    return st.builds(CardTouched, by=st.just(by), owner=st.just("acme"),
                     issue=st.just("I_7"), field=field)  # fmt: skip


def events(by: Actor) -> st.SearchStrategy[Event]:
    """Anything that somebody can do."""
    actor = st.just(by)
    repository = st.just("acme/clock")
    return st.one_of(
        moves(by),
        st.builds(
            CommentMade, by=actor, repository=repository, number=st.just(7),
            comment=st.just(99), body=bodies, on_pull_request=st.booleans(),
        ),
        st.builds(
            ReviewGiven, by=actor, repository=repository, pull_request=st.just(8),
            branch=st.just("vibe/7-x"), body=bodies,
            comment=st.none() | st.just(5), path=st.none() | st.text(max_size=9),
            line=st.none() | st.integers(1, 9), hunk=st.none() | st.text(max_size=9),
        ),
        st.builds(IssueClosed, by=actor, card=st.just(KEY)),
        st.builds(
            PullRequestUpdated, by=actor, repository=repository,
            pull_request=st.just(8), head=st.just("c0ffee"),
        ),
        st.builds(
            CheckAsked, by=actor, repository=repository,
            check=st.sampled_from(["vibeboard / config", "vibeboard / develop", "ci"]),
            head=st.just("c0ffee"), run=st.none() | st.just("r1"),
        ),
        st.builds(
            ConfigurationChanged, by=actor, repository=repository,
            commit=st.just("c0ffee"),
        ),
        st.builds(
            InstallationChanged, by=actor, account=st.just("acme"),
            what=st.sampled_from(["created", "deleted"]),
        ),
    )  # fmt: skip


def as_permitted(by: Actor, known: Situation) -> Situation:
    """With the permission that this bot has here."""
    workflow = known.workflow
    permission = workflow.permission_of_bot(by.login) if workflow else Permission.NONE
    return replace(known, permission=permission)


@given(st.data(), situations(), st.sampled_from([*BOTS, *PEOPLE]))
def test_every_event_has_an_answer(
    data: st.DataObject, known: Situation, by: Actor
) -> None:
    event = data.draw(events(by))

    effects = decide(event, known, cause="d1")

    assert len({effect.key for effect in effects}) == len(effects)


@given(st.data(), situations())
def test_our_own_events_have_an_answer(data: st.DataObject, known: Situation) -> None:
    asked: st.SearchStrategy[Event] = st.builds(
        StageAsked, card=st.just(KEY), stage=st.sampled_from([*NAMES, "gone"])
    )
    ended = [run for run in known.history.runs if run.ended]
    if ended:
        asked |= st.sampled_from([RunEnded(run.id, run.card) for run in ended])

    effects = decide(data.draw(asked), known, cause="d1")

    starts = [effect for effect in effects if isinstance(effect, StartRun)]
    assert len(starts) <= 1
    assert all(start.chain <= 12 for start in starts)


@given(st.data(), situations(), st.sampled_from(BOTS))
def test_no_bot_starts_anything(
    data: st.DataObject, known: Situation, by: Actor
) -> None:
    event = data.draw(events(by))

    effects = decide(event, as_permitted(by, known), cause="d1")

    assert not [effect for effect in effects if isinstance(effect, StartRun)]


@given(st.data(), situations())
def test_our_own_moves_come_back_and_do_nothing(
    data: st.DataObject, known: Situation
) -> None:
    event = data.draw(moves(US))

    assert decide(event, as_permitted(US, known), cause="d1") == []


@given(st.data(), situations(), st.sampled_from(PEOPLE))
def test_nobody_without_permission_starts_anything(
    data: st.DataObject, known: Situation, by: Actor
) -> None:
    event = data.draw(events(by))
    stranger = replace(known, permission=Permission.READ)

    effects = decide(event, stranger, cause="d1")

    assert not [effect for effect in effects if isinstance(effect, StartRun)]


@given(st.data(), situations(), st.sampled_from(PEOPLE))
def test_a_card_is_only_moved_to_another_column(
    data: st.DataObject, known: Situation, by: Actor
) -> None:
    for effect in decide(data.draw(events(by)), known, cause="d1"):
        if isinstance(effect, MoveCard):
            assert effect.column.casefold() != (effect.place.column or "").casefold()


@given(st.data(), situations(), st.sampled_from([*BOTS, *PEOPLE]))
def test_a_decision_is_the_same_every_time(
    data: st.DataObject, known: Situation, by: Actor
) -> None:
    event = data.draw(events(by))

    assert decide(event, known, cause="d1") == decide(event, known, cause="d1")
