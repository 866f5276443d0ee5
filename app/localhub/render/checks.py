"""Check suites, check runs and commit statuses as JSON."""

from typing import Any

from localhub import git
from localhub.render import repositories
from localhub.render.accounts import app, user
from localhub.render.commits import commit, simple_commit
from localhub.render.pulls import pull_minimal
from localhub.state import CheckRun, CheckSuite, CommitStatus, Hub, Repository

JSON = dict[str, Any]
MOST_BRANCHES = 10


def pulls_of(hub: Hub, repository: Repository, sha: str) -> list[JSON]:
    """List the open pull requests whose head a commit is."""
    opened = (one for one in repository.pulls if one.state == "open")
    return [pull_minimal(hub, one) for one in opened if one.head_sha == sha]


def check_run(hub: Hub, one: CheckRun) -> JSON:
    """Render a check run."""
    suite = one.suite
    repository = suite.repository
    api = f"{repositories.url(hub, repository)}/check-runs/{one.id}"
    page = f"{repositories.page(hub, repository)}/runs/{one.id}"
    return {
        "id": one.id,
        "name": one.name,
        "node_id": one.node_id,
        "head_sha": suite.head_sha,
        "external_id": one.external_id,
        "url": api,
        "html_url": page,
        "details_url": one.details_url or page,
        "status": one.status,
        "conclusion": one.conclusion,
        "started_at": one.started_at,
        "completed_at": one.completed_at,
        "output": {
            "title": one.title,
            "summary": one.summary,
            "text": one.text,
            "annotations_count": len(one.annotations),
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": {"id": suite.id},
        "app": app(hub, suite.app),
        "pull_requests": pulls_of(hub, repository, suite.head_sha),
    }


def check_run_event(hub: Hub, one: CheckRun) -> JSON:
    """Render a check run the way webhooks carry it: with its suite."""
    return {**check_run(hub, one), "check_suite": _suite(hub, one.suite)}


def suite_result(one: CheckSuite) -> tuple[str, str | None]:
    """Sum up a suite: its status and conclusion."""
    if not one.runs:
        return "queued", None
    if any(run.status != "completed" for run in one.runs):
        return "in_progress", None
    ended = {run.conclusion for run in one.runs}
    worst = ("failure", "timed_out", "cancelled", "action_required", "success")
    return "completed", next((each for each in worst if each in ended), "neutral")


def _suite(hub: Hub, one: CheckSuite) -> JSON:
    status, conclusion = suite_result(one)
    api = f"{repositories.url(hub, one.repository)}/check-suites/{one.id}"
    return {
        "id": one.id,
        "node_id": one.node_id,
        "head_branch": one.head_branch,
        "head_sha": one.head_sha,
        "status": status,
        "conclusion": conclusion,
        "url": api,
        "before": one.before,
        "after": one.head_sha,
        "pull_requests": pulls_of(hub, one.repository, one.head_sha),
        "app": app(hub, one.app),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def check_suite(hub: Hub, one: CheckSuite) -> JSON:
    """Render a check suite."""
    head = git.commit(one.repository.git_dir, one.head_sha)
    body = _suite(hub, one)
    return {
        **body,
        "repository": repositories.minimal(hub, one.repository),
        "head_commit": simple_commit(head),
        "latest_check_runs_count": len(one.runs),
        "check_runs_url": f"{body['url']}/check-runs",
        "rerequestable": True,
        "runs_rerequestable": True,
    }


def annotation(hub: Hub, run: CheckRun, one: JSON) -> JSON:
    """Render an annotation."""
    suite = run.suite
    api = repositories.url(hub, suite.repository)
    return {
        "path": one["path"],
        "start_line": one["start_line"],
        "end_line": one["end_line"],
        "start_column": one.get("start_column"),
        "end_column": one.get("end_column"),
        "annotation_level": one["annotation_level"],
        "title": one.get("title"),
        "message": one["message"],
        "raw_details": one.get("raw_details"),
        "blob_href": f"{api}/contents/{one['path']}?ref={suite.head_sha}",
    }


def status(hub: Hub, repository: Repository, one: CommitStatus) -> JSON:
    """Render a commit status."""
    return {
        **simple_status(hub, repository, one),
        "creator": user(hub, one.creator),
    }


def simple_status(hub: Hub, repository: Repository, one: CommitStatus) -> JSON:
    """Render a commit status inside the combined one."""
    return {
        "url": f"{repositories.url(hub, repository)}/statuses/{one.sha}",
        "avatar_url": user(hub, one.creator)["avatar_url"],
        "id": one.id,
        "node_id": one.node_id,
        "state": one.state,
        "description": one.description,
        "target_url": one.target_url,
        "context": one.context,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def status_event(hub: Hub, one: CommitStatus) -> JSON:
    """Render a commit status the way its webhook carries it."""
    repository = one.repository
    api = repositories.url(hub, repository)
    heads = git.refs(repository.git_dir, "refs/heads/")
    branches = [
        {
            "name": ref.removeprefix("refs/heads/"),
            "commit": {"sha": sha, "url": f"{api}/commits/{sha}"},
            "protected": ref.removeprefix("refs/heads/") in repository.protections,
        }
        for ref, sha in heads.items()
        if git.is_ancestor(repository.git_dir, one.sha, sha)
    ]
    return {
        "id": one.id,
        "sha": one.sha,
        "name": repository.full_name,
        "target_url": one.target_url,
        "avatar_url": user(hub, one.creator)["avatar_url"],
        "context": one.context,
        "description": one.description,
        "state": one.state,
        "commit": commit(hub, repository, git.commit(repository.git_dir, one.sha)),
        "branches": branches[:MOST_BRANCHES],
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }
