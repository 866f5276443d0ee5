"""Repositories: facts, files, where git finds them, and who may do what."""

import re
from functools import partial
from http import HTTPStatus

from vibeboard.domain.board import Permission
from vibeboard.engine.ports import Remote, RepositoryFacts, SourceFile
from vibeboard.errors import GitHubRefused, UserError
from vibeboard.github.answers import absence, read
from vibeboard.github.auth import Scope
from vibeboard.github.client import GitHub, Installation
from vibeboard.github.documents import load
from vibeboard.github.objects import (
    CollaboratorPermission,
    GitObject,
    RepositoryFactsNode,
    RepositoryLinks,
)

_FACTS = load("repository_facts")
_COMMIT = load("commit_at")
_FILE = load("file_at")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")

# A role of the organization's own is known by the permission it builds on.
_PERMISSIONS = {
    "admin": Permission.ADMIN,
    "maintain": Permission.MAINTAIN,
    "write": Permission.WRITE,
    "triage": Permission.TRIAGE,
    "read": Permission.READ,
    "none": Permission.NONE,
}


class GitHubRepositories:
    """Satisfies the port ``Repositories``."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def facts(self, repository: str) -> RepositoryFacts:
        """What we need to know of it; without ``default_branch`` it is empty."""
        installation, names = await self._github.of(repository)
        answer = await installation.graphql(_FACTS, names)
        found = read(RepositoryFactsNode, answer.get("repository"))
        branch = found.default_branch_ref
        return RepositoryFacts(
            full_name=found.name_with_owner,
            default_branch=branch.name if branch else None,
            private=found.is_private,
        )

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        """The file at ``ref`` (default branch if None); None if it is not there."""
        installation, names = await self._github.of(repository)
        # The commit is settled first, so that text and commit belong together.
        commit = await _commit(installation, names, ref or "HEAD")
        if commit is None:
            return None
        answer = await installation.graphql(
            _FILE, {**names, "expression": f"{commit}:{path}"}, tolerated=absence
        )
        found = (answer.get("repository") or {}).get("object")
        if not found:
            return None
        blob = read(GitObject, found)
        if blob.text is None or blob.is_truncated:
            message = f"`{path}` is too large or is not text."
            raise UserError(message)
        return SourceFile(blob.text, commit)

    async def remote(self, repository: str) -> Remote:
        """Its clone address, and tokens that can write this one repository."""
        installation, names = await self._github.of(repository)
        answer = await installation.getitem("/repos/{owner}/{name}", names)
        # Workflow files are left out on purpose: an agent must not change what
        # runs with the repository's secrets.
        scope = Scope((names["name"],), (("contents", "write"),))
        links = read(RepositoryLinks, answer)
        return Remote(links.clone_url, partial(installation.token, scope))

    async def permission(self, repository: str, login: str) -> Permission:
        """Effective permission now; NONE for strangers, and no guess on errors."""
        installation, names = await self._github.of(repository)
        try:
            answer = await installation.getitem(
                "/repos/{owner}/{name}/collaborators/{login}/permission",
                {**names, "login": login},
            )
        except GitHubRefused as refusal:
            if refusal.status_code == HTTPStatus.NOT_FOUND:
                return Permission.NONE
            raise
        found = read(CollaboratorPermission, answer)
        return _PERMISSIONS.get(
            found.role_name, _PERMISSIONS.get(found.permission, Permission.NONE)
        )


async def _commit(
    installation: Installation, names: dict[str, str], ref: str
) -> str | None:
    if _COMMIT_ID.fullmatch(ref):
        return ref
    answer = await installation.graphql(
        _COMMIT, {**names, "ref": ref}, tolerated=absence
    )
    found = (answer.get("repository") or {}).get("object")
    return read(GitObject, found).oid if found else None
