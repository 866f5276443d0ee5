"""Many deliveries, twice and in any order, while servers and databases die.

GitHub's side knows what was sent, what was answered and what was made there; the
database knows what was kept. Nothing may be missing and nothing may be there twice.
"""

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import aiohttp
from sqlalchemy import select

from localhub.webhooks import COURIER, Courier
from tests.faults.shaken import Shaken, dice
from tests.faults.worlds import Doomed, developed
from tests.journeys.world import Card
from vibeboard.store import schema

_WINDOW = 40  # deliveries that may change places
_AT_ONCE = 8
_TWICE = 0.1


@dataclass(frozen=True)
class Size:
    """How much of everything; ``pause`` is from one death to the next."""

    seconds: float
    deliveries: int
    runs: int
    commands: int
    pause: tuple[float, float]
    away: tuple[float, float]
    patience: float = 60


@dataclass
class Numbers:
    """What came of it."""

    sent: int = 0
    acknowledged: int = 0
    stored: int = 0
    settled: int = 0
    server_kills: int = 0
    database: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    given_up: int = 0
    """Runs that died three times in one step, and say so on their cards."""
    mutations: int = 0
    fetched: int = 0
    seconds: float = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def told(self) -> str:
        return json.dumps(
            {
                "deliveries sent": self.sent,
                "acknowledged": self.acknowledged,
                "asked for again": self.fetched,
                "stored": self.stored,
                "settled": self.settled,
                "servers killed": self.server_kills,
                **{f"database {how}": n for how, n in self.database.items()},
                "runs": self.runs,
                "runs given up after three deaths in a step": self.given_up,
                "made on GitHub": self.mutations,
                "seconds": round(self.seconds),
                "lost": len(self.lost),
                "doubled": len(self.doubled),
                "faults logged": len(self.faults),
            }
        )


@dataclass
class Storm:
    """One storm over one world."""

    world: Doomed
    shaken: Shaken
    size: Size
    numbers: Numbers = field(default_factory=Numbers)
    workers: list[Card] = field(default_factory=list)
    talkers: dict[int, int] = field(default_factory=dict)
    _under_way: int = 0
    _began: float = 0
    _told: int = 0
    _looked_at: int = 0

    def __post_init__(self) -> None:
        self._dice = dice(29)
        self._calm = asyncio.Event()

    @property
    def courier(self) -> Courier:
        return self.world.running.runner.app[COURIER]

    async def rage(self) -> Numbers:
        """Let it come and go; what it left behind."""
        world = self.world
        world.order(paused=True)
        # Databases are away for less long than it takes to declare a process dead.
        world.settings |= {"reconcile_minutes": "0.03", "lease_seconds": "8"}
        await world.serve()
        self._began = time.monotonic()
        async with self._sending(), asyncio.TaskGroup() as group:
            group.create_task(self._shaking())
            await self._talk()
            await self._at_most(0)
            self._calm.set()
        world.order()
        await self._over()
        self._count()
        self.numbers.seconds = time.monotonic() - self._began
        return self.numbers

    # What people do.

    async def _talk(self) -> None:
        """Make as many deliveries as asked for, at the pace at which they leave."""
        size, world = self.size, self.world
        idle = [world.card(f"Idle {n}") for n in range(4)]
        runs, commands, number = size.runs, size.commands, 0
        every = max(size.deliveries // (runs + commands + 1), 1)
        due = every
        while self._first_attempts() < size.deliveries or not self._has_hit():
            number += 1
            if self._told >= due:
                due += every
                if runs and (runs / size.runs >= commands / max(size.commands, 1)):
                    runs -= 1
                    self._works(runs)
                elif commands:
                    commands -= 1
                    self._asks(commands)
            card = idle[number % len(idle)]
            if number % 6 == 0:
                card.moved_to(("Done", "Backlog")[number % 12 == 0])
            else:
                card.said(f"Well, {number}")
            await self._at_most(_WINDOW)
            late = time.monotonic() - self._began
            early = self._told / size.deliveries * size.seconds - late
            await asyncio.sleep(max(early, 0))
        assert not runs
        assert not commands

    def _has_hit(self) -> bool:
        """Whether a server and a database have died: slow machines need longer."""
        return self.numbers.server_kills > 0 and self.numbers.database.total() > 0

    def _first_attempts(self) -> int:
        """How many deliveries there are, sent again or not."""
        new = self.world.hub.deliveries[self._looked_at :]
        self._looked_at += len(new)
        self._told += sum(not one.redelivery for one in new)
        return self._told

    def _works(self, number: int) -> None:
        card = self.world.card(f"Work {number}", f"write w{number}.txt w")
        card.moved_to("Development")
        self.workers.append(card)

    def _asks(self, number: int) -> None:
        card = self.world.card(f"Ask {number}")
        card.said("/agent help")
        self.talkers[card.issue.number] = 1

    # How it is told.

    @contextlib.asynccontextmanager
    async def _sending(self) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            senders = [
                asyncio.create_task(self._send_some(session)) for _ in range(_AT_ONCE)
            ]
            try:
                yield
            finally:
                for sender in senders:
                    sender.cancel()
                await asyncio.gather(*senders, return_exceptions=True)

    async def _send_some(self, session: aiohttp.ClientSession) -> None:
        waiting = self.courier.waiting
        while True:
            if not waiting:
                await asyncio.sleep(0.01)
                continue
            self._under_way += 1
            at = self._dice.randrange(min(len(waiting), _WINDOW))
            one = waiting[at]
            del waiting[at]
            one.delivered_at = self.world.hub.clock()
            await self.courier._send(session, one)
            if self._dice.random() < _TWICE:
                await self.courier._send(session, replace(one))
            self._under_way -= 1

    async def _at_most(self, waiting: int) -> None:
        """Wait until no more than so many are to be sent, or nothing at all."""
        while len(self.courier.waiting) + (0 if waiting else self._under_way) > waiting:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)

    # What goes wrong.

    async def _shaking(self) -> None:
        size, turns = self.size, 0
        while not self._calm.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._dice.uniform(*size.pause)):
                    await self._calm.wait()
                return
            turns += 1
            if turns % 2 == 0:
                await self._kill_the_server()
            else:
                how = await self.shaken.shake(self._dice.uniform(*size.away))
                self.numbers.database[how] += 1
                await self._be_there()

    async def _kill_the_server(self) -> None:
        server = self.world.server
        assert server is not None
        server.kill()
        await server.wait()
        await self.world._reader
        self.numbers.server_kills += 1
        self.world.server = None
        await self._be_there()

    async def _be_there(self) -> None:
        """What a service manager does: start it again until it stays."""
        server = self.world.server
        if server is not None and server.returncode is None:
            return
        await self.world.serve()

    # What came of it.

    async def _over(self) -> None:
        """Wait until all is done; what is not done by then counts as lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.size.patience):
                while not await asyncio.to_thread(self._is_over):  # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.2)

    def _is_over(self) -> bool:
        try:
            done = all(self._ended(card) for card in self.workers)
            return (
                done
                and self.courier.idle
                and not self._missing()
                and self.world.quiet()
            )
        except RuntimeError:  # GitHub's list grew meanwhile
            return False

    def _kept(self) -> set[str]:
        hook = schema.delivery.c.hook
        with self.world.database() as connection:
            guids = select(schema.delivery.c.guid).where(hook != "vibeboard")
            return set(connection.scalars(guids))

    def _missing(self) -> set[str]:
        return {one.guid for one in self.world.hub.deliveries} - self._kept()

    def _count(self) -> None:
        numbers, world = self.numbers, self.world
        deliveries = list(world.hub.deliveries)
        kept = world.deliveries_kept()
        acknowledged = world.acknowledged()
        states = Counter(row.state for row in kept)
        stored = Counter(row.guid for row in kept)
        numbers.sent = len({one.guid for one in deliveries})
        numbers.fetched = sum(one.redelivery for one in deliveries)
        numbers.acknowledged = len(acknowledged)
        numbers.stored = len(stored)
        numbers.settled = states["settled"]
        runs = world.runs_kept()
        numbers.runs = len(runs)
        unlucky = {run.number for run in runs if run.state == "failed"}
        numbers.given_up = len(unlucky)
        made, (least, most) = world.made(), self._wanted(unlucky)
        numbers.mutations = made.total()
        numbers.lost = [
            *sorted({one.guid for one in deliveries} - set(stored)),
            *(f"{row.guid} {row.state}: {row.reason}" for row in kept if
              row.state != "settled"),
            *(str(one) for one in (least - made).elements()),
            *(
                f"{run.id} {run.state}"
                for run in runs
                if run.state not in ("succeeded", "failed")
            ),
            *(card.issue.title for card in self.workers if not self._ended(card)),
        ]  # fmt: skip
        numbers.doubled = [
            *(guid for guid, times in stored.items() if times > 1),
            *(str(one) for one in (made - most).elements()),
            *(f"{len(runs)} runs",) * (len(runs) > len(self.workers)),
        ]

    @staticmethod
    def _ended(card: Card) -> bool:
        failed = card.column == "Attention" and "3 times" in card.tracking()[-1]
        return card.column == "Review" or failed

    def _wanted(self, unlucky: set[int]) -> tuple[Counter[str], Counter[str]]:
        """What has to be on GitHub at least, and at most."""
        least = Counter(
            {f"comment on {issue}": times for issue, times in self.talkers.items()}
        )
        given_up = Counter[str]()
        for card in self.workers:
            number = card.issue.number
            if number not in unlucky:
                least.update(developed(card) if card.pull else {"pulls": 1})
                continue
            least.update({f"comment on {number}": 2, "MoveItem": 1})
            branch = f"refs/heads/vibe/{number}-{card.issue.title.lower()}"
            pushed = f"push {branch.replace(' ', '-')}"
            given_up.update({pushed: 1, "pulls": 1, "check-runs": 1})
        return least, least + given_up
