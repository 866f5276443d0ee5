"""Faults and deliveries that go wrong, on order; the ledger; recording."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from localhub.recorder import Recorder
from tests.localhub.served import World

ISSUES = "/repos/acme/clock/issues"


async def order(world: World, do: dict[str, Any], **match: str) -> None:
    body = {"match": match, "do": do}
    assert (await world.call("POST", "//_localhub/faults", body)).status == 201


async def test_work_is_done_and_the_answer_lost(world: World) -> None:
    await order(world, {"kind": "fail_after_effect"}, method="POST", path="/issues$")

    lost = await world.call("POST", ISSUES, {"title": "Twice?"})
    listed = await world.call("GET", ISSUES)

    assert lost.status == 502
    assert listed.json[0]["title"] == "Twice?"


async def test_a_limit_strikes_once_with_its_headers(world: World) -> None:
    limit = {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}}
    await order(world, limit, path="/issues")

    first = await world.call("GET", ISSUES)
    second = await world.call("GET", ISSUES)

    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert second.status == 200


async def test_a_connection_is_cut(world: World) -> None:
    await order(world, {"kind": "reset"}, method="POST")

    with pytest.raises(aiohttp.ClientError):
        await world.call("POST", ISSUES, {"title": "x"})


async def test_a_fault_may_mean_one_graphql_operation(world: World) -> None:
    await order(world, {"kind": "status", "status": 500}, graphql="Mine")
    query = "query Mine { viewer { login } }"
    other = "query Other { viewer { login } }"

    passed = await world.call("POST", "//api/graphql", {"query": other})
    struck = await world.call("POST", "//api/graphql", {"query": query})

    assert (passed.status, struck.status) == (200, 500)


async def test_an_order_with_an_unknown_key_is_refused(world: World) -> None:
    wrong = {"match": {"verb": "GET"}, "do": {"kind": "reset"}}

    assert (await world.call("POST", "//_localhub/faults", wrong)).status == 422


async def test_deliveries_are_dropped_doubled_and_reordered(world: World) -> None:
    async def said(text: str) -> None:
        await world.call("POST", f"{ISSUES}/1/comments", {"body": text})

    def heard() -> list[str]:
        return [one.payload["comment"]["body"] for one in world.inbox.came]

    await world.call("POST", "//_localhub/deliveries", {"drop": 1, "duplicate": 1})
    await said("dropped")
    await said("doubled")
    await world.inbox.until("issue_comment.created", 2)
    await world.call("POST", "//_localhub/deliveries", {"reorder": 2})
    await said("first")
    await said("second")
    await world.inbox.until("issue_comment.created", 4)

    assert heard() == ["doubled", "doubled", "second", "first"]
    assert world.inbox.came[0].guid == world.inbox.came[1].guid
    lost = await world.call(
        "GET", "/app/hook/deliveries?status=failure", token=world.jwt()
    )
    assert [one["status_code"] for one in lost.json] == [502]


async def test_deliveries_wait_while_paused(world: World) -> None:
    await world.call("POST", "//_localhub/deliveries", {"paused": True})
    await world.call("POST", ISSUES, {"title": "x"})
    held = await world.call("GET", "//_localhub/deliveries.json")
    await world.call("POST", "//_localhub/deliveries", {"paused": False})

    await world.inbox.until("issues.opened")
    assert held.json["waiting"] == 1


async def test_the_ledger_has_every_change_and_nothing_else(world: World) -> None:
    token = await world.token()
    await world.call("GET", ISSUES, token=token)
    await world.call("POST", ISSUES, {"title": "x"}, token=token)
    await world.call("POST", ISSUES, {"title": ""}, token=token)
    await world.push("topic")

    ledger = (await world.call("GET", "//_localhub/ledger")).json

    assert [(one["kind"], one["login"], one["effect"]) for one in ledger] == [
        (
            "app",
            "vibe",
            "POST /app/installations/{installation}/access_tokens",
        ),
        ("installation", "vibe[bot]", "POST /repos/{owner}/{repo}/issues"),
        ("user", "bob", {"refs": ["refs/heads/topic"]}),
    ]


async def test_calls_are_recorded_without_credentials(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localhub import start  # noqa: PLC0415 - a second hub

    folder = tmp_path / "record"
    monkeypatch.setenv("LOCALHUB_RECORD", str(folder))
    other = await start(world.hub)
    try:
        await world.call("POST", ISSUES, {"title": "Recorded"})
    finally:
        await other.close()

    text = next(folder.iterdir()).read_text()
    call = json.loads(text.splitlines()[0])
    assert (call["kind"], call["status"]) == ("rest", 201)
    assert call["path"] == "/repos/{owner}/{repo}/issues"
    assert json.loads(call["response_body"])["title"] == "Recorded"
    assert "bob-token" not in text


def test_without_a_folder_nothing_is_written() -> None:
    Recorder(None).close()
