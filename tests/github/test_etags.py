"""Answers that GitHub confirms instead of sending them again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.github.scripted import Reply, Scripted, answer, scripted
from vibeboard.errors import GitHubRefused
from vibeboard.github.accounting import counted
from vibeboard.github.etags import Etags

THING = "/repos/acme/shop"


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


def tagged(body: object, etag: str) -> Reply:
    """Answer with a body, or confirm that it is the one they have."""

    def reply(request: web.Request) -> web.Response:
        if request.headers.get("if-none-match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.json_response(body, headers={"ETag": etag})

    return reply


async def test_an_answer_that_holds_is_confirmed_and_costs_nothing(
    script: Scripted,
) -> None:
    script.on(THING, tagged({"id": 1}, '"a"'))
    installation = await script.github.installation("acme")

    with counted() as calls:
        answers = [await installation.getitem(THING, {}) for _ in range(3)]

    assert answers == [{"id": 1}] * 3
    assert len(script.to(THING)) == 3
    assert calls.unchanged == 2


async def test_a_changed_answer_is_never_the_old_one(script: Scripted) -> None:
    script.on(THING, tagged({"id": 1}, '"a"'), tagged({"id": 2}, '"b"'))
    installation = await script.github.installation("acme")

    assert await installation.getitem(THING, {}) == {"id": 1}
    assert await installation.getitem(THING, {}) == {"id": 2}
    assert await installation.getitem(THING, {}) == {"id": 2}


async def test_what_may_be_read_no_longer_is_not_answered_from_memory(
    script: Scripted,
) -> None:
    gone = answer({"message": "Not Found"}, 404)
    script.on(THING, tagged({"id": 1}, '"a"'), gone, tagged({"id": 1}, '"a"'))
    installation = await script.github.installation("acme")
    await installation.getitem(THING, {})

    with pytest.raises(GitHubRefused):
        await installation.getitem(THING, {})
    await installation.getitem(THING, {})

    assert "if-none-match" not in script.to(THING)[2].headers


async def test_a_confirmation_that_was_not_asked_for_is_refused(
    script: Scripted,
) -> None:
    script.on(THING, lambda _: web.Response(status=304))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubRefused, match="redirect"):
        await installation.getitem(THING, {})


async def test_no_account_is_answered_with_what_another_may_read(
    script: Scripted,
) -> None:
    script.on("/orgs/other/installation", answer({"id": 2, "account": OTHER}))
    script.on("/app/installations/2/access_tokens", script.mint)
    script.on(THING, tagged({"id": 1}, '"a"'))

    for owner in ("acme", "other"):
        installation = await script.github.installation(owner)
        await installation.getitem(THING, {})

    assert all("if-none-match" not in one.headers for one in script.to(THING))


OTHER = {"login": "other", "type": "Organization"}


async def test_all_pages_are_confirmed(script: Scripted) -> None:
    def first(request: web.Request) -> web.Response:
        if request.headers.get("if-none-match") == '"a"':
            return web.Response(status=304)
        link = f'<{script.url}/next>; rel="next"'
        return web.json_response([1], headers={"ETag": '"a"', "Link": link})

    script.on(THING, first)
    script.on("/next", tagged([2], '"b"'))
    installation = await script.github.installation("acme")

    for _ in range(2):
        assert [one async for one in installation.getiter(THING, {})] == [1, 2]

    assert script.to("/next")[1].headers["if-none-match"] == '"b"'


async def test_who_asks_for_the_same_at_once_is_told_by_one_request(
    script: Scripted,
) -> None:
    script.on(THING, answer({"id": 1}))
    installation = await script.github.installation("acme")

    with counted() as calls:
        answers = await asyncio.gather(
            *(installation.getitem(THING, {}) for _ in range(50))
        )

    assert answers == [{"id": 1}] * 50
    assert len(script.to(THING)) == 1
    assert calls.requests == 2  # with the token


async def test_who_asks_later_is_not_told_what_was_asked_before(
    script: Scripted,
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    class Slow(web.Response):
        async def prepare(self, request: web.BaseRequest) -> Any:
            asked.set()
            await may_answer.wait()
            return await super().prepare(request)

    script.on(
        THING,
        lambda _: Slow(text='{"id": 1}', content_type="application/json"),
        answer({"id": 2}),
    )
    installation = await script.github.installation("acme")

    early = asyncio.create_task(installation.getitem(THING, {}))
    await asked.wait()
    late = asyncio.create_task(installation.getitem(THING, {}))
    await asyncio.sleep(0)
    may_answer.set()

    assert await early == {"id": 1}
    assert await late == {"id": 2}


def test_what_is_kept_is_bounded_in_number_and_size() -> None:
    etags = Etags(answers=3, size=800)
    for number in range(5):
        etags.put((1, str(number)), {"etag": "x"}, b"x" * 10)
    assert [etags.get((1, str(n))) is None for n in range(5)] == [
        True,
        True,
        False,
        False,
        False,
    ]

    etags.put((1, "large"), {"etag": "x"}, b"x" * 101)
    assert etags.get((1, "large")) is None

    small = Etags(size=80)
    for number in range(10):
        small.put((1, str(number)), {"etag": "x"}, b"x" * 10)
    assert len(small) == 8

    etags.put((1, "2"), {}, b"")
    assert etags.get((1, "2")) is None
