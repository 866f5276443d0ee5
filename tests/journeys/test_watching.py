"""What an operator's tools read of a running server."""

import signal

import aiohttp
import pytest

from tests.journeys.world import World


async def _get(world: World, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{world.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_a_running_server_is_alive_and_ready(world: World) -> None:
    assert await _get(world, "/healthz") == (200, '{"status": "ok"}')
    assert await _get(world, "/readyz") == (200, '{"status": "ready"}')


async def test_a_run_is_told_in_numbers(world: World) -> None:
    card = world.card("Count me", "write a.txt a")
    card.moved_to("Development")
    await card.reaches("Review")
    await world.settled()

    status, text = await _get(world, "/metrics")

    assert status == 200
    numbers = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")
    )
    sent = len([d for d in world.hub.deliveries if d.status_code == 202])
    kept = 'vibeboard_deliveries_received_total{outcome="new",status="202"}'
    assert float(numbers[kept]) == sent
    assert float(numbers["vibeboard_intake_seconds_count"]) >= sent
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

    status, text = await _get(world, "/readyz")
    assert (status, text) == (503, '{"status": "unready", "reason": "shutting down"}')
    assert (await _get(world, "/healthz"))[0] == 200
    await card.reaches("Review")
    assert await world.server.wait() == 0


@pytest.mark.parametrize("path", ["/readyz", "/metrics", "/healthz"])
async def test_nothing_else_than_get_is_answered(world: World, path: str) -> None:
    url = f"http://127.0.0.1:{world.port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url) as answer:
        assert answer.status == 405
