"""GitHub wants to hear nothing for a while, and hears nothing."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from tests.github.scripted import Reply, Scripted, answer, scripted
from vibeboard.errors import GitHubRefused, RateLimited
from vibeboard.github.documents import Document

THING = "/repos/acme/shop"
OTHERS = "/repos/other/shop"
GRAPHQL = "/graphql"
QUERY = Document("Hello", "query Hello { viewer { login } }")
HELLO = answer({"data": {"viewer": {"login": "vibe"}}})
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes."
OTHER = {"login": "other", "type": "Organization"}


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        one.on("/orgs/other/installation", answer({"id": 2, "account": OTHER}))
        one.on("/app/installations/2/access_tokens", one.mint)
        one.on(THING, answer({"id": 1}))
        one.on(OTHERS, answer({"id": 2}))
        one.on(GRAPHQL, HELLO)
        yield one


async def get(script: Scripted, url: str = THING) -> Any:
    installation = await script.github.installation(url.split("/")[2])
    return await installation.getitem(url, {})


async def ask(script: Scripted, owner: str = "acme") -> Any:
    installation = await script.github.installation(owner)
    return await installation.graphql(QUERY, {})


def used_up(script: Scripted, seconds: int) -> dict[str, str]:
    reset = int(script.clock.now().timestamp()) + seconds
    return {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
    }


def limit(script: Scripted, kind: str) -> tuple[Reply, int, bool]:
    """An answer, how long it asks us to wait, and whether it is about all."""
    primary = {"message": "API rate limit exceeded for installation ID 1."}
    secondary = {"message": SECONDARY}
    after = {"Retry-After": "90"}
    match kind:
        case "403 and reset":
            return answer(primary, 403, used_up(script, 120)), 121, False
        case "429 and reset":
            return answer(primary, 429, used_up(script, 120)), 121, False
        case "403 and retry-after":
            return answer(secondary, 403, after), 90, True
        case "429 and retry-after":
            return answer(secondary, 429, after), 90, True
        case "429 and nothing":
            return answer({}, 429), 60, True
        case _:
            return answer(secondary, 403), 60, True


KINDS = [
    "403 and reset",
    "429 and reset",
    "403 and retry-after",
    "429 and retry-after",
    "429 and nothing",
    "words alone",
]


@pytest.mark.parametrize("kind", KINDS)
async def test_case_14_nothing_is_sent_before_time(script: Scripted, kind: str) -> None:
    reply, seconds, about_all = limit(script, kind)
    script.on(THING, reply, answer({"id": 1}))
    with pytest.raises(RateLimited) as caught:
        await get(script)
    assert caught.value.after == timedelta(seconds=seconds)

    script.clock.advance(seconds=seconds - 1)
    for _ in range(3):
        with pytest.raises(RateLimited) as caught:
            await get(script)
        assert caught.value.after == timedelta(seconds=1)
    assert len(script.to(THING)) == 1
    if about_all:
        with pytest.raises(RateLimited):
            await ask(script)
        assert script.to(GRAPHQL) == []
    else:
        await ask(script)
    assert await get(script, OTHERS) == {"id": 2}

    script.clock.advance(seconds=2)
    assert await get(script) == {"id": 1}
    await ask(script)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, id="no data"),
        pytest.param({"data": {"viewer": {"login": "vibe"}}}, id="partial data"),
    ],
)
async def test_case_14_graphql_tells_a_limit_with_status_200(
    script: Scripted, data: dict[str, Any]
) -> None:
    errors = [
        {"type": "NOT_FOUND", "path": ["viewer"], "message": "Could not resolve."},
        {"type": "RATE_LIMITED", "message": "API rate limit exceeded."},
    ]
    script.on(
        GRAPHQL, answer({**data, "errors": errors}, headers=used_up(script, 30)), HELLO
    )
    with pytest.raises(RateLimited) as caught:
        await ask(script)
    assert caught.value.after == timedelta(seconds=31)

    script.clock.advance(seconds=30)
    with pytest.raises(RateLimited):
        await ask(script)
    assert len(script.to(GRAPHQL)) == 1
    assert await get(script) == {"id": 1}
    assert await ask(script, "other")

    script.clock.advance(seconds=2)
    assert await ask(script)


async def test_case_14_a_secondary_limit_of_graphql_is_about_all(
    script: Scripted,
) -> None:
    errors = [{"message": SECONDARY}]
    script.on(GRAPHQL, answer({"errors": errors}), HELLO)

    with pytest.raises(RateLimited) as caught:
        await ask(script)
    assert caught.value.after == timedelta(seconds=60)
    with pytest.raises(RateLimited):
        await get(script)

    assert script.to(THING) == []


async def test_case_14_waits_without_advice_grow_and_are_finite(
    script: Scripted,
) -> None:
    script.on(THING, answer({"message": SECONDARY}, 403))
    waits = []
    for _ in range(8):
        with pytest.raises(RateLimited) as caught:
            await get(script)
        waits.append(caught.value.after / timedelta(minutes=1))
        script.clock.advance(seconds=caught.value.after.total_seconds() + 1)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]

    script.on(THING, answer({"id": 1}), answer({"message": SECONDARY}, 403))
    await get(script)
    with pytest.raises(RateLimited) as caught:
        await get(script)
    assert caught.value.after == timedelta(minutes=1)


async def test_case_14_the_last_call_of_a_limit_is_the_last(script: Scripted) -> None:
    script.on(THING, answer({"id": 1}, headers=used_up(script, 50)))

    assert await get(script) == {"id": 1}
    with pytest.raises(RateLimited):
        await get(script)

    assert len(script.to(THING)) == 1
    assert await ask(script)


async def test_case_14_writes_that_wait_are_not_sent_into_a_limit(
    script: Scripted,
) -> None:
    script.on(THING, answer({}, 429, {"Retry-After": "90"}), answer({"id": 1}))
    installation = await script.github.installation("acme")

    outcomes = await asyncio.gather(
        *(installation.post(THING, {}, {"n": number}) for number in range(5)),
        return_exceptions=True,
    )

    assert {type(one) for one in outcomes} == {RateLimited}
    assert len(script.to(THING)) == 1
    script.clock.advance(seconds=91)
    assert await installation.post(THING, {}, {}) == {"id": 1}


async def test_case_14_a_missing_permission_is_no_limit(script: Scripted) -> None:
    message = "Resource not accessible by integration"
    left = {**used_up(script, 50), "X-RateLimit-Remaining": "4999"}
    script.on(THING, answer({"message": message}, 403, left), answer({"id": 1}))

    with pytest.raises(GitHubRefused) as caught:
        await get(script)

    assert caught.value.status_code == 403
    assert len(script.to(THING)) == 1
    assert await get(script) == {"id": 1}


async def test_case_14_at_most_twenty_are_asked_at_once(script: Scripted) -> None:
    asking, most = 0, 0

    class Slow(web.Response):
        async def prepare(self, request: web.BaseRequest) -> Any:
            nonlocal asking, most
            asking += 1
            most = max(most, asking)
            await asyncio.sleep(0.01)
            asking -= 1
            return await super().prepare(request)

    urls = [f"{THING}/{number}" for number in range(60)]
    for url in urls:
        script.on(url, lambda _: Slow(text="{}", content_type="application/json"))

    await asyncio.gather(*(get(script, url) for url in urls))

    assert 1 < most <= 20
