"""Pull requests and reviews over REST, on real commits."""

import pytest

from tests.localhub.served import World

PULLS = "/repos/acme/clock/pulls"


async def test_a_pull_request_knows_its_change(world: World) -> None:
    opened = await world.pull(body="Closes #1", draft=True)
    one = f"{PULLS}/{opened['number']}"

    shown = (await world.call("GET", one)).json
    files = await world.call("GET", f"{one}/files")
    diff = await world.call("GET", one, Accept="application/vnd.github.diff")

    assert (shown["draft"], shown["mergeable"]) == (True, True)
    assert (shown["commits"], shown["additions"], shown["changed_files"]) == (1, 1, 1)
    assert [file["filename"] for file in files.json] == ["topic.txt"]
    assert "+new" in diff.text


async def test_a_second_one_for_the_same_branch_is_refused(world: World) -> None:
    await world.pull()
    again = await world.call(
        "POST", PULLS, {"title": "Again", "head": "topic", "base": "main"}
    )

    assert again.status == 422
    message = again.json["errors"][0]["message"]
    assert message == "A pull request already exists for acme:topic."


@pytest.mark.parametrize(
    ("head", "base"),
    [
        pytest.param("nothing", "main", id="unknown head"),
        pytest.param("topic", "nothing", id="unknown base"),
        pytest.param("main", "main", id="no commits"),
    ],
)
async def test_a_wrong_pull_request_is_refused(
    world: World, head: str, base: str
) -> None:
    await world.push("topic")
    got = await world.call("POST", PULLS, {"title": "x", "head": head, "base": base})

    assert got.status == 422


async def test_pull_requests_are_found_by_head(world: World) -> None:
    opened = await world.pull()
    found = await world.call("GET", f"{PULLS}?head=acme:topic&state=all")
    other = await world.call("GET", f"{PULLS}?head=acme:other&state=all")

    assert [one["number"] for one in found.json] == [opened["number"]]
    assert other.json == []


async def test_a_push_brings_it_up_to_date(world: World) -> None:
    opened = await world.pull()
    sha = await world.push("topic", text="newer\n")

    came = await world.inbox.until("pull_request.synchronize")

    assert (came.payload["before"], came.payload["after"]) == (
        opened["head"]["sha"],
        sha,
    )
    assert came.payload["pull_request"]["head"]["sha"] == sha


async def test_merging_closes_what_it_closes_and_moves_the_card(world: World) -> None:
    opened = await world.pull(body="Fixes #1")
    one = f"{PULLS}/{opened['number']}"

    merged = await world.call("PUT", f"{one}/merge", {"sha": opened["head"]["sha"]})
    again = await world.call("PUT", f"{one}/merge")
    issue = await world.call("GET", "/repos/acme/clock/issues/1")
    state = await world.call("GET", "//_localhub/state")

    assert (merged.json["merged"], again.status) == (True, 405)
    assert issue.json["state"] == "closed"
    assert state.json["projects"][0]["cards"][0]["column"] == "Done"
    moved = await world.inbox.until("projects_v2_item.edited")
    assert moved.payload["sender"]["login"] == "github-project-automation[bot]"
    closed = await world.inbox.until("pull_request.closed")
    assert closed.payload["pull_request"]["merged"] is True


async def test_a_draft_is_not_merged(world: World) -> None:
    opened = await world.pull(draft=True)

    got = await world.call("PUT", f"{PULLS}/{opened['number']}/merge")

    assert got.status == 405


async def test_a_moved_head_is_not_merged(world: World) -> None:
    opened = await world.pull()

    got = await world.call(
        "PUT", f"{PULLS}/{opened['number']}/merge", {"sha": "0" * 40}
    )

    assert got.status == 409


async def test_a_conflict_is_not_merged(world: World) -> None:
    opened = await world.pull()
    await world.put("topic.txt", "theirs\n")

    one = f"{PULLS}/{opened['number']}"
    shown = await world.call("GET", one)
    got = await world.call("PUT", f"{one}/merge")

    assert (shown.json["mergeable"], got.status) == (False, 405)
    assert shown.json["mergeable_state"] == "dirty"


async def test_a_review_is_submitted_with_its_comments(world: World) -> None:
    opened = await world.pull()
    one = f"{PULLS}/{opened['number']}"
    asked = {
        "event": "REQUEST_CHANGES",
        "body": "Not yet",
        "comments": [{"path": "topic.txt", "line": 1, "body": "Why?"}],
    }

    review = await world.call("POST", f"{one}/reviews", asked, token="carol-token")
    comments = await world.call("GET", f"{one}/comments")
    reply = await world.call(
        "POST", f"{one}/comments/{comments.json[0]['id']}/replies", {"body": "So"}
    )

    assert (review.status, review.json["state"]) == (200, "CHANGES_REQUESTED")
    assert comments.json[0]["diff_hunk"].startswith("@@")
    assert reply.json["in_reply_to_id"] == comments.json[0]["id"]
    submitted = await world.inbox.until("pull_request_review.submitted")
    assert submitted.payload["review"]["state"] == "changes_requested"
    await world.inbox.until("pull_request_review_comment.created", 2)


async def test_nobody_approves_their_own(world: World) -> None:
    opened = await world.pull()
    got = await world.call(
        "POST", f"{PULLS}/{opened['number']}/reviews", {"event": "APPROVE"}
    )

    assert got.status == 422


async def test_a_comment_outside_the_diff_is_refused(world: World) -> None:
    opened = await world.pull()
    asked = {"body": "x", "path": "src/clock.py", "line": 3, "commit_id": "x"}
    got = await world.call("POST", f"{PULLS}/{opened['number']}/comments", asked)

    assert got.status == 422


async def test_a_review_is_asked_of_collaborators_only(world: World) -> None:
    opened = await world.pull()
    path = f"{PULLS}/{opened['number']}/requested_reviewers"

    good = await world.call("POST", path, {"reviewers": ["carol"]})
    bad = await world.call("POST", path, {"reviewers": ["eve"]})

    assert (good.status, bad.status) == (201, 422)
    await world.inbox.until("pull_request.review_requested")
