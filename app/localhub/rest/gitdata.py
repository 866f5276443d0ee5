"""The git database over REST: refs, commits, trees and blobs."""

import base64

from aiohttp import web

from localhub import commits, git
from localhub.errors import Refused, invalid, not_found
from localhub.render import commits as shown
from localhub.rest.call import Call, Route, answer, created, nothing, paged


def _heads_and_tags(call: Call) -> dict[str, str]:
    return git.refs(call.repository.git_dir)


def get_ref(call: Call) -> web.Response:
    """Show a ref by its full name."""
    ref = f"refs/{call.part('ref')}"
    sha = _heads_and_tags(call).get(ref)
    if sha is None:
        raise not_found()
    return answer(shown.reference(call.hub, call.repository, ref, sha))


def matching_refs(call: Call) -> web.Response:
    """List the refs that begin with a name."""
    prefix = f"refs/{call.part('ref')}"
    found = git.refs(call.repository.git_dir, prefix)
    return paged(
        call,
        list(found.items()),
        lambda pair: shown.reference(call.hub, call.repository, *pair),
    )


def create_ref(call: Call) -> web.Response:
    """Create a branch or tag."""
    ref, sha = str(call.body.get("ref") or ""), str(call.body.get("sha") or "")
    git_dir = call.repository.git_dir
    slashes = 2
    well_formed = ref.startswith("refs/") and ref.count("/") >= slashes
    if not well_formed or not git.valid_ref(git_dir, ref):
        raise Refused(422, "Reference name must start with 'refs/' and have a slash")
    if ref in _heads_and_tags(call):
        raise Refused(422, "Reference already exists")
    if git.object_type(git_dir, sha or "-") is None:
        raise Refused(422, "Object does not exist")
    commits.move(call.hub, call.repository, ref, sha, old=git.ZERO, actor=call.actor)
    body = shown.reference(call.hub, call.repository, ref, sha)
    return created(body, body["url"])


def update_ref(call: Call) -> web.Response:
    """Move a ref; only forward, unless forced."""
    ref, sha = f"refs/{call.part('ref')}", str(call.body.get("sha") or "")
    git_dir = call.repository.git_dir
    old = _heads_and_tags(call).get(ref)
    if old is None:
        raise Refused(422, "Reference does not exist")
    if git.object_type(git_dir, sha or "-") is None:
        raise Refused(422, "Object does not exist")
    if not call.body.get("force") and not git.is_ancestor(git_dir, old, sha):
        raise Refused(422, "Update is not a fast forward")
    commits.move(call.hub, call.repository, ref, sha, old=old, actor=call.actor)
    return answer(shown.reference(call.hub, call.repository, ref, sha))


def delete_ref(call: Call) -> web.Response:
    """Remove a ref."""
    ref = f"refs/{call.part('ref')}"
    old = _heads_and_tags(call).get(ref)
    if old is None:
        raise Refused(422, "Reference does not exist")
    commits.move(call.hub, call.repository, ref, git.ZERO, old=old, actor=call.actor)
    return nothing()


def _sha(call: Call, kind: str) -> str:
    sha = call.part("sha")
    if sha.startswith("-"):
        raise not_found()
    found = git.resolve(call.repository.git_dir, sha) if kind == "commit" else sha
    if found is None or git.object_type(call.repository.git_dir, found) != kind:
        raise not_found()
    return found


def get_commit(call: Call) -> web.Response:
    """Show a commit object."""
    one = git.commit(call.repository.git_dir, _sha(call, "commit"))
    return answer(shown.git_commit(call.hub, call.repository, one))


def create_commit(call: Call) -> web.Response:
    """Create a commit object; no ref moves."""
    body, git_dir = call.body, call.repository.git_dir
    tree, parents = str(body.get("tree") or ""), body.get("parents") or []
    if git.object_type(git_dir, tree or "-") != "tree":
        raise Refused(422, "Tree SHA does not exist")
    if any(git.object_type(git_dir, one) != "commit" for one in parents):
        raise Refused(422, "Parent SHA does not exist or is not a commit object")
    sha = commits.write(
        call.hub,
        call.repository,
        tree=tree,
        parents=parents,
        message=str(body.get("message") or ""),
        actor=call.actor,
        author=body.get("author"),
        committer=body.get("committer"),
    )
    rendered = shown.git_commit(call.hub, call.repository, git.commit(git_dir, sha))
    return created(rendered, rendered["url"])


def get_tree(call: Call) -> web.Response:
    """List a tree, by its own sha or by a commit, branch or tag."""
    git_dir, name = call.repository.git_dir, call.part("sha")
    if git.object_type(git_dir, name) == "tree":
        sha = name
    else:
        found = git.resolve(git_dir, name)
        if found is None:
            raise not_found()
        sha = git.commit(git_dir, found).tree
    deep = call.query("recursive") != ""
    entries = git.tree(git_dir, sha, recursive=deep)
    return answer(shown.tree(call.hub, call.repository, sha, entries))


def create_tree(call: Call) -> web.Response:
    """Create a tree from a base and changed paths."""
    git_dir = call.repository.git_dir
    files: dict[str, tuple[str, str] | None] = {}
    for one in call.body.get("tree") or []:
        sha = one.get("sha")
        if "content" in one:
            sha = git.write_blob(git_dir, one["content"].encode())
        elif sha is not None and git.object_type(git_dir, sha) is None:
            raise Refused(422, "tree.sha " + sha + " is not a valid blob")
        if not one.get("path"):
            raise invalid("Tree", "path", "missing_field")
        files[one["path"]] = (one.get("mode") or "100644", sha) if sha else None
    base = call.body.get("base_tree")
    if base is not None and git.object_type(git_dir, base) is None:
        raise Refused(422, "base_tree is not a valid tree oid")
    sha = git.write_tree(git_dir, base, files)
    entries = git.tree(git_dir, sha)
    body = shown.tree(call.hub, call.repository, sha, entries)
    return created(body, body["url"])


def get_blob(call: Call) -> web.Response:
    """Show a blob, Base64-encoded."""
    sha = _sha(call, "blob")
    content = git.read_blob(call.repository.git_dir, sha)
    body = _blob(call, sha)
    return answer(
        {
            **body,
            "size": len(content),
            "content": base64.encodebytes(content).decode(),
            "encoding": "base64",
        }
    )


def create_blob(call: Call) -> web.Response:
    """Create a blob."""
    content = str(call.body.get("content") or "")
    encoded = call.body.get("encoding") == "base64"
    raw = base64.b64decode(content) if encoded else content.encode()
    body = _blob(call, git.write_blob(call.repository.git_dir, raw))
    short = {"url": body["url"], "sha": body["sha"]}
    return created(short, body["url"])


def _blob(call: Call, sha: str) -> dict[str, str]:
    where = f"{call.hub.api_url}/repos/{call.repository.full_name}/git/blobs/{sha}"
    return {"sha": sha, "node_id": f"B_{sha}", "url": where}


_GIT = "/repos/{owner}/{repo}/git"
_READ = ("contents:read",)
_WRITE = ("contents:write",)

ROUTES = [
    Route("GET", f"{_GIT}/ref/{{ref:.+}}", get_ref, _READ),
    Route("GET", f"{_GIT}/matching-refs/{{ref:.+}}", matching_refs, _READ),
    Route("POST", f"{_GIT}/refs", create_ref, _WRITE),
    Route("PATCH", f"{_GIT}/refs/{{ref:.+}}", update_ref, _WRITE),
    Route("DELETE", f"{_GIT}/refs/{{ref:.+}}", delete_ref, _WRITE),
    Route("GET", f"{_GIT}/commits/{{sha}}", get_commit, _READ),
    Route("POST", f"{_GIT}/commits", create_commit, _WRITE),
    Route("GET", f"{_GIT}/trees/{{sha:.+}}", get_tree, _READ),
    Route("POST", f"{_GIT}/trees", create_tree, _WRITE),
    Route("GET", f"{_GIT}/blobs/{{sha}}", get_blob, _READ),
    Route("POST", f"{_GIT}/blobs", create_blob, _WRITE),
]
