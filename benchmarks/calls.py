"""What GitHub is asked for one card: from its move to the pull request and the report.

Counted by the local GitHub, which writes every call down, and set against the fewest
calls by hand: those without which something would be missing, guessed, or done twice.
The server is the product's own; the agent writes a file, and a suite of tests runs.
"""

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import free_port, scratch
from benchmarks.table import numbers, print_ratios, print_table
from localhub.running import RECORD
from tests.journeys.world import World, make_world

_ORDERS = ("write tock.py def tock():\\n    return 2", "summary Added a tock.")
_QUIET = 2.0  # seconds without a call: it is over
_UNCHANGED = 304
_SAFE = (200, 201, _UNCHANGED)

# A server that has worked on the repository before needs no more than these. Looks
# before a write are among them: an answer may get lost, and a write repeated.
_WRITES = {
    "POST issues/{number}/comments": "tells that a run is under way",
    "PATCH issues/comments/{comment}": "tells how it ended",
    "POST pulls": "the pull request",
    "POST check-runs": "what the tests said",
    "MoveItem": "the card in its next column",
}
_READS = {
    "CardOfNode": "a card's move names no repository",
    "CardOfIssue": "where it stands now: deliveries come late and out of order",
    "GET commits": "whether .vibe.yml may have changed",
    "GET collaborators/{username}/permission": "whether who moved it may",
    "GET repository": "default branch and address, to clone",
    "GET issues/{number}/comments": "what people said, for the agent",
    "NewestComments": "whether the comment is there already",
    "GET pulls": "whether the pull request is there already",
    "GET commits/{ref}/check-runs": "whether the check is there already",
    "ColumnsAtItem": "ids of columns change; nobody was quicker",
}
_OPERATION = re.compile(r"\b(?:query|mutation)\s+(\w+)")


@dataclass(frozen=True)
class _Called:
    """One call, by its purpose."""

    purpose: str
    writes: bool
    free: bool  # answered 304, which costs nothing
    points: int  # of GraphQL's limit


def main(arguments: Sequence[str]) -> int:
    """Count, print the table and the ratios."""
    numbers("calls", "Calls a card.", arguments)
    first, following = asyncio.run(_counted())
    once, again = (Counter(one.purpose for one in each) for each in (first, following))
    free = Counter(one.purpose for one in following if one.free)
    known = {**_WRITES, **_READS}
    order = [*known, *sorted((set(once) | set(again)) - set(known))]
    print_table(
        ("call", "first card", "next card", "of them free", "needed", "for"),
        [
            (name, once[name], again[name], free[name], int(name in known),
             known.get(name, ""))
            for name in order
        ],
    )  # fmt: skip
    _print_sums(first, following)
    return 0


def _print_sums(first: Sequence[_Called], following: Sequence[_Called]) -> None:
    needed = len(_WRITES) + len(_READS)
    writes = sum(one.writes for one in following)
    charged = sum(not one.free for one in following)
    print_table(
        ("", "first card", "next card", "needed"),
        [
            ("calls", len(first), len(following), needed),
            ("charged", sum(not one.free for one in first), charged, needed),
            ("writes", sum(one.writes for one in first), writes, len(_WRITES)),
            ("points", *(sum(one.points for one in e) for e in (first, following)), ""),
        ],
    )
    print_ratios(
        {
            "calls_vs_minimum": len(following) / needed,
            "charged_vs_minimum": charged / needed,
            "writes_vs_minimum": writes / len(_WRITES),
            "reads_vs_minimum": (len(following) - writes) / len(_READS),
            "first_calls_vs_minimum": len(first) / needed,
        }
    )


async def _counted() -> tuple[list[_Called], list[_Called]]:
    """What was called for the first card of a server, and for the next one."""
    with scratch() as home:
        record = home / "calls"
        os.environ[RECORD] = str(record)
        try:
            world = await make_world(
                home, f"sqlite:///{home}/vibeboard.db", free_port()
            )
        finally:
            del os.environ[RECORD]
        await world.serve()
        try:
            return await _card(world, record), await _card(world, record)
        finally:
            await world.end()
            await world.running.close()


async def _card(world: World, record: Path) -> list[_Called]:
    title = f"Add a tock, {len(world.repository.issues)}"
    card = world.card(title, *_ORDERS)
    before = len(await _quiet(record))
    card.moved_to("Development")
    await card.reaches("Review")
    await card.says("✅ done")
    return (await _quiet(record))[before:]


async def _quiet(record: Path) -> list[_Called]:
    """All calls so far, once there are no more."""
    known = -1
    while known != len(calls := await asyncio.to_thread(_read, record)):
        known = len(calls)
        await asyncio.sleep(_QUIET)
    return calls


def _read(record: Path) -> list[_Called]:
    lines = [
        json.loads(line)
        for file in record.glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    return [_called(line) for line in lines if line["kind"] in {"rest", "graphql"}]


def _called(line: Mapping[str, Any]) -> _Called:
    assert line["status"] in _SAFE, line
    if line["kind"] == "graphql":
        query = json.loads(line["body"])["query"]
        (name,) = _OPERATION.findall(query)
        answered = json.loads(line["response_body"])["data"]
        points = (answered.get("rateLimit") or {"cost": 1})["cost"]
        return _Called(
            name, query.lstrip().startswith("mutation"), free=False, points=points
        )
    path = line["path"].removeprefix("/repos/{owner}/{repo}").lstrip("/")
    purpose = f"{line['method']} {path or 'repository'}"
    return _Called(purpose, line["method"] != "GET", line["status"] == _UNCHANGED, 0)
