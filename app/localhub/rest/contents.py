"""Files over REST: read, write, remove."""

import base64
import binascii

from aiohttp import web

from localhub import commits, git
from localhub.errors import Refused, invalid, not_found
from localhub.render import commits as shown
from localhub.rest.call import Call, Route, answer


def _encoded(content: bytes) -> str:
    return base64.encodebytes(content).decode()


def get(call: Call) -> web.Response:
    """Show a file or list a folder; raw if asked so by media type."""
    repository = call.repository
    ref = call.query("ref") or repository.default_branch
    sha = git.resolve(repository.git_dir, ref.removeprefix("refs/heads/"))
    path = call.part("path").strip("/")
    if sha is None:
        raise Refused(404, f"No commit found for the ref {ref}")
    entry = git.entry(repository.git_dir, sha, path)
    if entry is None:
        raise not_found()
    if entry.type == "tree":
        return _folder(call, ref, path, entry.sha)
    content = git.read_blob(repository.git_dir, entry.sha)
    if "raw" in call.request.headers.get("Accept", ""):
        return web.Response(body=content, content_type="application/vnd.github.raw")
    body = shown.content(call.hub, repository, ref, entry)
    return answer({**body, "content": _encoded(content), "encoding": "base64"})


def _folder(call: Call, ref: str, path: str, tree: str) -> web.Response:
    repository = call.repository
    inside = git.tree(repository.git_dir, tree)
    prefix = f"{path}/" if path else ""
    listed = [
        git.Entry(one.mode, one.type, one.sha, one.size, prefix + one.path)
        for one in inside
    ]
    return answer([shown.content(call.hub, repository, ref, one) for one in listed])


def _current(call: Call, branch: str, path: str) -> git.Entry | None:
    repository = call.repository
    head = git.resolve(repository.git_dir, branch)
    return git.entry(repository.git_dir, head, path) if head else None


def _check_sha(call: Call, path: str, current: git.Entry) -> None:
    given = call.body.get("sha") or call.query("sha")
    if not given:
        raise Refused(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if given != current.sha:
        raise Refused(409, f"{path} does not match {given}")


def _guard_workflows(call: Call, path: str) -> None:
    guarded = path.startswith(".github/workflows/")
    if guarded and call.caller.kind == "installation":
        if call.caller.granted("workflows", "write"):
            return
        raise Refused(403, "Resource not accessible by integration")


def put(call: Call) -> web.Response:
    """Create or change a file."""
    repository, body = call.repository, call.body
    path = call.part("path").strip("/")
    branch = body.get("branch") or repository.default_branch
    _guard_workflows(call, path)
    current = _current(call, branch, path)
    if current is not None:
        _check_sha(call, path, current)
    try:
        content = base64.b64decode(str(body.get("content") or ""), validate=False)
    except binascii.Error:
        raise invalid("Content", "content", "invalid", "not valid Base64") from None
    return _commit(call, branch, path, content, 200 if current else 201)


def delete(call: Call) -> web.Response:
    """Remove a file."""
    path = call.part("path").strip("/")
    branch = (
        call.body.get("branch") or call.query("branch")
    ) or call.repository.default_branch
    _guard_workflows(call, path)
    current = _current(call, branch, path)
    if current is None:
        raise not_found()
    _check_sha(call, path, current)
    return _commit(call, branch, path, None, 200)


def _commit(
    call: Call, branch: str, path: str, content: bytes | None, status: int
) -> web.Response:
    repository, body = call.repository, call.body
    sha = commits.change_files(
        call.hub,
        repository,
        branch=branch,
        files={path: content},
        message=str(body.get("message") or call.query("message")),
        actor=call.actor,
        author=body.get("author"),
        committer=body.get("committer"),
    )
    entry = git.entry(repository.git_dir, sha, path)
    commit = git.commit(repository.git_dir, sha)
    file = shown.content(call.hub, repository, branch, entry) if entry else None
    rendered = shown.git_commit(call.hub, repository, commit)
    return answer({"content": file, "commit": rendered}, status)


_ONE = "/repos/{owner}/{repo}/contents/{path:.*}"

ROUTES = [
    Route(
        "GET",
        "/repos/{owner}/{repo}/contents{path:/?}",
        get,
        ("contents:read",),
    ),
    Route("GET", _ONE, get, ("contents:read",)),
    Route("PUT", _ONE, put, ("contents:write",)),
    Route("DELETE", _ONE, delete, ("contents:write",)),
]
