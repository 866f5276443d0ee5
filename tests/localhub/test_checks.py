"""Check runs with GitHub's limits, commit statuses, deployments."""

from typing import Any

import pytest

from tests.localhub.served import World

RUNS = "/repos/acme/clock/check-runs"


def note(line: int) -> dict[str, Any]:
    return {
        "path": "README.md",
        "start_line": line,
        "end_line": line,
        "annotation_level": "warning",
        "message": "m",
    }


async def begin(world: World, token: str, **body: Any) -> Any:
    head = await world.call("GET", "/repos/acme/clock/commits/main")
    asked = {"name": "vibe", "head_sha": head.json["sha"], **body}
    return await world.call("POST", RUNS, asked, token=token)


async def test_a_check_run_goes_through_its_life(world: World) -> None:
    token = await world.token()
    run = await begin(world, token, status="in_progress", external_id="7")
    output = {"title": "Green", "summary": "All well", "annotations": [note(1)] * 50}
    one = f"{RUNS}/{run.json['id']}"
    first = await world.call("PATCH", one, {"output": output}, token=token)
    done = await world.call(
        "PATCH",
        one,
        {"conclusion": "success", "output": {**output, "annotations": [note(2)]}},
        token=token,
    )
    listed = await world.call(
        "GET",
        "/repos/acme/clock/commits/main/check-runs?check_name=vibe",
        token=token,
    )
    page = await world.call("GET", f"{one}/annotations?per_page=100", token=token)

    assert run.status == 201
    assert first.json["output"]["annotations_count"] == 50
    assert (done.json["status"], done.json["conclusion"]) == ("completed", "success")
    assert listed.json["total_count"] == 1
    assert len(page.json) == 51
    await world.inbox.until("check_run.completed")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            {"output": {"title": "t", "summary": "s", "annotations": [note(1)] * 51}},
            id="51 annotations",
        ),
        pytest.param(
            {"output": {"title": "t", "summary": "x" * 65_536}}, id="long summary"
        ),
        pytest.param(
            {"output": {"title": "t", "summary": "s", "text": "x" * 65_536}},
            id="long text",
        ),
        pytest.param(
            {"actions": [{"label": "l", "description": "d", "identifier": "i"}] * 4},
            id="four actions",
        ),
        pytest.param(
            {"actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}]},
            id="long label",
        ),
        pytest.param({"status": "completed"}, id="completed without conclusion"),
        pytest.param({"head_sha": "0" * 40}, id="unknown commit"),
    ],
)
async def test_a_check_run_beyond_the_limits_is_refused(
    world: World, body: dict[str, Any]
) -> None:
    got = await begin(world, await world.token(), **body)

    assert got.status == 422


async def test_only_apps_write_checks(world: World) -> None:
    got = await begin(world, "alice-token")

    assert (got.status, got.json["message"]) == (
        403,
        "You must authenticate via a GitHub App.",
    )


async def test_a_pressed_button_and_a_rerun_reach_the_app(world: World) -> None:
    token = await world.token()
    button = {"label": "Allow", "description": "Let it", "identifier": "allow"}
    run = await begin(world, token, conclusion="action_required", actions=[button])
    pressed = await world.call(
        "POST",
        "//_localhub/as/bob/check-actions",
        {
            "repository": "acme/clock",
            "check_run": run.json["id"],
            "identifier": "allow",
        },
    )
    again = await world.call("POST", f"{RUNS}/{run.json['id']}/rerequest", token=token)

    came = await world.inbox.until("check_run.requested_action")
    assert (pressed.status, again.status) == (204, 201)
    assert came.payload["requested_action"] == {"identifier": "allow"}
    assert came.payload["sender"]["login"] == "bob"
    await world.inbox.until("check_run.rerequested")


async def test_the_newest_status_of_each_context_counts(world: World) -> None:
    token = await world.token()
    head = await world.call("GET", "/repos/acme/clock/commits/main")
    path = f"/repos/acme/clock/statuses/{head.json['sha']}"
    for state in ("failure", "success"):
        asked = {"state": state, "context": "ci"}
        await world.call("POST", path, asked, token=token)

    whole = await world.call("GET", "/repos/acme/clock/commits/main/status")

    assert (whole.json["state"], whole.json["total_count"]) == ("success", 1)


async def test_a_deployment_is_reported(world: World) -> None:
    token = await world.token()
    asked = {
        "ref": "main",
        "environment": "preview/pr-1",
        "transient_environment": True,
        "auto_merge": False,
        "required_contexts": [],
    }
    one = await world.call("POST", "/repos/acme/clock/deployments", asked, token=token)
    status = {"state": "success", "environment_url": "http://preview/"}
    path = f"/repos/acme/clock/deployments/{one.json['id']}/statuses"
    told = await world.call("POST", path, status, token=token)

    assert (one.status, told.status) == (201, 201)
    came = await world.inbox.until("deployment_status.created")
    assert came.payload["deployment_status"]["environment_url"] == "http://preview/"
