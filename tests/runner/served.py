"""An origin behind HTTP, the tokens it takes, and our workspaces of it."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.runner.origin import Origin
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Change, Remote
from vibeboard.runner.git import Git
from vibeboard.runner.workspace import GitWorkspaces, Identity

CARD = CardKey("acme/clock", 7)
BRANCH = "vibe/7"
TOKEN = "ghs_tok/en+with=signs"


@dataclass
class Host:
    """Git's own HTTP backend, behind the tokens it takes."""

    folder: Path
    taken: set[str] = field(default_factory=lambda: {TOKEN})
    read_only: bool = False
    answer: int | None = None
    answer_only_posts: bool = False
    redirect: str = ""
    redirect_status: int = 302
    redirect_only_posts: bool = False
    url: str = ""
    credentials: list[str] = field(default_factory=list)

    _expiry: tuple[str, set[str]] | None = None

    def expires_at(self, moment: str, *, new: set[str]) -> None:
        """From the first request of that path or method on, other tokens are taken."""
        self._expiry = moment, new

    async def handle(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        self.credentials.append(base64.b64decode(given).decode())
        posts = request.method == "POST"
        if self.redirect and (posts or not self.redirect_only_posts):
            location = {"Location": self.redirect + request.path_qs}
            return web.Response(status=self.redirect_status, headers=location)
        if self._expiry and self._expiry[0] in f"{request.method} {request.path}":
            self.taken = self._expiry[1]
        if self.answer is not None and (posts or not self.answer_only_posts):
            return web.Response(status=self.answer, text="<html>sorry</html>")
        token = self.credentials[-1].removeprefix("x-access-token:")
        if token not in self.taken:
            return web.Response(status=401, headers={"WWW-Authenticate": "Basic"})
        if self.read_only and "receive-pack" in request.path_qs:
            return web.Response(status=403)
        return await self._backend(request)

    async def _backend(self, request: web.Request) -> web.Response:
        backend = await asyncio.create_subprocess_exec(
            "git",
            "-c",
            "http.receivepack=true",
            "http-backend",
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": request.method,
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
                "REMOTE_USER": "somebody",
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await backend.communicate(await request.read())
        head, _, body = out.partition(b"\r\n\r\n")
        headers = dict(
            line.split(": ", 1) for line in head.decode().splitlines() if line
        )
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)


@dataclass
class World:
    """A repository behind HTTP, and our workspaces of it."""

    host: Host
    origin: Origin
    root: Path
    workspaces: GitWorkspaces
    tokens: list[str]
    tokens_asked: int = 0

    @property
    def remote(self) -> Remote:
        async def token() -> str:
            self.tokens_asked += 1
            return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

        return Remote(f"{self.host.url}/origin.git", token)

    async def prepare(self) -> Path:
        workspace = await self.workspaces.prepare(
            CARD, remote=self.remote, branch=BRANCH, default_branch="main"
        )
        return workspace.tree

    async def has_a_commit(self) -> None:
        tree = await self.prepare()
        (tree / "a").write_text("a")
        await self.workspaces.commit(CARD, "Ours")

    async def push(self) -> Change | None:
        return await self.workspaces.push(CARD, self.remote)


class served:  # noqa: N801 - reads as a verb
    """Serves a host on a port of its own."""

    def __init__(self, host: Host) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", host.handle)
        # aiohttp would unpack bodies that the backend wants packed.
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=1, auto_decompress=False
        )
        self._host = host

    async def __aenter__(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._host.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[World]:
    """A world below ``folder``."""
    origin = Origin(folder / "github")
    origin.has({"README.md": "clock\n"})
    host = Host(folder / "github")
    async with served(host):
        root = folder / "runner"
        workspaces = GitWorkspaces(
            root,
            git=Git(home=folder / "home", path=os.environ["PATH"]),
            identity=Identity("Vibeboard", "bot@users.noreply.github.com"),
        )
        yield World(host, origin, root, workspaces, [TOKEN])
