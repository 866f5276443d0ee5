"""A repository as GitHub would have it, and what other people do to it."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from vibeboard.engine.ports import Remote

ENV = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.org",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.org",
}


def git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *arguments],
        cwd=cwd,
        env=ENV | dict(env or {}),
        capture_output=True,
        check=False,
        encoding="utf-8",
        errors="surrogateescape",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Origin:
    """A bare repository, and Ann's clone of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "origin.git"
        self.clone = folder / "ann"
        self.tokens_asked = 0
        folder.mkdir(parents=True, exist_ok=True)
        git("init", "--bare", "-q", "-b", "main", str(self.path), cwd=folder)
        git("init", "-q", "-b", "main", str(self.clone), cwd=folder)

    @property
    def remote(self) -> Remote:
        return Remote(str(self.path), self._token)

    async def _token(self) -> str:
        self.tokens_asked += 1
        return "ghs_canary"

    def has(self, files: Mapping[str, str], *, branch: str = "main") -> str:
        """Ann pushes a commit with these files."""
        for name, text in files.items():
            path = self.clone / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self.gets(branch=branch)

    def gets(self, *, branch: str = "main") -> str:
        """Ann commits all that is in her clone and pushes it."""
        git("add", "-A", cwd=self.clone)
        git("commit", "-q", "--allow-empty", "-m", "By Ann", cwd=self.clone)
        git("push", "-q", "-f", str(self.path), f"HEAD:{branch}", cwd=self.clone)
        return git("rev-parse", "HEAD", cwd=self.clone)

    def ann_goes_to(self, branch: str) -> None:
        git("fetch", "-q", str(self.path), branch, cwd=self.clone)
        git("checkout", "-q", "--detach", "FETCH_HEAD", cwd=self.clone)

    def tip(self, branch: str) -> str:
        return git("rev-parse", branch, cwd=self.path)

    def deletes(self, branch: str) -> None:
        git("branch", "-D", branch, cwd=self.path)

    def files(self, branch: str) -> list[str]:
        return git("ls-tree", "-r", "--name-only", branch, cwd=self.path).splitlines()

    def shows(self, branch: str, path: str) -> str:
        return git("show", f"{branch}:{path}", cwd=self.path)

    def hook(self, name: str, script: str, *, shell: str = "/bin/sh") -> None:
        path = self.path / "hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{shell}\n{script}\n")
        path.chmod(0o755)
