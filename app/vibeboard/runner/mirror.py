"""One cached bare mirror a repository; workspaces borrow its objects.

Objects are never collected here, because a card may still borrow one that no branch
reaches. A mirror is changed only under its lock, which other processes see too. One
that is broken is made anew beside the old one and takes its place whole, so there is
never half a mirror to be found.
"""

import asyncio
import fcntl
import logging
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

from vibeboard.domain.markdown import code
from vibeboard.engine.ports import Remote
from vibeboard.errors import GitHubUnavailable, WorkspaceRefused
from vibeboard.runner import survey
from vibeboard.runner.git import Credential, Git, GitFailed, Place, last_line

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_FRESH = re.compile(r"\.[0-9a-f]{32}")
_STALE_LOCKS = ("index", "shallow", "packed-refs", "HEAD", "config")
_LOCK_PAUSE = 0.02


def folder_of(root: Path, repository: str) -> Path:
    """``root/owner/name``; raises WorkspaceRefused for a name that is no name."""
    owner, _, name = repository.partition("/")
    for part in (owner, name):
        if not _NAME.fullmatch(part) or part in (".", ".."):
            raise WorkspaceRefused(f"not the name of a repository: {repository!r}")
    return root / owner / name


def remove_stale_locks(git_dir: Path) -> None:
    """Remove locks that a killed git left; only for who holds the directory."""
    for name in _STALE_LOCKS:
        (git_dir / f"{name}.lock").unlink(missing_ok=True)


class Mirror:
    """The mirror of one repository."""

    def __init__(self, git: Git, root: Path, repository: str) -> None:
        folder = folder_of(root, repository)
        self.repository = repository
        self.path = folder.with_name(f"{folder.name}.git")
        self._lock = folder.with_name(f"{folder.name}.lock")
        self._git = git

    @property
    def objects(self) -> Path:
        """What workspaces borrow."""
        return self.path / "objects"

    async def update(self, remote: Remote, *, anew: bool = False) -> dict[str, str]:
        """Bring the mirror up to date; all branches and tags with their commits.

        A mirror that cannot be updated is made anew, once.
        """
        async with self._locked() as lock:
            if not anew and self.path.is_dir():
                remove_stale_locks(self.path)
                try:
                    await self._fetch(self.path, remote, lock)
                    if refs := await self._refs():
                        return refs
                except GitFailed as broken:
                    log.warning(
                        "mirror made anew",
                        extra={"repository": self.repository, "why": broken.text},
                    )
            await self._make(remote, lock)
            refs = await self._refs()
            if not refs:
                await self._check_answer(remote)
            return refs

    async def _make(self, remote: Remote, lock: int) -> None:
        await asyncio.to_thread(self._sweep)
        fresh = self.path.with_name(f"{self.path.name}.{uuid4().hex}")
        try:
            await self._git.run("init", "--quiet", "--bare", "--", str(fresh))
            await self._fetch(fresh, remote, lock)
        except GitFailed as failed:
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
            self._refuse(failed)
        await asyncio.to_thread(_replace, self.path, fresh)

    def _sweep(self) -> None:
        """Remove what attempts left behind that were killed."""
        for left in self.path.parent.glob(f"{self.path.name}.*"):
            if _FRESH.fullmatch(left.suffix):
                survey.erase(left)

    async def _fetch(self, path: Path, remote: Remote, lock: int) -> None:
        """Fetch, asking for the credential a second time if it is not taken."""
        for last_try in (False, True):
            credential = Credential(remote.url, await remote.credential())
            try:
                await self._git.run(
                    "fetch",
                    "--quiet",
                    "--prune",
                    "--force",
                    "--no-tags",
                    "--no-recurse-submodules",
                    "--no-write-fetch-head",
                    "--no-auto-maintenance",
                    "--",
                    remote.url,
                    "+refs/heads/*:refs/heads/*",
                    "+refs/tags/*:refs/tags/*",
                    at=Place(path),
                    credential=credential,
                    holding=lock,
                )
            except GitFailed as failed:
                if failed.not_found:
                    self._refuse(failed)
                if not failed.unauthorized:
                    raise
                if last_try:
                    self._refuse(failed)
            else:
                return

    async def _check_answer(self, remote: Remote) -> None:
        """Tell a repository without branches from a page that is no repository.

        Git takes any page for an old, "dumb" and empty repository. Only a real one
        speaks in packets.
        """
        trace = self.path.with_name(f"{self.path.name}.{uuid4().hex}")
        try:
            await self._git.run(
                "ls-remote",
                "--",
                remote.url,
                credential=Credential(remote.url, await remote.credential()),
                env={"GIT_TRACE_PACKET": str(trace)},
            )
            if not trace.exists() or not trace.stat().st_size:
                raise GitHubUnavailable(
                    f"what answered for {self.repository} does not speak git"
                )
        finally:
            trace.unlink(missing_ok=True)

    async def _refs(self) -> dict[str, str]:
        listing = await self._git.run(
            "for-each-ref",
            "--format=%(objectname) %(refname)",
            "refs/heads",
            "refs/tags",
            at=Place(self.path),
        )
        pairs = (line.split(" ", 1) for line in listing.decode().splitlines())
        return {name: commit for commit, name in pairs}

    def _refuse(self, failed: GitFailed) -> NoReturn:
        raise WorkspaceRefused(
            f"{self.repository} could not be cloned: {code(last_line(failed.text))}. "
            "Check that the app is installed on it and may read its contents."
        ) from failed

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[int]:
        # Asked for again and again instead of waited for: a thread that waits in
        # flock() cannot be cancelled.
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(_LOCK_PAUSE)
            yield descriptor
        finally:
            os.close(descriptor)


def _replace(path: Path, fresh: Path) -> None:
    old = path.with_name(f"{path.name}.{uuid4().hex}")
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    survey.erase(old)
