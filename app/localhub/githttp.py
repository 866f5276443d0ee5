"""Git over HTTP: git's own `http-backend`, with GitHub's tokens at the door.

A push is compared before and after, and what moved is told like any other change.
"""

import asyncio
from asyncio.subprocess import PIPE, Process

from aiohttp import web

from localhub import auth, git, pushes
from localhub.errors import Refused, not_found
from localhub.ledger import LEDGER, Entry
from localhub.state import Hub, Repository

CHUNK = 65_536
_ASK = {"WWW-Authenticate": 'Basic realm="GitHub"'}


class GitServer:
    """Serves clones and pushes of one hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._pushing: dict[int, asyncio.Lock] = {}

    def routes(self) -> list[web.RouteDef]:
        """Give the three addresses of the smart protocol."""
        where = "/{owner}/{repo}"
        return [
            web.get(f"{where}/info/refs", self.serve),
            web.post(f"{where}/git-upload-pack", self.serve),
            web.post(f"{where}/git-receive-pack", self.serve),
        ]

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of git."""
        service = request.query.get("service") or request.path.rpartition("/")[2]
        writes = service == "git-receive-pack"
        caller, repository = self._admit(request, writes=writes)
        process = await self._start(request, repository, caller)
        if writes and request.method == "POST":
            lock = self._pushing.setdefault(repository.id, asyncio.Lock())
            async with lock:
                before = pushes.snapshot(repository)
                response = await _whole(request, process)
                moved = pushes.compare(self.hub, repository, before, actor=caller.actor)
            if moved:
                ledger = request.config_dict[LEDGER]
                ledger.append(Entry.of_push(self.hub, caller, request, moved))
            return response
        return await _streamed(request, process)

    def _admit(
        self, request: web.Request, *, writes: bool
    ) -> tuple[auth.Caller, Repository]:
        try:
            caller = auth.authenticate(self.hub, request.headers.get("Authorization"))
        except Refused as no:
            no.headers = _ASK
            raise
        name = request.match_info["repo"].removesuffix(".git")
        repository = self.hub.repository(f"{request.match_info['owner']}/{name}")
        anonymous = caller.kind == "anonymous"
        hidden = repository is None or repository.private
        if anonymous and (writes or hidden):
            raise Refused(401, "Authentication required", headers=_ASK)
        if repository is None:
            raise not_found()
        needs = ("contents:write",) if writes else ("contents:read",)
        auth.require(self.hub, caller, repository, needs)
        return caller, repository

    async def _start(
        self, request: web.Request, repository: Repository, caller: auth.Caller
    ) -> Process:
        tail = request.path.split("/", 3)[3]
        headers = request.headers
        variables = {
            **git.environment(),
            "GIT_PROJECT_ROOT": str(repository.git_dir),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": f"/{tail}",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            "REMOTE_USER": caller.name,
            "REMOTE_ADDR": request.remote or "",
            "GIT_PROTOCOL": headers.get("Git-Protocol", ""),
        }
        if caller.kind == "installation" and not caller.granted("workflows", "write"):
            variables[git.NO_WORKFLOWS] = "1"
        # A body that aiohttp has unpacked is longer than it says; git reads to the end.
        if "Content-Length" in headers and "Content-Encoding" not in headers:
            variables["CONTENT_LENGTH"] = headers["Content-Length"]
        starting = asyncio.create_task(
            asyncio.create_subprocess_exec(
                git.program(),
                "http-backend",
                stdin=PIPE,
                stdout=PIPE,
                env=variables,
                limit=CHUNK * 4,
            )
        )
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Whoever leaves now must not leave half a process behind.
            await _end(await starting)
            raise


async def _feed(request: web.Request, process: Process) -> None:
    assert process.stdin is not None
    try:
        async for chunk in request.content.iter_chunked(CHUNK):
            process.stdin.write(chunk)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        # git has heard enough, as when it refuses a push early.
        return


async def _head(process: Process) -> tuple[int, dict[str, str]]:
    assert process.stdout is not None
    status, headers = 200, {}
    while line := (await process.stdout.readline()).decode().strip():
        name, _, value = line.partition(": ")
        if name == "Status":
            status = int(value.split(" ")[0])
        else:
            headers[name] = value
    return status, headers


async def _whole(request: web.Request, process: Process) -> web.Response:
    assert process.stdout is not None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(request, process))
            status, headers = await _head(process)
            body = await process.stdout.read()
            await process.wait()
    finally:
        await _end(process)
    return web.Response(status=status, headers=headers, body=body)


async def _streamed(request: web.Request, process: Process) -> web.StreamResponse:
    assert process.stdout is not None
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_feed(request, process))
            status, headers = await _head(process)
            response = web.StreamResponse(status=status, headers=headers)
            await response.prepare(request)
            while chunk := await process.stdout.read(CHUNK):
                await response.write(chunk)
            await process.wait()
    finally:
        await _end(process)
    await response.write_eof()
    return response


async def _end(process: Process) -> None:
    if process.returncode is None:
        process.kill()
    # Reads and closes its pipes, too, which else are left to the garbage collector.
    await process.communicate(b"")
