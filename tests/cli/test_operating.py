"""What an operator types beside a running server, and what it then does."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from localhub.faults import FAULTS, Fault
from tests.cli.conftest import Said, Terminal
from tests.journeys.world import PATIENCE
from vibeboard.store import migrate
from vibeboard.store.database import open_database

REFUSED = {
    "match": {"method": "POST", "path": "/issues/1/comments$"},
    "do": {"kind": "status", "status": 422, "body": '{"message": "no room"}'},
    "times": 1,
}


@pytest.fixture
async def beside(terminal: Terminal) -> Terminal:
    """A terminal beside a server."""
    await terminal.serve()
    return terminal


async def table(terminal: Terminal, *command: str) -> Any:
    """What a command prints for programs."""
    said = await terminal.types(*command, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


async def run_of(terminal: Terminal, number: int) -> dict[str, Any]:
    shown = await table(terminal, "queue")
    (found,) = [r for r in shown["runs"] if r["card"].endswith(f"#{number}")]
    return dict(found)


async def test_a_quiet_server_has_nothing_to_show(beside: Terminal) -> None:
    assert (await beside.types("queue")).out == "0 deliveries, 0 runs\n"
    assert (await beside.types("dead")).out == "nothing given up\n"
    assert (await beside.types("audit", "acme/clock#7")).out == (
        "nothing about acme/clock#7\n"
    )
    assert (await beside.types("costs")).out == "nothing spent\n"
    workers = (await beside.types("workers")).out
    assert "server" in workers
    assert workers.endswith("1 worker\n")


async def test_a_run_is_seen_and_stopped(beside: Terminal) -> None:
    card = beside.card("Take long", "write part.txt part", "sleep 600")
    card.moved_to("Development")
    await beside.until(lambda: bool(beside.agents()), "the agent")
    run = await run_of(beside, card.issue.number)
    assert (run["stage"], run["state"], run["step"]) == ("develop", "running", "agent")

    said = await beside.types("stop", str(run["id"]), "--why", "wrong branch")

    assert said == Said(0, f"{run['id']} was running and is asked to stop\n", "")
    await card.says("✋ stopped", "the operator asked: wrong branch")
    assert not beside.agents()
    again = await beside.types("stop", str(run["id"]), "--why", "again")
    assert (again.code, again.err) == (1, f"{run['id']} has ended: stopped\n")
    audited = (await beside.types("audit", str(run["id"]))).out
    assert "operator" in audited
    assert "wrong branch" in audited


async def test_a_paused_repository_holds_runs_until_it_is_resumed(
    beside: Terminal,
) -> None:
    said = await beside.types("pause", "acme/clock", "--why", "a release")
    assert said.out == ("no run starts in acme/clock; those under way go on\n")
    card = beside.card("Wait", "write a.txt a")
    card.moved_to("Development")
    await card.says("⏳ waiting", "a release")
    shown = await beside.types("queue")
    assert "paused" in shown.out
    assert "a release" in shown.out

    said = await beside.types("resume", "acme/clock")

    assert said == Said(0, "runs start in acme/clock again\n", "")
    await card.reaches("Review")
    again = await beside.types("resume", "acme/clock")
    assert (again.code, again.err) == (1, "acme/clock was not paused\n")


async def test_what_was_given_up_is_shown_and_done_again(beside: Terminal) -> None:
    beside.breaks = True
    card = beside.card("Ask")
    await beside.settled()
    beside.running.runner.app[FAULTS].ordered.append(Fault.model_validate(REFUSED))
    card.said("/agent status")
    async with asyncio.timeout(PATIENCE):
        while not (letters := await table(beside, "dead")):  # noqa: ASYNC110 - asked anew
            await asyncio.sleep(0.05)
    assert card.replies == []
    (letter,) = letters
    assert letter["effect"] == "Reply"
    assert "no room" in letter["reason"]

    said = await beside.types("retry", str(letter["id"]))

    assert said == Said(0, f"due again: {letter['id']}\n", "")
    await card.replied("No agent has worked")
    assert len(card.replies) == 1
    assert (await beside.types("dead")).out == "nothing given up\n"
    missing = await beside.types("retry", str(letter["id"]))
    assert (missing.code, missing.out) == (1, "due again: nothing\n")


async def test_the_database_is_copied_beside_the_server(
    beside: Terminal, tmp_path: Path
) -> None:
    card = beside.card("Keep", "write a.txt a")
    card.moved_to("Development")
    await card.reaches("Review")
    copy = tmp_path / "copy.db"

    said = await beside.types("db", "backup", str(copy))

    assert said.code == 0, said.err
    assert said.out.endswith("MiB, checked\n")
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT state FROM run").fetchall() == [
            ("succeeded",)
        ]
    again = await beside.types("db", "backup", str(copy))
    assert again.code != 0
    assert "is there already; a backup overwrites nothing" in again.err


def nothing_open(terminal: Terminal) -> bool:
    connection = sqlite3.connect(terminal.home / "vibeboard.db")
    states = connection.execute("SELECT DISTINCT state FROM delivery").fetchall()
    connection.close()
    return states == [("settled",)]


async def test_what_is_done_with_is_taken_out(beside: Terminal) -> None:
    beside.card("Old").moved_to("Review")
    await beside.settled()
    await beside.until(lambda: nothing_open(beside), "the last delivery")
    with sqlite3.connect(beside.home / "vibeboard.db") as connection:
        count = connection.execute(
            "UPDATE delivery SET received_at = '2026-01-01 00:00:00.000000', "
            "settled_at = '2026-01-01 00:00:00.000000' WHERE state = 'settled'"
        ).rowcount
    connection.close()
    assert count > 0

    said = await beside.types("db", "purge")

    assert said.code == 0, said.err
    assert said.out.startswith(f"taken out: {count} deliveries, ")


MISTAKES = {
    ("pause", "a/b/c", "--why", "x"): "'a/b/c' is no scope: write '*'",
    ("stop", "nope", "--why", "x"): "there is no run nope; `vibeboard queue`",
    ("retry",): "say which: vibeboard retry ID…, or vibeboard retry --all",
    ("db", "purge", "--older-than", "1d"): "1d is too short",
    ("db", "purge", "--older-than", "soon"): "'soon' is no time to keep",
}


async def test_orders_that_cannot_be_meant(terminal: Terminal) -> None:
    migrate.upgrade(open_database(terminal.database_url))

    for command, why in MISTAKES.items():
        said = await terminal.types(*command)
        assert said.code == 2, said
        assert why in said.err


async def test_no_database_yet(terminal: Terminal) -> None:
    said = await terminal.types("queue")

    assert said.code != 0
    assert "there is no database at" in said.err
    assert "`vibeboard serve` makes it" in said.err
