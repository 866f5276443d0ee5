"""What runs spent, summed by issue, day and stage on both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.conftest import HandClock
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Cost, Run, RunState
from vibeboard.domain.workflow import Scope
from vibeboard.store.database import Database
from vibeboard.store.maintenance import SqlArchive
from vibeboard.store.spending import SqlSpending

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RUN = Run("r1", CardKey("acme/clock", 7), "develop", "d1", "alice",
          RunState.RUNNING, NOON, NOON, attempt=1)  # fmt: skip
ELSEWHERE = CardKey("acme/watch", 7)


async def spent(spending: SqlSpending, run: Run, usd: float | None) -> None:
    cost = Cost(usd=usd, input_tokens=10, output_tokens=5)
    await spending.record(run, agent="claude", model="m", cost=cost)


async def test_the_last_word_on_an_attempt_counts_and_attempts_add_up(
    database: Database, clock: HandClock
) -> None:
    spending = SqlSpending(database.engine, clock)

    assert await spending.of_run("r1") is None
    for usd in (0.1, 0.2, 0.3):
        await spent(spending, RUN, usd)
    await spent(spending, replace(RUN, attempt=2), 0.5)
    await spent(spending, replace(RUN, attempt=3), None)

    assert await spending.of_run("r1") == Cost(0.8, 30, 15)


async def test_many_small_sums_are_exact(database: Database, clock: HandClock) -> None:
    spending = SqlSpending(database.engine, clock)

    for number in range(100):
        await spent(spending, replace(RUN, id=f"r{number}"), 0.1)

    assert await spending.of_card(RUN.card) == 10.0


async def test_each_kind_of_limit_counts_its_own(
    database: Database, clock: HandClock
) -> None:
    clock.at = NOON - timedelta(days=1)
    spending = SqlSpending(database.engine, clock)
    await spent(spending, replace(RUN, id="yesterday"), 1)
    clock.at = NOON
    await spent(spending, RUN, 2)
    await spent(spending, replace(RUN, id="r2", stage="refine"), 4)
    other = replace(RUN, id="r3", card=CardKey("acme/clock", 8))
    await spent(spending, other, 8)
    await spent(spending, replace(RUN, id="r4", card=ELSEWHERE), 16)

    assert await spending.under(RUN, list(Scope)) == {
        Scope.STAGE_OF_ISSUE: 3,
        Scope.ISSUE: 7,
        Scope.STAGE_OF_DAY: 10,
        Scope.DAY: 14,
    }


async def test_a_day_begins_at_midnight_in_utc(
    database: Database, clock: HandClock
) -> None:
    spending = SqlSpending(database.engine, clock)
    clock.at = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)
    await spent(spending, RUN, 1)
    clock.at = datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)

    assert await spending.under(RUN, [Scope.DAY]) == {Scope.DAY: 0}


async def test_bills_are_by_day_stage_issue_and_model(
    database: Database, clock: HandClock
) -> None:
    spending = SqlSpending(database.engine, clock)
    clock.at = NOON - timedelta(days=1)
    await spent(spending, RUN, 1)
    clock.at = NOON
    await spent(spending, replace(RUN, attempt=2), 2)
    await spent(spending, replace(RUN, id="r4", card=ELSEWHERE), None)
    since = NOON - timedelta(days=2)

    async def told(by: str) -> list[tuple[str, int, int, float | None]]:
        found = await spending.bills(by, since)
        return [(one.name, one.runs, one.unpriced, one.cost.usd) for one in found]

    assert await told("day") == [("2026-01-01", 1, 0, 1), ("2026-01-02", 2, 1, 2)]
    assert await told("stage") == [
        ("acme/clock develop", 1, 0, 3),
        ("acme/watch develop", 1, 1, None),
    ]
    assert await told("issue") == [
        ("acme/clock#7", 1, 0, 3),
        ("acme/watch#7", 1, 1, None),
    ]
    assert await told("model") == [("claude (m)", 2, 1, 3)]
    (only,) = await spending.bills("day", since, repository="acme/watch")
    assert only.cost == Cost(None, 10, 5)


async def test_what_was_spent_long_ago_goes_with_the_audit(
    database: Database, clock: HandClock
) -> None:
    spending = SqlSpending(database.engine, clock)
    clock.at = NOON
    await spent(spending, RUN, 1)
    await spent(spending, replace(RUN, id="r2"), 2)
    archive = SqlArchive(database)

    await archive.forget_audit(NOON)
    assert await spending.of_card(RUN.card) == 3
    await archive.forget_audit(NOON + timedelta(days=1))
    assert await spending.of_card(RUN.card) == 0
