"""Answers that are late, moved, broken or somebody else's."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.github.on_localhub import World, on_localhub
from tests.github.scripted import Scripted, answer, page, scripted
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Marker
from vibeboard.errors import GitHubRefused, GitHubUnavailable
from vibeboard.github.app import GitHubPorts
from vibeboard.github.transport import Retries

THING = "/repos/acme/shop"
PULL = f"{THING}/pulls/8"
SOURCE = {"ref": "vibe/7", "sha": "c0ffee", "repo": {"id": 1}}
OPEN = {"number": 8, "html_url": "", "state": "open", "head": SOURCE, "base": SOURCE}
IMPATIENT = Retries(attempts=2, time_limit=timedelta(milliseconds=200))


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted(IMPATIENT) as one:
        yield one


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with on_localhub(tmp_path) as one:
        yield one


async def get(script: Scripted) -> Any:
    installation = await script.github.installation("acme")
    return await installation.getitem(THING, {})


# --- Too new ----------------------------------------------------------------------


async def test_case_16_a_fresh_pull_request_is_asked_for_again(world: World) -> None:
    missing = {"kind": "status", "status": 404, "body": '{"message": "Not Found"}'}
    number = world.small.pull.number
    world.order(missing, method="GET", path=f"/pulls/{number}$", times=2)

    assert (await world.pulls.read("acme/cart", number)).number == number

    world.order(missing, method="GET", path="/files$", times=2)
    assert await world.pulls.files("acme/cart", number)
    assert all(timedelta(0) < one < timedelta(seconds=2) for one in world.pauses)


async def test_case_16_what_is_never_there_is_not_asked_for_for_ever(
    script: Scripted,
) -> None:
    with pytest.raises(GitHubRefused) as caught:
        await GitHubPorts(script.github).pulls.read("acme/shop", 8)

    assert caught.value.status_code == 404
    assert len(script.to(PULL)) == IMPATIENT.attempts


async def test_case_16_what_may_be_missing_is_asked_for_once(script: Scripted) -> None:
    repositories = GitHubPorts(script.github).repositories

    await repositories.permission("acme/shop", "nobody")

    assert len(script.to(f"{THING}/collaborators/nobody/permission")) == 1


async def test_case_16_a_fresh_comment_is_not_taken_for_a_deleted_one(
    world: World,
) -> None:
    missing = {"kind": "status", "status": 404, "body": '{"message": "Not Found"}'}
    card, mark = CardKey("acme/cart", 1), Marker("run=01J")
    comment = await world.replies.ensure(card, mark, "Working.")
    world.order(missing, method="PATCH", path="/comments/", times=2)

    assert await world.replies.ensure(card, mark, "Done.", known=comment) == comment

    assert len(world.ours) == 1


# --- Moved ------------------------------------------------------------------------


async def test_case_16_a_renamed_repository_is_followed(script: Scripted) -> None:
    moved = {"Location": f"{script.url}/repositories/1/pulls/8"}
    script.on(PULL, answer({"message": "Moved Permanently"}, 301, moved))
    script.on("/repositories/1/pulls/8", answer(OPEN))

    pull = await GitHubPorts(script.github).pulls.read("acme/shop", 8)

    assert pull.number == 8


async def test_case_16_a_write_to_a_renamed_repository_is_done_once(
    script: Scripted,
) -> None:
    moved = {"Location": f"{script.url}/repositories/1/comments"}
    script.on(f"{THING}/comments", answer({}, 307, moved))
    script.on("/repositories/1/comments", answer({"id": 5}, 201))
    installation = await script.github.installation("acme")

    await installation.post(f"{THING}/comments", {}, {"body": "Hello."})

    [asked] = script.to("/repositories/1/comments")
    assert (asked.method, asked.body) == ("POST", {"body": "Hello."})


@pytest.mark.parametrize("how", ["redirect", "link", "redirected link"])
async def test_case_16_no_other_host_ever_sees_authorization(
    script: Scripted, how: str
) -> None:
    async with scripted() as other:
        redirect = answer({}, 301, {"Location": f"{other.url}/stolen"})
        target = {
            "redirect": f"{script.url}/first",
            "link": f"{other.url}/stolen",
            "redirected link": f"{script.url}/next",
        }[how]
        link = {"Link": f'<{target}>; rel="next"'}
        script.on(THING, redirect if how == "redirect" else answer([1], headers=link))
        script.on("/next", redirect)
        installation = await script.github.installation("acme")

        with pytest.raises(GitHubRefused, match="another host"):
            _ = [one async for one in installation.getiter(THING, {})]

        assert other.asked == []


# --- Broken -----------------------------------------------------------------------


BROKEN = [
    pytest.param(page("<h1>Unicorn!</h1>", 502), id="502 in HTML"),
    pytest.param(page("<h1>Unicorn!</h1>", 503), id="503 in HTML"),
    pytest.param(page("", 504), id="504 and nothing"),
    pytest.param(page("<html>Sign in to Wi-Fi</html>"), id="200 in HTML"),
    pytest.param(page('{"id": 1', kind="application/json"), id="half of it"),
]


@pytest.mark.parametrize("broken", BROKEN)
async def test_case_16_a_broken_answer_is_repeated_for_reads_alone(
    script: Scripted, broken: Any
) -> None:
    script.on(THING, broken, answer({"id": 1}))
    assert await get(script) == {"id": 1}

    script.on(THING, broken)
    installation = await script.github.installation("acme")
    before = len(script.to(THING))
    with pytest.raises(GitHubUnavailable):
        await installation.post(THING, {}, {})
    assert len(script.to(THING)) == before + 1


async def test_case_16_a_body_that_ends_early_is_no_answer(script: Scripted) -> None:
    class Cut(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            self.content_length = 1000
            self.content_type = "application/json"
            writer = await super().prepare(request)
            await self.write(b'{"id": 1')
            assert request.transport is not None
            request.transport.close()
            return writer

    script.on(THING, lambda _: Cut(), answer({"id": 1}))

    assert await get(script) == {"id": 1}
    assert len(script.to(THING)) == 2


async def test_case_16_a_body_that_drips_is_given_up_in_time(script: Scripted) -> None:
    class Drip(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            self.content_type = "application/json"
            writer = await super().prepare(request)
            while request.transport is not None and not request.transport.is_closing():
                await self.write(b" ")
                await asyncio.sleep(0.01)
            return writer

    script.on(THING, lambda _: Drip())
    began = time.monotonic()

    with pytest.raises(GitHubUnavailable, match="not answer in time"):
        await get(script)

    assert len(script.to(THING)) == 2
    assert time.monotonic() - began < 2


async def test_case_16_an_outage_of_ten_minutes_ends(script: Scripted) -> None:
    script.on(THING, answer({}, 503))
    for _ in range(10):
        with pytest.raises(GitHubUnavailable):
            await get(script)
        script.clock.advance(minutes=1)

    script.on(THING, answer({"id": 1}))
    assert await get(script) == {"id": 1}
    assert len(script.to(THING)) == 10 * IMPATIENT.attempts + 1
