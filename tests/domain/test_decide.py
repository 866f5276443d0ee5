"""What is decided about each event, without asking or doing anything."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vibeboard.domain.board import Actor, BoardKey, Card, CardKey, Permission, Place
from vibeboard.domain.breaker import LONGEST_CHAIN
from vibeboard.domain.decide import decide, sees_place
from vibeboard.domain.effects import (
    CheckConfiguration,
    Effect,
    MoveCard,
    React,
    Reply,
    ShowCost,
    ShowPreviews,
    ShowRun,
    StartRun,
    StopRun,
)
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    CommentMade,
    ConfigurationChanged,
    Deployed,
    Event,
    IssueClosed,
    PullRequestUpdated,
    ReviewGiven,
    RunEnded,
)
from vibeboard.domain.run import Report, Run, RunState
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.workflow import (
    Agent,
    Cli,
    Priority,
    Prompt,
    Result,
    Stage,
    Workflow,
)
from vibeboard.errors import Fault

KEY = CardKey("acme/clock", 7)
BOARD = BoardKey("acme", 1)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALICE = Actor("alice")
US = Actor("vibeboard[bot]", is_bot=True)
AUTOMATION = Actor("github-project-automation[bot]", is_bot=True)
AGENT = Agent("recorded", Cli.COMMAND, ("true",))


def stage(name: str, column: str, **given: object) -> Stage:
    return Stage(name, column, AGENT, Prompt(text="do"), **given)  # type: ignore[arg-type]  # a test's own values


WORKFLOW = Workflow(
    board=BOARD,
    column_field="Status",
    stages={
        "refine": stage("refine", "Refinement", result=Result.ISSUE, next="Ready"),
        "develop": stage("develop", "Development", next="QA", otherwise="Attention"),
        "qa": stage("qa", "QA", needs=("develop",), next="Review"),
    },
    suites={},
    commit="c0ffee",
)


def run(state: RunState, name: str = "develop", **given: object) -> Run:
    values: dict[str, object] = {
        "id": f"r-{name}",
        "card": KEY,
        "stage": name,
        "cause": "d0",
        "asked_by": "alice",
        "state": state,
        "created_at": AT,
        "changed_at": AT,
    }
    return Run(**{**values, **given})  # type: ignore[arg-type]  # a test's own values


def situation(
    column: str | None = "Development",
    *,
    before: str | None = "Backlog",
    runs: tuple[Run, ...] = (),
    permission: Permission = Permission.WRITE,
    workflow: Workflow | None = WORKFLOW,
    is_open: bool = True,
) -> Situation:
    places = (Place(BOARD, "PVTI_1", column),) if column else ()
    card = Card(KEY, "I_7", "Fix the clock", "", "", ALICE, is_open, places=places)
    return Situation(
        us=US.login,
        card=card,
        history=CardHistory(before, runs),
        workflow=workflow,
        config_commit="c0ffee",
        permission=permission,
    )


def moved(by: Actor = ALICE) -> CardTouched:
    return CardTouched(by, "acme", "I_7")


def said(body: str, by: Actor = ALICE, comment: int = 99) -> CommentMade:
    return CommentMade(by, "acme/clock", 7, comment, body, on_pull_request=False)


def test_a_command_without_a_comment_starts_the_same_and_shows_no_reaction() -> None:
    by_label = replace(said("/agent refine"), comment=None, given="label-refine-t1")
    by_hand = replace(by_label, given="")

    (labelled,) = started(decide(by_label, situation(), cause="guid-1"))
    (dispatched,) = started(decide(by_hand, situation(), cause="guid-1"))

    assert (labelled.cause, dispatched.cause) == ("label-refine-t1", "guid-1")
    refused = decide(replace(by_hand, body="/agent refin"), situation(), cause="guid-1")
    assert [type(effect) for effect in refused] == [Reply]
    assert getattr(refused[0], "topic") == "command-guid-1"  # noqa: B009 - any effect


def test_previews_are_shown_of_cards_that_were_worked_on() -> None:
    event = Deployed(ALICE, "acme/clock", 5, "vibe/7-fix", "c0ffee")
    report = Report(RunState.SUCCEEDED, pull_request=8)
    opened = situation(runs=(run(RunState.SUCCEEDED, report=report),))
    ended = RunEnded("r-develop", KEY)

    # Where there is no pull request yet, its run's end looks for them.
    for too_soon in (situation(), situation(runs=(run(RunState.RUNNING),))):
        assert decide(event, too_soon, cause="d1") == []
    assert decide(event, opened, cause="d1") == [ShowPreviews(KEY, "d1", 5)]
    assert ShowPreviews(KEY, "r-develop") in decide(ended, opened, cause="d2")


def test_whoever_asks_for_previews_is_answered_where_they_asked() -> None:
    asked = replace(said("/agent preview"), number=8, on_pull_request=True)

    assert decide(asked, situation(), cause="d1") == [
        React("acme/clock", 99, "eyes"),
        ShowPreviews(KEY, "comment-99", thread=CardKey("acme/clock", 8)),
    ]
    (refused,) = decide(asked, situation(permission=Permission.READ), cause="d1")
    assert isinstance(refused, Reply)


def started(effects: list[Effect]) -> list[StartRun]:
    assert not any(isinstance(effect, React) for effect in effects)
    return [effect for effect in effects if isinstance(effect, StartRun)]


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def test_a_card_dragged_into_a_stage_starts_its_run() -> None:
    effects = decide(moved(), situation(), cause="d1")

    assert effects == [
        StartRun(KEY, "develop", "d1", "alice", "c0ffee", parallel=3),
    ]


@pytest.mark.parametrize(
    ("event", "known"),
    [
        pytest.param(moved(US), situation(), id="our own move"),
        pytest.param(
            moved(), situation(before="Development"), id="the same place seen again"
        ),
        pytest.param(
            moved(), situation(before="development"), id="the column renamed in case"
        ),
        pytest.param(moved(), situation("Backlog", before=None), id="a plain column"),
        pytest.param(moved(AUTOMATION), situation(), id="a bot nobody listed"),
        pytest.param(
            replace(moved(), field="Priority"), situation(), id="another field"
        ),
        pytest.param(
            moved(), situation(workflow=None), id="a repository without .vibe.yml"
        ),
    ],
)
def test_nothing_happens_on(event: Event, known: Situation) -> None:
    assert decide(event, known, cause="d1") == []


def test_a_listed_bot_may_move_cards() -> None:
    workflow = replace(WORKFLOW, trusted_bots=frozenset({AUTOMATION.login}))

    effects = decide(moved(AUTOMATION), situation(workflow=workflow), cause="d1")

    assert kinds(effects) == ["StartRun"]


def test_a_listed_bot_that_moves_too_early_is_told_and_not_put_back() -> None:
    workflow = replace(WORKFLOW, trusted_bots=frozenset({AUTOMATION.login}))
    known = situation("QA", before="Backlog", workflow=workflow)

    (reply,) = decide(moved(AUTOMATION), known, cause="d1")

    assert isinstance(reply, Reply)
    assert "it needs *develop*" in reply.body
    assert decide(moved(AUTOMATION), known, cause="d2") == [reply]


def test_a_listed_bot_is_told_the_same_once() -> None:
    workflow = replace(WORKFLOW, trusted_bots=frozenset({AUTOMATION.login}))
    known = situation(workflow=workflow)
    again = replace(said("/agent help", AUTOMATION), comment=100)

    first = decide(said("/agent help", AUTOMATION), known, cause="d1")
    second = decide(again, known, cause="d2")

    assert kinds(first) == ["React", "Reply"]
    assert first[1] == second[1]


def test_a_run_that_no_person_asked_for_counts_on_from_the_newest() -> None:
    workflow = replace(WORKFLOW, trusted_bots=frozenset({AUTOMATION.login}))
    runs = (run(RunState.SUCCEEDED, chain=3),)
    known = situation(runs=runs, workflow=workflow)

    (by_bot,) = decide(moved(AUTOMATION), known, cause="d1")
    (by_person,) = decide(moved(), known, cause="d1")

    assert isinstance(by_bot, StartRun)
    assert isinstance(by_person, StartRun)
    assert (by_bot.chain, by_bot.parent) == (4, "r-develop")
    assert (by_person.chain, by_person.parent) == (0, "")


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        pytest.param(said("/agent develop"), "comment-99", id="a comment"),
        pytest.param(
            CardTouched(ALICE, "acme", "I_7", at="2026-01-02T03:04:05Z"),
            "moved-2026-01-02T03:04:05Z",
            id="a move",
        ),
        pytest.param(moved(), "d1", id="a move without its time"),
    ],
)
def test_what_comes_by_two_deliveries_has_one_cause(event: Event, cause: str) -> None:
    first = decide(event, situation(), cause="d1")[-1]
    second = decide(event, situation(), cause="d2")[-1]

    assert isinstance(first, StartRun)
    assert first.cause == cause
    assert (first.key == second.key) == (cause != "d1")


def test_a_move_that_another_has_overtaken_is_left_to_that_one() -> None:
    overtaken = replace(moved(), field="Status", after="Refinement")

    assert decide(overtaken, situation(), cause="d1") == []
    assert not sees_place(overtaken, situation())


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(replace(moved(), field="Priority"), id="another field"),
        pytest.param(moved(US), id="our own move"),
        pytest.param(said("/agent help"), id="a comment"),
    ],
)
def test_only_a_decision_about_the_place_sees_it(event: Event) -> None:
    assert not sees_place(event, situation())
    assert sees_place(moved(), situation())
    assert sees_place(replace(moved(), after="DEVELOPMENT"), situation())


def test_a_command_that_another_delivery_told_is_obeyed_once() -> None:
    obeyed = situation(runs=(run(RunState.RUNNING, cause="comment-99"),))

    assert decide(said("/agent develop"), obeyed, cause="d2") == []
    assert kinds(decide(said("/agent develop", comment=100), obeyed, cause="d2")) == [
        "React",
        "Reply",
    ]


def test_a_card_that_is_back_where_its_run_works_changes_nothing() -> None:
    working = situation(before=None, runs=(run(RunState.RUNNING),))
    stopping = situation(before="Backlog", runs=(run(RunState.STOPPING),))

    assert decide(moved(), working, cause="d1") == []
    assert kinds(decide(moved(), stopping, cause="d1")) == ["StopRun", "StartRun"]


def test_a_move_that_is_put_back_leaves_the_run_at_work() -> None:
    runs = (run(RunState.RUNNING),)
    known = situation("QA", before="Development", runs=runs)

    assert kinds(decide(moved(), known, cause="d1")) == ["MoveCard", "Reply"]


def test_a_run_carries_the_priority_of_its_stage() -> None:
    urgent = replace(WORKFLOW.stages["develop"], priority=Priority.HIGH)
    workflow = replace(WORKFLOW, stages={"develop": urgent})

    (start,) = decide(moved(), situation(workflow=workflow), cause="d1")

    assert isinstance(start, StartRun)
    assert start.priority == 1


def test_a_move_waits_for_the_delay_of_its_stage_and_a_command_does_not() -> None:
    patient = replace(WORKFLOW.stages["develop"], delay=timedelta(minutes=5))
    known = situation(workflow=replace(WORKFLOW, stages={"develop": patient}))

    (by_move,) = decide(moved(), known, cause="d1")
    _, by_command = decide(said("/agent develop"), known, cause="d2")

    assert isinstance(by_move, StartRun)
    assert by_move.delay == timedelta(minutes=5)
    assert isinstance(by_command, StartRun)
    assert by_command.delay == timedelta(0)


def test_a_card_dragged_back_stops_its_run() -> None:
    known = situation("Backlog", before="Development", runs=(run(RunState.RUNNING),))

    (effect,) = decide(moved(), known, cause="d1")

    assert effect == StopRun("r-develop", "@alice moved the card to Backlog")


def test_a_card_dragged_to_another_stage_stops_one_run_and_starts_the_other() -> None:
    known = situation("Refinement", before="Development", runs=(run(RunState.RUNNING),))

    assert kinds(decide(moved(), known, cause="d1")) == ["StopRun", "StartRun"]


def test_a_card_taken_off_the_board_stops_its_run() -> None:
    known = situation(None, before="Development", runs=(run(RunState.RUNNING),))

    assert kinds(decide(moved(), known, cause="d1")) == ["StopRun"]


def test_a_stranger_who_takes_a_card_off_the_board_stops_nothing() -> None:
    known = situation(
        None,
        before="Development",
        runs=(run(RunState.RUNNING),),
        permission=Permission.READ,
    )

    assert kinds(decide(moved(Actor("mallory")), known, cause="d1")) == ["Reply"]


def test_a_strangers_move_is_put_back_with_the_reason() -> None:
    move, reply = decide(
        moved(Actor("mallory")), situation(permission=Permission.READ), cause="d1"
    )

    assert isinstance(move, MoveCard)
    assert move.column == "Backlog"
    assert isinstance(reply, Reply)
    assert "needs write permission" in reply.body
    assert "@mallory has read" in reply.body


def test_a_stranger_who_moves_a_card_we_never_saw_moves_nothing() -> None:
    event = replace(moved(Actor("mallory")), before="Ideas")
    known = situation(before=None, permission=Permission.READ)

    move, _ = decide(event, known, cause="d1")

    assert isinstance(move, MoveCard)
    assert move.column == "Ideas"


def test_a_card_that_cannot_move_on_says_so() -> None:
    fault = Fault(".vibe.yml", 3, 5, "unknown key 'stagse'")
    known = replace(
        situation(workflow=None, runs=ended(RunState.SUCCEEDED)), faults=(fault,)
    )

    show, reply = decide(RunEnded("r-develop", KEY), known, cause="r-develop")

    assert isinstance(show, ShowRun)
    assert isinstance(reply, Reply)
    assert "stays where it is" in reply.body
    assert ".vibe.yml:3:5" in reply.body


def test_a_strangers_move_out_of_a_stage_does_not_stop_the_run() -> None:
    known = situation(
        "Backlog",
        before="Development",
        runs=(run(RunState.RUNNING),),
        permission=Permission.TRIAGE,
    )

    assert kinds(decide(moved(Actor("mallory")), known, cause="d1")) == [
        "MoveCard",
        "Reply",
    ]


def test_a_stage_that_needs_another_is_put_back_until_that_succeeded() -> None:
    early = decide(moved(), situation("QA"), cause="d1")
    failed = (run(RunState.FAILED),)
    still = decide(moved(), situation("QA", runs=failed), cause="d1")
    done = (*failed, run(RunState.SUCCEEDED, changed_at=AT + timedelta(hours=1)))
    ready = decide(moved(), situation("QA", runs=done), cause="d1")

    assert kinds(early) == kinds(still) == ["MoveCard", "Reply"]
    assert kinds(ready) == ["StartRun"]


def test_a_closed_issue_is_put_back() -> None:
    effects = decide(moved(), situation(is_open=False), cause="d1")

    assert kinds(effects) == ["MoveCard", "Reply"]


def test_a_move_under_a_broken_config_says_where_it_is_broken() -> None:
    fault = Fault(".vibe.yml", 3, 5, "unknown key 'stagse'")
    known = replace(situation(workflow=None), faults=(fault,))

    (reply,) = decide(moved(), known, cause="d1")

    assert isinstance(reply, Reply)
    assert ".vibe.yml:3:5: unknown key 'stagse'" in reply.body


def test_a_command_starts_its_stage_and_brings_the_card_there() -> None:
    effects = decide(said("/agent develop use UTC"), situation("Backlog"), cause="d1")

    assert kinds(effects) == ["React", "MoveCard", "StartRun"]
    assert isinstance(effects[0], React)
    assert effects[0].content == "eyes"
    assert isinstance(effects[2], StartRun)
    assert effects[2].instructions == "use UTC"


def test_a_command_works_without_a_board() -> None:
    workflow = replace(WORKFLOW, board=None)

    effects = decide(
        said("/agent develop"), situation(None, workflow=workflow), cause="d1"
    )

    assert kinds(effects) == ["React", "StartRun"]


@pytest.mark.parametrize(
    ("body", "known", "answer"),
    [
        pytest.param(
            "/agent bulid", situation(), "is not a command", id="unknown command"
        ),
        pytest.param(
            "/agent develp", situation(), "`/agent develop`", id="did you mean"
        ),
        pytest.param(
            "/agent develop",
            situation(permission=Permission.READ),
            "need write permission",
            id="stranger",
        ),
        pytest.param(
            "/agent develop",
            situation(runs=(run(RunState.RUNNING),)),
            "is running",
            id="busy card",
        ),
        pytest.param("/agent qa", situation(), "it needs *develop*", id="needs"),
        pytest.param("/agent stop", situation(), "Nothing to stop", id="idle stop"),
        pytest.param("/agent retry", situation(), "Nothing to retry", id="no run"),
        pytest.param("/agent merge", situation(), "not supported yet", id="merge"),
        pytest.param(
            "/agent retry tests", situation(), "tests are run again", id="tests"
        ),
        pytest.param("/agent help", situation(), "| `/agent develop", id="help"),
        pytest.param(
            "/agent status",
            situation(runs=(run(RunState.FAILED),)),
            "*develop* is ❌ failed",
            id="status",
        ),
        pytest.param(
            "/agent develop",
            situation(workflow=None),
            "has no `.vibe.yml`",
            id="no config",
        ),
    ],
)
def test_every_command_that_does_nothing_says_why(
    body: str, known: Situation, answer: str
) -> None:
    *_, reply = decide(said(body), known, cause="d1")

    assert isinstance(reply, Reply)
    assert answer in reply.body


def test_a_stranger_is_answered_once_however_often_they_ask() -> None:
    known = situation(permission=Permission.READ)
    first, again = (
        decide(said("/agent develop", comment=number), known, cause=f"d{number}")
        for number in (1, 2)
    )

    assert [effect.key for effect in first] == [effect.key for effect in again]
    assert all(isinstance(effect, Reply) for effect in first)


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(said("Looks good to me"), id="chatter"),
        pytest.param(said("/agent develop", US), id="our own words"),
        pytest.param(said("/agent develop", AUTOMATION), id="a bot's words"),
    ],
)
def test_comments_that_are_no_commands_start_nothing(event: Event) -> None:
    assert decide(event, situation(), cause="d1") == []


def test_stop_ends_the_queued_run_too() -> None:
    runs = (run(RunState.RUNNING), run(RunState.QUEUED, "qa"))

    effects = decide(said("/agent stop"), situation(runs=runs), cause="d1")

    assert kinds(effects) == ["React", "StopRun", "StopRun"]


def test_retry_repeats_the_last_stage_with_its_instructions() -> None:
    runs = (run(RunState.FAILED, instructions="use UTC"),)

    effects = decide(said("/agent retry"), situation(runs=runs), cause="d1")

    assert isinstance(effects[-1], StartRun)
    assert effects[-1].stage == "develop"
    assert effects[-1].instructions == "use UTC"


def review(**given: object) -> ReviewGiven:
    values: dict[str, object] = {
        "by": ALICE,
        "repository": "acme/clock",
        "pull_request": 9,
        "branch": "vibe/7-fix-the-clock",
        "body": "Please name it better.",
        "comment": 5,
        "path": "clock.py",
        "line": 3,
        "hunk": "@@ -1 +1 @@",
    }
    return ReviewGiven(**{**values, **given})  # type: ignore[arg-type]  # a test's own values


def test_a_review_has_one_cause_whole_or_in_parts() -> None:
    runs = (run(RunState.SUCCEEDED),)
    part = decide(review(), situation("QA", runs=runs), cause="d1")[-1]
    whole = review(comment=None, review=6)
    start = decide(whole, situation("QA", runs=runs), cause="d1")[-1]

    assert isinstance(part, StartRun)
    assert isinstance(start, StartRun)
    assert (part.cause, start.cause) == ("review-comment-5", "review-6")


def test_a_review_comment_sends_the_agent_back_with_file_line_and_hunk() -> None:
    runs = (run(RunState.SUCCEEDED),)

    react, start = decide(review(), situation("QA", runs=runs), cause="d1")

    assert react == React("acme/clock", 5, "eyes", review=True)
    assert isinstance(start, StartRun)
    assert start.stage == "develop"
    for part in ("`clock.py` line 3", "Please name it better.", "@@ -1 +1 @@"):
        assert part in start.instructions


@pytest.mark.parametrize(
    ("event", "known"),
    [
        pytest.param(review(by=US), situation(), id="our own"),
        pytest.param(review(), situation(permission=Permission.READ), id="stranger"),
        pytest.param(review(), situation(), id="no run made this branch"),
    ],
)
def test_reviews_that_send_nobody_back(event: Event, known: Situation) -> None:
    assert decide(event, known, cause="d1") == []


def ended(state: RunState, **given: object) -> tuple[Run, ...]:
    report = Report(state, reason="2 of 3 tests failed")
    return (replace(run(state, report=report), **given),)  # type: ignore[arg-type]  # a test's own values


def test_a_run_that_succeeded_moves_its_card_on_and_starts_the_next_stage() -> None:
    known = situation(runs=ended(RunState.SUCCEEDED))

    show, move, start = decide(RunEnded("r-develop", KEY), known, cause="r-develop")

    assert isinstance(show, ShowRun)
    assert isinstance(move, MoveCard)
    assert move.column == "QA"
    assert isinstance(start, StartRun)
    assert (start.stage, start.chain, start.cause) == ("qa", 1, "r-develop")


def test_a_stage_that_may_not_follow_yet_is_told_and_the_card_stays() -> None:
    needy = replace(WORKFLOW.stages["qa"], needs=("develop", "refine"))
    workflow = replace(WORKFLOW, stages={**WORKFLOW.stages, "qa": needy})
    known = situation(runs=ended(RunState.SUCCEEDED), workflow=workflow)

    show, reply = decide(RunEnded("r-develop", KEY), known, cause="r-develop")

    assert isinstance(show, ShowRun)
    assert isinstance(reply, Reply)
    assert "it needs *refine*" in reply.body


def test_a_run_that_failed_moves_its_card_aside_and_calls_a_person() -> None:
    known = situation(runs=ended(RunState.FAILED))

    show, reply, move = decide(RunEnded("r-develop", KEY), known, cause="r-develop")

    assert isinstance(show, ShowRun)
    assert isinstance(reply, Reply)
    assert "@alice" in reply.body
    assert "2 of 3 tests failed" in reply.body
    assert isinstance(move, MoveCard)
    assert move.column == "Attention"


def test_a_card_that_a_person_put_elsewhere_stays_there() -> None:
    known = situation("Backlog", runs=ended(RunState.SUCCEEDED))

    assert kinds(decide(RunEnded("r-develop", KEY), known, cause="r")) == ["ShowRun"]


def test_a_stopped_run_leaves_its_card_alone() -> None:
    known = situation(runs=ended(RunState.STOPPED))

    assert kinds(decide(RunEnded("r-develop", KEY), known, cause="r")) == ["ShowRun"]


def test_a_chain_that_no_person_touched_ends() -> None:
    known = situation(runs=ended(RunState.SUCCEEDED, chain=LONGEST_CHAIN - 1))

    effects = decide(RunEnded("r-develop", KEY), known, cause="r")

    assert kinds(effects) == ["ShowRun", "MoveCard", "Reply"]


def test_closing_the_issue_stops_its_run() -> None:
    known = replace(situation(runs=(run(RunState.RUNNING),)), card=None)

    assert kinds(decide(IssueClosed(ALICE, KEY), known, cause="d1")) == ["StopRun"]


def test_the_configuration_is_checked_where_it_changes() -> None:
    pull = PullRequestUpdated(ALICE, "acme/clock", 9, "abc")
    push = ConfigurationChanged(ALICE, "acme/clock", "def")
    again = CheckAsked(ALICE, "acme/clock", "vibeboard / config", "abc", None)

    assert decide(pull, situation(), cause="d") == [
        CheckConfiguration("acme/clock", "abc", 9)
    ]
    assert decide(push, situation(), cause="d") == [
        CheckConfiguration("acme/clock", "def", None)
    ]
    assert kinds(decide(again, situation(), cause="d")) == ["CheckConfiguration"]


def test_a_check_of_the_configuration_is_made_as_often_as_asked() -> None:
    again = CheckAsked(ALICE, "acme/clock", "vibeboard / config", "abc", None)

    (first,) = decide(again, situation(), cause="d1")
    (second,) = decide(again, situation(), cause="d2")

    assert first.key != second.key


def test_a_rerun_of_our_check_repeats_its_stage() -> None:
    event = CheckAsked(ALICE, "acme/clock", "vibeboard / develop", "abc", "r-develop")

    effects = decide(event, situation(runs=ended(RunState.FAILED)), cause="d1")

    assert kinds(effects) == ["StartRun"]


@pytest.mark.parametrize("state", [RunState.SUCCEEDED, RunState.STOPPED])
def test_what_a_card_has_cost_is_shown_where_the_board_has_a_field(
    state: RunState,
) -> None:
    known = situation(runs=ended(state))
    costly = replace(known, workflow=replace(WORKFLOW, cost_field="Cost"))
    of_run = RunEnded("r-develop", KEY)

    (shown,) = [e for e in decide(of_run, costly, cause="r") if isinstance(e, ShowCost)]
    plain = decide(of_run, known, cause="r")

    assert shown == ShowCost(KEY, costly.place, "Cost", "r-develop")  # type: ignore[arg-type]  # it has one
    assert not any(isinstance(effect, ShowCost) for effect in plain)
