"""Three hundred things to say in a minute, and GitHub's patience for eighty."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from localhub import issues
from tests.fakes.clock import Clock
from tests.github.on_localhub import World, on_localhub
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import CheckRun, Marker
from vibeboard.errors import RateLimited
from vibeboard.github.pace import BURST, Pace

ROUTES = (
    "/repos/{owner}/{repo}/issues/{number}/comments",
    "/repos/{owner}/{repo}/issues/comments/{comment}",
)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with on_localhub(tmp_path) as one:
        yield one


async def say(world: World, intents: Sequence[tuple[CardKey, str, str]]) -> None:
    """Say everything at once; what is told to wait comes again after its time."""
    left = list(intents)
    while left:
        outcomes = await asyncio.gather(
            *(
                world.replies.ensure(card, Marker(topic), text)
                for card, topic, text in left
            ),
            return_exceptions=True,
        )
        again = [
            (one, outcome)
            for one, outcome in zip(left, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]
        waits = [told.after for _, told in again if isinstance(told, RateLimited)]
        assert len(waits) == len(again), [told for _, told in again]
        left = [one for one, _ in again]
        if waits:
            world.small.clock.forward(seconds=min(waits).total_seconds())


def cards(world: World, count: int) -> list[CardKey]:
    small = world.small
    made = [
        issues.create(small.hub, small.repository, actor=small.bob, title=f"{number}")
        for number in range(count)
    ]
    return [CardKey("acme/cart", one.number) for one in made]


def written(world: World) -> list[datetime]:
    everything = [
        datetime.fromisoformat(one.at)
        for method in ("POST", "PATCH")
        for route in ROUTES
        for one in world.effects(f"{method} {route}")
    ]
    return sorted(everything)


def most_in(span: timedelta, times: Sequence[datetime]) -> int:
    return max(sum(start <= one < start + span for one in times) for start in times)


def within_budget(times: Sequence[datetime]) -> None:
    assert most_in(timedelta(minutes=1), times) <= 80
    assert most_in(timedelta(hours=1), times) <= 500
    # A second apart, but for a few after a rest.
    for seconds in (1, 5, 20):
        assert most_in(timedelta(seconds=seconds), times) <= seconds + BURST


async def test_case_26_three_hundred_comments_keep_to_the_budget(world: World) -> None:
    on = cards(world, 50)
    intents = [(on[n % 50], f"run={n}", f"Run {n} works.") for n in range(300)]

    await say(world, intents)

    times = written(world)
    within_budget(times)
    assert len(times) == 300
    said = Counter(
        comment.body
        for issue in world.small.repository.issues.values()
        for comment in issue.comments
        if comment.user is world.small.app.bot
    )
    wanted = {f"{text}\n\n<!-- vibe:{topic} -->" for _, topic, text in intents}
    assert said == dict.fromkeys(wanted, 1)


async def test_case_26_three_hundred_edits_are_merged_and_the_last_stands(
    world: World,
) -> None:
    on = cards(world, 10)
    known = {
        card: await world.replies.ensure(card, Marker("run=1"), "Begins.")
        for card in on
    }
    before = len(written(world))

    await asyncio.gather(
        *(
            world.replies.ensure(
                card, Marker("run=1"), f"{percent} %", known=known[card]
            )
            for percent in range(1, 31)
            for card in on
        )
    )

    times = written(world)
    within_budget(times)
    assert len(times) - before <= 2 * len(on)
    assert {
        comment.body.splitlines()[0]
        for card in on
        for comment in world.small.repository.issues[card.number].comments
    } == {"30 %"}


async def test_case_26_states_of_a_check_are_merged_and_the_last_stands(
    world: World,
) -> None:
    head = world.small.pull.head_sha

    def state(percent: int) -> CheckRun:
        return CheckRun("qa", head, "01J", f"{percent} %", "Soon.", None)

    await asyncio.gather(
        *(world.checks.put("acme/cart", state(percent)) for percent in range(1, 101))
    )

    suites = world.small.repository.check_suites
    [run] = [run for suite in suites for run in suite.runs if run.name == "qa"]
    assert run.title == "100 %"
    calls = world.ports.calls
    writes = sum(calls[one] for one in calls if one.startswith(("POST", "PATCH")))
    assert writes <= 3  # with the token


async def test_case_26_an_hour_takes_no_more_than_five_hundred() -> None:
    clock, pace = Clock(), Pace()
    times: list[datetime] = []

    async def pause(span: timedelta) -> None:
        clock.advance(seconds=span.total_seconds())

    while len(times) < 1200:
        try:
            await pace.turn(clock.now, pause)
        except RateLimited as limit:
            await pause(limit.after)
        else:
            times.append(clock.now())

    within_budget(times)
    assert times[-1] - times[0] < timedelta(hours=2.6)


async def test_case_26_a_new_comment_overtakes_edits(world: World) -> None:
    first, *others = cards(world, 10)
    marks = [Marker(f"run={number}") for number in range(3)]
    known = {
        (card, mark): await world.replies.ensure(card, mark, "Begins.")
        for card in others
        for mark in marks
    }
    world.small.clock.forward(minutes=5)
    edits = [
        asyncio.create_task(world.replies.ensure(*of, "Goes on.", known=comment))
        for of, comment in known.items()
    ]
    await asyncio.sleep(0)

    await world.replies.ensure(first, Marker("run=9"), "Begins.")
    went_on = [body for body in bodies(world) if body.startswith("Goes on.")]
    await asyncio.gather(*edits)

    assert len(went_on) < BURST


def bodies(world: World) -> list[str]:
    every = world.small.repository.issues.values()
    return [comment.body for issue in every for comment in issue.comments]


async def test_case_26_the_first_writes_of_a_moved_card_wait_for_nothing(
    world: World,
) -> None:
    [card] = cards(world, 1)

    for number in range(BURST):
        await world.replies.ensure(card, Marker(f"run={number}"), "Working.")

    assert world.pauses == []
