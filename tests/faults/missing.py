"""What GitHub sent, and what a server's database has of it."""

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localhub.state import Delivery
from localhub.webhooks import COURIER, Courier
from tests.journeys.conftest import free_port
from tests.journeys.world import World, make_world


@dataclass(frozen=True)
class Told:
    """A world's deliveries, from GitHub's side and from the server's."""

    world: World

    @property
    def courier(self) -> Courier:
        return self.world.running.runner.app[COURIER]

    @property
    def sent(self) -> list[Delivery]:
        """First attempts, oldest first."""
        return [one for one in self.world.hub.deliveries if not one.redelivery]

    @property
    def sent_again(self) -> list[str]:
        return [one.guid for one in self.world.hub.deliveries if one.redelivery]

    @property
    def database(self) -> Path:
        return Path(self.world.database_url.removeprefix("sqlite:///"))

    def has(self) -> set[str]:
        """GUIDs that the server has."""
        return {guid for (guid,) in self.ask("select guid from delivery")}

    def ask(self, query: str, *given: object) -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(query, given).fetchall()

    def copy(self, name: str) -> None:
        """Back the database up; the server is down."""
        shutil.copy(self.database, self.database.with_suffix(f".{name}"))

    def restore(self, name: str) -> None:
        shutil.copy(self.database.with_suffix(f".{name}"), self.database)

    def compared_at(self, at: datetime) -> None:
        """Let the server believe that it compared deliveries last at ``at``."""
        stamp = at.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        self.ask("update watermark set at = ?", stamp)

    async def quiet(self) -> None:
        """Wait until GitHub has nothing left to send."""
        await self.world.until(lambda: self.courier.idle, "GitHub to send everything")

    def lose(self, one: Delivery) -> None:
        """Let a delivery that waits fail, as if nobody had listened."""
        self.courier.waiting.remove(one)
        one.delivered_at = self.world.hub.clock()
        one.status, one.status_code = "failed to connect to host", 502


@asynccontextmanager
async def told_of(home: Path) -> AsyncIterator[Told]:
    """A world whose server, once started, compares deliveries all the time."""
    world = await make_world(home, f"sqlite:///{home}/vibeboard.db", free_port())
    world.settings["reconcile_minutes"] = "0.02"
    yield Told(world)
    if world.server is not None:
        await world.end()
    await world.running.close()
    assert world.tracebacks() == []
