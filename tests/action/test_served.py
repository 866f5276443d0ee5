"""Runs of a server, carried out by the composite Action under `act`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from localhub import actions
from localhub.state import WorkflowRun
from tests.action.composite import ended, in_tree, log_of, the_action, workflow
from tests.journeys.conftest import free_port
from tests.journeys.world import World, config, make_world
from vibeboard.domain.workflow import AGENT_FILE

pytestmark = [pytest.mark.processes, pytest.mark.thorough]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[World]:
    """A server whose runs go to GitHub Actions, and runners that have the Action."""
    port = free_port()
    made = await make_world(
        tmp_path,
        f"sqlite:///{tmp_path}/vibeboard.db",
        port,
        files={
            AGENT_FILE: workflow(tmp_path, tmp_path / "canary"),
            ".vibe.yml": f"{config()}runner: actions\n",
        },
        actions=the_action(tmp_path),
    )
    made.repository.variables["VIBEBOARD_SERVER"] = f"http://127.0.0.1:{port}"
    made.settings["public_url"] = f"http://127.0.0.1:{port}"
    await made.serve()
    yield made
    await made.end()
    await made.running.close()
    assert made.tracebacks() == []


def posted(world: World) -> list[WorkflowRun]:
    """The workflow runs that the server asked for."""
    every = world.repository.workflow_runs
    return [run for run in every if run.event == "workflow_dispatch"]


async def test_a_card_moved_on_a_board_is_worked_on_by_a_job(served: World) -> None:
    card = served.card(
        "Add a tock", "write tock.py def tock():\\n    return 2", "summary Added."
    )

    card.moved_to("Development")
    await card.reaches("Review")

    await card.says("✅ done", "Carried out by [GitHub Actions](")
    pull = card.pull
    assert pull is not None
    assert "tock.py" in served.files(pull.head_sha)
    (commit,) = [check.suite.head_sha for check in served.checks("vibeboard / develop")]
    assert commit == pull.head_sha
    (run,) = posted(served)
    await ended(run)
    assert run.latest.conclusion == "success", log_of(run)


async def test_a_job_ends_when_its_card_or_its_run_is_taken_away(
    served: World,
) -> None:
    moved, cancelled = (
        served.card(title, "write half.txt half", "sleep 600")
        for title in ("Move me back", "Cancel me")
    )
    for card in (moved, cancelled):
        card.moved_to("Development")
        there = in_tree(served.hub.root, card.issue.number, "half.txt")
        await served.until(there, "a tree")
    first, second = posted(served)

    moved.moved_to("Backlog")
    actions.cancel(served.hub, second, actor=served.user("alice"))

    await moved.says("stopped", "alice")
    await cancelled.says("stopped", "cancelled")
    for run, end in ((first, "success"), (second, "cancelled")):
        await ended(run)
        assert run.latest.conclusion == end, log_of(run)
    assert {"half.txt"} < served.files("vibe/1-move-me-back")
    assert {"half.txt"} < served.files("vibe/2-cancel-me")
