"""Git over HTTP with a real git, and the same repository through the API."""

import os

import pytest

from tests.localhub.served import World


async def test_a_push_is_told_in_full(world: World) -> None:
    sha = await world.push("topic", message="Fixes #1")

    push = (await world.inbox.until("push")).payload
    suite = (await world.inbox.until("check_suite.requested")).payload

    assert (push["ref"], push["after"]) == ("refs/heads/topic", sha)
    assert (push["created"], push["deleted"], push["forced"]) == (True, False, False)
    assert [one["id"] for one in push["commits"]] == [sha]
    assert push["head_commit"]["added"] == ["topic.txt"]
    assert push["pusher"]["name"] == "bob"
    assert suite["check_suite"]["head_sha"] == sha
    assert world.inbox.names()[:2] == ["create", "push"]


async def test_a_big_push_is_chunked_and_arrives(world: World) -> None:
    await world.git("clone", "-q", "REMOTE", "clone")
    noise = os.urandom(3_000_000)
    (world.folder / "clone" / "big").write_bytes(noise)
    await world.git("-C", "clone", "add", ".")
    await world.git("-C", "clone", "commit", "-qm", "Big")
    await world.git("-C", "clone", "push", "-q", "REMOTE", "HEAD:big")

    got = await world.call(
        "GET",
        "/repos/acme/clock/contents/big?ref=big",
        Accept="application/vnd.github.raw+json",
    )
    assert len(got.text) > 1_000_000


async def test_a_force_push_says_so(world: World) -> None:
    await world.push("topic")
    await world.git("-C", "clone", "commit", "-q", "--amend", "-m", "Other")
    await world.git("-C", "clone", "push", "-qf", "REMOTE", "topic")

    assert (await world.inbox.until("push", 2)).payload["forced"] is True


@pytest.mark.parametrize(
    ("token", "pushes"),
    [
        pytest.param("bob-token", True, id="writer"),
        pytest.param("carol-token", False, id="triage"),
        pytest.param("nonsense", False, id="unknown token"),
    ],
)
async def test_who_may_push(world: World, token: str, *, pushes: bool) -> None:
    await world.git("clone", "-q", "REMOTE", "clone")

    await world.git(
        "-C", "clone", "push", "-q", "REMOTE", "HEAD:new", token=token, ok=pushes
    )


async def test_an_installation_pushes_with_contents_write_only(world: World) -> None:
    writes = await world.token()
    reads = await world.token(permissions={"contents": "read"})
    await world.git("clone", "-q", "REMOTE", "clone", token=reads)

    await world.git("-C", "clone", "push", "REMOTE", "HEAD:a", token=reads, ok=False)
    await world.git("-C", "clone", "push", "REMOTE", "HEAD:a", token=writes)

    push = await world.inbox.until("push")
    assert push.payload["sender"]["login"] == "vibe[bot]"


async def test_a_protected_branch_refuses(world: World) -> None:
    asked = {"repository": "acme/clock", "ref": "refs/heads/main"}
    await world.call("POST", "//_localhub/protect", asked)
    await world.git("clone", "-q", "REMOTE", "clone")
    await world.git("-C", "clone", "commit", "-qm", "x", "--allow-empty")

    said = await world.git("-C", "clone", "push", "REMOTE", "HEAD:main", ok=False)

    assert "GH006" in said
    await world.git("-C", "clone", "push", "-q", "REMOTE", "HEAD:other")


async def test_a_deleted_branch_closes_its_pull_request(world: World) -> None:
    opened = await world.pull()
    await world.git("-C", "clone", "push", "-q", "REMOTE", ":topic")

    got = await world.call("GET", f"/repos/acme/clock/pulls/{opened['number']}")

    assert got.json["state"] == "closed"
    assert (await world.inbox.until("delete")).payload["ref"] == "topic"


async def test_a_private_repository_is_cloned_with_a_token_only(
    world: World,
) -> None:
    url = f"{world.hub.url}/acme/secret.git/info/refs?service=git-upload-pack"

    async with world.session.get(url) as got:
        assert got.status == 401
        assert got.headers["WWW-Authenticate"].startswith("Basic")


async def test_a_file_is_written_changed_and_removed(world: World) -> None:
    new = await world.put("docs/a.md", "one")
    blind = await world.put("docs/a.md", "two")
    stale = await world.put("docs/a.md", "two", sha="0" * 40)
    sha = new.json["content"]["sha"]
    changed = await world.put("docs/a.md", "two", sha=sha)
    listed = await world.call("GET", "/repos/acme/clock/contents/docs")

    statuses = [one.status for one in (new, blind, stale, changed)]
    assert statuses == [201, 422, 409, 200]
    assert [one["path"] for one in listed.json] == ["docs/a.md"]
    assert (await world.inbox.until("push", 2)).payload["ref"] == "refs/heads/main"


async def test_a_commit_is_built_from_blobs_and_trees(world: World) -> None:
    token, base = await world.token(), "/repos/acme/clock/git"
    head = (await world.call("GET", f"{base}/ref/heads/main")).json["object"]["sha"]
    blob = await world.call("POST", f"{base}/blobs", {"content": "hi"}, token=token)
    entry = {"path": "hi", "mode": "100644", "type": "blob", "sha": blob.json["sha"]}
    tree = await world.call(
        "POST", f"{base}/trees", {"base_tree": head, "tree": [entry]}, token=token
    )
    commit = await world.call(
        "POST",
        f"{base}/commits",
        {"message": "m", "tree": tree.json["sha"], "parents": [head]},
        token=token,
    )
    ref = {"ref": "refs/heads/built", "sha": commit.json["sha"]}
    made = await world.call("POST", f"{base}/refs", ref, token=token)
    again = await world.call("POST", f"{base}/refs", ref, token=token)
    back = await world.call(
        "PATCH", f"{base}/refs/heads/built", {"sha": head}, token=token
    )
    compared = await world.call("GET", "/repos/acme/clock/compare/main...built")

    assert commit.json["verification"]["verified"] is True
    assert [made.status, again.status, back.status] == [201, 422, 422]
    assert (compared.json["status"], compared.json["ahead_by"]) == ("ahead", 1)
    assert len((await world.call("GET", f"{base}/trees/built")).json["tree"]) == 4


async def test_a_workflow_file_needs_its_own_permission(world: World) -> None:
    token = await world.token(permissions={"contents": "write"})
    body = {"message": "m", "content": ""}
    path = "/repos/acme/clock/contents/.github/workflows/new.yml"

    assert (await world.call("PUT", path, body, token=token)).status == 403


async def test_the_root_folder_is_listed(world: World) -> None:
    got = await world.call("GET", "/repos/acme/clock/contents")

    kinds = {one["name"]: one["type"] for one in got.json}
    assert kinds == {".github": "dir", "README.md": "file", "src": "dir"}


async def test_a_push_of_a_workflow_needs_its_own_permission(world: World) -> None:
    narrow = await world.token(permissions={"contents": "write"})
    wide = await world.token()
    await world.git("clone", "-q", "REMOTE", "clone")
    file = world.folder / "clone" / ".github" / "workflows" / "vibe.yml"
    file.write_text("on: push\n")
    await world.git("-C", "clone", "commit", "-qam", "Change the workflow")

    push = ("-C", "clone", "push", "REMOTE", "HEAD:change")
    said = await world.git(*push, token=narrow, ok=False)
    await world.git(*push, token=wide)

    assert "`workflows` permission" in said
