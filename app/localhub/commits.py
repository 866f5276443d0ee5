"""Commits made through the API: a change to files, or a git object, on a branch."""

from collections.abc import Mapping
from typing import Any

from localhub import git, pushes
from localhub.errors import Refused, invalid
from localhub.pulls import signature
from localhub.state import Hub, Repository, User


def person(hub: Hub, given: Mapping[str, Any] | None, actor: User) -> git.Person:
    """Take a signature from a request, or the actor's own."""
    mine = signature(hub, actor)
    if not given:
        return mine
    if not given.get("name") or not given.get("email"):
        raise invalid("Commit", "author", "missing_field")
    return git.Person(given["name"], given["email"], given.get("date") or mine.date)


def write(
    hub: Hub,
    repository: Repository,
    *,
    tree: str,
    parents: list[str],
    message: str,
    actor: User,
    author: Mapping[str, Any] | None = None,
    committer: Mapping[str, Any] | None = None,
) -> str:
    """Create a commit; GitHub signs what an App commits in its own name."""
    if not message:
        raise invalid("Commit", "message", "missing_field")
    written_by = person(hub, author, actor)
    committed_by = person(hub, committer, actor) if committer else written_by
    sha = git.write_commit(
        repository.git_dir, tree, parents, message, written_by, committed_by
    )
    if actor.app is not None and not author and not committer:
        hub.verified[sha] = hub.now()
    return sha


def change_files(
    hub: Hub,
    repository: Repository,
    *,
    branch: str,
    files: Mapping[str, bytes | None],
    message: str,
    actor: User,
    expected: str | None = None,
    author: Mapping[str, Any] | None = None,
    committer: Mapping[str, Any] | None = None,
) -> str:
    """Commit files (None removes one) on top of a branch; give the new commit."""
    git_dir = repository.git_dir
    ref = f"refs/heads/{branch}"
    head = git.refs(git_dir, "refs/heads/").get(ref)
    if head is None and git.refs(git_dir, "refs/heads/"):
        raise Refused(404, f"Branch {branch} not found")
    if expected is not None and expected != head:
        raise Refused(409, f'Expected branch to point to "{expected}" but it did not.')
    entries: dict[str, tuple[str, str] | None] = {}
    for path, content in files.items():
        if path.startswith("/") or ".." in path.split("/") or not path:
            raise invalid("Commit", "path", "invalid", "path contains a malformed path")
        old = git.entry(git_dir, head, path) if head else None
        mode = old.mode if old and old.type == "blob" else "100644"
        blob = None if content is None else git.write_blob(git_dir, content)
        entries[path] = (mode, blob) if blob else None
    tree = git.write_tree(git_dir, head, entries)
    sha = write(
        hub,
        repository,
        tree=tree,
        parents=[head] if head else [],
        message=message,
        actor=actor,
        author=author,
        committer=committer,
    )
    move(hub, repository, ref, sha, old=head or git.ZERO, actor=actor)
    return sha


def move(
    hub: Hub, repository: Repository, ref: str, new: str, *, old: str, actor: User
) -> None:
    """Create, move or (to zero) delete a ref, and tell."""
    if new == git.ZERO:
        git.delete_ref(repository.git_dir, ref)
    elif not git.update_ref(repository.git_dir, ref, new, old):
        raise Refused(409, "Reference update failed")
    if old != new:
        pushes.ref_moved(hub, repository, ref, old, new, actor=actor)
