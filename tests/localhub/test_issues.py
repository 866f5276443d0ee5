"""Issues, comments, labels and reactions over REST, and who may."""

from typing import Any

import pytest

from tests.localhub.served import World

ISSUES = "/repos/acme/clock/issues"


async def test_an_issue_is_opened_changed_and_closed(world: World) -> None:
    asked = {"title": "New", "body": "b", "labels": ["bug", "fresh"]}
    opened = await world.call("POST", ISSUES, asked)
    one = f"{ISSUES}/{opened.json['number']}"
    closed = await world.call(
        "PATCH", one, {"title": "Newer", "state": "closed", "labels": ["bug"]}
    )

    assert opened.status == 201
    assert opened.headers["Location"].endswith(one)
    assert closed.json["state_reason"] == "completed"
    assert [label["name"] for label in closed.json["labels"]] == ["bug"]
    await world.inbox.until("issues.closed")
    assert world.inbox.names() == [
        "issues.opened",
        "issues.labeled",
        "issues.labeled",
        "issues.edited",
        "issues.unlabeled",
        "issues.closed",
    ]


async def test_an_issues_id_is_never_its_number(world: World) -> None:
    got = await world.call("GET", f"{ISSUES}/1")

    assert got.json["id"] != got.json["number"]


async def test_labels_of_somebody_without_triage_are_dropped(world: World) -> None:
    asked = {"title": "Mine", "labels": ["bug"]}
    got = await world.call("POST", ISSUES, asked, token="eve-token")

    assert (got.status, got.json["labels"]) == (201, [])


async def test_a_stranger_changes_nobody_elses_issue(world: World) -> None:
    got = await world.call(
        "PATCH", f"{ISSUES}/1", {"state": "closed"}, token="eve-token"
    )

    assert got.status == 403


async def test_a_list_is_filtered_and_paged_with_links(world: World) -> None:
    for at in range(5):
        await world.call("POST", ISSUES, {"title": f"n{at}", "labels": ["many"]})

    page = await world.call("GET", f"{ISSUES}?labels=many&per_page=2&page=2")

    assert [one["title"] for one in page.json] == ["n2", "n1"]
    assert 'page=3>; rel="next"' in page.headers["Link"]
    assert 'page=1>; rel="prev"' in page.headers["Link"]


async def test_a_comment_is_written_edited_and_removed(world: World) -> None:
    written = await world.call("POST", f"{ISSUES}/1/comments", {"body": "one"})
    one = f"{ISSUES}/comments/{written.json['id']}"
    edited = await world.call("PATCH", one, {"body": "two"})
    removed = await world.call("DELETE", one)
    gone = await world.call("GET", one)

    statuses = [each.status for each in (written, edited, removed, gone)]
    assert statuses == [201, 200, 204, 404]
    came = await world.inbox.until("issue_comment.edited")
    assert came.payload["changes"]["body"]["from"] == "one"


async def test_a_comment_by_an_app_says_so(world: World) -> None:
    token = await world.token()
    got = await world.call(
        "POST", f"{ISSUES}/1/comments", {"body": "beep"}, token=token
    )

    assert got.json["user"]["login"] == "vibe[bot]"
    assert got.json["user"]["type"] == "Bot"
    assert got.json["performed_via_github_app"]["slug"] == "vibe"


@pytest.mark.parametrize(
    ("length", "status"),
    [
        pytest.param(65_536, 201, id="longest"),
        pytest.param(65_537, 422, id="too long"),
        pytest.param(0, 422, id="empty"),
    ],
)
async def test_a_comment_has_a_limit(world: World, length: int, status: int) -> None:
    got = await world.call("POST", f"{ISSUES}/1/comments", {"body": "x" * length})

    assert got.status == status


async def test_a_reaction_counts_once(world: World) -> None:
    eyes = {"content": "eyes"}
    first = await world.call("POST", f"{ISSUES}/1/reactions", eyes)
    second = await world.call("POST", f"{ISSUES}/1/reactions", eyes)
    shown = await world.call("GET", f"{ISSUES}/1")

    assert (first.status, second.status) == (201, 200)
    assert shown.json["reactions"]["eyes"] == 1


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        pytest.param("alice", ("admin", "admin"), id="owner of the organization"),
        pytest.param("bob", ("write", "write"), id="writer"),
        pytest.param("carol", ("read", "triage"), id="triage reads"),
        pytest.param("eve", ("read", "read"), id="stranger at a public one"),
    ],
)
async def test_permission_and_role_of_a_person(
    world: World, login: str, expected: tuple[str, str]
) -> None:
    path = f"/repos/acme/clock/collaborators/{login}/permission"
    got = await world.call("GET", path)

    assert (got.json["permission"], got.json["role_name"]) == expected


async def test_an_unknown_person_has_no_permission(world: World) -> None:
    path = "/repos/acme/clock/collaborators/nobody/permission"

    assert (await world.call("GET", path)).status == 404


async def test_a_private_repository_hides_from_strangers(world: World) -> None:
    path = "/repos/acme/secret/issues"

    assert (await world.call("GET", path, token="eve-token")).status == 404
    assert (await world.call("GET", path, token="alice-token")).status == 200


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param("nonsense", 401, id="unknown token"),
        pytest.param(None, 401, id="nobody writes"),
    ],
)
async def test_credentials_are_asked_for(
    world: World, token: str | None, status: int
) -> None:
    got = await world.call("POST", ISSUES, {"title": "x"}, token=token)

    assert got.status == status
    assert got.json["message"]


async def test_an_unchanged_answer_is_free(world: World) -> None:
    first = await world.call("GET", f"{ISSUES}/1")
    again = await world.call("GET", f"{ISSUES}/1", If_None_Match=first.headers["ETag"])

    left = [int(one.headers["X-RateLimit-Remaining"]) for one in (first, again)]
    assert (again.status, again.text) == (304, "")
    assert left[0] == left[1]


@pytest.mark.parametrize(
    ("body", "version", "status"),
    [
        pytest.param(None, "2026-03-10", 200, id="known version"),
        pytest.param(None, "1999-01-01", 400, id="unknown version"),
    ],
)
async def test_a_version_is_selected(
    world: World, body: Any, version: str, status: int
) -> None:
    got = await world.call("GET", "/meta", body, X_GitHub_Api_Version=version)

    assert got.status == status
