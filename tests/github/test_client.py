"""One client for the whole App: credentials, limits, and answers that are none."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import jwt
import pytest
from aiohttp import web

from tests.fakes.clock import Clock
from tests.github.scripted import TOKEN, Scripted, answer, page, private_key, scripted
from vibeboard.errors import (
    AppAbsent,
    GitHubRefused,
    GitHubUnavailable,
    RateLimited,
    SettingsInvalid,
)
from vibeboard.github.answers import absence
from vibeboard.github.auth import AppCredential, Scope
from vibeboard.github.documents import Document
from vibeboard.github.pace import Pace
from vibeboard.github.transport import Access

MINT = "/app/installations/1/access_tokens"
THING = "/repos/acme/shop"
QUERY = Document("Hello", "query Hello { viewer { login } }")
CHANGE = Document("Change", "mutation Change { change }")


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


async def get(script: Scripted, url: str = THING) -> Any:
    installation = await script.github.installation("acme")
    return await installation.getitem(url, {})


# --- Credentials --------------------------------------------------------------


async def test_the_app_proves_itself_with_a_short_backdated_jwt(
    script: Scripted,
) -> None:
    script.on("/app", answer({"id": 7, "slug": "vibe", "name": "Vibe"}))

    identity = await script.github.identity()

    bearer = script.to("/app")[0].authorization.removeprefix("Bearer ")
    claims = jwt.decode(bearer, options={"verify_signature": False})
    now = script.clock.now().timestamp()
    assert claims["iss"] == "Iv1.client"
    assert claims["iat"] == now - 60
    assert now < claims["exp"] <= now + 9 * 60
    assert identity.login == "vibe[bot]"


async def test_many_callers_share_one_minted_token(script: Scripted) -> None:
    script.on(THING, answer({}))

    await asyncio.gather(*(get(script) for _ in range(20)))

    assert len(script.to(MINT)) == 1
    assert {one.authorization for one in script.to(THING)} == {f"Bearer {TOKEN}1"}


async def test_a_token_is_renewed_before_it_expires(script: Scripted) -> None:
    script.on(THING, answer({}))

    await get(script)
    script.clock.advance(minutes=58)
    await get(script)

    assert len(script.to(MINT)) == 2


async def test_a_token_for_git_may_do_no_more_than_git_needs(script: Scripted) -> None:
    installation = await script.github.installation("acme")

    await installation.token(Scope(("shop",), (("contents", "write"),)))

    assert script.to(MINT)[0].body == {
        "repositories": ["shop"],
        "permissions": {"contents": "write"},
    }


async def test_a_token_that_github_does_not_know_yet_is_tried_again(
    script: Scripted,
) -> None:
    script.on(THING, answer({}, 401), answer({"id": 1}))

    assert await get(script) == {"id": 1}

    assert len(script.to(MINT)) == 1


async def test_a_token_that_was_revoked_is_minted_anew(script: Scripted) -> None:
    script.on(THING, answer({}), answer({}, 401), answer({"id": 1}))

    await get(script)
    script.clock.advance(minutes=1)

    assert await get(script) == {"id": 1}
    assert len(script.to(MINT)) == 2


async def test_an_app_that_github_does_not_believe_gives_up(script: Scripted) -> None:
    date = format_datetime(script.clock.now(), usegmt=True)
    refusal = answer({"message": "Bad credentials"}, 401, {"Date": date})
    script.on("/app", refusal)

    with pytest.raises(GitHubRefused, match="Bad credentials") as caught:
        await script.github.identity()

    assert caught.value.status_code == 401
    assert len(script.to("/app")) == 1


async def test_a_clock_that_is_wrong_is_set_by_githubs(script: Scripted) -> None:
    theirs = script.clock.now() + timedelta(minutes=20)
    refused = answer({}, 401, {"Date": format_datetime(theirs, usegmt=True)})
    script.on("/app", refused, answer({"id": 7, "slug": "vibe", "name": "Vibe"}))

    await script.github.identity()

    bearer = script.to("/app")[1].authorization.removeprefix("Bearer ")
    claims = jwt.decode(bearer, options={"verify_signature": False})
    assert claims["iat"] == theirs.timestamp() - 60


async def test_an_app_installed_again_gets_its_new_id(script: Scripted) -> None:
    script.on(THING, answer({"id": 1}))
    installation = await script.github.installation("acme")
    script.on(MINT, answer({"message": "Not Found"}, 404))
    script.on(
        "/orgs/acme/installation", answer({"id": 2, "account": {"login": "acme"}})
    )
    script.on("/app/installations/2/access_tokens", script.mint)

    assert await get(script) == {"id": 1}
    assert installation.id == 2


async def test_a_person_may_have_the_app_too(script: Scripted) -> None:
    script.on("/users/bob/installation", answer({"id": 1, "account": {"login": "bob"}}))

    assert (await script.github.installation("bob")).id == 1


async def test_the_app_is_absent_where_it_is_not_installed(script: Scripted) -> None:
    with pytest.raises(AppAbsent) as caught:
        await script.github.installation("nobody")

    assert caught.value.account == "nobody"


async def test_a_suspended_installation_is_not_listed(script: Scripted) -> None:
    script.on(
        "/app/installations",
        answer(
            [
                {"id": 1, "account": {"login": "acme"}},
                {
                    "id": 2,
                    "account": {"login": "gone"},
                    "suspended_at": "2026-11-01T00:00:00Z",
                },
            ]
        ),
    )

    assert [one.owner for one in await script.github.installations()] == ["acme"]


@pytest.mark.parametrize("name", ["shop", "acme/", "acme/..", "acme/a/b", "a c/d", ""])
async def test_what_is_no_repository_reaches_no_route(
    script: Scripted, name: str
) -> None:
    with pytest.raises(ValueError, match="not a repository"):
        await script.github.of(name)

    assert script.asked == []


@pytest.mark.parametrize("key", ["", "not a key", "-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_that_is_none_is_told_without_showing_it(key: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        AppCredential("1", key, Clock())

    assert "RSA key" in str(caught.value)


async def test_no_token_shows_in_a_repr_or_a_log(
    script: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    script.on(THING, answer({"message": "no"}, 403))

    with pytest.raises(GitHubRefused) as caught:
        await get(script)

    installation = await script.github.installation("acme")
    seen = f"{caplog.text} {installation!r} {vars(installation)!r} {caught.value!r}"
    assert TOKEN not in seen
    assert private_key()[40:80] not in seen


# --- Illness and limits -------------------------------------------------------


@pytest.mark.parametrize(
    "ill",
    [
        pytest.param(answer({}, 502), id="502"),
        pytest.param(page("<h1>Unicorn!</h1>", 503), id="a unicorn"),
        pytest.param(page("<h1>Welcome</h1>"), id="somebody else's page"),
        pytest.param(page('{"id": 1', kind="application/json"), id="half an answer"),
        pytest.param(page("[" * 99_999, kind="application/json"), id="depth"),
    ],
)
async def test_a_read_is_repeated_when_github_is_ill(
    script: Scripted, ill: Any
) -> None:
    script.on(THING, ill, ill, answer({"id": 1}))

    assert await get(script) == {"id": 1}


async def test_a_read_is_not_repeated_for_ever(script: Scripted) -> None:
    script.on(THING, answer({}, 502))

    with pytest.raises(GitHubUnavailable):
        await get(script)

    assert len(script.to(THING)) == 3


async def test_a_write_is_never_repeated_unseen(script: Scripted) -> None:
    script.on(THING, answer({}, 502))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubUnavailable):
        await installation.post(THING, {}, {})
    with pytest.raises(GitHubUnavailable):
        await installation.patch(THING, {}, {})

    assert len(script.to(THING)) == 2


async def test_a_mutation_is_a_write(script: Scripted) -> None:
    script.on("/graphql", answer({}, 502))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubUnavailable):
        await installation.graphql(CHANGE, {})

    assert len(script.to("/graphql")) == 1


async def test_a_connection_that_breaks_is_unavailability(script: Scripted) -> None:
    def hang_up(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    script.on(THING, hang_up)

    with pytest.raises(GitHubUnavailable, match="cannot be reached"):
        await get(script)


async def test_writes_wait_for_one_another(script: Scripted) -> None:
    writing, most = 0, 0

    class Slow(web.Response):
        async def prepare(self, request: web.BaseRequest) -> Any:
            nonlocal writing, most
            writing += 1
            most = max(most, writing)
            await asyncio.sleep(0.01)
            writing -= 1
            return await super().prepare(request)

    script.on(THING, lambda _: Slow(text="{}", content_type="application/json"))
    installation = await script.github.installation("acme")

    await asyncio.gather(*(installation.post(THING, {}, {}) for _ in range(5)))

    assert most == 1


@pytest.mark.parametrize(
    ("status", "headers", "message", "seconds"),
    [
        pytest.param(403, {"Retry-After": "7"}, "", 7, id="retry-after"),
        pytest.param(429, {"Retry-After": "7"}, "", 7, id="429"),
        pytest.param(429, {}, "", 60, id="429 without advice"),
        pytest.param(429, {"Retry-After": "soon"}, "", 60, id="advice that is none"),
        pytest.param(429, {"Retry-After": "9" * 300}, "", 3600, id="for ever"),
        pytest.param(429, {"Retry-After": "0"}, "", 1, id="at once"),
        pytest.param(
            403, {}, "You have exceeded a secondary rate limit", 60, id="in words"
        ),
    ],
)
async def test_a_rate_limit_says_how_long_to_wait(
    script: Scripted,
    status: int,
    headers: dict[str, str],
    message: str,
    seconds: int,
) -> None:
    script.on(THING, answer({"message": message}, status, headers))

    with pytest.raises(RateLimited) as caught:
        await get(script)

    assert caught.value.after == timedelta(seconds=seconds)
    assert len(script.to(THING)) == 1


async def test_a_used_up_limit_lasts_until_its_reset(script: Scripted) -> None:
    reset = int(script.clock.now().timestamp()) + 90
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    script.on(THING, answer({"message": "rate limit"}, 403, headers))

    with pytest.raises(RateLimited) as caught:
        await get(script)

    assert caught.value.after == timedelta(seconds=91)


async def test_nothing_is_sent_until_a_limit_has_passed(script: Scripted) -> None:
    script.on(THING, answer({}, 429, {"Retry-After": "7"}), answer({"id": 1}))
    with pytest.raises(RateLimited):
        await get(script)

    with pytest.raises(RateLimited):
        await get(script)
    assert len(script.to(THING)) == 1

    script.clock.advance(seconds=8)
    assert await get(script) == {"id": 1}


async def test_a_limit_of_graphql_comes_with_status_200(script: Scripted) -> None:
    reset = int(script.clock.now().timestamp()) + 30
    headers = {
        "X-RateLimit-Limit": "5000",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset),
    }
    errors = [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]
    script.on("/graphql", answer({"errors": errors}, headers=headers))
    installation = await script.github.installation("acme")

    with pytest.raises(RateLimited) as caught:
        await installation.graphql(QUERY, {})

    assert caught.value.after == timedelta(seconds=31)


async def test_we_stop_writing_before_github_stops_us(script: Scripted) -> None:
    limits = {timedelta(minutes=1): 2, timedelta(hours=1): 3}
    clock, turn = script.clock, Pace(limits=limits).turn
    await turn(clock.now, script.pause)
    clock.advance(seconds=10)
    await turn(clock.now, script.pause)
    clock.advance(seconds=10)

    with pytest.raises(RateLimited) as caught:
        await turn(clock.now, script.pause)
    assert caught.value.after == timedelta(seconds=40)

    clock.advance(seconds=41)
    await turn(clock.now, script.pause)
    clock.advance(seconds=139)
    with pytest.raises(RateLimited) as caught:
        await turn(clock.now, script.pause)
    assert caught.value.after == timedelta(seconds=3400)


async def test_an_enterprise_server_may_be_written_to_more_quickly(
    script: Scripted,
) -> None:
    clock, pace = script.clock, Pace(600, burst=1)
    began = clock.now()

    for _ in range(601):
        await pace.turn(clock.now, script.pause)

    assert clock.now() - began == timedelta(minutes=1)


async def test_a_few_writes_follow_at_once_and_more_a_second_apart(
    script: Scripted,
) -> None:
    clock, pace = script.clock, Pace(burst=3)
    began = clock.now()

    at = []
    for _ in range(6):
        await pace.turn(clock.now, script.pause)
        at.append((clock.now() - began).total_seconds())
    clock.advance(seconds=30)
    before = len(script.pauses)
    for _ in range(3):
        await pace.turn(clock.now, script.pause)

    assert at == [0, 0, 0, 1, 2, 3]
    assert len(script.pauses) == before


# --- GraphQL --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [("NOT_FOUND", 404), ("FORBIDDEN", 403), ("UNPROCESSABLE", 422), ("", 400)],
)
async def test_an_error_of_graphql_is_an_error_even_beside_data(
    script: Scripted, kind: str, status: int
) -> None:
    errors = [{"type": kind, "message": "No."}]
    script.on("/graphql", answer({"data": {"viewer": None}, "errors": errors}))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubRefused, match="No\\.") as caught:
        await installation.graphql(QUERY, {})

    assert caught.value.status_code == status


async def test_what_may_be_missing_is_null(script: Scripted) -> None:
    errors = [{"type": "NOT_FOUND", "path": ["node"], "message": "No node"}]
    script.on("/graphql", answer({"data": {"node": None}, "errors": errors}))
    installation = await script.github.installation("acme")

    data = await installation.graphql(QUERY, {}, tolerated=absence)

    assert data == {"node": None}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"errors": [{"message": "Something went wrong"}]}, id="wrong"),
        pytest.param({"data": None}, id="no data"),
        pytest.param({}, id="nothing"),
        pytest.param([], id="an array"),
    ],
)
async def test_an_answer_without_data_is_unavailability(
    script: Scripted, body: Any
) -> None:
    script.on("/graphql", answer(body))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubUnavailable):
        await installation.graphql(QUERY, {})


@pytest.mark.parametrize(
    ("api", "graphql"),
    [
        ("https://api.github.com", "https://api.github.com/graphql"),
        ("https://git.acme.org/api/v3", "https://git.acme.org/api/graphql"),
        ("https://git.acme.org/api/v3/", "https://git.acme.org/api/graphql"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9/graphql"),
    ],
)
async def test_graphql_has_its_own_address(
    script: Scripted, api: str, graphql: str
) -> None:
    access = Access(script.github._access.session, api)

    assert access.graphql_url == graphql


# --- Other hosts ------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_renamed_repository_is_found(script: Scripted, status: int) -> None:
    script.on(THING, answer({}, status, {"Location": "/repositories/1"}))
    script.on("/repositories/1", answer({"id": 1}))

    assert await get(script) == {"id": 1}


async def test_a_write_follows_only_a_redirect_that_keeps_it_a_write(
    script: Scripted,
) -> None:
    script.on(THING, answer({}, 302, {"Location": "/repositories/1"}))
    installation = await script.github.installation("acme")

    with pytest.raises(GitHubRefused):
        await installation.patch(THING, {}, {})

    script.on(THING, answer({}, 307, {"Location": "/repositories/1"}))
    script.on("/repositories/1", answer({"id": 1}))

    assert await installation.patch(THING, {}, {"a": 1}) == {"id": 1}
    assert script.to("/repositories/1")[0].body == {"a": 1}


async def test_redirects_in_circles_end(script: Scripted) -> None:
    script.on(THING, answer({}, 301, {"Location": THING}))

    with pytest.raises(GitHubRefused, match="circles"):
        await get(script)


async def test_no_token_goes_to_another_host(script: Scripted) -> None:
    async with scripted() as other:
        script.on(THING, answer({}, 301, {"Location": f"{other.url}/stolen"}))

        with pytest.raises(GitHubRefused, match="another host"):
            await get(script)

        assert other.asked == []


async def test_no_token_goes_to_another_hosts_next_page(script: Scripted) -> None:
    async with scripted() as other:
        link = f'<{other.url}/stolen>; rel="next"'
        script.on(THING, answer([1], headers={"Link": link}))
        installation = await script.github.installation("acme")

        with pytest.raises(GitHubRefused, match="another host"):
            _ = [thing async for thing in installation.getiter(THING, {})]

        assert other.asked == []


# --- Counting ---------------------------------------------------------------------


async def test_calls_are_counted_by_what_they_are_for(script: Scripted) -> None:
    script.on(THING, answer({}))
    script.on("/graphql", answer({"data": {}}))
    installation = await script.github.installation("acme")

    await installation.getitem("/repos/{owner}/shop", {"owner": "acme"})
    await installation.graphql(QUERY, {})

    assert script.github.calls["GET /repos/{owner}/shop"] == 1
    assert script.github.calls["Hello"] == 1
