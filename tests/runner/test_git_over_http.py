"""Credentials over HTTP: who gets them, when they are renewed, where they never are."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from tests.runner.origin import Origin, git
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Remote
from vibeboard.errors import (
    GitHubUnavailable,
    PushRefused,
    SettingsInvalid,
    WorkspaceRefused,
)
from vibeboard.runner.git import Credential, Git, GitFailed
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
    redirect: str = ""
    url: str = ""
    credentials: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        self.credentials.append(base64.b64decode(given).decode())
        if self.redirect:
            raise web.HTTPFound(self.redirect + request.path_qs)
        if self.answer is not None:
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

    @property
    def remote(self) -> Remote:
        async def token() -> str:
            return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]

        return Remote(f"{self.host.url}/origin.git", token)

    async def prepare(self) -> Path:
        workspace = await self.workspaces.prepare(
            CARD, remote=self.remote, branch=BRANCH, default_branch="main"
        )
        return workspace.tree


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    origin = Origin(tmp_path / "github")
    origin.has({"README.md": "clock\n"})
    host = Host(tmp_path / "github")
    async with served(host):
        root = tmp_path / "runner"
        workspaces = GitWorkspaces(
            root,
            git=Git(home=tmp_path / "home", path=os.environ["PATH"]),
            identity=Identity("Vibeboard", "bot@users.noreply.github.com"),
        )
        yield World(host, origin, root, workspaces, [TOKEN])


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


async def test_the_credential_goes_with_each_request_and_is_never_kept(
    world: World,
) -> None:
    tree = await world.prepare()
    (tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    await world.workspaces.push(CARD, world.remote)

    assert world.origin.files(BRANCH) == ["README.md", "a"]
    assert set(world.host.credentials) == {f"x-access-token:{TOKEN}"}
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode())
    for path in world.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert TOKEN.encode() not in data
            assert basic not in data
    assert git("config", "--list", cwd=tree).count("http") == 0


async def test_an_expired_token_is_renewed_once(world: World) -> None:
    world.tokens = ["expired", TOKEN]
    tree = await world.prepare()
    (tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    world.tokens = ["expired again", TOKEN]

    await world.workspaces.push(CARD, world.remote)

    assert world.origin.files(BRANCH) == ["README.md", "a"]


async def test_a_token_that_is_never_taken_is_told_without_it(world: World) -> None:
    world.tokens = ["never"]

    with pytest.raises(WorkspaceRefused, match="app is installed") as refused:
        await world.prepare()

    assert "never" not in str(refused.value)


async def test_a_redirect_to_another_host_is_not_followed(world: World) -> None:
    thief = Host(world.host.folder)
    async with served(thief):
        world.host.redirect = thief.url
        with pytest.raises((WorkspaceRefused, GitFailed)):
            await world.prepare()

    assert thief.credentials == []


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_host_in_trouble_is_tried_later(world: World, status: int) -> None:
    tree = await world.prepare()
    (tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    world.host.answer = status

    with pytest.raises(GitHubUnavailable):
        await world.prepare()
    with pytest.raises(GitHubUnavailable):
        await world.workspaces.push(CARD, world.remote)


async def test_no_host_at_all_is_tried_later(world: World) -> None:
    world.host.url = "http://127.0.0.1:1"

    with pytest.raises(GitHubUnavailable):
        await world.prepare()


async def test_a_page_in_the_place_of_git_is_no_empty_repository(
    world: World,
) -> None:
    await world.prepare()
    world.host.answer = 200

    for _ in range(2):
        with pytest.raises(GitHubUnavailable, match="does not speak git"):
            await world.prepare()

    world.host.answer = None
    await world.prepare()


async def test_a_missing_repository_is_refused(world: World) -> None:
    world.host.answer = 404

    with pytest.raises(WorkspaceRefused, match="not found"):
        await world.prepare()


async def test_a_push_without_permission_is_refused(world: World) -> None:
    tree = await world.prepare()
    (tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    world.host.read_only = True

    with pytest.raises(PushRefused, match="may not write"):
        await world.workspaces.push(CARD, world.remote)


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "http://x:ghs_tok%2Fen%2Bwith%3Dsigns@host/",
        base64.b64encode(TOKEN.encode()).decode(),
        base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode(),
    ],
    ids=["plain", "in a URL", "base64", "basic"],
)
def test_a_token_is_redacted_in_every_form(text: str) -> None:
    redacted = Credential("https://github.com/a/b", TOKEN).redact(f"it said {text}!")

    assert "[redacted]" in redacted
    assert text not in redacted


def test_a_token_is_not_shown_by_its_value() -> None:
    assert TOKEN not in repr(Credential("https://github.com/a/b", TOKEN))


@pytest.mark.parametrize(
    ("says", "fine"),
    [("2.34.0", True), ("2.50.1", True), ("2.33.9", False), ("", False)],
)
async def test_a_git_too_old_is_refused(tmp_path: Path, says: str, fine: bool) -> None:  # noqa: FBT001 - a column of the table
    old = tmp_path / "git"
    old.write_text(f"#!/bin/sh\necho git version {says}\n")
    old.chmod(0o755)
    checking = Git(home=tmp_path / "home", path=f"{tmp_path}").check_version()

    if fine:
        assert await checking >= (2, 34)
    else:
        with pytest.raises(SettingsInvalid, match="too old"):
            await checking


def test_no_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="git is not installed"):
        Git(home=tmp_path, path=str(tmp_path))
