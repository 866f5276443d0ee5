"""Tokens expire, are refused and grow; Apps are suspended, removed and renewed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from localhub import apps, keys
from localhub.state import Installation
from tests.github.on_localhub import World, key_pair, on_localhub
from tests.github.scripted import Scripted, answer, scripted
from vibeboard.domain.board import BoardKey, CardKey, Permission
from vibeboard.engine.ports import Marker
from vibeboard.errors import AppAbsent, GitHubUnavailable

CARD = CardKey("acme/cart", 1)
MARK = Marker("run=01J")
MINT = "/app/installations/1/access_tokens"
THING = "/repos/acme/shop"
MINTED = "POST /app/installations/{id}/access_tokens"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with on_localhub(tmp_path) as one:
        yield one


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        one.on(THING, answer({"id": 1}))
        yield one


async def get(script: Scripted) -> Any:
    installation = await script.github.installation("acme")
    return await installation.getitem(THING, {})


async def works(world: World) -> bool:
    """Read by REST and by GraphQL, and write."""
    await world.replies.ensure(CARD, MARK, "Working.")
    permission = await world.repositories.permission("acme/cart", "alice")
    return permission is Permission.ADMIN and await world.cards.read(CARD) is not None


def installed(world: World) -> Installation:
    [installation] = world.small.hub.installations.values()
    return installation


async def test_case_15_a_token_is_renewed_well_before_it_expires(
    script: Scripted,
) -> None:
    await get(script)
    script.clock.advance(minutes=49)
    await get(script)
    assert len(script.to(MINT)) == 1

    script.clock.advance(minutes=2)
    await get(script)

    assert len(script.to(MINT)) == 2


async def test_case_15_fifty_callers_mint_one_token(script: Scripted) -> None:
    async def a_token() -> None:
        installation = await script.github.installation("acme")
        await installation.token()

    await asyncio.gather(*(a_token() for _ in range(50)))
    script.clock.advance(hours=1)
    await asyncio.gather(*(a_token() for _ in range(50)))

    assert len(script.to(MINT)) == 2
    assert len(script.to("/orgs/acme/installation")) == 1


async def test_case_15_fifty_callers_ask_once_for_a_token_that_there_is_not(
    script: Scripted,
) -> None:
    script.on(MINT, answer({"message": "This installation has been suspended"}, 403))

    installation = await script.github.installation("acme")
    outcomes = await asyncio.gather(
        *(installation.token() for _ in range(50)), return_exceptions=True
    )

    assert {type(one) for one in outcomes} == {AppAbsent}
    assert len(script.to(MINT)) == 1


async def test_case_15_a_mint_is_repeated_when_github_is_ill(script: Scripted) -> None:
    script.on(MINT, answer({}, 502), answer({}, 502), script.mint)

    assert await get(script) == {"id": 1}


async def test_case_15_a_new_token_may_be_unknown_for_seconds(script: Scripted) -> None:
    unknown = answer({"message": "Bad credentials"}, 401)
    script.on(THING, unknown, unknown, answer({"id": 1}))

    assert await get(script) == {"id": 1}

    assert script.pauses == [timedelta(seconds=1), timedelta(seconds=2)]
    assert len(script.to(MINT)) == 1


async def test_case_15_a_write_with_a_refused_token_is_done_once(world: World) -> None:
    assert await works(world)
    world.small.hub.tokens.clear()  # revoked by somebody

    await world.replies.ensure(CARD, MARK, "Done.")

    assert len(world.ours) == 1
    assert world.ports.calls[MINTED] == 2


@pytest.mark.parametrize("minutes", [5, -5])
async def test_case_15_a_clock_that_is_five_minutes_wrong(
    tmp_path: Path, minutes: int
) -> None:
    async with on_localhub(tmp_path, fast=timedelta(minutes=minutes)) as world:
        assert await works(world)

        for _ in range(13):
            world.small.clock.forward(minutes=10)
            expires = [
                one.expires_at
                for one in world.small.hub.tokens.values()
                if one.expires_at is not None
            ]
            assert await works(world)
            # Whatever we think the time is, no token was used in its last minute.
            left = max(expires) - world.small.clock.now
            renewed = world.ports.calls[MINTED] == len(expires) + 1
            assert renewed or left > timedelta(minutes=1)


@pytest.mark.parametrize("before", ["at work", "new"])
async def test_case_15_a_suspended_app_is_absent_until_it_is_back(
    world: World, before: str
) -> None:
    small = world.small
    if before == "at work":
        assert await works(world)
    apps.suspend(small.hub, installed(world), actor=small.alice)

    for act in (
        world.repositories.permission("acme/cart", "alice"),
        world.cards.read(CARD),
        world.replies.ensure(CARD, MARK, "Done."),
    ):
        with pytest.raises(AppAbsent) as caught:
            await act
        assert caught.value.account == "acme"

    apps.unsuspend(small.hub, installed(world), actor=small.alice)
    assert await works(world)


async def test_case_15_a_removed_app_is_absent_until_it_is_installed_again(
    world: World,
) -> None:
    small = world.small
    assert await works(world)
    before = installed(world).id
    apps.uninstall(small.hub, installed(world), actor=small.alice)

    with pytest.raises(AppAbsent) as caught:
        await works(world)
    assert caught.value.account == "acme"
    assert await world.repositories.installed() == []

    apps.install(small.hub, small.app, small.acme, actor=small.alice)
    installed(world).permissions = GRANTED
    assert installed(world).id != before
    assert await works(world)


GRANTED = {
    "organization_projects": "write",
    "issues": "write",
    "pull_requests": "write",
    "contents": "write",
    "checks": "write",
    "metadata": "read",
}


async def test_case_15_an_account_without_the_app_has_no_board(world: World) -> None:
    with pytest.raises(AppAbsent) as caught:
        await world.cards.on_board(BoardKey("alice", 1), field="Status")

    assert caught.value.account == "alice"


@dataclass
class KeyFile:
    """Where the operator keeps the App's key."""

    text: str

    def __call__(self) -> str:
        return self.text


async def test_case_15_a_changed_key_is_taken_up_without_a_restart(
    tmp_path: Path,
) -> None:
    file = KeyFile(key_pair()[0])
    async with on_localhub(tmp_path, private_key=file) as world:
        assert await works(world)
        private, world.small.app.public_key = keys.generate()
        world.small.clock.forward(hours=2)

        # What is asked meanwhile is left to a later try, and nothing is lost.
        with pytest.raises(GitHubUnavailable) as caught:
            await works(world)
        assert caught.value.after == timedelta(minutes=1)

        file.text = private
        assert await works(world)


@pytest.mark.parametrize(
    "token", ["ghs_7_" + ".".join(["a_-" * 57] * 3), "v1.40chars", "x"]
)
async def test_case_15_a_token_is_whatever_github_says(
    script: Scripted, token: str
) -> None:
    expires = script.clock.now() + timedelta(hours=1)
    minted = {"token": token, "expires_at": expires.isoformat()}
    script.on(MINT, answer(minted, 201))

    await get(script)

    assert script.to(THING)[0].authorization == f"Bearer {token}"


async def test_case_15_github_mints_tokens_of_520_characters(world: World) -> None:
    assert await works(world)

    own = f"ghs_{world.small.app.id}_"
    [token] = [one for one in world.small.hub.tokens if one.startswith(own)]
    assert len(token) == 520
    assert token.count(".") == 2
