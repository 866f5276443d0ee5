"""The models' gateway: passes on what an agent may ask, with the real key.

One for each cell. The agent holds a key of the gateway's own, worth nothing elsewhere;
the operator's never leaves this process. Everything but the listed requests is refused,
what answers used is counted, and when no more may be used that is the answer.
"""

import asyncio
import hmac
import json
import logging
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import aiohttp
from aiohttp import web

from vibeboard.engine.ports import Spending
from vibeboard.runner.gateway import asked
from vibeboard.runner.gateway.apis import Account, Kind, Provider
from vibeboard.runner.gateway.tokens import Tally

log = logging.getLogger(__name__)

_LARGEST_REQUEST = 64 << 20
_LARGEST_ANSWER = 64 << 20  # of those in one piece
_AT_ONCE = 16
_MOST_REFUSED = 20  # kinds of them that are remembered
_CONNECT = 30.0
_SILENCE = 600.0  # seconds; models think long
_PASSED_ON = (
    "accept",
    "content-type",
    "user-agent",
    "openai-beta",
    "originator",
    "session_id",
    "conversation_id",
    "version",
    "x-app",
    "x-goog-api-client",
)
_PASSED_ON_PREFIXES = ("anthropic-", "x-stainless-", "x-codex-")
_PASSED_BACK = (
    "content-type",
    "retry-after",
    "retry-after-ms",
    "request-id",
    "x-request-id",
    "x-should-retry",
)
_PASSED_BACK_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-", "x-codex-")


class ModelGateway:
    """Answers one cell's requests to models."""

    def __init__(self, accounts: Sequence[Account], spending: Spending) -> None:
        self.key = f"sk-vibeboard-{secrets.token_hex(16)}"
        self._accounts = {account.provider.value: account for account in accounts}
        self._spending = spending
        self._session: aiohttp.ClientSession | None = None
        self._refused: Counter[str] = Counter()

    @property
    def refused(self) -> Mapping[str, int]:
        """What was asked and not passed on, by its name."""
        return self._refused

    def variables(self, at: str) -> dict[str, str]:
        """What programs know models by; ``at`` is the gateway's address for them."""
        found = {}
        for name, account in self._accounts.items():
            found[account.shape.address] = f"{at}/{name}{account.shape.below}"
            found[account.shape.key] = self.key
        return found

    @asynccontextmanager
    async def listening(self, socket: Path | None) -> AsyncIterator[str]:
        """Answer at ``socket``, or at a port of this machine; gives the address."""
        app = web.Application(client_max_size=_LARGEST_REQUEST)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT, sock_read=_SILENCE
        )
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_AT_ONCE),
            timeout=timeout,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as self._session:
            try:
                if socket is not None:
                    await web.UnixSite(runner, str(socket)).start()
                    yield ""
                else:
                    await web.TCPSite(runner, "127.0.0.1", 0).start()
                    host, port = runner.addresses[0][:2]
                    yield f"http://{host}:{port}"
            finally:
                await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name, _, rest = request.path.removeprefix("/").partition("/")
        account = self._accounts.get(name)
        path = f"/{rest}"
        if account is not None:
            path = path.removeprefix(account.shape.below)
        kind = account.shape.kind(request.method, path) if account else None
        if account is None or kind is None:
            what = f"{request.method} {request.path}"
            return self._refuse(f"{what[:200]} is not among what an agent may ask")
        if not self._knows(request):
            return self._refuse("this is not the key that the agent was given")
        if kind is Kind.PAID and (reason := self._spending.exhausted()) is not None:
            return self._refuse(reason, status=400, told=False)
        try:
            body, model = await self._body(request, account.provider, kind, path)
        except asked.Unwanted as unwanted:
            return self._refuse(str(unwanted))
        tally = Tally(account.provider, model=model, asked=len(body or b""))
        try:
            return await self._pass_on(request, account, path, body, kind, tally)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("a model cannot be reached", extra={"why": str(error)[:200]})
            return _error(
                502, f"the model's API cannot be reached: {type(error).__name__}"
            )

    async def _body(
        self, request: web.Request, provider: Provider, kind: Kind, path: str
    ) -> tuple[bytes | None, str]:
        if kind is Kind.READ:
            return None, ""
        given = await request.read()

        def looked_at() -> tuple[bytes, str]:
            wanted = asked.counted(provider, asked.read(provider, given), path)
            return json.dumps(wanted).encode(), str(wanted.get("model") or "")

        # Long conversations must not hold up everything else.
        body, model = await asyncio.to_thread(looked_at)
        if provider is Provider.GEMINI:
            model = path.rpartition("/")[2].partition(":")[0]
        return body, model[:200]

    async def _pass_on(
        self,
        request: web.Request,
        account: Account,
        path: str,
        body: bytes | None,
        kind: Kind,
        tally: Tally,
    ) -> web.StreamResponse:
        assert self._session is not None
        headers = _chosen(request.headers, _PASSED_ON, _PASSED_ON_PREFIXES)
        headers["accept-encoding"] = "identity"
        if account.key is not None:
            headers[account.shape.key_header] = account.shape.key_prefix + account.key
        query = [pair for pair in request.query.items() if pair[0] != "key"]
        async with self._session.request(
            request.method,
            account.url.rstrip("/") + path,
            params=query,
            data=None if body is None else BytesIO(body),
            headers=headers,
            allow_redirects=False,
        ) as answer:
            if 300 <= answer.status < 400:  # noqa: PLR2004 - a redirect
                return _error(502, "the model's API redirects, which is not followed")
            try:
                return await _pass_back(request, answer, tally)
            finally:
                if kind is Kind.PAID and answer.ok:
                    self._spending.used(tally.model, tally.usage)

    def _knows(self, request: web.Request) -> bool:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        given = (
            request.headers.get("x-api-key"),
            request.headers.get("x-goog-api-key"),
            bearer,
            request.query.get("key"),
        )
        return any(
            hmac.compare_digest(key.encode(errors="replace"), self.key.encode())
            for key in given
            if key
        )

    def _refuse(
        self, why: str, *, status: int = 403, told: bool = True
    ) -> web.Response:
        if told and (why in self._refused or len(self._refused) < _MOST_REFUSED):
            self._refused[why] += 1
        return _error(status, why)


async def _pass_back(
    request: web.Request, answer: aiohttp.ClientResponse, tally: Tally
) -> web.StreamResponse:
    headers = _chosen(answer.headers, _PASSED_BACK, _PASSED_BACK_PREFIXES)
    if "text/event-stream" not in headers.get("content-type", ""):
        whole = bytearray()
        async for chunk in answer.content.iter_any():
            whole += chunk
            if len(whole) > _LARGEST_ANSWER:
                return _error(502, "the model's answer is too large")
        tally.whole(bytes(whole))
        tally.end()
        return web.Response(status=answer.status, body=bytes(whole), headers=headers)
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            tally.feed(chunk)
            await response.write(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError):
        # Whoever asked must not take half an answer for a whole one.
        if request.transport is not None:
            request.transport.abort()
        return response
    tally.end()
    await response.write_eof()
    return response


def _chosen(
    headers: Mapping[str, str], names: Sequence[str], prefixes: tuple[str, ...]
) -> dict[str, str]:
    return {
        name.lower(): value
        for name, value in headers.items()
        if name.lower() in names or name.lower().startswith(prefixes)
    }


def _error(status: int, message: str) -> web.Response:
    """An error in the shape of each provider, and as one that stays if asked again."""
    kind = "invalid_request_error" if status == 400 else "permission_error"  # noqa: PLR2004 - as the providers name them
    error = {"type": kind, "message": message, "code": status, "status": kind.upper()}
    headers = {"x-should-retry": "false"} if status < 500 else {}  # noqa: PLR2004 - ours to mend or theirs
    return web.json_response(
        {"type": "error", "error": error}, status=status, headers=headers
    )
