"""Worlds to do harm to, on each database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.worlds import Doomed, make_doomed


@pytest.fixture
async def doomed(database_url: str, tmp_path: Path) -> AsyncIterator[Doomed]:
    """A world whose server has not started yet."""
    made = await make_doomed(tmp_path, database_url)
    yield made
    await made.close()
    assert made.tracebacks() == []


@pytest.fixture
async def shared(postgres_url: str, tmp_path: Path) -> AsyncIterator[Doomed]:
    """The same on the database that workers may share."""
    made = await make_doomed(tmp_path, postgres_url)
    yield made
    await made.close()
    assert made.tracebacks() == []
