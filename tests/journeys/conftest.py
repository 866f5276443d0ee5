"""A world a test."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journeys.world import World, make_world


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def still_world(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose server has not started yet."""
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    made = await make_world(tmp_path, url, free_port())
    yield made
    if made.server is not None:
        await made.end()
    await made.running.close()
    assert made.tracebacks() == []


@pytest.fixture
async def world(still_world: World) -> World:
    """A world with its server running."""
    await still_world.serve()
    return still_world
