"""The checkout that is configured: a commit on a branch of its own, and no more.

The commit is made beside the index: what the person has changed or staged stays as it
is, and no hook runs.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vibeboard.engine.ports import Remote
from vibeboard.errors import UserError
from vibeboard.runner.git import Credential, Git, GitFailed, Place
from vibeboard.runner.push import push_commit

_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/].*)")
_NAMES = re.compile(r"(?P<repository>[\w-]+/[\w.-]+?)(?:\.git)?/?")


@dataclass(frozen=True)
class Origin:
    """Where the checkout's repository is: on which GitHub, and ``owner/name`` there.

    ``web`` is the GitHub's address in a browser.
    """

    web: str
    repository: str

    @property
    def host(self) -> str:
        """The name of the GitHub's machine."""
        return urlsplit(self.web).hostname or ""

    @property
    def api_url(self) -> str:
        """The root of its REST API."""
        if self.host == "github.com":
            return "https://api.github.com"
        if self.host.endswith(".ghe.com"):
            return f"https://api.{self.host}"
        return f"{self.web}/api/v3"

    @property
    def is_private_to_send(self) -> bool:
        """Whether nobody on the way there can read a token."""
        return self.web.startswith("https:") or self.host in ("127.0.0.1", "localhost")


def origin_of(url: str) -> Origin | None:
    """What the address of a remote says, of http, ssh or the short form."""
    parts = urlsplit(url)
    scp = _SCP.fullmatch(url) if not parts.netloc else None
    path = scp["path"] if scp else parts.path.lstrip("/")
    names = _NAMES.fullmatch(path)
    host = scp["host"] if scp else parts.hostname or ""
    if names is None or not host:
        return None
    if parts.scheme == "http":
        port = f":{parts.port}" if parts.port else ""
        return Origin(f"http://{host}{port}", names["repository"])
    return Origin(f"https://{host.lower()}", names["repository"])


@dataclass(frozen=True)
class Made:
    """What was committed: which files, in which commit; no paths if all were there."""

    commit: str
    paths: Sequence[str]


class Checkout:
    """A person's checkout of a repository."""

    def __init__(self, git: Git, root: Path) -> None:
        self._git = git
        self.root = root
        self._at = Place(root / ".git", root)

    @classmethod
    def around(cls, git: Git, directory: Path) -> "Checkout":
        """The checkout that ``directory`` is in; raises UserError if it is in none."""
        directory = directory.resolve()
        for place in (directory, *directory.parents):
            if (place / ".git").exists():
                return cls(git, place)
        message = f"{directory} is in no checkout of git: go to one, or clone one"
        raise UserError(message)

    async def head(self) -> str:
        """The commit that is checked out; raises UserError if there is none."""
        try:
            found = await self._commit_of("HEAD")
        except GitFailed as failed:
            message = f"{self.root} is no checkout that git can read: {failed.text}"
            raise UserError(message) from failed
        if not found:
            message = f"{self.root} has no commit yet: make the first one, and push it"
            raise UserError(message)
        return found

    async def branch(self) -> str:
        """The branch that is checked out; empty if none is."""
        return await self._asks("symbolic-ref", "--quiet", "--short", "HEAD")

    async def origin(self) -> Origin | None:
        """Where it comes from; None if that does not look like a GitHub."""
        return origin_of(await self._asks("config", "--get", "remote.origin.url"))

    async def is_published(self, commit: str) -> bool:
        """Whether its remote has a commit, as far as was fetched."""
        return bool(await self._asks("branch", "--remotes", "--contains", commit))

    def read(self, paths: Sequence[str]) -> Mapping[str, str]:
        """Those files that are there and are text."""
        found = {}
        for path in paths:
            try:
                found[path] = (self.root / path).read_text()
            except (OSError, UnicodeDecodeError):
                continue
        return found

    def in_the_way(self, files: Mapping[str, str]) -> Sequence[str]:
        """What is there already where these files would be, and is not the same."""
        same = self.read(list(files))
        return [
            place
            for path, text in files.items()
            for place in (*_folders(path), path)
            if self._blocks(place, folder=place != path) and same.get(path) != text
        ]

    def _blocks(self, place: str, *, folder: bool) -> bool:
        there = self.root / place
        if folder:
            return os.path.lexists(there) and (there.is_symlink() or not there.is_dir())
        return os.path.lexists(there)

    async def commit(
        self, files: Mapping[str, str], *, branch: str, message: str
    ) -> Made:
        """Write the files and commit them to ``branch``, which is then checked out.

        Raises UserError if the branch is there already and not checked out.
        """
        head = await self.head()
        here = await self.branch() == branch
        if not here and await self._commit_of(f"refs/heads/{branch}"):
            reason = (
                f"there is a branch {branch} already: check it out, delete it (git "
                f"branch -D {branch}), or choose another one (--branch)"
            )
            raise UserError(reason)
        blobs = [(path, await self._blob(text)) for path, text in files.items()]
        tree = await self._tree(head, blobs)
        if tree == await self._asks("rev-parse", f"{head}^{{tree}}"):
            return Made(head, ())
        made = await self._commit_tree(tree, head, message)
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        await self._does("update-index", *_entries(blobs))
        known = head if here else "0" * 40
        await self._does("update-ref", f"refs/heads/{branch}", made, known)
        await self._does("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        return Made(made, tuple(files))

    async def is_new_over(self, remote: Remote) -> bool:
        """Whether the default branch of ``remote`` has all that is checked out."""
        base = await self._fetched(remote, remote.default_branch)
        only_here = await self._asks("rev-list", "--count", "HEAD", f"^{base}")
        return only_here == "0"

    async def push(self, remote: Remote, commit: str, branch: str) -> None:
        """Push a commit to a branch that is not there yet, or is behind it."""
        there = await self._fetched(remote, branch)
        await push_commit(self._git, self._at, remote, commit, branch, there)

    async def _fetched(self, remote: Remote, branch: str) -> str:
        """The commit that a branch is on GitHub, brought here; empty if it is none."""
        credential = Credential(remote.url, await remote.credential())
        ref = f"refs/heads/{branch}"
        listed = await self._git.run(
            "ls-remote", remote.url, ref, at=self._at, credential=credential
        )
        found = listed.decode().partition("\t")[0]
        if found:
            await self._git.run(
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                remote.url,
                ref,
                at=self._at,
                credential=credential,
            )
        return found

    async def _asks(self, *arguments: str) -> str:
        """What git knows of this checkout; empty if it has no answer."""
        out = await self._git.run(*arguments, at=self._at, ok=(0, 1))
        return out.decode(errors="replace").strip()

    async def _does(
        self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> str:
        """What git says when it has done it; raises GitFailed."""
        out = await self._git.run(
            *arguments, at=self._at, env=env, stdin=stdin.encode()
        )
        return out.decode(errors="replace").strip()

    async def _commit_of(self, ref: str) -> str:
        return await self._asks("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")

    async def _blob(self, text: str) -> str:
        return await self._does("hash-object", "-w", "--stdin", stdin=text)

    async def _tree(self, head: str, blobs: Sequence[tuple[str, str]]) -> str:
        """The tree of ``head`` with these files, made in an index of its own."""
        with tempfile.TemporaryDirectory() as apart:
            env = {"GIT_INDEX_FILE": f"{apart}/index"}
            await self._does("read-tree", head, env=env)
            await self._does("update-index", *_entries(blobs), env=env)
            return await self._does("write-tree", env=env)

    async def _commit_tree(self, tree: str, parent: str, message: str) -> str:
        """A commit by the person, as their own settings name them."""
        home = Path.home()
        env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
        for file in (home / ".config" / "git" / "config", home / ".gitconfig"):
            if file.exists():
                env["GIT_CONFIG_GLOBAL"] = str(file)
        made = ("commit-tree", "-p", parent, "-m", message, tree)
        try:
            return await self._does("-c", "user.useConfigOnly=true", *made, env=env)
        except GitFailed as failed:
            if "user.name" not in failed.text and "ident" not in failed.text:
                raise
            reason = (
                "git does not know who you are: git config --global user.name "
                "YOUR-NAME, and git config --global user.email YOUR-ADDRESS"
            )
            raise UserError(reason) from failed


def _entries(blobs: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "--add"
    for path, blob in blobs:
        yield from ("--cacheinfo", f"100644,{blob},{path}")


def _folders(path: str) -> Sequence[str]:
    return [str(folder) for folder in Path(path).parents if folder != Path()]
