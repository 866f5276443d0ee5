"""Case 40: a token goes to one host, is renewed once, and is written down nowhere."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.runner.origin import git
from tests.runner.served import BRANCH, TOKEN, Host, World, served, serving
from vibeboard.errors import GitHubUnavailable, PushRefused, VibeboardError
from vibeboard.runner.git import Credential, GitFailed

FORMS = {
    "plain": TOKEN,
    "in a URL": quote(TOKEN, safe=""),
    "in a URL, in small letters": "ghs_tok%2fen%2bwith%3dsigns",
    "base64": base64.b64encode(TOKEN.encode()).decode().strip("="),
    "basic": base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode(),
    "base64, one byte on": base64.b64encode(f"x{TOKEN}y".encode()).decode(),
    "base64, two bytes on": base64.b64encode(f"xy{TOKEN}z".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"?>{TOKEN}?".encode()).decode(),
}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(tmp_path) as world:
        yield world


def shows_the_token(text: str) -> list[str]:
    return [name for name, form in FORMS.items() if form[6:-6] in text]


def written_down(world: World) -> list[str]:
    """Files of ours in which the token stands in any form, reflogs and all."""
    return [
        str(path)
        for folder in (world.root, world.root.parent / "home")
        for path in folder.rglob("*")
        if path.is_file() and shows_the_token(path.read_bytes().decode("latin-1"))
    ]


@pytest.mark.parametrize("until", ["info/refs", "POST"])
async def test_case_40_a_token_that_expires_in_a_push_is_renewed_once(
    world: World, until: str
) -> None:
    await world.has_a_commit()
    world.tokens = ["ghs_old", TOKEN]
    world.host.taken = {"ghs_old"}
    world.host.expires_at(until, new={TOKEN})

    await world.push()

    assert world.origin.files(BRANCH) == ["README.md", "a"]
    assert "x-access-token:ghs_old" in world.host.credentials


@pytest.mark.parametrize(
    ("status", "why"), [(403, "may not write"), (404, "not found"), (413, "larger")]
)
async def test_case_40_a_refusal_in_the_middle_is_no_trouble_of_the_host(
    world: World, status: int, why: str
) -> None:
    await world.has_a_commit()
    world.host.answer, world.host.answer_only_posts = status, True

    with pytest.raises(PushRefused, match=why):
        await world.push()


async def test_case_40_a_token_is_not_renewed_for_ever(world: World) -> None:
    await world.has_a_commit()
    asked = world.tokens_asked
    world.host.taken = set()

    with pytest.raises(PushRefused, match="may not write") as refused:
        await world.push()

    assert world.tokens_asked == asked + 2
    assert not shows_the_token(str(refused.value))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("doing", ["clone", "push", "push, once it has begun"])
async def test_case_40_another_host_never_gets_it(
    world: World, doing: str, status: int
) -> None:
    await world.has_a_commit()
    thief = Host(world.host.folder)
    async with served(thief):
        world.host.redirect, world.host.redirect_status = thief.url, status
        world.host.redirect_only_posts = doing.endswith("begun")

        with pytest.raises(VibeboardError) as failed:
            await (world.prepare() if doing == "clone" else world.push())

    assert thief.credentials == []
    assert not shows_the_token(str(failed.value))
    assert not written_down(world)


async def test_case_40_a_page_in_the_place_of_an_answer_is_no_answer(
    world: World,
) -> None:
    await world.has_a_commit()
    world.host.answer = 200

    with pytest.raises(GitHubUnavailable, match="does not speak git"):
        await world.prepare()
    with pytest.raises((GitHubUnavailable, GitFailed)) as failed:
        await world.push()

    assert not shows_the_token(str(failed.value))
    world.host.answer = None
    await world.prepare()
    assert await world.push() is not None


async def test_case_40_it_is_written_down_nowhere(world: World) -> None:
    await world.has_a_commit()
    await world.push()
    world.host.answer = 200
    with pytest.raises(GitHubUnavailable):
        await world.prepare()
    world.host.answer = 503
    with pytest.raises(GitHubUnavailable):
        await world.prepare()
    world.host.answer = None
    tree = await world.prepare()

    assert written_down(world) == []
    host = tree.parent / "host.git"
    for place in (tree, host, world.root / "mirrors" / "acme" / "clock.git"):
        settings = git("config", "--local", "--list", cwd=place)
        assert "http" not in settings
        assert "remote" not in settings
        assert not list(place.rglob("FETCH_HEAD"))
        assert not list(place.rglob("logs"))


async def test_case_40_it_stands_in_no_argument_and_no_longer_environment(
    world: World,
) -> None:
    """Only the git that needs it has it, and only in its environment."""
    seen: dict[str, set[str]] = {"cmdline": set(), "environ": set()}

    def look() -> None:
        for place in Path("/proc").glob("[0-9]*"):
            for name, found in seen.items():
                with suppress(OSError):
                    data = (place / name).read_bytes()
                    if shows_the_token(data.decode("latin-1")):
                        found.add((place / "comm").read_text().strip())

    async def watch() -> None:
        while True:
            look()
            await asyncio.sleep(0.002)

    await world.has_a_commit()
    watcher = asyncio.create_task(watch())
    await world.push()
    watcher.cancel()

    assert seen["cmdline"] == set()
    assert seen["environ"] <= {"git", "git-remote-http"}
    assert not shows_the_token(str(os.environ))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_case_40_an_error_that_repeats_it_is_redacted(
    world: World, form: str
) -> None:
    await world.has_a_commit()
    world.origin.hook("pre-receive", f"echo 'you sent {form} here' >&2; exit 1")

    with pytest.raises(PushRefused) as refused:
        await world.push()

    assert "you sent" in str(refused.value)
    assert "[redacted]" in str(refused.value)
    assert not shows_the_token(str(refused.value))
    cause = refused.value.__cause__
    assert not shows_the_token(f"{cause} {vars(cause)}")


def test_case_40_a_long_token_of_the_new_kind_is_redacted_too() -> None:
    token = "ghs_123_" + ".".join(["eyJhbGciOiJSUzI1NiJ9-_" * 8] * 3)
    credential = Credential("https://github.com/acme/clock", token)
    told = base64.b64encode(f"user:{token}".encode()).decode()

    for form in (token, f"https://x:{token}@github.com/", told):
        redacted = credential.redact(f"before {form} after")
        assert "eyJ" not in redacted
        assert form[10:60] not in redacted
        assert redacted.startswith("before ")
        assert redacted.endswith(" after")


def test_case_40_no_token_is_nothing_to_redact() -> None:
    assert Credential("https://github.com/a/b", "").redact("as it was") == "as it was"


def test_case_40_it_goes_to_one_origin_only() -> None:
    for url in ("https://x:y@github.com:8443/acme/clock", "https://github.com:8443/"):
        (key,) = Credential(url, TOKEN).settings()
        assert key == "http.https://github.com:8443/.extraHeader"
    assert Credential("ssh://github.com/acme/clock", TOKEN).settings() == {}
