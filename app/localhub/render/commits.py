"""Commits, trees, files and comparisons as JSON."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from localhub import git
from localhub.render import repositories
from localhub.render.accounts import user
from localhub.state import Hub, Repository, User, stamp

JSON = dict[str, Any]


def instant(date: str) -> str:
    """Turn git's date (with an offset) into UTC."""
    return stamp(datetime.fromisoformat(date))


def account_of(hub: Hub, email: str) -> User | None:
    """Find the account behind a commit's address: only no-reply ones tell."""
    name, _, domain = email.partition("@")
    if not domain.startswith("users.noreply."):
        return None
    return hub.user(name.partition("+")[2] or name)


def person(one: git.Person) -> JSON:
    """Render who wrote a commit."""
    return {"name": one.name, "email": one.email, "date": instant(one.date)}


def _verification(hub: Hub, sha: str) -> JSON:
    if sha in hub.verified:
        return {
            "verified": True,
            "reason": "valid",
            "signature": "-----BEGIN PGP SIGNATURE-----",
            "payload": f"commit {sha}",
            "verified_at": hub.verified[sha],
        }
    return {
        "verified": False,
        "reason": "unsigned",
        "signature": None,
        "payload": None,
        "verified_at": None,
    }


def _parents(api: str, web: str, kind: str, one: git.Commit) -> list[JSON]:
    return [
        {
            "sha": sha,
            "url": f"{api}/{kind}/{sha}",
            "html_url": f"{web}/commit/{sha}",
        }
        for sha in one.parents
    ]


def git_commit(hub: Hub, repository: Repository, one: git.Commit) -> JSON:
    """Render a commit of the git database."""
    api = repositories.url(hub, repository)
    web = repositories.page(hub, repository)
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "url": f"{api}/git/commits/{one.sha}",
        "html_url": f"{web}/commit/{one.sha}",
        "author": person(one.author),
        "committer": person(one.committer),
        "message": one.message,
        "tree": {"sha": one.tree, "url": f"{api}/git/trees/{one.tree}"},
        "parents": _parents(api, web, "git/commits", one),
        "verification": _verification(hub, one.sha),
    }


def commit(hub: Hub, repository: Repository, one: git.Commit) -> JSON:
    """Render a commit of the repository."""
    api = repositories.url(hub, repository)
    web = repositories.page(hub, repository)
    author = account_of(hub, one.author.email)
    committer = account_of(hub, one.committer.email)
    return {
        "sha": one.sha,
        "node_id": f"C_{one.sha}",
        "url": f"{api}/commits/{one.sha}",
        "html_url": f"{web}/commit/{one.sha}",
        "comments_url": f"{api}/commits/{one.sha}/comments",
        "commit": {
            "url": f"{api}/git/commits/{one.sha}",
            "author": person(one.author),
            "committer": person(one.committer),
            "message": one.message,
            "comment_count": 0,
            "tree": {"sha": one.tree, "url": f"{api}/git/trees/{one.tree}"},
            "verification": _verification(hub, one.sha),
        },
        "author": user(hub, author) if author else None,
        "committer": user(hub, committer) if committer else None,
        "parents": _parents(api, web, "commits", one),
    }


def commit_with_files(hub: Hub, repository: Repository, one: git.Commit) -> JSON:
    """Render one commit with its statistics and files."""
    base = one.parents[0] if one.parents else git.EMPTY_TREE
    found = git.changes(repository.git_dir, base, one.sha)
    added = sum(each.additions for each in found)
    deleted = sum(each.deletions for each in found)
    return {
        **commit(hub, repository, one),
        "stats": {"total": added + deleted, "additions": added, "deletions": deleted},
        "files": [change(hub, repository, one.sha, each) for each in found],
    }


def pushed_commit(hub: Hub, repository: Repository, one: git.Commit) -> JSON:
    """Render a commit inside a push or a check suite."""
    found = git.changes(
        repository.git_dir,
        one.parents[0] if one.parents else git.EMPTY_TREE,
        one.sha,
    )
    return {
        **simple_commit(one),
        "distinct": True,
        "url": f"{repositories.page(hub, repository)}/commit/{one.sha}",
        "added": [each.filename for each in found if each.status == "added"],
        "removed": [each.filename for each in found if each.status == "removed"],
        "modified": [
            each.filename for each in found if each.status not in ("added", "removed")
        ],
    }


def simple_commit(one: git.Commit) -> JSON:
    """Render the head commit of a check suite."""
    return {
        "id": one.sha,
        "tree_id": one.tree,
        "message": one.message,
        "timestamp": instant(one.committer.date),
        "author": {"name": one.author.name, "email": one.author.email},
        "committer": {"name": one.committer.name, "email": one.committer.email},
    }


def change(hub: Hub, repository: Repository, sha: str, one: git.FileChange) -> JSON:
    """Render a file of a diff."""
    api = repositories.url(hub, repository)
    web = repositories.page(hub, repository)
    path = quote(one.filename)
    body: JSON = {
        "sha": one.sha,
        "filename": one.filename,
        "status": one.status,
        "additions": one.additions,
        "deletions": one.deletions,
        "changes": one.additions + one.deletions,
        "blob_url": f"{web}/blob/{sha}/{path}",
        "raw_url": f"{web}/raw/{sha}/{path}",
        "contents_url": f"{api}/contents/{path}?ref={sha}",
    }
    if one.patch is not None:
        body["patch"] = one.patch
    if one.previous is not None:
        body["previous_filename"] = one.previous
    return body


def reference(hub: Hub, repository: Repository, ref: str, sha: str) -> JSON:
    """Render a ref."""
    api = repositories.url(hub, repository)
    kind = git.object_type(repository.git_dir, sha) or "commit"
    return {
        "ref": ref,
        "node_id": f"REF_{repository.id}:{ref}",
        "url": f"{api}/git/{ref}",
        "object": {"type": kind, "sha": sha, "url": f"{api}/git/{kind}s/{sha}"},
    }


def tree(hub: Hub, repository: Repository, sha: str, entries: list[git.Entry]) -> JSON:
    """Render a tree."""
    api = f"{repositories.url(hub, repository)}/git"
    listed = []
    for one in entries:
        line: JSON = {
            "path": one.path,
            "mode": one.mode,
            "type": one.type,
            "sha": one.sha,
        }
        if one.size is not None:
            line["size"] = one.size
        if one.type != "commit":
            line["url"] = f"{api}/{one.type}s/{one.sha}"
        listed.append(line)
    return {
        "sha": sha,
        "url": f"{api}/trees/{sha}",
        "tree": listed,
        "truncated": False,
    }


def content(hub: Hub, repository: Repository, ref: str, one: git.Entry) -> JSON:
    """Render a file or folder as the contents API lists it."""
    api = repositories.url(hub, repository)
    web = repositories.page(hub, repository)
    path = quote(one.path)
    kinds = {"blob": "file", "tree": "dir", "commit": "submodule"}
    kind = "symlink" if one.mode == "120000" else kinds[one.type]
    itself = f"{api}/contents/{path}?ref={quote(ref, safe='')}"
    where = f"{api}/git/{one.type}s/{one.sha}"
    shown = f"{web}/{one.type}/{ref}/{path}"
    return {
        "name": one.path.rpartition("/")[2],
        "path": one.path,
        "sha": one.sha,
        "size": one.size or 0,
        "url": itself,
        "html_url": shown,
        "git_url": where,
        "download_url": f"{web}/raw/{ref}/{path}" if one.type == "blob" else None,
        "type": kind,
        "_links": {"self": itself, "git": where, "html": shown},
    }
