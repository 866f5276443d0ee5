"""Repositories: facts, files, where git finds them, and who may do what."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from vibeboard.domain.board import Permission
from vibeboard.engine.ports import Remote, SourceFile
from vibeboard.errors import AppAbsent, GitHubRefused, UserError
from vibeboard.github.answers import absence, read
from vibeboard.github.auth import Scope
from vibeboard.github.client import Client, Installation
from vibeboard.github.documents import load
from vibeboard.github.objects import (
    CollaboratorPermission,
    Commit,
    CommitNode,
    InstalledRepository,
    RepositoryLinks,
)

_FILE = load("file_at")
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")
_MOST_KEPT = 1_000
_LONGEST_KEPT = 64 * 1024

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

    def __init__(self, github: Client) -> None:
        self._github = github
        self._files: OrderedDict[tuple[str, str, str], SourceFile | None]
        self._files = OrderedDict()

    async def file(
        self, repository: str, path: str, *, ref: str | None = None
    ) -> SourceFile | None:
        """The file at ``ref`` (default branch if None); None if it is not there."""
        installation, names = await self._github.of(repository)
        commit = await _commit(installation, names, ref)
        if commit is None:
            return None
        # What a commit has at a path never changes.
        place = (repository.casefold(), commit, path)
        if place in self._files:
            self._files.move_to_end(place)
            return self._files[place]
        answer = await installation.graphql(
            _FILE, {**names, "commit": commit, "path": path}, tolerated=absence
        )
        found = (answer.get("repository") or {}).get("object")
        if not found:
            return None
        file = _source(read(CommitNode, found), path)
        if file is None or len(file.text) <= _LONGEST_KEPT:
            self._files[place] = file
        if len(self._files) > _MOST_KEPT:
            self._files.popitem(last=False)
        return file

    async def remote(self, repository: str, *, approved: bool = False) -> Remote:
        """Its address and default branch, and tokens that can write to it alone."""
        installation, names = await self._github.of(repository)
        answer = await installation.getitem("/repos/{owner}/{name}", names)
        # Workflow files are left out on purpose: an agent must not change what
        # runs with the repository's secrets, unless a person has looked.
        may = [("contents", "write")]
        if approved and installation.permissions.get("workflows") == "write":
            may.append(("workflows", "write"))
        scope = Scope((names["name"],), tuple(may))
        links = read(RepositoryLinks, answer)
        token = partial(installation.token, scope)
        return Remote(links.clone_url, token, links.default_branch)

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

    async def installed(self) -> Sequence[str]:
        """Every repository that the App reaches where it is not suspended."""
        found: list[str] = []
        for installation in await self._github.installations():
            try:
                found += await _reached(installation)
            except AppAbsent:
                continue  # suspended since the list was made
        return found


async def _commit(
    installation: Installation, names: dict[str, str], ref: str | None
) -> str | None:
    """The commit that ``ref`` is, or the default branch; None if there is none."""
    if ref is not None and _COMMIT_ID.fullmatch(ref):
        return ref
    # GitHub confirms the last answer, free of charge, until something is pushed.
    start = {} if ref is None else {"sha": ref}
    try:
        found = await installation.getitem(
            "/repos/{owner}/{name}/commits{?sha,per_page}",
            {**names, **start, "per_page": "1"},
        )
    except GitHubRefused as refusal:
        # 409: a repository without commits.
        if refusal.status_code in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
            return None
        raise
    commits = [read(Commit, answer) for answer in found]
    return commits[0].sha if commits else None


def _source(commit: CommitNode, path: str) -> SourceFile | None:
    blob = commit.file.object if commit.file else None
    if blob is None or "text" not in blob.model_fields_set:
        return None  # nothing, or a folder
    if blob.text is None or blob.is_truncated:
        message = f"`{path}` is too large or is not text."
        raise UserError(message)
    return SourceFile(blob.text, commit.oid)


async def _reached(installation: Installation) -> list[str]:
    answers = installation.getiter(
        "/installation/repositories{?per_page}",
        {"per_page": "100"},
        key="repositories",
    )
    return [read(InstalledRepository, answer).full_name async for answer in answers]
