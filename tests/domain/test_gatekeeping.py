"""What is decided about cards and gates."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.domain.test_decide import (
    ALICE,
    AT,
    AUTOMATION,
    KEY,
    US,
    WORKFLOW,
    kinds,
    moved,
    run,
    said,
    situation,
    stage,
)
from vibeboard.domain.board import Actor, Permission
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import (
    JudgeGroup,
    MoveCard,
    Reply,
    ShowGates,
    StartRun,
    VouchFor,
)
from vibeboard.domain.events import (
    CardSeen,
    CheckAsked,
    ChecksEnded,
    Event,
    GroupFormed,
    PullRequestUpdated,
    RunEnded,
)
from vibeboard.domain.gate import Head, OthersCheck, Requirement
from vibeboard.domain.run import Report, RunState
from vibeboard.domain.situation import Situation
from vibeboard.domain.workflow import (
    REVIEWS,
    VERIFY,
    Agent,
    Cli,
    Gate,
    Prompt,
    Result,
    Review,
    Suite,
    Workflow,
)

UNIT = Suite("unit", "pytest", ("r.xml",))
DONE = stage("done", "Done", result=Result.NOTHING, gate=Gate(tests=(UNIT,)))
SHIP = stage("ship", "Ship", gate=Gate(approvals=1))
GATED = replace(
    WORKFLOW,
    stages={
        **WORKFLOW.stages,
        "qa": stage("qa", "QA", next="Done"),
        "done": DONE,
        "ship": SHIP,
    },
)
SHUT = (Requirement("suite `unit`", met=False, said="has not run"),)
OPEN = (Requirement("suite `unit`", met=True, said="1 test passed"),)
HEAD = Head(9, "c0ffee" * 6 + "abcd")
WORKED = run(RunState.SUCCEEDED, report=Report(RunState.SUCCEEDED, branch="vibe/7-x"))


def at_gate(
    found: tuple[Requirement, ...],
    column: str | None = "Done",
    *,
    name: str = "done",
    workflow: Workflow = GATED,
    **given: object,
) -> Situation:
    known = situation(column, before="Review", workflow=workflow, **given)  # type: ignore[arg-type]  # a test's own values
    return replace(known, gates={name: found}, head=HEAD)


def test_a_person_is_put_back_and_told() -> None:
    move, told = decide(moved(), at_gate(SHUT), cause="d1")

    assert isinstance(move, MoveCard)
    assert move.column == "Review"
    assert told == ShowGates(KEY, "d1", "done", "alice", "Review")


def test_who_is_put_back_stops_nothing() -> None:
    known = at_gate(SHUT, runs=(run(RunState.RUNNING),))

    assert kinds(decide(moved(), known, cause="d1")) == ["MoveCard", "ShowGates"]


def test_where_the_card_was_is_not_known() -> None:
    known = at_gate(SHUT)
    known = replace(known, history=replace(known.history, column=None))

    assert decide(moved(), known, cause="d1") == [ShowGates(KEY, "d1", "done", "alice")]


def test_an_open_gate_lets_the_card_stay_and_starts_nobody() -> None:
    assert kinds(decide(moved(), at_gate(OPEN), cause="d1")) == ["ShowGates"]


def test_behind_an_open_gate_a_stage_works() -> None:
    known = at_gate((), "Ship", name="ship")

    assert "StartRun" in kinds(decide(moved(), known, cause="d1"))


def test_a_bot_is_told_of_and_left_alone() -> None:
    (only,) = decide(moved(AUTOMATION), at_gate(SHUT), cause="d1")

    assert "although its gate is shut" in only.body  # type: ignore[union-attr]  # a reply
    assert decide(moved(AUTOMATION), at_gate(OPEN), cause="d1") == []


def test_a_stranger_is_put_back_whatever_the_gate_says() -> None:
    known = at_gate(OPEN, permission=Permission.READ)

    assert kinds(decide(moved(), known, cause="d1")) == ["MoveCard", "Reply"]


@pytest.mark.parametrize(("found", "moves"), [(SHUT, False), (OPEN, True)])
def test_a_stage_leads_to_a_gate(
    found: tuple[Requirement, ...], *, moves: bool
) -> None:
    ended = run(RunState.SUCCEEDED, "qa", id="r-qa")
    known = at_gate(found, "QA", runs=(ended,))

    effects = decide(RunEnded("r-qa", KEY), known, cause="r-qa")

    assert ("MoveCard" in kinds(effects)) is moves
    assert "StartRun" not in kinds(effects)


PUSHED = PullRequestUpdated(ALICE, "acme/clock", 9, "beef", branch="vibe/7-x")


def test_a_pushed_commit_is_tested() -> None:
    known = at_gate(SHUT, "Review", runs=(WORKED,))

    effects = decide(PUSHED, known, cause="d1")

    (start,) = [effect for effect in effects if isinstance(effect, StartRun)]
    assert (start.stage, start.asked_by, start.chain) == (VERIFY, "alice", 0)
    assert start.cause == f"push-{PUSHED.head}"


def test_a_program_that_pushes_for_ever_is_cut() -> None:
    listed = Actor("renovate[bot]", is_bot=True)
    trusting = replace(GATED, trusted_bots=frozenset({listed.login}))
    tested = tuple(
        run(RunState.FAILED, VERIFY, id=f"r-{n}", chain=n) for n in range(1, 12)
    )
    known = at_gate(SHUT, "Review", workflow=trusting, runs=(WORKED, *tested))

    *_, told = decide(replace(PUSHED, by=listed), known, cause="d1")

    assert isinstance(told, Reply)
    assert "`/agent retry tests` for this one" in told.body


@pytest.mark.parametrize("number", ["2", "#2", "AC2", "ac-2"])
def test_a_criterion_is_rejected_however_it_is_written(number: str) -> None:
    known = at_gate(SHUT, "Review", runs=(WORKED,))
    assert known.card is not None
    spec = replace(known.card, body="AC1. It ticks.\n\nAC2. It rings.\n")

    _, sent = decide(
        said(f"/agent reject {number} Silent."), replace(known, card=spec), cause="d1"
    )

    assert isinstance(sent, StartRun)
    assert sent.cause == "reject-comment-99"
    again = replace(WORKED, id="r-2", cause=sent.cause)
    obeyed = replace(known, history=replace(known.history, runs=(WORKED, again)))
    assert decide(said(f"/agent reject {number}"), obeyed, cause="d2") == []
    assert "AC2. It rings.\n\nSilent." in sent.instructions


@pytest.mark.parametrize(
    ("event", "known"),
    [
        pytest.param(PUSHED, situation("Review", runs=(WORKED,)), id="no gate"),
        pytest.param(PUSHED, at_gate(SHUT, "Review"), id="no work of ours"),
        pytest.param(
            PUSHED,
            at_gate(SHUT, runs=(WORKED,), permission=Permission.READ),
            id="a stranger",
        ),
        pytest.param(
            replace(PUSHED, by=US), at_gate(SHUT, runs=(WORKED,)), id="our own push"
        ),
        pytest.param(
            replace(PUSHED, new_head=False),
            at_gate(SHUT, runs=(WORKED,)),
            id="a review",
        ),
        pytest.param(
            PUSHED,
            at_gate(SHUT, runs=(WORKED, run(RunState.QUEUED, VERIFY, id="r-v"))),
            id="a run waits already",
        ),
    ],
)
def test_nothing_is_tested(event: PullRequestUpdated, known: Situation) -> None:
    assert "StartRun" not in kinds(decide(event, known, cause="d1"))


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ("/agent approve c0ffeec Fine.", HEAD.commit),
        ("/agent approve C0FFEEC0FFEE", HEAD.commit),
        ("/agent approve AC3 I saw it.", "AC3"),
        ("/agent approve ac12 Works.", "AC12"),
    ],
)
def test_somebody_vouches(body: str, subject: str) -> None:
    effects = decide(said(body), at_gate(SHUT, "Review"), cause="d1")

    (vouch,) = [effect for effect in effects if isinstance(effect, VouchFor)]
    assert (vouch.subject, vouch.by) == (subject, "alice")
    assert "ShowGates" in kinds(effects)


SECURITY = Review("security", Agent("a", Cli.COMMAND), Prompt(text="look"))
LOOKED_AT = replace(
    GATED,
    stages={
        **GATED.stages,
        "done": replace(DONE, gate=Gate(tests=(UNIT,), reviews=(SECURITY,))),
    },
)


def test_a_review_is_passed_over_for_one_commit_and_with_a_reason() -> None:
    known = at_gate(SHUT, "Review", workflow=LOOKED_AT)

    told = decide(said("/agent approve security"), known, cause="d1")
    assert "Say why the review `security`" in told[1].body  # type: ignore[union-attr]  # a reply
    _, vouch, _ = decide(said("/agent approve Security A test's."), known, cause="d1")

    assert isinstance(vouch, VouchFor)
    assert vouch.subject == f"security@{HEAD.commit}"
    assert vouch.reason == "A test's."


def test_what_no_gate_asks_for_is_not_passed_over() -> None:
    for known in (
        at_gate(SHUT, "Review"),
        replace(at_gate(SHUT, "Review", workflow=LOOKED_AT), head=None),
    ):
        effects = decide(said("/agent approve security Fine."), known, cause="d1")
        assert kinds(effects) == ["React", "Reply"]


@pytest.mark.parametrize(
    "event",
    [
        said("/agent retry reviews"),
        CheckAsked(
            ALICE, "acme/clock", "vibeboard / review: security", "c0", WORKED.id
        ),
    ],
)
def test_reviews_are_made_again(event: Event) -> None:
    known = at_gate(SHUT, "Review", workflow=LOOKED_AT, runs=(WORKED,))

    *_, start = decide(event, known, cause="d1")

    assert isinstance(start, StartRun)
    assert (start.stage, start.chain) == (REVIEWS, 0)
    stage = LOOKED_AT.stage_named(REVIEWS)
    assert stage is not None
    assert (stage.reviews, stage.tests) == ((SECURITY,), ())


def test_reviews_that_wait_already_are_not_made_twice() -> None:
    runs = (WORKED, run(RunState.QUEUED, REVIEWS, id="r-v"))
    known = at_gate(SHUT, "Review", workflow=LOOKED_AT, runs=runs)

    effects = decide(said("/agent retry reviews"), known, cause="d1")

    assert kinds(effects) == ["React", "Reply"]


def test_a_push_does_not_spend_money_on_reviews() -> None:
    known = at_gate(SHUT, "Review", workflow=LOOKED_AT, runs=(WORKED,))

    starts = [e for e in decide(PUSHED, known, cause="d1") if isinstance(e, StartRun)]

    assert [start.stage for start in starts] == [VERIFY]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("/agent approve", "Say which commit"),
        ("/agent approve beef123", "not the newest commit"),
        ("/agent approve c0ff", "not the newest commit"),
        ("/agent approve AC3", "Say why"),
    ],
)
def test_nobody_vouches(body: str, why: str) -> None:
    effects = decide(said(body), at_gate(SHUT, "Review"), cause="d1")

    assert kinds(effects) == ["React", "Reply"]
    assert why in effects[1].body  # type: ignore[union-attr]  # a reply


def test_a_pull_request_of_no_card_waits_for_no_gate() -> None:
    foreign = replace(PUSHED, branch="feature")
    known = Situation(us=US.login)

    assert JudgeGroup("acme/clock", "beef", ()) in decide(foreign, known, cause="d1")
    closed = replace(foreign, new_head=False)
    assert decide(closed, known, cause="d1") == []


@pytest.mark.parametrize(("found", "effects"), [(SHUT, ["ShowGates"]), (OPEN, [])])
def test_nobody_knows_who_passed_a_gate(
    found: tuple[Requirement, ...], effects: list[str]
) -> None:
    seen = CardSeen(KEY, "Done")

    assert kinds(decide(seen, at_gate(found), cause="d1")) == effects


def test_tests_that_failed_are_retried_as_such() -> None:
    later = AT + timedelta(minutes=1)
    failed = run(RunState.FAILED, VERIFY, id="r-v", changed_at=later)
    known = at_gate(SHUT, "Review", runs=(WORKED, failed))

    for body in ("/agent retry", "/agent retry tests"):
        (_, start) = decide(said(body), known, cause="d1")
        assert isinstance(start, StartRun)
        assert start.stage == VERIFY


def test_a_gate_is_no_stage_to_start() -> None:
    effects = decide(said("/agent done"), at_gate(SHUT, "Review"), cause="d1")

    assert "is a gate" in effects[1].body  # type: ignore[union-attr]  # a reply


def test_a_merge_queue_is_answered() -> None:
    group = GroupFormed(ALICE, "acme/clock", "beef", (9,))

    assert decide(group, Situation(us=US.login), cause="d1") == [
        JudgeGroup("acme/clock", "beef", (9,))
    ]


RED = OthersCheck("lint", good=False, summary="E501")
ENDED = ChecksEnded(
    Actor("ci[bot]", is_bot=True), "acme/clock", "vibe/7-x", HEAD.commit
)
FIXING = replace(
    GATED,
    stages={**GATED.stages, "develop": stage("develop", "Development", fix_checks=2)},
)


def checked(*others: OthersCheck, **given: object) -> Situation:
    given = {"runs": (WORKED,), "workflow": FIXING, **given}
    known = at_gate(SHUT, "Review", **given)  # type: ignore[arg-type]  # a test's own values
    return replace(known, others=others)


def test_what_others_found_goes_to_the_agent() -> None:
    (start,) = decide(ENDED, checked(RED), cause="d1")

    assert isinstance(start, StartRun)
    assert start.stage == "develop"
    assert "E501" in start.instructions
    assert start.chain == 1, "no person asked"


AGAIN = tuple(
    run(RunState.SUCCEEDED, id=f"r{n}", cause=f"checks-{n}", report=WORKED.report)
    for n in range(2)
)


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(checked(), id="none failed"),
        pytest.param(checked(RED, OthersCheck("e2e", good=None)), id="one is alive"),
        pytest.param(checked(RED, workflow=GATED), id="nobody wants it"),
        pytest.param(checked(RED, runs=(WORKED, *AGAIN)), id="often enough"),
        pytest.param(checked(RED, runs=(run(RunState.RUNNING),)), id="at work"),
        pytest.param(
            replace(checked(RED), head=replace(HEAD, commit="beef")),
            id="an older commit",
        ),
        pytest.param(
            replace(checked(RED), head=replace(HEAD, is_open=False)),
            id="closed",
        ),
    ],
)
def test_what_others_found_sends_nobody(known: Situation) -> None:
    assert decide(ENDED, known, cause="d1") == []
