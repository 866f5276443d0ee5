"""Case 18: no bot commands unless it is listed, and nothing goes on for ever."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localhub.state import User
from tests.faults.asking import CARD, Asking, replies, started, workflow
from tests.github.on_localhub import on_localhub
from vibeboard.domain import breaker
from vibeboard.domain.board import Actor, Card
from vibeboard.domain.commands import COMMANDS, parse
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import Reply
from vibeboard.domain.events import CardTouched, CommentMade, Event
from vibeboard.domain.run import Report, Run, RunState
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.errors import Fault

BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with on_localhub(tmp_path) as world:
        yield Asking(world)


def ourselves(asking: Asking) -> User:
    return asking.world.small.app.bot


@pytest.mark.parametrize(
    "body", ["/agent develop", "> /agent develop\n\nDone.", "/agent"]
)
async def test_case_18_our_own_words_are_no_command(asking: Asking, body: str) -> None:
    asking.workflow = workflow(bots=[asking.us])
    asking.comment(body, ourselves(asking))

    assert await asking.decided() == []


async def test_case_18_our_own_moves_start_nothing(asking: Asking) -> None:
    asking.workflow = workflow(bots=[asking.us])
    asking.move("Develop", ourselves(asking))

    assert await asking.decided() == []


async def test_case_18_our_login_is_ours_in_any_case(asking: Asking) -> None:
    asking.comment("/agent develop", ourselves(asking))
    payload = asking.said("issue_comment")
    payload["sender"]["login"] = asking.us.upper()

    assert await asking.about("issue_comment", payload) == []


@pytest.mark.parametrize("login", ["vibe", "vibe-bot", "vibe[bot", "xvibe[bot]x"])
async def test_case_18_a_login_like_ours_is_somebody_elses(
    asking: Asking, login: str
) -> None:
    asking.comment("/agent develop", asking.person(login))

    effects = await asking.decided()

    assert started(effects) == []
    assert f"@{login} has read" in replies(effects)[0]


@pytest.mark.parametrize("login", ["evil[bot]", "dependabot[bot]", "Vibeboard[bot]"])
async def test_case_18_a_foreign_bot_is_not_even_answered(
    asking: Asking, login: str
) -> None:
    """On a public repository any App's bot may comment; it also has permission."""
    bot = asking.person(login, "Bot")
    asking.world.small.repository.collaborators[login] = "admin"
    asking.comment("/agent develop", bot)
    asking.move("Develop", bot)

    assert await asking.decided() == []


async def test_case_18_a_listed_bot_may_command_and_move(asking: Asking) -> None:
    asking.workflow = workflow(bots=["Deploy[bot]"])
    bot = asking.person("deploy[bot]", "Bot")
    asking.comment("/agent develop", bot)
    asking.move("Refine", bot)

    runs = started(await asking.decided())

    assert [run.stage for run in runs] == ["develop", "refine"]


async def test_case_18_a_bots_word_for_itself_does_not_count(asking: Asking) -> None:
    """A listed name with the type of a person is asked for its permission."""
    asking.workflow = workflow(bots=["other[bot]"])
    asking.comment("/agent develop", asking.world.small.stranger)
    payload = asking.said("issue_comment")
    payload["sender"]["type"] = "User"
    payload["comment"]["performed_via_github_app"] = {"slug": "other"}

    assert started(await asking.about("issue_comment", payload)) == []


def answers(card: Card, us: str) -> list[str]:
    """Whatever we say to a command or a move, in every situation that has words."""
    flow = workflow()
    fault = Fault(".vibe.yml", 1, 1, "/agent develop\n/agent develop")
    run = Run(
        id="r-1",
        card=CARD,
        stage="develop",
        cause="d0",
        asked_by="alice",
        state=RunState.RUNNING,
        created_at=BEGIN,
        changed_at=BEGIN,
    )
    known = Situation(us=us, card=card, workflow=flow)
    situations = [
        known,
        replace(known, workflow=None),
        replace(known, workflow=None, faults=(fault,)),
        *(
            replace(
                known, permission=flow.least_permission, history=CardHistory(runs=r)
            )
            for r in ((), (run,), (replace(run, state=RunState.FAILED),))
        ),
    ]
    bodies = [spec.example for spec in COMMANDS]
    bodies += [
        "/agent /agent develop",
        "/agent zzz\n/agent develop",
        "/agent retry zzz",
    ]
    who = Actor("alice"), Actor("/agent develop")
    return [
        effect.body
        for situation in situations
        for by in who
        for body in bodies
        for effect in decide(
            CommentMade(by, CARD.repository, 1, 1, body, on_pull_request=False),
            situation,
            cause="d",
        )
        if isinstance(effect, Reply)
    ]


async def test_case_18_two_instances_do_not_answer_each_other(asking: Asking) -> None:
    """Nothing that one says is a command to the other, even if it is listed."""
    card = await asking.world.cards.read(CARD)
    assert card is not None
    said = answers(card, asking.us)

    assert len(set(said)) > 10
    assert [body for body in said if parse(body, ("refine", "develop"))] == []


def looping(event: Event, by: str, card: Card) -> tuple[list[Run], str]:
    """Runs that ``event`` leads to, again and again, and what is said at the end."""
    flow = workflow(bots=[by])
    runs: list[Run] = []
    for number in range(100):
        at = BEGIN + timedelta(seconds=number)
        situation = Situation(
            us="vibe[bot]",
            card=card,
            history=CardHistory("Backlog", tuple(runs)),
            workflow=flow,
            permission=flow.permission_of_bot(by),
        )
        effects = decide(event, situation, cause=f"d{number}")
        begun = started(effects)
        if not begun:
            return runs, "\n".join(replies(effects))
        runs.append(
            Run(
                id=f"r-{number}",
                card=CARD,
                stage=begun[0].stage,
                cause=f"d{number}",
                asked_by=by,
                state=RunState.SUCCEEDED,
                created_at=at,
                changed_at=at,
                chain=begun[0].chain,
                report=Report(RunState.SUCCEEDED),
            )
        )
    raise AssertionError("it goes on for ever")


@pytest.mark.parametrize("what", ["moves", "commands"])
async def test_case_18_two_instances_that_trust_each_other_come_to_an_end(
    asking: Asking, what: str
) -> None:
    asking.move("Develop", asking.world.small.alice)
    card = await asking.world.cards.read(CARD)
    assert card is not None
    by = Actor("other[bot]", is_bot=True)
    event: Event = CardTouched(by, "acme", card.node_id)
    if what == "commands":
        event = CommentMade(
            by, CARD.repository, 1, 1, "/agent develop", on_pull_request=False
        )

    runs, said = looping(event, by.login, card)

    assert len(runs) <= breaker.MOST_AT_ONCE + 1
    assert "loop" in said.casefold() or "without a person" in said.casefold()
