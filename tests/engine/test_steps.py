"""What one attempt has finished, the next one does not do again."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import HandClock
from tests.store.ledgers import Ledger
from vibeboard.engine.steps import Steps
from vibeboard.store import migrate
from vibeboard.store.database import open_database


@pytest.fixture
async def ledger(tmp_path: Path, clock: HandClock) -> AsyncIterator[Ledger]:
    database = open_database(f"sqlite:///{tmp_path}/vibeboard.db")
    migrate.ready(database)
    made = Ledger(database, clock)
    await made.workers.enter()
    yield made
    await database.close()


async def test_a_step_is_done_once_for_all_attempts(ledger: Ledger) -> None:
    done: list[str] = []

    async def agent() -> list[str]:
        done.append("worked")
        return done

    run = await ledger.begun()
    first = await Steps(ledger.runs, run)("agent", agent)
    run = await ledger.run_queue.begin(run.id)
    second = await Steps(ledger.runs, run)("agent", agent)

    assert run.attempt == 2
    assert first == second == ["worked"]


async def test_what_broke_off_is_done_again(ledger: Ledger) -> None:
    async def breaks() -> None:
        raise ConnectionResetError

    async def holds() -> str:
        return "done"

    run = await ledger.begun()
    with pytest.raises(ConnectionResetError):
        await Steps(ledger.runs, run)("agent", breaks)
    run = await ledger.run_queue.begin(run.id)

    assert await Steps(ledger.runs, run)("agent", holds) == "done"
