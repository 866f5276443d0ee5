"""Answers of GitHub that a small hub never gives."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.github.scripted import Scripted, answer, scripted
from vibeboard.domain.board import Actor, BoardKey, CardKey, Permission, Place
from vibeboard.errors import GitHubRefused
from vibeboard.github.app import GitHubPorts

ITEM = {
    "id": "PVTI_1",
    "isArchived": False,
    "project": {"number": 7, "owner": {"login": "acme"}},
    "fieldValueByName": {"name": "Todo"},
}


def issue(items: list[Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "I_1",
        "number": 7,
        "title": "Fix the clock",
        "body": "",
        "url": "https://github.com/acme/shop/issues/7",
        "closed": False,
        "repository": {"nameWithOwner": "acme/shop"},
        "author": None,
        "labels": {"nodes": []},
        "projectItems": {"nodes": items},
        **more,
    }


def forbidden(*path: str | int) -> dict[str, Any]:
    message = "Resource not accessible by integration"
    return {"type": "FORBIDDEN", "path": list(path), "message": message}


def of_issue(node: Any, *errors: Any) -> Any:
    body: dict[str, Any] = {"data": {"repository": {"issue": node}}}
    return answer(body | ({"errors": list(errors)} if errors else {}))


@pytest.fixture
async def script() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


async def read(script: Scripted) -> Any:
    return await GitHubPorts(script.github).cards.read(CardKey("acme/shop", 7))


async def test_a_deleted_author_is_a_ghost(script: Scripted) -> None:
    script.on("/graphql", of_issue(issue([])))

    assert (await read(script)).author == Actor("ghost")


async def test_a_bot_has_the_login_that_rest_gives_it(script: Scripted) -> None:
    author = {"__typename": "Bot", "login": "renovate"}
    script.on("/graphql", of_issue(issue([], author=author)))

    assert (await read(script)).author == Actor("renovate[bot]", is_bot=True)


async def test_a_board_that_we_may_not_read_is_passed_over(script: Scripted) -> None:
    place = "repository", "issue", "projectItems", "nodes", 0, "project"
    script.on("/graphql", of_issue(issue([None, ITEM]), forbidden(*place)))

    assert (await read(script)).places == (
        Place(BoardKey("acme", 7), "PVTI_1", "Todo"),
    )


async def test_no_readable_board_is_not_taken_for_no_board(script: Scripted) -> None:
    place = "repository", "issue", "projectItems", "nodes", 0, "project"
    script.on("/graphql", of_issue(issue([None]), forbidden(*place)))

    with pytest.raises(GitHubRefused, match="can be read"):
        await read(script)


async def test_an_issue_that_we_may_not_read_is_not_gone(script: Scripted) -> None:
    script.on("/graphql", of_issue(None, forbidden("repository", "issue")))

    with pytest.raises(GitHubRefused, match="not accessible"):
        await read(script)


@pytest.mark.parametrize(
    ("role", "permission", "meant"),
    [
        ("maintain", "write", Permission.MAINTAIN),
        ("triage", "read", Permission.TRIAGE),
        ("release-crew", "write", Permission.WRITE),
        ("", "none", Permission.NONE),
        ("owner-of-the-moon", "superuser", Permission.NONE),
    ],
)
async def test_a_role_means_a_permission(
    script: Scripted, role: str, permission: str, meant: Permission
) -> None:
    script.on(
        "/repos/acme/shop/collaborators/alice/permission",
        answer({"role_name": role, "permission": permission}),
    )

    repositories = GitHubPorts(script.github).repositories

    assert await repositories.permission("acme/shop", "alice") is meant


async def test_a_forks_branch_of_the_same_name_is_not_ours(script: Scripted) -> None:
    def pull(number: int, source: int) -> dict[str, Any]:
        return {
            "number": number,
            "html_url": "",
            "state": "open",
            "head": {"ref": "vibe/7", "sha": "c0ffee", "repo": {"id": source}},
            "base": {"ref": "main", "sha": "beef", "repo": {"id": 1}},
        }

    script.on("/repos/acme/shop/pulls", answer([pull(9, 2), pull(8, 1)]))

    found = await GitHubPorts(script.github).pulls.of_branch("acme/shop", "vibe/7")

    assert found is not None
    assert found.number == 8
