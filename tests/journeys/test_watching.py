"""What an operator's tools read of a running server."""

import json
import signal

import pytest

from tests.journeys.test_gate import gated
from tests.journeys.world import World


async def test_a_running_server_is_alive_and_ready(world: World) -> None:
    assert await world.http("/healthz") == (200, '{"status": "ok"}')
    assert await world.http("/readyz") == (200, '{"status": "ready"}')
    status, said = await world.http("/api/runs/r1", TOKEN)
    assert status == 404
    assert "VIBEBOARD_API_TOKEN_FILE" in said


TOKEN = "0123456789abcdef" * 4


async def test_a_run_is_told_to_programs(still_world: World) -> None:
    world = still_world
    (world.home / "token").write_text(f"{'z' * 40}\n{TOKEN}\n")
    world.settings["api_token_file"] = str(world.home / "token")
    world.commit_file(".vibe.yml", gated("{tests: [unit], approvals: 1}"))
    await world.serve()
    card = world.card("Tell of me", "write test_b.py def test_b():\\n    assert True")
    card.moved_to("Development")
    await card.reaches("Review")
    await world.settled()
    (check,) = world.checks("vibeboard / develop")
    path = f"/api/runs/{check.external_id}"
    assert card.pull is not None

    assert (await world.http(path))[0] == 401
    assert (await world.http(path, TOKEN[:-1]))[0] == 401
    assert (await world.http("/api/runs/r0", TOKEN))[0] == 404
    assert (await world.http(f"{path}?gates=maybe", TOKEN))[0] == 400
    status, said = await world.http(path, TOKEN)
    assert status == 200
    run = json.loads(said)
    assert (run["state"], run["card"]) == ("succeeded", "acme/clock#1")
    assert (run["commit"], run["pull_request"]) == (
        card.pull.head_sha,
        card.pull.number,
    )
    steps = [step["name"] for step in run["steps"]]
    assert steps == ["read", "workspace", "agent", "tests", "publish"]
    (suite,) = run["suites"]
    assert (suite["verdict"], suite["passed"], suite["compared"]) == ("passed", 2, True)
    assert suite["changes"]["new"] == {"count": 1, "tests": ["test_b::test_b"]}
    assert run["calls"]["requests"] > 0
    assert run["gates"] is None
    _, said = await world.http(f"{path}?gates=true", TOKEN)
    (gate,) = json.loads(said)["gates"]
    assert (gate["stage"], gate["is_open"]) == ("done", False)
    assert [one["met"] for one in gate["asks_for"]] == [True, False]
    assert TOKEN not in "\n".join(world.log)


def _taken(world: World) -> int:
    """The deliveries that were taken so far."""
    return len([d for d in world.hub.deliveries if d.status_code == 202])


async def test_a_run_is_told_in_numbers(world: World) -> None:
    card = world.card("Count me", "write a.txt a")
    card.moved_to("Development")
    await card.reaches("Review")
    await world.settled()

    before = _taken(world)
    status, text = await world.http("/metrics")

    assert status == 200
    numbers = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")
    )
    kept = 'vibeboard_deliveries_received_total{outcome="new",status="202"}'
    assert before <= float(numbers[kept]) <= _taken(world)
    assert float(numbers["vibeboard_intake_seconds_count"]) >= before
    ended = 'vibeboard_runs_ended_total{stage="develop",state="succeeded"}'
    assert float(numbers[ended]) == 1
    assert float(numbers['vibeboard_run_seconds_count{stage="develop"}']) == 1
    assert float(numbers["vibeboard_delivery_to_agent_seconds_count"]) == 1
    assert 0 < float(numbers["vibeboard_delivery_to_agent_seconds_sum"]) < 30
    shown = 'vibeboard_effects_total{kind="ShowRun",outcome="done"}'
    assert float(numbers[shown]) >= 1
    assert float(numbers['vibeboard_runs{state="running"}']) == 0
    assert float(numbers['vibeboard_deliveries{state="failed"}']) == 0
    assert float(numbers["vibeboard_workers"]) == 1
    assert float(numbers["vibeboard_database_readable"]) == 1
    assert 'vibeboard_under_way{what="runs"} 0.0' in text
    assert any(name.startswith("vibeboard_github_requests_total{") for name in numbers)
    assert "clock" not in text, "no label names a repository"


async def test_a_server_that_leaves_is_alive_and_not_ready(still_world: World) -> None:
    world = still_world
    world.settings = {"grace_seconds": "20"}
    await world.serve()
    card = world.card("Take your time", "sleep 4", "write a.txt a")
    card.moved_to("Development")
    await card.says("Agent works ← now")
    assert world.server is not None

    world.server.send_signal(signal.SIGTERM)
    await world.until(lambda: any('"leaves"' in line for line in world.log), "leaving")

    status, text = await world.http("/readyz")
    assert (status, text) == (503, '{"status": "unready", "reason": "shutting down"}')
    assert (await world.http("/healthz"))[0] == 200
    await card.reaches("Review")
    assert await world.server.wait() == 0


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/healthz"])
async def test_nothing_else_than_get_is_answered(world: World, path: str) -> None:
    assert (await world.http(path, body=""))[0] == 405
