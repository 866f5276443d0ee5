"""The models' gateway between a client and a provider on loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from vibeboard.engine.ports import Usage
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.gateway.server import ModelGateway

ANSWER = {"model": "claude-x", "usage": {"input_tokens": 3, "output_tokens": 2}}
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def usual(request: web.Request) -> web.StreamResponse:
    del request
    return web.json_response(ANSWER, headers={"Set-Cookie": "a=b", "Request-Id": "r"})


@dataclass
class Upstream:
    """A provider that remembers what it was asked."""

    answer: Answer = usual
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.path_qs
        self.asked.append((request.method, path, headers, await request.read()))
        return await self.answer(request)


@dataclass
class Spent:
    """What was counted; no more when ``why`` says so."""

    used_up: list[tuple[str, Usage]] = field(default_factory=list)
    why: str | None = None

    def used(self, model: str, usage: Usage) -> None:
        self.used_up.append((model, usage))

    def exhausted(self) -> str | None:
        return self.why


@dataclass
class Way:
    """A client that has come to the gateway."""

    upstream: Upstream
    spent: Spent
    gateway: ModelGateway
    session: aiohttp.ClientSession
    at: str

    async def post(
        self, path: str, body: object = None, **headers: str
    ) -> tuple[int, str]:
        given = {"x-api-key": self.gateway.key, **headers}
        data = json.dumps({"model": "m"} if body is None else body)
        async with self.session.post(
            self.at + path, data=data, headers=given
        ) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def opened(
    provider: Provider = Provider.ANTHROPIC, key: str | None = "sk-real"
) -> AsyncIterator[Way]:
    upstream, spent = Upstream(), Spent()
    app = web.Application(client_max_size=80 << 20)
    app.router.add_route("*", "/{path:.*}", upstream.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.url = "http://{}:{}".format(*runner.addresses[0][:2])
    gateway = ModelGateway([Account(provider, f"{upstream.url}/base/", key)], spent)
    try:
        async with gateway.listening(None) as at, aiohttp.ClientSession() as session:
            yield Way(upstream, spent, gateway, session, at)
    finally:
        await runner.cleanup()


@pytest.fixture
async def way() -> AsyncIterator[Way]:
    async with opened() as found:
        yield found


async def test_a_question_goes_on_with_the_real_key_and_comes_back(way: Way) -> None:
    status, text = await way.post(
        "/anthropic/v1/messages?beta=true",
        {"model": "m", "messages": []},
        **{
            "anthropic-version": "2023-06-01",
            "Cookie": "canary",
            "X-Forwarded-For": "canary",
            "Authorization": "Bearer canary",
        },
    )

    assert (status, json.loads(text)) == (200, ANSWER)
    ((method, path, headers, body),) = way.upstream.asked
    assert (method, path) == ("POST", "/base/v1/messages?beta=true")
    assert headers["x-api-key"] == "sk-real"
    assert headers["anthropic-version"] == "2023-06-01"
    assert "canary" not in str(headers)
    assert json.loads(body) == {"model": "m", "messages": []}
    assert way.spent.used_up == [("claude-x", Usage(3, 2))]
    assert way.gateway.refused == {}


@pytest.mark.parametrize(
    ("provider", "path", "place", "shown"),
    [
        (Provider.OPENAI, "/openai/v1/responses", "/base/responses", "authorization"),
        (
            Provider.GEMINI,
            "/gemini/v1beta/models/g:generateContent?key=KEY&alt=sse",
            "/base/v1beta/models/g:generateContent?alt=sse",
            "x-goog-api-key",
        ),
    ],
)
async def test_each_provider_is_shown_its_key_as_it_wants_it(
    provider: Provider, path: str, place: str, shown: str
) -> None:
    async with opened(provider) as way:
        status, _ = await way.post(path.replace("KEY", way.gateway.key))
        known = way.gateway.variables("http://here")

    ((_, asked, headers, _),) = way.upstream.asked
    assert (status, asked) == (200, place)
    assert headers[shown].removeprefix("Bearer ") == "sk-real"
    assert way.gateway.key not in str(way.upstream.asked)
    assert set(known.values()) == {
        way.gateway.key,
        {"/openai/v1/responses": "http://here/openai/v1"}.get(
            path, "http://here/gemini"
        ),
    }


async def test_what_is_not_listed_is_refused_by_name_and_remembered(way: Way) -> None:
    for path in ("/anthropic/v1/files", "/anthropic/v1/files", "/openai/v1/responses"):
        status, text = await way.post(path)
        assert status == 403
        assert path in text

    assert way.upstream.asked == []
    assert way.gateway.refused == {
        "POST /anthropic/v1/files is not among what an agent may ask": 2,
        "POST /openai/v1/responses is not among what an agent may ask": 1,
    }


async def test_only_who_was_given_its_key_is_answered(way: Way) -> None:
    status, text = await way.post("/anthropic/v1/messages", **{"x-api-key": "sk-other"})

    assert status == 403
    assert "not the key" in text
    assert way.upstream.asked == []


async def test_when_no_more_may_be_used_that_is_the_answer(way: Way) -> None:
    way.spent.why = "the run has used its $2.00"

    status, text = await way.post("/anthropic/v1/messages")
    counting, _ = await way.post("/anthropic/v1/messages/count_tokens")

    assert status == 400
    error = json.loads(text)["error"]
    assert error["message"] == "the run has used its $2.00"
    assert error["type"] == "invalid_request_error"
    assert counting == 200
    assert [path for _, path, _, _ in way.upstream.asked] == [
        "/base/v1/messages/count_tokens"
    ]


async def test_a_stream_comes_through_bit_by_bit(way: Way) -> None:
    """The second half is not sent before the first one was seen at the other end."""
    seen = asyncio.Event()

    async def halves(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"usage": {"input_tokens": 5}}\n\n')
        await asyncio.wait_for(seen.wait(), 10)
        await response.write(b'data: {"usage": {"output_tokens": 6}}\n\n')
        return response

    way.upstream.answer = halves
    async with way.session.post(
        f"{way.at}/anthropic/v1/messages",
        data=b'{"stream": true, "model": "m"}',
        headers={"x-api-key": way.gateway.key},
    ) as answer:
        first = await answer.content.readany()
        seen.set()
        rest = await answer.read()

    assert b"input_tokens" in first
    assert b"output_tokens" not in first
    assert b"output_tokens" in rest
    assert way.spent.used_up == [("m", Usage(5, 6))]


async def test_a_stream_that_breaks_is_not_taken_for_a_whole_one(way: Way) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b'data: {"usage": {"input_tokens": 5}}\n\n')
        assert request.transport is not None
        request.transport.abort()
        return response

    way.upstream.answer = broken

    with pytest.raises(aiohttp.ClientError):
        await way.post("/anthropic/v1/messages")

    ((_, usage),) = way.spent.used_up
    assert usage.input == 5


@pytest.mark.parametrize("status", [401, 429, 529])
async def test_a_providers_own_error_is_passed_back_and_costs_nothing(
    way: Way, status: int
) -> None:
    async def refusing(request: web.Request) -> web.StreamResponse:
        del request
        headers = {"Retry-After": "7"}
        return web.json_response({"error": "no"}, status=status, headers=headers)

    way.upstream.answer = refusing

    assert await way.post("/anthropic/v1/messages") == (status, '{"error": "no"}')
    assert way.spent.used_up == []


async def test_a_redirect_is_not_followed(way: Way) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        del request
        raise web.HTTPTemporaryRedirect("http://127.0.0.1:1/steal")

    way.upstream.answer = elsewhere

    status, text = await way.post("/anthropic/v1/messages")

    assert status == 502
    assert "redirects" in text
    assert len(way.upstream.asked) == 1


async def test_a_provider_that_is_away_is_told(way: Way) -> None:
    gateway = ModelGateway(
        [Account(Provider.ANTHROPIC, "http://127.0.0.1:1")], way.spent
    )
    async with gateway.listening(None) as way.at:
        way.gateway = gateway
        status, text = await way.post("/anthropic/v1/messages")

    assert status == 502
    assert "cannot be reached" in text


async def test_a_request_that_is_too_large_is_not_read(way: Way) -> None:
    headers = {"x-api-key": way.gateway.key}
    url = f"{way.at}/anthropic/v1/messages"
    large = BytesIO(b'{"x": "' + b"y" * (65 << 20) + b'"}')

    try:
        async with way.session.post(url, data=large, headers=headers) as answer:
            status = answer.status
    except aiohttp.ClientError:
        status = 413  # said before all was sent, and lost for that

    assert status == 413
    assert way.upstream.asked == []


async def test_the_real_key_is_in_nothing_that_is_printed(tmp_path: Path) -> None:
    async with opened(key="sk-real") as way, way.gateway.listening(tmp_path / "s"):
        shown = repr((way.gateway, vars(way.gateway)))

    assert "sk-real" not in shown
