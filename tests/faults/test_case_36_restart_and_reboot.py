"""Case 36: the server, or its whole machine, goes down amid several runs.

Runs go on behind their last finished steps; no agent of the earlier life is left, none
works beside a new one in the same tree, and nothing stays behind on the disk.
"""

import json
import os
import signal
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from localhub import issues
from tests.faults.worlds import Doomed, developed
from tests.journeys.world import Card, config

pytestmark = pytest.mark.thorough

WAITING_TEST = """\
write test_wait.py from pathlib import Path\\nfrom time import sleep\\n\\n\\n\
def test_wait():\\n    while not Path('{gate}').exists():\\n        sleep(0.02)\
"""


def steps(world: Doomed, card: Card) -> list[str]:
    """The steps of the card's run that were begun, as the log tells them."""
    told = [json.loads(line) for line in world.log if line.startswith("{")]
    name = f"acme/clock#{card.issue.number}"
    return [x["step"] for x in told if x["event"] == "step" and x["card"] == name]


def living(world: Doomed) -> set[int]:
    """Processes that work in the world's workspaces, their leashes too."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cwd").readlink().is_relative_to(world.home / "data"):
                found.add(int(entry.name))
    return found


def goes_down(world: Doomed, whole: str) -> int:
    """Kill the server, or all that runs on its machine; gives the server's number."""
    assert world.server is not None
    server = world.server.pid
    with suppress(ProcessLookupError):
        for pid in (server, *(living(world) if whole == "machine" else ())):
            os.kill(pid, signal.SIGKILL)
    return server


def desks(world: Doomed) -> list[Path]:
    """Working trees that are left."""
    return list(world.home.glob("data/workspaces/cards/*/*/*/tree"))


def temporary_folders(server: int) -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"vibeboard-{server}-*"))


async def test_case_36_what_was_cut_off_goes_on_and_nothing_is_left(
    doomed: Doomed,
) -> None:
    # Where the database is elsewhere the server alone goes down.
    whole = "machine" if doomed.database_url.startswith("sqlite") else "server"
    gate = doomed.home / "gate"
    doomed.commit_file(".vibe.yml", f"{config()}limits: {{parallel: 2}}\n")
    await doomed.serve()
    tested = doomed.card("Tested", WAITING_TEST.format(gate=gate))
    tested.moved_to("Development")
    await doomed.until(lambda: "tests" in steps(doomed, tested), "the tests")
    worked = doomed.card("Worked", f"sleep {gate}", "write b.txt b")
    worked.moved_to("Development")
    await doomed.until(lambda: bool(doomed.agents()), "the agent")
    waiting = doomed.card("Waiting", "write c.txt c").moved_to("Development")
    await waiting.says("⏳ waiting")
    agents = len(doomed.agents())  # with its leash
    before = living(doomed)
    told = len(steps(doomed, tested)), len(steps(doomed, worked))

    server = goes_down(doomed, whole)
    await doomed.died()
    await doomed.serve()
    await doomed.until(lambda: steps(doomed, tested)[told[0] :] == ["tests"], "tests")
    await doomed.until(lambda: steps(doomed, worked)[told[1] :] == ["agent"], "agent")
    await doomed.until(lambda: len(doomed.agents()) == agents, "one agent")
    assert not before & living(doomed)
    assert steps(doomed, waiting) == []
    gate.touch()
    doomed.redeliver_failed()
    for card in (tested, worked, waiting):
        await card.reaches("Review")
    await doomed.is_quiet()

    assert doomed.made() == developed(tested, worked, waiting)
    attempts = {run.number: run.attempt for run in doomed.runs_kept()}
    assert attempts == {1: 2, 2: 2, 3: 1}
    assert len(desks(doomed)) == 3
    for card in (tested, worked, waiting):
        issues.close(doomed.hub, card.issue, actor=doomed.user("alice"))
    await doomed.until(lambda: not desks(doomed), "empty desks")
    await doomed.is_quiet()
    assert living(doomed) == set()
    assert temporary_folders(server) == []
