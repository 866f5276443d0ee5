"""A GitHub and the settings for it, to type commands against."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.journeys.conftest import free_port
from tests.journeys.world import World, make_world


@dataclass
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.err, self.err


@dataclass
class Terminal(World):
    """A person at a terminal; ``settings`` is what differs from the right ones."""

    variables: dict[str, str] = field(default_factory=dict)
    """What differs in the rest of the environment."""

    def environment(self) -> dict[str, str]:
        given = super().environment() | {"COLUMNS": "200"} | self.variables
        return {name: value for name, value in given.items() if value}

    async def types(self, *arguments: str, **settings: str) -> Said:
        """Type a command; settings by their names in lower case, "" for unset."""
        before = self.settings
        self.settings = before | settings
        try:
            return Said(*await self.vibeboard(*arguments))
        finally:
            self.settings = before


@pytest.fixture
async def terminal(tmp_path: Path) -> AsyncIterator[Terminal]:
    url = f"sqlite:///{tmp_path}/vibeboard.db"
    plain = await make_world(tmp_path, url, free_port())
    made = Terminal(plain.running, plain.home, url, port=plain.port)
    yield made
    if made.server is not None:
        await made.end()
    await made.running.close()
