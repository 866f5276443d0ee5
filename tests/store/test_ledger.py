"""Deliveries, decisions and runs on both databases."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection

from tests.conftest import HandClock
from vibeboard.domain.board import BoardKey, CardKey, Place
from vibeboard.domain.effects import Effect, MoveCard, Reply, StartRun, StopRun
from vibeboard.domain.run import Report, RunState, Step, run_id
from vibeboard.engine.ports import Decision, DeliveryState, Kept
from vibeboard.store.database import Database
from vibeboard.store.deliveries import SqlDeliveries
from vibeboard.store.runs import SqlRuns

CARD = CardKey("acme/clock", 7)
OTHER = CardKey("acme/clock", 8)


class Handed:
    """Remembers what was handed to the engine."""

    def __init__(self) -> None:
        self.work: list[tuple[str, str]] = []
        self.out_of_order = False

    def __call__(
        self, connection: Connection, kind: str, identity: str, partition: str
    ) -> None:
        del connection, partition
        if self.out_of_order:
            raise OSError("the engine is out of order")
        self.work.append((kind, identity))

    @property
    def runs(self) -> list[str]:
        return [identity for kind, identity in self.work if kind == "carry_out"]


class Ledger:
    """Deliveries and runs of one database."""

    def __init__(self, database: Any, clock: Any) -> None:
        self.handed = Handed()
        self.deliveries = SqlDeliveries(database.engine, self.handed, clock)
        self.runs = SqlRuns(database.engine, self.handed, clock)
        self._guid = 0

    async def keep(self, guid: str = "g1", body: bytes = b"{}") -> Kept:
        return await self.deliveries.keep(
            hook="1",
            guid=guid,
            event="issues",
            headers={"X-GitHub-Event": "issues"},
            body=body,
            partition="acme",
        )

    async def decided(self, *effects: Effect, **given: Any) -> int:
        """A delivery with this decision."""
        self._guid += 1
        await self.keep(f"d{self._guid}")
        delivery = int(self.handed.work[-1][1])
        await self.deliveries.settle(delivery, Decision(effects, "test", **given))
        return delivery


@pytest.fixture
def ledger(database: Database, clock: HandClock) -> Ledger:
    return Ledger(database, clock)


def start(card: CardKey = CARD, stage: str = "develop", **given: Any) -> StartRun:
    values = {"cause": "d1", "asked_by": "alice", "config_commit": "c0ffee"}
    return StartRun(card, stage, **{**values, **given})


async def test_a_delivery_is_kept_once_and_handed_over_once(ledger: Ledger) -> None:
    assert await ledger.keep() is Kept.NEW
    assert await ledger.keep() is Kept.DUPLICATE
    assert await ledger.keep(body=b"[]") is Kept.CONFLICT

    assert [kind for kind, _ in ledger.handed.work] == ["advance"]
    stored = await ledger.deliveries.get(int(ledger.handed.work[0][1]))
    assert stored.body == b"{}"


async def test_a_hundred_copies_at_once_are_one_delivery(ledger: Ledger) -> None:
    kept = await asyncio.gather(*(ledger.keep() for _ in range(100)))

    assert kept.count(Kept.NEW) == 1
    assert kept.count(Kept.DUPLICATE) == 99


async def test_a_delivery_that_cannot_be_handed_over_is_not_kept(
    ledger: Ledger,
) -> None:
    ledger.handed.out_of_order = True
    with pytest.raises(OSError, match="out of order"):
        await ledger.keep()
    ledger.handed.out_of_order = False

    assert await ledger.keep() is Kept.NEW


async def test_a_decision_is_written_once(ledger: Ledger) -> None:
    delivery = await ledger.decided(start())
    await ledger.deliveries.settle(delivery, Decision((start(OTHER),), "again"))

    assert await ledger.deliveries.effects(delivery) == [start().key]
    assert (await ledger.runs.history(OTHER)).runs == ()
    state = (await ledger.deliveries.get(delivery)).state
    assert state is DeliveryState.SETTLED


async def test_effects_come_back_as_they_were_until_performed(ledger: Ledger) -> None:
    move = MoveCard(CARD, Place(BoardKey("acme", 1), "P", "A"), "B", "d", "Status")
    delivery = await ledger.decided(move, Reply(CARD, "Hello", "greeting"))

    keys = await ledger.deliveries.effects(delivery)
    assert await ledger.deliveries.pending(keys[0]) == move
    await ledger.deliveries.performed(move)

    assert await ledger.deliveries.pending(keys[0]) is None
    assert await ledger.deliveries.pending(keys[1]) == Reply(CARD, "Hello", "greeting")


async def test_a_card_that_could_not_be_moved_is_remembered_where_it_stands(
    ledger: Ledger,
) -> None:
    move = MoveCard(CARD, Place(BoardKey("acme", 1), "P", "A"), "B", "d", "Status")
    await ledger.decided(move, card=CARD, seen="B", saw_place=True)
    assert (await ledger.runs.history(CARD)).column == "B"

    await ledger.deliveries.performed(move, error="there is no column B")

    assert (await ledger.runs.history(CARD)).column == "A"


async def test_a_run_is_started_once_by_one_cause(ledger: Ledger) -> None:
    await ledger.decided(start())
    await ledger.decided(start())

    (run,) = (await ledger.runs.history(CARD)).runs
    assert run.id == run_id(CARD, "develop", "d1")
    assert run.state is RunState.QUEUED
    assert ledger.handed.runs == [run.id]


async def test_a_card_has_one_run_at_a_time(ledger: Ledger) -> None:
    await ledger.decided(start(stage="refine"))
    await ledger.decided(start(cause="d2"))
    first, second = (await ledger.runs.history(CARD)).runs
    assert ledger.handed.runs == [first.id]

    await ledger.runs.begin(first.id)
    await ledger.runs.end(first.id, Report(RunState.SUCCEEDED))

    assert ledger.handed.runs == [first.id, second.id]


async def test_a_repository_has_as_many_runs_as_its_file_allows(ledger: Ledger) -> None:
    cards = [CardKey("acme/clock", n) for n in range(5)]
    await ledger.decided(*(start(card, parallel=2) for card in cards))
    assert len(ledger.handed.runs) == 2

    await ledger.runs.begin(ledger.handed.runs[0])
    await ledger.runs.end(ledger.handed.runs[0], Report(RunState.FAILED))

    assert len(ledger.handed.runs) == 3


async def test_two_wishes_for_a_waiting_stage_are_one_run(ledger: Ledger) -> None:
    await ledger.decided(start())
    await ledger.decided(start(cause="d2", instructions="name it"))
    await ledger.decided(start(cause="d3", instructions="test it"))

    _, waiting = (await ledger.runs.history(CARD)).runs
    assert waiting.instructions == "name it\n\ntest it"


async def test_a_run_that_ends_becomes_an_event_once(ledger: Ledger) -> None:
    await ledger.decided(start())
    (run,) = (await ledger.runs.history(CARD)).runs
    await ledger.runs.begin(run.id)
    await ledger.runs.note(run.id, step=Step.TESTS, comment=5, session="s")
    report = Report(RunState.SUCCEEDED, summary="done", pull_request=3)
    await ledger.runs.end(run.id, report)
    await ledger.runs.end(run.id, Report(RunState.FAILED))

    advances = [work for work in ledger.handed.work if work[0] == "advance"]
    event = await ledger.deliveries.get(int(advances[-1][1]))
    assert (event.hook, event.event, event.guid) == ("vibeboard", "run_ended", run.id)
    assert len(advances) == 2
    stored = await ledger.runs.get(run.id)
    assert stored.report == report
    assert (stored.step, stored.comment, stored.session) == (Step.TESTS, 5, "s")


async def test_a_running_run_is_asked_to_stop(ledger: Ledger) -> None:
    await ledger.decided(start())
    (run,) = (await ledger.runs.history(CARD)).runs
    await ledger.runs.begin(run.id)
    await ledger.decided(StopRun(run.id, "@alice asked"))

    stored = await ledger.runs.get(run.id)
    assert stored.state is RunState.STOPPING
    assert stored.stop_reason == "@alice asked"


async def test_a_run_that_has_not_begun_is_stopped_at_once(ledger: Ledger) -> None:
    await ledger.decided(start())
    (run,) = (await ledger.runs.history(CARD)).runs
    await ledger.decided(StopRun(run.id, "@alice asked"))

    assert (await ledger.runs.get(run.id)).state is RunState.STOPPED
    assert (await ledger.runs.begin(run.id)).attempt == 0


async def test_attempts_are_counted(ledger: Ledger) -> None:
    await ledger.decided(start())
    (run,) = (await ledger.runs.history(CARD)).runs
    await ledger.runs.begin(run.id)

    assert (await ledger.runs.begin(run.id)).attempt == 2


async def test_the_column_a_card_was_seen_in_is_remembered(ledger: Ledger) -> None:
    await ledger.decided(card=CARD, seen="QA", saw_place=True)
    assert (await ledger.runs.history(CARD)).column == "QA"

    await ledger.decided(card=CARD, seen=None, saw_place=True)
    assert (await ledger.runs.history(CARD)).column is None
