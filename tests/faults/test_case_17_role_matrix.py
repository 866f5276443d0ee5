"""Case 17: only what GitHub says now of somebody's permission counts."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.asking import CARD, Asking, replies, started, workflow
from tests.github.on_localhub import on_localhub
from tests.github.scripted import answer, scripted
from vibeboard.domain.board import Permission
from vibeboard.errors import GitHubRefused, GitHubUnavailable, VibeboardError
from vibeboard.github.app import GitHubPorts

ROLES = ["read", "triage", "write", "maintain", "admin"]


@pytest.fixture
async def asking(tmp_path: Path) -> AsyncIterator[Asking]:
    async with on_localhub(tmp_path) as world:
        yield Asking(world)


@pytest.mark.parametrize("role", [None, *ROLES])
async def test_case_17_a_role_may_command_from_write_on(
    asking: Asking, role: str | None
) -> None:
    eve = asking.person("eve")
    if role is not None:
        asking.world.small.repository.collaborators["eve"] = role
    asking.comment("/agent develop", eve)

    effects = await asking.decided()

    if role in ("write", "maintain", "admin"):
        assert [run.asked_by for run in started(effects)] == ["eve"]
    else:
        assert started(effects) == []
        assert "@eve has" in replies(effects)[0]


@pytest.mark.parametrize("role", [None, *ROLES])
async def test_case_17_a_role_may_move_from_write_on(
    asking: Asking, role: str | None
) -> None:
    eve = asking.person("eve")
    if role is not None:
        asking.world.small.repository.collaborators["eve"] = role
    asking.move("Develop", eve)

    effects = await asking.decided()

    may = role in ("write", "maintain", "admin")
    assert bool(started(effects)) == may
    assert may or "@eve moved this card" in replies(effects)[0]


@pytest.mark.parametrize("least", [Permission.MAINTAIN, Permission.ADMIN])
async def test_case_17_a_repository_may_ask_for_more(
    asking: Asking, least: Permission
) -> None:
    asking.workflow = workflow(least=least)
    asking.comment("/agent develop", asking.world.small.bob)

    effects = await asking.decided()

    assert started(effects) == []
    assert f"need {least.name.lower()} permission" in replies(effects)[0]


async def test_case_17_nobody_on_a_private_repository(asking: Asking) -> None:
    asking.world.small.repository.private = True
    asking.comment("/agent develop", asking.person("eve"))

    effects = await asking.decided()

    assert started(effects) == []
    assert "@eve has none" in replies(effects)[0]


@pytest.mark.parametrize(
    ("login", "association", "starts"),
    [("alice", "NONE", 1), ("alice", "CONTRIBUTOR", 1), ("mallory", "OWNER", 0)],
)
async def test_case_17_an_association_is_not_a_permission(
    asking: Asking, login: str, association: str, starts: int
) -> None:
    """An owner of the organization comes as NONE; the payload grants nothing."""
    small = asking.world.small
    by = {"alice": small.alice, "mallory": small.stranger}[login]
    asking.comment("/agent develop", by)
    payload = asking.said("issue_comment")
    payload["comment"]["author_association"] = association
    payload["sender"]["site_admin"] = association == "OWNER"
    payload["sender"]["permissions"] = {"admin": association == "OWNER"}

    effects = await asking.about("issue_comment", payload)

    assert len(started(effects)) == starts


async def test_case_17_who_left_since_may_no_longer(asking: Asking) -> None:
    small = asking.world.small
    asking.comment("/agent develop", small.bob)
    del small.acme.members["bob"]
    del small.repository.collaborators["bob"]

    effects = await asking.decided()

    assert started(effects) == []
    assert "@bob has read" in replies(effects)[0]


async def test_case_17_a_login_that_is_no_longer_anybodys(asking: Asking) -> None:
    small = asking.world.small
    asking.comment("/agent develop", small.bob)
    payload = asking.said("issue_comment")
    small.hub.users["robert"] = small.hub.users.pop("bob")
    small.bob.login = "robert"

    effects = await asking.about("issue_comment", payload)

    assert started(effects) == []
    assert "@bob has none" in replies(effects)[0]


async def test_case_17_a_login_that_is_somebody_elses_now(asking: Asking) -> None:
    small = asking.world.small
    asking.comment("/agent develop", small.bob)
    payload = asking.said("issue_comment")
    small.repository.collaborators["robert"] = small.repository.collaborators.pop("bob")
    del small.acme.members["bob"]
    small.hub.users["robert"] = small.hub.users.pop("bob")
    small.bob.login = "robert"
    asking.person("bob")

    effects = await asking.about("issue_comment", payload)

    assert started(effects) == []


@pytest.mark.parametrize(
    ("do", "raised"),
    [
        ({"kind": "status", "status": 500}, GitHubUnavailable),
        ({"kind": "status", "status": 502}, GitHubUnavailable),
        ({"kind": "reset"}, GitHubUnavailable),
        ({"kind": "status", "status": 403}, GitHubRefused),
        ({"kind": "status", "status": 200, "body": "<html>"}, GitHubUnavailable),
        ({"kind": "status", "status": 200, "body": "{}"}, VibeboardError),
    ],
    ids=["500", "502", "reset", "403", "a page", "an empty answer"],
)
async def test_case_17_no_answer_is_no_permission(
    asking: Asking, do: dict[str, Any], raised: type[Exception]
) -> None:
    """Even for an owner: it is tried again or given up, and never guessed."""
    asking.world.order(do, path="/permission$", times=99)
    asking.comment("/agent develop", asking.world.small.alice)

    with pytest.raises(raised):
        await asking.decided()


@pytest.mark.parametrize(
    ("role", "permission", "meant"),
    [
        ("none", "none", Permission.NONE),
        ("security-lead", "read", Permission.READ),
        ("security-lead", "write", Permission.WRITE),
        ("security-lead", "admin", Permission.ADMIN),
        ("admins", "read", Permission.READ),
        ("Admin", "read", Permission.READ),
        ("all-repo-write", "none", Permission.NONE),
        ("security-lead", "WRITE", Permission.NONE),
        ("security-lead", "", Permission.NONE),
    ],
)
async def test_case_17_a_custom_role_is_worth_what_it_builds_on(
    role: str, permission: str, meant: Permission
) -> None:
    async with scripted() as script:
        where = f"/repos/{CARD.repository}/collaborators/eve/permission"
        script.on(where, answer({"role_name": role, "permission": permission}))
        asked = GitHubPorts(script.github).repositories.permission

        assert await asked(CARD.repository, "eve") is meant


@pytest.mark.parametrize(
    "login", ["../../../user", "alice/../../x", "", "alice%2f", "alice?x=", "a" * 400]
)
async def test_case_17_a_login_cannot_choose_another_question(
    asking: Asking, login: str
) -> None:
    permission = await asking.world.repositories.permission(CARD.repository, login)

    assert permission is Permission.NONE
