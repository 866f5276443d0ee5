"""A run's comment is there before its agent works, and true soon after."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import CARD, Ledger, start
from vibeboard.domain import words
from vibeboard.domain.board import CardKey, Permission
from vibeboard.domain.run import Run
from vibeboard.domain.workflow import FILE
from vibeboard.engine.ports import Marker, Remote, SourceFile
from vibeboard.engine.tracking import Following, Tracking, following
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused
from vibeboard.store import migrate
from vibeboard.store.database import open_database
from vibeboard.store.locks import SqlLocks
from vibeboard.store.previews import SqlPreviews
from vibeboard.store.spending import SqlSpending

CONFIG = """\
version: 1
board: {project: acme/1}
agents: {shell: {cli: command, command: [sh]}}
stages: {develop: {column: Development, agent: shell}}
"""


class OneFile:
    """Repositories that all have this one file."""

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile:
        assert (repository, path) == ("acme/clock", FILE)
        return SourceFile(CONFIG, ref or "c0ffee")

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        raise NotImplementedError

    async def permission(self, repository: str, login: str) -> Permission:
        raise NotImplementedError

    async def installed(self) -> Sequence[str]:
        raise NotImplementedError


@dataclass
class Slow:
    """Replies that are written when somebody lets them be."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Exception | None = None
    written: list[str] = field(default_factory=list)

    async def ensure(
        self, card: CardKey, marker: Marker, body: str, *, known: int | None = None
    ) -> int:
        assert card == CARD
        assert marker.topic.startswith("run=")
        assert known in (None, 7)
        self.asked.set()
        await self.may.wait()
        if self.fault is not None:
            raise self.fault
        self.written.append(body)
        return 7

    async def amend(self, card: CardKey, marker: Marker, body: str) -> bool:
        raise NotImplementedError

    async def react(
        self, repository: str, comment: int, content: str, *, review: bool
    ) -> None:
        raise NotImplementedError

    async def answer_review(
        self, repository: str, pull_request: int, comment: int, body: str
    ) -> None:
        raise NotImplementedError


@dataclass
class World:
    """One process, and what it says on GitHub."""

    ledger: Ledger
    replies: Slow
    tracking: Tracking

    async def asked(self) -> Run:
        """A run that waits for its turn."""
        await self.ledger.decided(start())
        (run,) = (await self.ledger.runs.history(CARD)).runs
        return run

    async def begins(self) -> Run:
        (run,) = await self.ledger.run_queue.claim(9)
        return await self.ledger.run_queue.begin(run)


@pytest.fixture
async def world(tmp_path: Path, clock: HandClock) -> AsyncIterator[World]:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.ready(database)
    ledger, replies = Ledger(database, clock), Slow()
    await ledger.workers.enter()
    tracking = Tracking(
        runs=ledger.runs,
        replies=replies,
        workflows=Workflows(OneFile()),
        locks=SqlLocks(database),
        pauses=ledger.pauses,
        previews=SqlPreviews(database.engine, clock),
        expenses=SqlSpending(database.engine, clock),
        clock=clock,
    )
    yield World(ledger, replies, tracking)
    await database.close()


async def test_a_comment_is_written_once_for_a_run_that_begins_meanwhile(
    world: World,
) -> None:
    run = await world.asked()
    posting = asyncio.create_task(world.tracking.show_started(run.id))
    await world.replies.asked.wait()
    await world.begins()

    world.replies.may.set()
    await posting
    await world.tracking.post(run.id)

    assert len(world.replies.written) == 1, "who carries it out shows the rest"
    assert (await world.ledger.runs.get(run.id)).comment == 7


async def test_a_comment_of_a_run_that_nobody_carries_out_is_made_true(
    world: World,
) -> None:
    run = await world.asked()
    posting = asyncio.create_task(world.tracking.show_started(run.id))
    await world.replies.asked.wait()
    begun = await world.begins()
    await world.ledger.run_queue.release(begun.id)

    world.replies.may.set()
    await posting

    waits, stands_still = world.replies.written
    assert words.interrupted() not in waits
    assert words.interrupted() in stands_still


async def test_an_agent_may_work_once_its_comment_is_there(world: World) -> None:
    run = await world.asked()
    await world.begins()
    world.replies.may.set()

    async with following(world.tracking, run.id) as comment:
        comment.changed()
        await world.replies.asked.wait()
        await comment.is_seen()

        assert len(world.replies.written) == 1, "steps in a row are one edit"


async def asked_again_and_again(comment: Following) -> None:
    while True:
        await comment.is_seen()


async def test_no_agent_works_where_nobody_could_watch(world: World) -> None:
    run = await world.asked()
    await world.begins()
    world.replies.fault = GitHubRefused("locked", status_code=403)
    world.replies.may.set()

    async with following(world.tracking, run.id) as comment:
        with pytest.raises(GitHubRefused, match="locked"):
            await asked_again_and_again(comment)


async def test_an_answer_that_takes_long_holds_up_no_agent(world: World) -> None:
    run = await world.asked()
    await world.begins()

    async with following(world.tracking, run.id) as comment:
        await comment.is_seen()

        assert world.replies.written == []
