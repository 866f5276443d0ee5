"""Budgets: what a run may still spend, and what its tokens cost.

A cap is a limit of `.vibe.yml` on what several runs spend together. What is left under
the tightest one is all that a run may spend, whatever its own limit. What was spent so
far is asked for elsewhere; nothing here waits or asks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from vibeboard.domain.run import Cost
from vibeboard.domain.workflow import Agent, Cap, Scope

# Less than this is nothing: no answer of a model costs so little.
SMALLEST = 0.01

MILLION = 1_000_000


@dataclass(frozen=True)
class Spent:
    """What was spent by now: by a run, and in US dollars by all runs of its card."""

    run: Cost | None = None
    card: float = 0.0


NOTHING = Spent()


@dataclass(frozen=True)
class Room:
    """What is left under a cap."""

    cap: Cap
    spent: float

    @property
    def left(self) -> float:
        """US dollars; never less than none."""
        return max(0.0, self.cap.usd - self.spent)

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be bought for what is left."""
        return self.left < SMALLEST


def tightest(caps: Sequence[Cap], spent: Mapping[Scope, float]) -> Room | None:
    """The cap with the least room; None if there is no cap."""
    rooms = [Room(cap, spent.get(cap.scope, 0.0)) for cap in caps]
    return min(rooms, key=lambda room: room.left, default=None)


def within(agent: Agent, room: Room | None) -> Agent:
    """The agent with no more money than there is room for."""
    if room is None or (agent.usd is not None and agent.usd <= room.left):
        return agent
    return replace(agent, usd=room.left)


def after(agent: Agent, spent: Cost) -> Agent:
    """The agent with what earlier attempts of the run have left of its limits."""
    tokens = (spent.input_tokens or 0) + (spent.output_tokens or 0)
    return replace(
        agent,
        usd=None if agent.usd is None else agent.usd - (spent.usd or 0.0),
        tokens=None if agent.tokens is None else agent.tokens - tokens,
        turns=None if agent.turns is None else agent.turns - (spent.turns or 0),
    )


class Kind(Enum):
    """What a run may run out of, besides time."""

    USD = "usd"
    TOKENS = "tokens"
    TURNS = "turns"


def exceeded(agent: Agent, cost: Cost) -> Kind | None:
    """Which of the agent's own limits the cost has reached."""
    tokens = (cost.input_tokens or 0) + (cost.output_tokens or 0)
    if agent.usd is not None and (cost.usd or 0.0) >= agent.usd:
        return Kind.USD
    if agent.tokens is not None and tokens >= agent.tokens:
        return Kind.TOKENS
    if agent.turns is not None and (cost.turns or 0) >= agent.turns:
        return Kind.TURNS
    return None


# --- Prices -------------------------------------------------------------------

# A model's name may end in its date or in the word for the newest one.
_DATED = re.compile(r"[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens.

    ``cached`` are read from the model's cache, ``cache_write`` written into it.
    """

    input: float
    output: float
    cached: float
    cache_write: float

    def of(
        self, *, fresh: int = 0, cached: int = 0, written: int = 0, output: int = 0
    ) -> float:
        """What that many tokens cost."""
        read = fresh * self.input + cached * self.cached + written * self.cache_write
        return (read + output * self.output) / MILLION


@dataclass(frozen=True)
class Prices:
    """What models cost, by name without a date."""

    models: Mapping[str, Price] = field(default_factory=dict)

    def of(self, model: str | None) -> Price | None:
        """The price of a model; None if nobody told us.

        Nothing is guessed from a similar name: `gpt-5` is not `gpt-5.5`.
        """
        name = (model or "").strip().casefold().rpartition("/")[2]
        return self.models.get(name) or self.models.get(_DATED.sub("", name))

    def priced(self, cost: Cost, model: str | None) -> Cost:
        """The cost in money where only tokens are told; as it was if that is unknown.

        ``Cost.input_tokens`` has those read from the cache among them.
        """
        price = self.of(model)
        told = cost.input_tokens is not None or cost.output_tokens is not None
        if cost.usd is not None or price is None or not told:
            return cost
        cached = min(cost.cached_tokens or 0, cost.input_tokens or 0)
        usd = price.of(
            fresh=(cost.input_tokens or 0) - cached,
            cached=cached,
            output=cost.output_tokens or 0,
        )
        return replace(cost, usd=round(usd, 6))
