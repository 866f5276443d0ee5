"""A workbench a test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.action.workbench import Workbench, open_workbench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Workbench]:
    made = await open_workbench(tmp_path)
    yield made
    await made.running.close()
