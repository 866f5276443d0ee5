"""Credentials over HTTP: who gets them, when they are renewed, where they never are."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.runner.origin import git
from tests.runner.served import BRANCH, TOKEN, Host, World, served, serving
from vibeboard.errors import (
    GitHubUnavailable,
    PushRefused,
    SettingsInvalid,
    WorkspaceRefused,
)
from vibeboard.runner.git import Credential, Git, GitFailed


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path) as world:
        yield world


async def test_the_credential_goes_with_each_request_and_is_never_kept(
    world: World,
) -> None:
    tree = await world.prepare()
    await world.has_a_commit()
    await world.push()

    assert world.origin.files(BRANCH) == ["README.md", "a"]
    assert set(world.host.credentials) == {f"x-access-token:{TOKEN}"}
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode())
    for path in world.root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert TOKEN.encode() not in data
            assert basic not in data
    assert git("config", "--list", cwd=tree).count("http") == 0


async def test_an_expired_token_is_renewed_once(world: World) -> None:
    world.tokens = ["expired", TOKEN]
    await world.has_a_commit()
    world.tokens = ["expired again", TOKEN]

    await world.push()

    assert world.origin.files(BRANCH) == ["README.md", "a"]


async def test_a_token_that_is_never_taken_is_told_without_it(world: World) -> None:
    world.tokens = ["never"]

    with pytest.raises(WorkspaceRefused, match="app is installed") as refused:
        await world.prepare()

    assert "never" not in str(refused.value)


async def test_a_redirect_to_another_host_is_not_followed(world: World) -> None:
    thief = Host(world.host.folder)
    async with served(thief):
        world.host.redirect = thief.url
        with pytest.raises((WorkspaceRefused, GitFailed)):
            await world.prepare()

    assert thief.credentials == []


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_a_host_in_trouble_is_tried_later(world: World, status: int) -> None:
    await world.has_a_commit()
    world.host.answer = status

    with pytest.raises(GitHubUnavailable):
        await world.prepare()
    with pytest.raises(GitHubUnavailable):
        await world.push()


async def test_no_host_at_all_is_tried_later(world: World) -> None:
    world.host.url = "http://127.0.0.1:1"

    with pytest.raises(GitHubUnavailable):
        await world.prepare()


async def test_a_page_in_the_place_of_git_is_no_empty_repository(
    world: World,
) -> None:
    await world.prepare()
    world.host.answer = 200

    for _ in range(2):
        with pytest.raises(GitHubUnavailable, match="does not speak git"):
            await world.prepare()

    world.host.answer = None
    await world.prepare()


async def test_a_missing_repository_is_refused(world: World) -> None:
    world.host.answer = 404

    with pytest.raises(WorkspaceRefused, match="not found"):
        await world.prepare()


async def test_a_push_without_permission_is_refused(world: World) -> None:
    await world.has_a_commit()
    world.host.read_only = True

    with pytest.raises(PushRefused, match="may not write"):
        await world.push()


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        "http://x:ghs_tok%2Fen%2Bwith%3Dsigns@host/",
        base64.b64encode(TOKEN.encode()).decode(),
        base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode(),
    ],
    ids=["plain", "in a URL", "base64", "basic"],
)
def test_a_token_is_redacted_in_every_form(text: str) -> None:
    redacted = Credential("https://github.com/a/b", TOKEN).redact(f"it said {text}!")

    assert "[redacted]" in redacted
    assert text not in redacted


def test_a_token_is_not_shown_by_its_value() -> None:
    assert TOKEN not in repr(Credential("https://github.com/a/b", TOKEN))


@pytest.mark.parametrize(
    ("says", "fine"),
    [("2.34.0", True), ("2.50.1", True), ("2.33.9", False), ("", False)],
)
async def test_a_git_too_old_is_refused(tmp_path: Path, says: str, fine: bool) -> None:  # noqa: FBT001 - a column of the table
    old = tmp_path / "git"
    old.write_text(f"#!/bin/sh\necho git version {says}\n")
    old.chmod(0o755)
    checking = Git(home=tmp_path / "home", path=f"{tmp_path}").check_version()

    if fine:
        assert await checking >= (2, 34)
    else:
        with pytest.raises(SettingsInvalid, match="too old"):
            await checking


def test_no_git_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="git is not installed"):
        Git(home=tmp_path, path=str(tmp_path))
