"""Every REST route is called once on a prepared hub and answers what it should."""

from typing import Any

import pytest

from localhub.rest.call import Route
from localhub.server import ROUTES
from localhub.state import Protection
from tests.localhub.served import World

REPO = "/repos/acme/clock"
RUN = "/repos/{owner}/{repo}/actions/runs/{workflow_run}"
UNPROTECTED = {
    "required_status_checks": None,
    "enforce_admins": None,
    "required_pull_request_reviews": None,
    "restrictions": None,
}
WRITE = {
    ("POST", "/repos/{owner}/{repo}/issues"): ({"title": "t"}, 201),
    ("PATCH", "/repos/{owner}/{repo}/issues/{number}"): ({"title": "u"}, 200),
    ("POST", "/repos/{owner}/{repo}/issues/{number}/labels"): (
        {"labels": ["bug"]},
        200,
    ),
    ("PUT", "/repos/{owner}/{repo}/issues/{number}/labels"): ({"labels": ["bug"]}, 200),
    ("POST", "/repos/{owner}/{repo}/issues/{number}/assignees"): (
        {"assignees": ["bob"]},
        201,
    ),
    ("POST", "/repos/{owner}/{repo}/issues/{number}/comments"): ({"body": "b"}, 201),
    ("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment}"): ({"body": "c"}, 200),
    ("POST", "/repos/{owner}/{repo}/labels"): ({"name": "n", "color": "ffffff"}, 201),
    ("PATCH", "/repos/{owner}/{repo}/labels/{name}"): ({"new_name": "bug"}, 200),
    ("POST", "/repos/{owner}/{repo}/pulls"): (
        {"title": "t", "head": "other", "base": "main"},
        201,
    ),
    ("PATCH", "/repos/{owner}/{repo}/pulls/{number}"): ({"title": "u"}, 200),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers"): (
        {"reviewers": ["carol"]},
        201,
    ),
    ("DELETE", "/repos/{owner}/{repo}/pulls/{number}/requested_reviewers"): (
        {"reviewers": ["carol"]},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews"): (
        {"event": "COMMENT", "body": "b"},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/reviews/{review}/events"): (
        {"event": "COMMENT", "body": "b"},
        200,
    ),
    ("PUT", "/repos/{owner}/{repo}/pulls/{number}/reviews/{review}/dismissals"): (
        {"message": "m"},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/comments"): (
        {"body": "b", "path": "topic.txt", "line": 1, "commit_id": "head"},
        201,
    ),
    ("POST", "/repos/{owner}/{repo}/pulls/{number}/comments/{comment}/replies"): (
        {"body": "b"},
        201,
    ),
    ("PATCH", "/repos/{owner}/{repo}/pulls/comments/{comment}"): ({"body": "c"}, 200),
    ("POST", "/repos/{owner}/{repo}/check-runs"): (
        {"name": "n", "head_sha": "head"},
        201,
    ),
    ("PATCH", "/repos/{owner}/{repo}/check-runs/{run}"): (
        {"conclusion": "neutral"},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/check-runs/{run}/rerequest"): (None, 201),
    ("POST", "/repos/{owner}/{repo}/check-suites"): ({"head_sha": "head"}, 201),
    ("POST", "/repos/{owner}/{repo}/check-suites/{suite}/rerequest"): (None, 201),
    ("POST", "/repos/{owner}/{repo}/statuses/{sha}"): ({"state": "pending"}, 201),
    ("POST", "/repos/{owner}/{repo}/deployments"): ({"ref": "main"}, 201),
    ("POST", "/repos/{owner}/{repo}/deployments/{deployment}/statuses"): (
        {"state": "inactive"},
        201,
    ),
    (
        "POST",
        "/repos/{owner}/{repo}/actions/workflows/{workflow}/dispatches",
    ): ({"ref": "main", "inputs": {"run": "1"}}, 204),
    ("POST", "/repos/{owner}/{repo}/dispatches"): ({"event_type": "go"}, 204),
    ("POST", f"{RUN}/cancel"): (None, 202),
    ("POST", f"{RUN}/force-cancel"): (None, 202),
    ("POST", f"{RUN}/rerun"): (None, 201),
    ("POST", f"{RUN}/rerun-failed-jobs"): (None, 201),
    ("PUT", "/repos/{owner}/{repo}/contents/{path:.*}"): (
        {"message": "m", "content": "aGk="},
        201,
    ),
    ("DELETE", "/repos/{owner}/{repo}/contents/{path:.*}"): (
        {"message": "m", "sha": "blob"},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/git/refs"): (
        {"ref": "refs/heads/made", "sha": "head"},
        201,
    ),
    ("PATCH", "/repos/{owner}/{repo}/git/refs/{ref:.+}"): (
        {"sha": "head", "force": True},
        200,
    ),
    ("POST", "/repos/{owner}/{repo}/git/commits"): (
        {"message": "m", "tree": "tree", "parents": []},
        201,
    ),
    ("POST", "/repos/{owner}/{repo}/git/trees"): (
        {"tree": [{"path": "a", "mode": "100644", "type": "blob", "content": "a"}]},
        201,
    ),
    ("POST", "/repos/{owner}/{repo}/git/blobs"): ({"content": "a"}, 201),
    ("PATCH", "/app/hook/config"): ({"content_type": "json"}, 200),
    ("POST", "/app/installations/{installation}/access_tokens"): (None, 201),
    ("POST", "/app/hook/deliveries/{delivery}/attempts"): (None, 202),
    ("PUT", "/repos/{owner}/{repo}/pulls/{number}/merge"): (None, 200),
    ("PUT", "/repos/{owner}/{repo}/branches/{branch:.+}/protection"): (
        UNPROTECTED,
        200,
    ),
}
REACTION = ({"content": "eyes"}, 201)
STATUS = {
    ("GET", "/user"): 200,
    ("GET", "/repos/{owner}/{repo}/pulls/{number}/merge"): 404,
    ("GET", "/repos/{owner}/{repo}/collaborators/{username}"): 204,
    ("DELETE", "/repos/{owner}/{repo}/issues/{number}/labels/{name}"): 200,
}
AS_BOB = {"/user", "/user/repos"}


async def prepare(world: World) -> dict[str, str]:
    """Make one of everything; give what fills the addresses."""
    token = await world.token()

    async def made(path: str, body: Any, who: str = token) -> str:
        got = await world.call("POST", f"{REPO}{path}", body, token=who)
        assert got.status in (200, 201), got.text
        return str(got.json["id"])

    await world.pull()
    await world.push("other")
    head = (await world.call("GET", f"{REPO}/commits/topic")).json
    line = {"body": "b", "path": "topic.txt", "line": 1, "commit_id": head["sha"]}
    world.hub.repositories["acme/clock"].protections["main"] = Protection()
    blob = (await world.call("GET", f"{REPO}/contents/README.md")).json["sha"]
    await world.inbox.until("create", 2)
    await world.absent()
    run, forced = await world.dispatched(run="1"), await world.dispatched(run="2")
    return {
        "owner": "acme",
        "repo": "clock",
        "name": "clock",
        "number": "2",
        "comment": await made("/issues/2/comments", {"body": "b"}),
        "diff": await made("/pulls/2/comments", line),
        "begun": await made("/pulls/2/reviews", {"body": "b"}),
        "rejected": await made(
            "/pulls/2/reviews", {"event": "REQUEST_CHANGES", "body": "b"}, "alice-token"
        ),
        "run": await made("/check-runs", {"name": "c", "head_sha": head["sha"]}),
        "suite": str(world.hub.repositories["acme/clock"].check_suites[-1].id),
        "deployment": await made("/deployments", {"ref": "main"}),
        "doomed": await made("/deployments", {"ref": "main"}),
        "reaction": await made("/issues/2/reactions", {"content": "heart"}),
        "blob": blob,
        "head": head["sha"],
        "tree": head["commit"]["tree"]["sha"],
        "workflow": "vibe.yml",
        "workflow_run": str(run.id),
        "forced": str(forced.id),
        "attempt": "1",
        "job": str(run.latest.jobs[0].id),
        "org": "acme",
        "login": "acme",
        "username": "bob",
        "slug": "vibe",
        "installation": str(world.installation.id),
        "delivery": str(world.hub.deliveries[0].id),
        "basehead": "main...topic",
        "branch": "main",
    }


def address(route: Route, made: dict[str, str]) -> str:
    """Fill in a route's address."""
    own = dict(made)
    path = route.path
    if "/pulls/" in path:
        own["comment"] = made["diff"]
    own["review"] = made["rejected" if "dismissals" in path else "begun"]
    own["sha"] = made["head"]
    if path.endswith(("force-cancel", "rerun-failed-jobs")):
        own["workflow_run"] = made["forced"]
    if "blobs" in path:
        own["sha"] = made["blob"]
    if "commits/{sha" in path or "commits/{ref" in path:
        own["sha"] = own["ref"] = "topic"
    else:
        own["ref"] = "heads/topic" if route.method == "GET" else "heads/other"
    if "labels/{name}" in path:
        own["name"] = "bug"
    if route.method == "DELETE" and path.endswith("{deployment}"):
        own["deployment"] = made["doomed"]
    own["path"] = "new.txt" if route.method == "PUT" else "README.md"
    for name in ("path", "ref", "sha", "branch", "basehead"):
        path = path.replace(f"{{{name}:.*}}", own[name])
        path = path.replace(f"{{{name}:.+}}", own[name])
    path = path.replace("{path:/?}", "")
    return path.format(**own)


def order(route: Route) -> tuple[int, int]:
    """What destroys comes last, and of that the widest at the very end."""
    last = ["labels", "merge", "suspended", "token", "{installation}"]
    rank = 0
    if route.method == "DELETE":
        rank = 2
    if route.method == "PUT":
        rank = 1
    ends = [at for at, tail in enumerate(last, 3) if route.path.endswith(tail)]
    return (ends[-1] if ends and route.method in ("PUT", "DELETE") else rank, 0)


def expected(route: Route) -> tuple[Any, int]:
    """Give the body to send and the status to get."""
    key = (route.method, route.path)
    if key in WRITE:
        return WRITE[key]
    if route.path.endswith("/reactions") and route.method == "POST":
        return REACTION
    default = {"GET": 200, "PUT": 204, "DELETE": 204}
    return None, STATUS.get(key, default.get(route.method, 200))


def credentials(world: World, route: Route, token: str) -> str:
    """An App's own routes take its JWT, a person's a person's token."""
    if route.path in AS_BOB or "dismissals" in route.path:
        return "bob-token"
    apps_own = route.path.startswith("/app") or route.path.endswith("/installation")
    return world.jwt() if apps_own else token


@pytest.mark.timeout(100)
async def test_every_route_answers(world: World) -> None:
    made = await prepare(world)
    token = await world.token()
    wrong: list[str] = []

    for route in sorted(ROUTES, key=order):
        body, status = expected(route)
        body = body and {
            key: made.get(value, value) if isinstance(value, str) else value
            for key, value in body.items()
        }
        if route.path.endswith("reactions/{reaction}") and "comments" in route.path:
            status = 404
        if route.path == "/users/{login}/installation":
            status = 200
        who = credentials(world, route, token)
        got = await world.call(route.method, address(route, made), body, token=who)
        if got.status != status:
            wrong.append(f"{route.method} {route.path}: {got.status} {got.text[:200]}")

    assert not wrong, "\n".join(wrong)


def test_every_route_of_a_repository_names_what_it_needs() -> None:
    bare = [one.path for one in ROUTES if "{repo}" in one.path and not one.needs]

    assert bare == []
