"""Small texts in git refs of a repository, each written over a known one or not."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from vibeboard.errors import GitHubUnavailable, StoreUnavailable, UserError
from vibeboard.runner.git import (
    Credential,
    Git,
    GitRefusal,
    Place,
    last_line,
)

_FILE = "sheet.json"
_NOBODY = {
    "GIT_AUTHOR_NAME": "Vibeboard",
    "GIT_AUTHOR_EMAIL": "vibeboard@users.noreply.github.com",
    "GIT_COMMITTER_NAME": "Vibeboard",
    "GIT_COMMITTER_EMAIL": "vibeboard@users.noreply.github.com",
}
_OVERTAKEN = ("stale info", "cannot lock ref", "failed to update ref", "already exists")


class GitRefs:
    """Reads and writes refs of the repository at ``url``."""

    def __init__(
        self, git: Git, folder: Path, url: str, token: Callable[[], Awaitable[str]]
    ) -> None:
        self._git = git
        self._place = Place(folder)
        self._url = url
        self._token = token

    async def read(self, ref: str, *, known: str = "") -> tuple[str, bytes] | None:
        """The ref's version and text; None if it is the ``known`` one still.

        The version is empty if there is no such ref.
        """
        version = await self._version(ref)
        if version == known:
            return None
        if not version:
            return "", b""
        await self._made()
        await self._fetched(
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1"),
            *("--", self._url, f"+{ref}:{ref}"),
        )
        # It may have changed once more since.
        version = await self._said("rev-parse", ref)
        return version, await self._git.run(
            "cat-file", "blob", f"{version}:{_FILE}", at=self._place
        )

    async def _version(self, ref: str) -> str:
        out = await self._fetched("ls-remote", "--", self._url, ref)
        named = (line.partition("\t") for line in out.decode().splitlines())
        return next((commit for commit, _, name in named if name == ref), "")

    async def write(self, ref: str, text: bytes, *, over: str) -> str | None:
        """Write it over that version; the new one, or None if that is gone."""
        await self._made()
        blob = await self._said("hash-object", "-w", "--stdin", stdin=text)
        tree = await self._said(
            "mktree", stdin=f"100644 blob {blob}\t{_FILE}\n".encode()
        )
        commit = await self._said(
            "commit-tree", tree, "-m", "What Vibeboard remembers of a card", env=_NOBODY
        )
        try:
            await self._remote(
                "push",
                "--porcelain",
                "--no-verify",
                f"--force-with-lease={ref}:{over}",
                "--",
                self._url,
                f"{commit}:{ref}",
            )
        except GitRefusal as refusal:
            told = f"{refusal.text}\n{refusal.output}"
            if any(sign in told for sign in _OVERTAKEN):
                return None
            raise UserError(
                f"`{ref}` could not be written, where Vibeboard keeps what it "
                "remembers of a card: give the job the permission `contents: write` "
                f"({last_line(refusal.text)})"
            ) from refusal
        return commit

    async def _made(self) -> None:
        if not (self._place.git_dir / "HEAD").exists():
            self._place.git_dir.mkdir(parents=True, exist_ok=True)
            await self._git.run("init", "--quiet", "--bare", at=self._place)

    async def _said(
        self,
        *arguments: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> str:
        out = await self._git.run(*arguments, at=self._place, stdin=stdin, env=env)
        return out.decode().strip()

    async def _fetched(self, *arguments: str) -> bytes:
        try:
            return await self._remote(*arguments)
        except GitRefusal as refusal:
            raise UserError(
                "what Vibeboard remembers of a card cannot be read from the repository "
                f"({refusal.text.partition(chr(10))[0]})"
            ) from refusal

    async def _remote(self, *arguments: str) -> bytes:
        try:
            return await self._git.run(
                *arguments,
                at=self._place if self._place.git_dir.exists() else None,
                credential=Credential(self._url, await self._token()),
            )
        except GitHubUnavailable as away:
            raise StoreUnavailable(str(away)) from away
