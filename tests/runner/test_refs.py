"""Texts in git refs, each written over a known one or not at all."""

import os
import subprocess
from pathlib import Path

import pytest

from vibeboard.errors import StoreUnavailable, UserError
from vibeboard.runner.git import Git
from vibeboard.runner.refs import GitRefs

REF = "refs/vibeboard/cards/7"


def refs(tmp_path: Path, name: str) -> GitRefs:
    """As one machine sees the repository."""

    async def token() -> str:
        return "ghs_secret"

    git = Git(home=tmp_path / "home", path=os.environ["PATH"], local_remotes=True)
    return GitRefs(git, tmp_path / f"{name}.git", str(tmp_path / "origin.git"), token)


def said(origin: Path, *arguments: str) -> str:
    """What git says there."""
    return subprocess.run(
        ["git", f"--git-dir={origin}", *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    made = tmp_path / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", made], check=True)
    return made


async def test_what_is_written_is_read_elsewhere(tmp_path: Path, origin: Path) -> None:
    here, there = refs(tmp_path, "here"), refs(tmp_path, "there")
    assert await here.read(REF) is None  # there was nothing, and still is not

    version = await here.write(REF, b"{}", over="")

    assert version is not None
    assert await there.read(REF) == (version, b"{}")
    assert await there.read(REF, known=version) is None
    assert said(origin, "for-each-ref", "--format=%(refname)").split() == [REF]


@pytest.mark.usefixtures("origin")
async def test_who_was_overtaken_is_told_and_writes_nothing(tmp_path: Path) -> None:
    here, there = refs(tmp_path, "here"), refs(tmp_path, "there")
    first = await here.write(REF, b"one", over="")
    assert first is not None
    second = await there.write(REF, b"two", over=first)

    assert await here.write(REF, b"three", over=first) is None
    assert await here.write(REF, b"three", over="") is None
    assert await here.read(REF, known=first) == (second, b"two")


@pytest.mark.usefixtures("origin")
async def test_a_ref_that_was_deleted_is_begun_anew(
    tmp_path: Path, origin: Path
) -> None:
    here = refs(tmp_path, "here")
    version = await here.write(REF, b"one", over="")
    assert version is not None
    said(origin, "update-ref", "-d", REF)

    assert await here.read(REF, known=version) == ("", b"")
    assert await here.write(REF, b"two", over=version) is None
    assert await here.write(REF, b"two", over="") is not None


async def test_a_repository_that_takes_no_refs_says_what_is_needed(
    tmp_path: Path, origin: Path
) -> None:
    hook = origin / "hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)

    with pytest.raises(UserError, match="contents: write"):
        await refs(tmp_path, "here").write(REF, b"{}", over="")


async def test_a_repository_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not appear to be"):
        await refs(tmp_path, "here").read(REF)


async def test_a_repository_that_cannot_be_reached_is_asked_later(
    tmp_path: Path,
) -> None:
    async def token() -> str:
        return "ghs_secret"

    git = Git(home=tmp_path / "home", path=os.environ["PATH"])
    away = GitRefs(git, tmp_path / "a.git", "http://127.0.0.1:1/a/b.git", token)

    with pytest.raises(StoreUnavailable):
        await away.read(REF)
