"""A job that is run again: which run it carries out."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Posting, Run, RunState, rerun_cause, rerun_of
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Caller, Sight, Whereabouts
from vibeboard.engine.reruns import Reruns
from vibeboard.errors import Fenced, RetryLater

AT = datetime(2026, 1, 1, tzinfo=UTC)
CARD = CardKey("acme/clock", 7)
POSTING = Posting(41, "https://github.example/41", AT, begun=True)
ENDED = Run(
    "r1",
    CARD,
    "develop",
    "d1",
    "alice",
    RunState.FAILED,
    AT,
    AT,
    posting=POSTING,
    runner=Runner.ACTIONS,
)
AGAIN = Caller(41, 2, 7, "agent.yml")


@dataclass
class World:
    """What is known, and what was asked for."""

    runs: list[Run] = field(default_factory=lambda: [ENDED])
    sight: Sight = field(
        default_factory=lambda: Sight(Whereabouts.AT_WORK, 2, by="bob")
    )
    asked: list[tuple[CardKey, str, str]] = field(default_factory=list)
    is_decided: bool = False

    async def history(self, card: CardKey) -> CardHistory:
        assert card == CARD
        return CardHistory(runs=tuple(self.runs))

    async def look(self, repository: str, posting: Posting) -> Sight:
        assert (repository, posting) == ("acme/clock", POSTING)
        return self.sight

    async def ask_again(self, card: CardKey, by: str, cause: str) -> None:
        self.asked.append((card, by, cause))

    async def decided(self, cause: str) -> bool:
        assert cause == "rerun-41-2"
        return self.is_decided

    def reruns(self) -> Reruns:
        return Reruns(runs=self, fleet=self, wishes=self)  # type: ignore[arg-type] # all that it calls


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("run", "caller"),
    [
        (replace(ENDED, state=RunState.RUNNING), AGAIN),
        (ENDED, replace(AGAIN, attempt=1)),
        (ENDED, replace(AGAIN, posting=42)),
        (replace(ENDED, posting=None), AGAIN),
    ],
)
async def test_else_it_is_the_run_that_it_was_given(
    world: World, run: Run, caller: Caller
) -> None:
    assert await world.reruns().meant(run, caller) == run
    assert world.asked == []


async def test_whoever_runs_it_again_has_asked_for_another_try(world: World) -> None:
    with pytest.raises(RetryLater):
        await world.reruns().meant(ENDED, AGAIN)
    assert world.asked == [(CARD, "bob", "rerun-41-2")]

    started = replace(ENDED, id="r2", cause="rerun-41-2", state=RunState.QUEUED)
    world.runs.append(started)

    assert await world.reruns().meant(ENDED, AGAIN) == started


async def test_a_wish_that_came_to_nothing_ends_the_job(world: World) -> None:
    world.is_decided = True

    with pytest.raises(Fenced, match="no other one was started"):
        await world.reruns().meant(ENDED, AGAIN)


async def test_what_the_server_does_itself_is_not_the_jobs(world: World) -> None:
    world.runs.append(replace(ENDED, cause="rerun-41-2", runner=Runner.OWN))

    with pytest.raises(Fenced, match="own runners"):
        await world.reruns().meant(ENDED, AGAIN)


@pytest.mark.parametrize(
    "sight",
    [Sight(Whereabouts.AT_WORK, 3, by="bob"), Sight(Whereabouts.AT_WORK, 2)],
)
async def test_an_attempt_that_is_not_the_last_asks_for_nothing(
    world: World, sight: Sight
) -> None:
    world.sight = sight

    with pytest.raises(Fenced):
        await world.reruns().meant(ENDED, AGAIN)
    assert world.asked == []


@pytest.mark.parametrize(
    ("cause", "asking"),
    [
        (rerun_cause(41, 2), (41, 2)),
        ("rerun-41", None),
        ("rerun-41-2-3", None),
        ("rerun-a-2", None),
        ("comment-41-2", None),
        ("", None),
    ],
)
def test_a_cause_tells_which_job_asked(
    cause: str, asking: tuple[int, int] | None
) -> None:
    assert rerun_of(cause) == asking
