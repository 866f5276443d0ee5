"""What a run may use of models: counted, shared, and cut off in time."""

import asyncio
from dataclasses import replace

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import Ledger
from vibeboard.domain.budget import Price, Prices, Room
from vibeboard.domain.run import Cost
from vibeboard.domain.workflow import Agent, Cap, Cli, Prompt, Scope, Stage
from vibeboard.engine.ports import AgentEnd, AgentResult, Usage
from vibeboard.engine.purse import Purse, Purses
from vibeboard.store.database import Database
from vibeboard.store.spending import SqlSpending

PRICES = Prices({"m": Price(input=1, output=10, cached=0.1, cache_write=2)})
AGENT = Agent("codex", Cli.COMMAND, usd=1.0)
CENT = Usage(output=1_000)
CAP = Cap(Scope.ISSUE, 20, "limits.usd_per_issue")
STAGE = Stage("develop", "QA", AGENT, Prompt(text="x"), caps=(CAP,))
FAILED = AgentResult(AgentEnd.FAILED, reason="the model's API answered 402")


def test_each_answer_is_counted_with_its_cache() -> None:
    purse = Purse(AGENT, PRICES)

    purse.used("m-20260102", Usage(1_000, 2_000, 10_000, 500))

    assert purse.cost == Cost(0.023, 11_500, 2_000, 1, 10_000)
    assert purse.exhausted() is None


def test_the_answer_that_reaches_the_limit_ends_the_agent_once() -> None:
    ended: list[str] = []
    purse = Purse(AGENT, PRICES, empty=lambda: ended.append("stop"))

    for _ in range(102):
        assert bool(purse.exhausted()) == (purse.cost.usd is not None and bool(ended))
        purse.used("m", CENT)

    assert ended == ["stop"]
    assert purse.exhausted() == (
        "codex has used what one run may use: $1.00 of $1.00 "
        "(`limits: {usd: …}` of the agent or the stage)"
    )


def test_a_cap_that_is_tighter_is_the_one_that_is_told() -> None:
    room = Room(CAP, 19.5)
    purse = Purse(replace(AGENT, usd=room.left), PRICES, room=room)

    for _ in range(50):
        purse.used("m", CENT)

    assert purse.exhausted() == (
        "the budget of this issue is spent: $20.00 of $20.00 (`limits.usd_per_issue`)"
    )


def test_a_model_without_a_price_is_bounded_by_tokens() -> None:
    purse = Purse(replace(AGENT, tokens=5_000), PRICES)

    for _ in range(5):
        assert purse.exhausted() is None
        purse.used("unheard-of", CENT)

    assert "5,000 of 5,000 tokens" in (purse.exhausted() or "")
    assert purse.cost.usd is None


@pytest.mark.parametrize(
    ("told", "ended"),
    [
        pytest.param(FAILED, AgentEnd.FAILED, id="failed for another reason"),
        pytest.param(
            replace(FAILED, cost=Cost(usd=1.2)), AgentEnd.OUT_OF_BUDGET, id="at its cap"
        ),
        pytest.param(
            AgentResult(AgentEnd.FINISHED, cost=Cost(usd=1.2)),
            AgentEnd.FINISHED,
            id="done with its last cent",
        ),
        pytest.param(
            AgentResult(AgentEnd.STOPPED, cost=Cost(usd=1.2)),
            AgentEnd.STOPPED,
            id="stopped by a person",
        ),
    ],
)
def test_a_programs_own_word_tells_whether_a_limit_ended_it(
    told: AgentResult, ended: AgentEnd
) -> None:
    assert Purse(AGENT, PRICES).settled(told).end is ended


def test_what_was_counted_is_the_cost_where_the_program_tells_none() -> None:
    purse = Purse(AGENT, PRICES)
    purse.used("m", CENT)

    assert purse.settled(FAILED).cost.usd == pytest.approx(0.01)
    assert purse.settled(replace(FAILED, cost=Cost(usd=0.5))).cost.usd == 0.5


def test_what_is_cut_off_says_why() -> None:
    purse = Purse(AGENT, PRICES)
    for _ in range(100):
        purse.used("m", CENT)

    settled = purse.settled(AgentResult(AgentEnd.STOPPED, reason="asked to stop"))

    assert settled.end is AgentEnd.OUT_OF_BUDGET
    assert "$1.00 of $1.00" in settled.reason


async def test_others_on_the_card_spend_out_of_the_same_purse(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    run = await ledger.begun()
    expenses = SqlSpending(database.engine, clock)
    purses = Purses(expenses, PRICES)

    allowed = await purses.allowance(run, STAGE)
    assert allowed.agent.usd == 1.0
    other = replace(run, id="r-other")
    await expenses.record(other, agent="a", model="m", cost=Cost(usd=19.6))
    allowed = await purses.allowance(run, STAGE)
    assert allowed.agent.usd == pytest.approx(0.4)
    async with purses.opened(run, STAGE, allowed, asyncio.Event()) as purse:
        await expenses.record(other, agent="a", model="m", cost=Cost(usd=20.5))
        purse.shares(await purses.room(run, STAGE))

    assert "$20.50 of $20.00" in (purse.exhausted() or "")
    refused = await purses.allowance(run, STAGE)
    assert "`limits.usd_per_issue`" in refused.refusal


async def test_a_second_attempt_has_what_the_first_one_left(
    database: Database, clock: HandClock
) -> None:
    ledger = Ledger(database, clock)
    await ledger.workers.enter()
    run = await ledger.begun()
    expenses = SqlSpending(database.engine, clock)
    purses = Purses(expenses, PRICES)
    await purses.record(run, AGENT, "m", Cost(usd=0.7, turns=3))
    again = replace(run, attempt=2)

    assert (await purses.allowance(again, STAGE)).agent.usd == pytest.approx(0.3)
    await purses.record(again, AGENT, "m", Cost(usd=0.4))

    assert await purses.spent(run) == Cost(1.1, turns=3)
    refused = await purses.allowance(replace(run, attempt=3), STAGE)
    assert "$1.10 of $1.00" in refused.refusal
