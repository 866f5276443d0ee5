"""A served hub with a client, an App and a receiver of its webhooks."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import jwt
from aiohttp import web

from localhub import Hub, Running, actions, keys, seed, start
from localhub.fleet import WITHOUT, Orders
from tests.conftest import missing

SECRET = "hush"
BOB = "bob-token"
EVERYTHING = {
    "administration": "write",
    "actions": "write",
    "checks": "write",
    "contents": "write",
    "deployments": "write",
    "issues": "write",
    "merge_queues": "read",
    "metadata": "read",
    "organization_projects": "write",
    "pull_requests": "write",
    "statuses": "write",
    "workflows": "write",
}
EVENTS = [
    "check_run",
    "check_suite",
    "create",
    "delete",
    "deployment",
    "deployment_status",
    "issue_comment",
    "issues",
    "label",
    "merge_group",
    "projects_v2_item",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
    "workflow_job",
    "workflow_run",
]
WORKFLOW = """\
name: Vibe
on:
  workflow_dispatch:
    inputs:
      run: {required: true}
jobs:
  agent:
    runs-on: ubuntu-latest
    steps:
      - run: echo "$RUN"
        env:
          RUN: ${{ inputs.run }}
"""


@cache
def key() -> tuple[str, str]:
    """One RSA key a process: they are slow to make."""
    return keys.generate()


def small(webhook_url: str | None = None) -> dict[str, Any]:
    """The seed of a small organization."""
    return {
        "users": [
            {"login": login, "token": f"{login}-token"}
            for login in ("alice", "bob", "carol", "eve")
        ],
        "organizations": [{"login": "acme", "members": {"alice": "admin"}}],
        "repositories": [
            {
                "name": "acme/clock",
                "files": {
                    "README.md": "# Clock\n",
                    "src/clock.py": "".join(f"line {n}\n" for n in range(1, 41)),
                    ".github/workflows/vibe.yml": WORKFLOW,
                },
                "collaborators": {"bob": "write", "carol": "triage"},
                "labels": [{"name": "bug", "color": "d73a4a"}],
                "issues": [{"title": "The clock is late", "body": "By a minute."}],
            },
            {"name": "acme/secret", "private": True, "files": {"a": "b"}},
        ],
        "apps": [
            {
                "slug": "vibe",
                "owner": "acme",
                "public_key": key()[1],
                "webhook_url": webhook_url,
                "webhook_secret": SECRET,
                "permissions": EVERYTHING,
                "events": EVENTS,
            }
        ],
        "installations": [
            {"app": "vibe", "account": "acme", "repositories": ["acme/clock"]}
        ],
        "projects": [
            {
                "owner": "acme",
                "title": "Board",
                "columns": ["Todo", "Code", "Done"],
                "cards": [{"issue": "acme/clock#1", "column": "Todo"}],
            }
        ],
    }


@dataclass
class Received:
    """A webhook as it came."""

    event: str
    guid: str
    headers: dict[str, str]
    body: bytes
    payload: dict[str, Any]

    @property
    def name(self) -> str:
        action = self.payload.get("action")
        return f"{self.event}.{action}" if action else self.event


@dataclass
class Inbox:
    """Where the App's webhooks arrive."""

    url: str = ""
    came: list[Received] = field(default_factory=list)
    status: int = 202
    arrival: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert request.headers["X-Hub-Signature-256"] == f"sha256={expected}"
        self.came.append(
            Received(
                request.headers["X-GitHub-Event"],
                request.headers["X-GitHub-Delivery"],
                dict(request.headers),
                body,
                json.loads(body),
            )
        )
        self.arrival.set()
        return web.Response(status=self.status)

    async def until(self, name: str, times: int = 1) -> Received:
        """Wait for an event, as `issues.opened`."""
        async with asyncio.timeout(10):
            while True:
                found = [one for one in self.came if one.name == name]
                if len(found) >= times:
                    return found[times - 1]
                self.arrival.clear()
                await self.arrival.wait()

    def names(self) -> list[str]:
        return [one.name for one in self.came]


@dataclass
class Answer:
    """An HTTP answer, read."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class World:
    """Everything a test talks to."""

    running: Running
    inbox: Inbox
    session: aiohttp.ClientSession
    folder: Path

    @property
    def hub(self) -> Hub:
        return self.running.hub

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = BOB,
        **headers: str,
    ) -> Answer:
        """Call REST (a path without prefix) or anything (`//` for the bare server)."""
        url = self.hub.url + path[1:] if path[:2] == "//" else self.hub.api_url + path
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            named.setdefault("Authorization", f"Bearer {token}")
        async with self.session.request(
            method, url, json=body, headers=named, allow_redirects=False
        ) as response:
            text = (await response.read()).decode(errors="replace")
            return Answer(response.status, response.headers, text)

    def act(self) -> None:
        """Skip a test that needs runners, if there are none."""
        if self.running.fleet.act is None:
            missing(WITHOUT)

    async def absent(self) -> None:
        """Let jobs stay queued."""
        await self.running.fleet.order(Orders(absent=True))

    async def dispatched(self, workflow: str = "vibe.yml", **inputs: str) -> Any:
        """Start a workflow by hand; give its run."""
        path = f"/repos/acme/clock/actions/workflows/{workflow}/dispatches"
        asked = {"ref": "main", "inputs": inputs}
        version = {"X-GitHub-Api-Version": "2026-03-10"}
        got = await self.call("POST", path, asked, token=await self.token(), **version)
        assert got.status == 200, got.text
        return actions.find(self.repository, got.json["workflow_run_id"])

    @property
    def repository(self) -> Any:
        return self.hub.repository("acme/clock")

    @property
    def app(self) -> Any:
        return self.hub.app_by("vibe")

    @property
    def installation(self) -> Any:
        return next(iter(self.hub.installations.values()))

    def jwt(self, **claims: Any) -> str:
        now = int(time.time())
        whole = {"iat": now - 60, "exp": now + 540, "iss": str(self.app.id), **claims}
        return jwt.encode(whole, key()[0], "RS256")

    async def token(self, **asked: Any) -> str:
        """Ask for an installation token as an App does."""
        path = f"/app/installations/{self.installation.id}/access_tokens"
        got = await self.call("POST", path, asked or None, token=self.jwt())
        assert got.status == 201, got.text
        return str(got.json["token"])

    async def git(self, *args: str, token: str = BOB, ok: bool = True) -> str:
        """Run git in the test's clone; the remote carries the token."""
        remote = self.hub.url.replace("//", f"//x-access-token:{token}@")
        process = await asyncio.create_subprocess_exec(
            "git",
            *(one.replace("REMOTE", f"{remote}/acme/clock.git") for one in args),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder),
                "GIT_TERMINAL_PROMPT": "0",
                "GIT_AUTHOR_NAME": "Bob",
                "GIT_AUTHOR_EMAIL": "bob@example.org",
                "GIT_COMMITTER_NAME": "Bob",
                "GIT_COMMITTER_EMAIL": "bob@example.org",
            },
        )
        out, _ = await process.communicate()
        assert (process.returncode == 0) is ok, out.decode()
        return out.decode()

    async def push(
        self, branch: str, *, text: str = "new\n", message: str = "W"
    ) -> str:
        """Clone once, commit on a branch, push; give the sha."""
        if not (self.folder / "clone").exists():
            await self.git("clone", "-q", "REMOTE", "clone")
        await self.git("-C", "clone", "checkout", "-q", "-B", branch)
        (self.folder / "clone" / f"{branch}.txt").write_text(text)
        await self.git("-C", "clone", "add", ".")
        await self.git("-C", "clone", "commit", "-q", "-m", message)
        await self.git("-C", "clone", "push", "-q", "REMOTE", branch)
        return (await self.git("-C", "clone", "rev-parse", "HEAD")).strip()

    async def pull(self, branch: str = "topic", **body: Any) -> dict[str, Any]:
        """Push a branch and open a pull request from it."""
        await self.push(branch)
        asked = {"title": "Topic", "head": branch, "base": "main", **body}
        got = await self.call("POST", "/repos/acme/clock/pulls", asked)
        assert got.status == 201, got.text
        opened: dict[str, Any] = got.json
        return opened

    async def put(self, path: str, text: str, **body: Any) -> Answer:
        """Write a file through the contents API."""
        content = base64.b64encode(text.encode()).decode()
        asked = {"message": f"Write {path}", "content": content, **body}
        return await self.call("PUT", f"/repos/acme/clock/contents/{path}", asked)


@asynccontextmanager
async def serve(folder: Path, **changes: Any) -> AsyncIterator[World]:
    """Serve a small hub with its receiver."""
    inbox = Inbox()
    receiver = web.Application()
    receiver.router.add_post("/webhook", inbox.receive)
    runner = web.AppRunner(receiver, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    inbox.url = f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"
    hub = Hub(folder / "repositories")
    seed.apply(hub, small(inbox.url) | changes, folder)
    running = await start(hub)
    try:
        async with aiohttp.ClientSession() as session:
            yield World(running, inbox, session, folder)
    finally:
        await running.close()
        await runner.cleanup()
