"""Fixtures for tests that talk to a served hub."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.localhub.served import World, serve


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Serve a small organization, and receive its webhooks."""
    async with serve(tmp_path) as served:
        yield served
