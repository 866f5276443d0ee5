"""Budgets never let a run spend more than there is, and price what they can."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibeboard.domain import budget
from vibeboard.domain.budget import SMALLEST, Kind, Price, Prices, Room
from vibeboard.domain.run import Cost
from vibeboard.domain.workflow import Agent, Cap, Cli, Scope

AGENT = Agent("claude", Cli.CLAUDE_CODE, time_limit=timedelta(minutes=5))
PRICES = Prices({"m": Price(input=2, output=10, cached=0.5, cache_write=3)})

money = st.floats(0, 10_000, allow_nan=False)
caps = st.lists(
    st.builds(Cap, st.sampled_from(Scope), money, st.just("k")), min_size=1, max_size=4
)
spendings = st.dictionaries(st.sampled_from(Scope), money)
costs = st.builds(
    Cost,
    st.none() | money,
    *[st.none() | st.integers(0, 10**9) for _ in range(4)],
)
agents = st.builds(
    replace,
    st.just(AGENT),
    usd=st.none() | money,
    tokens=st.none() | st.integers(1, 10**9),
    turns=st.none() | st.integers(1, 10**4),
)


@given(caps, spendings)
def test_what_is_left_fits_under_every_cap(
    limits: list[Cap], spent: dict[Scope, float]
) -> None:
    room = budget.tightest(limits, spent)

    assert room is not None
    assert room.left >= 0
    for cap in limits:
        already = spent.get(cap.scope, 0.0)
        assert already + room.left <= max(cap.usd, already) + 1e-6


def test_without_a_cap_there_is_no_end() -> None:
    assert budget.tightest([], {Scope.ISSUE: 9.0}) is None
    assert budget.within(AGENT, None) == AGENT


@given(agents, money, money)
def test_an_agent_gets_no_more_than_there_is_and_keeps_its_own_limit(
    agent: Agent, limit: float, spent: float
) -> None:
    room = Room(Cap(Scope.DAY, limit, "limits.usd_per_day"), spent)

    allowed = budget.within(agent, room)

    assert allowed.usd is not None
    assert allowed.usd <= room.left
    if agent.usd is not None:
        assert allowed.usd == min(agent.usd, room.left)
    assert replace(allowed, usd=agent.usd) == agent


@pytest.mark.parametrize(
    ("left", "empty"), [(0, True), (SMALLEST / 2, True), (SMALLEST * 1.5, False)]
)
def test_less_than_a_cent_is_nothing(left: float, *, empty: bool) -> None:
    assert Room(Cap(Scope.ISSUE, 5 + left, "k"), 5).is_empty == empty


@given(agents, costs, costs)
def test_attempts_of_a_run_share_its_limits(
    agent: Agent, first: Cost, second: Cost
) -> None:
    """What the first leaves is used up when both together reach the limit."""
    left = budget.after(agent, first)
    reached = budget.exceeded(left, second)

    both = replace(first + second, usd=(first.usd or 0.0) + (second.usd or 0.0))
    near = agent.usd is not None and abs(both.usd - agent.usd) < 1e-6  # type: ignore[operator]  # just added
    assert near or reached == budget.exceeded(agent, both)


@pytest.mark.parametrize(
    ("limits", "cost", "reached"),
    [
        pytest.param({}, Cost(99, 99, 99, 99), None, id="no limit"),
        pytest.param({"usd": 1.0}, Cost(usd=0.99), None, id="less"),
        pytest.param({"usd": 1.0}, Cost(usd=1.0), Kind.USD, id="all of it"),
        pytest.param({"usd": 1.0}, Cost(None, 10**9, 10**9), None, id="not in money"),
        pytest.param({"tokens": 10}, Cost(None, 6, 4), Kind.TOKENS, id="in and out"),
        pytest.param({"turns": 2}, Cost(turns=3), Kind.TURNS, id="turns"),
    ],
)
def test_a_limit_is_reached(
    limits: dict[str, float], cost: Cost, reached: Kind | None
) -> None:
    assert budget.exceeded(replace(AGENT, **limits), cost) is reached  # type: ignore[arg-type]  # a test's own values


@given(costs, costs, costs)
def test_costs_add_up_in_any_order(one: Cost, two: Cost, three: Cost) -> None:
    left, right = (one + two) + three, one + (two + three)

    assert left.usd == pytest.approx(right.usd) if left.usd else not right.usd
    assert replace(left, usd=None) == replace(right, usd=None)
    assert one + Cost() == replace(one, usd=one.usd and round(one.usd, 6))


@pytest.mark.parametrize(
    ("model", "known"),
    [
        pytest.param("m", True, id="its name"),
        pytest.param("M-20260102", True, id="dated"),
        pytest.param("m-2026-01-02", True, id="dated otherwise"),
        pytest.param("m@20260102", True, id="dated as elsewhere"),
        pytest.param("m-latest", True, id="the newest"),
        pytest.param("vendor/m", True, id="with its vendor"),
        pytest.param("m-mini", False, id="another one of the family"),
        pytest.param("m.5", False, id="a later one"),
        pytest.param("mm", False, id="another"),
        pytest.param("", False, id="none"),
        pytest.param(None, False, id="the program's own default"),
    ],
)
def test_a_model_is_priced_by_its_name_and_nothing_is_guessed(
    model: str | None, *, known: bool
) -> None:
    assert (PRICES.of(model) is not None) == known


def test_tokens_cost_what_the_table_says() -> None:
    told = Cost(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)

    assert PRICES.priced(told, "m").usd == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)
    assert PRICES.priced(told, "unheard-of") == told
    assert PRICES.priced(Cost(usd=3, input_tokens=5), "m").usd == 3
    assert PRICES.priced(Cost(), "m") == Cost()


@given(costs)
def test_no_price_is_negative(cost: Cost) -> None:
    priced = PRICES.priced(replace(cost, usd=None), "m").usd

    assert priced is None or priced >= 0
