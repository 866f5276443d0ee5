"""An HTTP server that answers as a test says and keeps what it was asked.

For answers that no GitHub in order gives: broken pages, limits, other hosts.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.clock import Clock
from vibeboard.github.client import GitHub
from vibeboard.github.transport import Retries

TOKEN = "ghs_1234_e.y.J"
Reply = Callable[[web.Request], web.StreamResponse]


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def answer(
    body: Any = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    return lambda _: web.json_response(body, status=status, headers=headers)


def page(text: str, status: int = 200, kind: str = "text/html") -> Reply:
    return lambda _: web.Response(text=text, status=status, content_type=kind)


@dataclass
class Asked:
    method: str
    path: str
    authorization: str
    body: Any
    headers: Mapping[str, str]


@dataclass
class Scripted:
    """Each path has its answers in order; the last one is given for ever."""

    clock: Clock
    url: str = ""
    answers: dict[str, list[Reply]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    pauses: list[timedelta] = field(default_factory=list)
    github: GitHub = field(init=False)

    def on(self, path: str, *replies: Reply) -> None:
        self.answers[path] = list(replies)

    async def pause(self, span: timedelta) -> None:
        """Wait by the clock of the test, which nobody has to wait for."""
        self.pauses.append(span)
        self.clock.advance(seconds=span.total_seconds())
        await asyncio.sleep(0)

    def to(self, path: str) -> list[Asked]:
        return [one for one in self.asked if one.path == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.asked.append(
            Asked(
                request.method,
                request.path,
                request.headers.get("authorization", ""),
                json.loads(text) if text else None,
                request.headers,
            )
        )
        replies = self.answers.get(request.path)
        if replies is None:
            return web.json_response({"message": "Not Found"}, status=404)
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        return reply(request)

    def installed(self) -> None:
        """Answer as if the App were installed on `acme`."""
        self.on("/orgs/acme/installation", answer({"id": 1, "account": ACME}))
        self.on("/app/installations/1/access_tokens", self.mint)

    def mint(self, _: web.Request) -> web.StreamResponse:
        number = len(self.to("/app/installations/1/access_tokens"))
        expires = self.clock.now() + timedelta(hours=1)
        body = {"token": f"{TOKEN}{number}", "expires_at": expires.isoformat()}
        return web.json_response(body, status=201)


ACME = {"login": "acme", "type": "Organization"}


@asynccontextmanager
async def scripted(retries: Retries | None = None) -> AsyncIterator[Scripted]:
    script = Scripted(Clock())
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        script.url = str(server.make_url("")).rstrip("/")
        script.github = GitHub(
            script.url,
            "Iv1.client",
            private_key(),
            session,
            clock=script.clock,
            retries=retries or Retries(),
            pause=script.pause,
        )
        script.installed()
        yield script
