"""Workflows, their runs and jobs as JSON."""

from typing import Any

from localhub import git
from localhub.render import repositories
from localhub.render.accounts import user
from localhub.render.checks import pulls_of
from localhub.render.commits import simple_commit
from localhub.state import Attempt, Hub, Job, Step, Workflow, WorkflowRun

JSON = dict[str, Any]


def workflow(hub: Hub, one: Workflow) -> JSON:
    """Render a workflow."""
    repository = one.repository
    page = repositories.page(hub, repository)
    name = one.path.rpartition("/")[2]
    return {
        "id": one.id,
        "node_id": one.node_id,
        "name": one.name,
        "path": one.path,
        "state": "active",
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "url": f"{repositories.url(hub, repository)}/actions/workflows/{one.id}",
        "html_url": f"{page}/blob/{repository.default_branch}/{one.path}",
        "badge_url": f"{page}/workflows/{name}/badge.svg",
    }


def url(hub: Hub, one: WorkflowRun) -> str:
    """Give a run's address in the REST API."""
    return f"{repositories.url(hub, one.repository)}/actions/runs/{one.id}"


def page(hub: Hub, one: WorkflowRun) -> str:
    """Give a run's page."""
    return f"{repositories.page(hub, one.repository)}/actions/runs/{one.id}"


def dispatched(hub: Hub, one: WorkflowRun) -> JSON:
    """Render where a dispatched run is to be found."""
    return {
        "workflow_run_id": one.id,
        "run_url": url(hub, one),
        "html_url": page(hub, one),
    }


def run(hub: Hub, one: Attempt) -> JSON:
    """Render a run as one of its attempts saw it."""
    whole = one.run
    repository = whole.repository
    api = repositories.url(hub, repository)
    mine = url(hub, whole)
    head = git.commit(repository.git_dir, whole.head_sha)
    before = f"{mine}/attempts/{one.number - 1}" if one.number > 1 else None
    return {
        "id": whole.id,
        "name": whole.workflow.name,
        "node_id": whole.node_id,
        "check_suite_id": one.suite.id,
        "check_suite_node_id": one.suite.node_id,
        "head_branch": whole.head_branch,
        "head_sha": whole.head_sha,
        "path": whole.workflow.path,
        "run_number": whole.number,
        "run_attempt": one.number,
        "referenced_workflows": [],
        "event": whole.event,
        "display_title": whole.title,
        "status": one.status,
        "conclusion": one.conclusion,
        "workflow_id": whole.workflow.id,
        "url": mine,
        "html_url": page(hub, whole),
        "pull_requests": pulls_of(hub, repository, whole.head_sha),
        "created_at": whole.created_at,
        "updated_at": one.updated_at,
        "actor": user(hub, whole.actor),
        "triggering_actor": user(hub, one.actor),
        "run_started_at": one.started_at,
        "jobs_url": f"{mine}/jobs",
        "logs_url": f"{mine}/logs",
        "check_suite_url": f"{api}/check-suites/{one.suite.id}",
        "artifacts_url": f"{mine}/artifacts",
        "cancel_url": f"{mine}/cancel",
        "rerun_url": f"{mine}/rerun",
        "previous_attempt_url": before,
        "workflow_url": f"{api}/actions/workflows/{whole.workflow.id}",
        "head_commit": simple_commit(head),
        "repository": repositories.minimal(hub, repository),
        "head_repository": repositories.minimal(hub, repository),
    }


def job(hub: Hub, one: Job) -> JSON:
    """Render a job."""
    whole = one.attempt.run
    repository = whole.repository
    api = repositories.url(hub, repository)
    runner = one.runner
    return {
        "id": one.id,
        "run_id": whole.id,
        "run_url": url(hub, whole),
        "run_attempt": one.attempt.number,
        "node_id": one.check.node_id,
        "head_sha": whole.head_sha,
        "head_branch": whole.head_branch,
        "url": f"{api}/actions/jobs/{one.id}",
        "html_url": f"{page(hub, whole)}/job/{one.id}",
        "status": one.status,
        "conclusion": one.conclusion,
        "created_at": one.created_at,
        # GitHub gives the time of creation until a runner has the job.
        "started_at": one.started_at or one.created_at,
        "completed_at": one.completed_at,
        "name": one.name,
        "workflow_name": whole.workflow.name,
        "steps": [step(each) for each in one.steps],
        "check_run_url": f"{api}/check-runs/{one.check.id}",
        "labels": one.labels,
        "runner_id": 1 if runner else None,
        "runner_name": runner,
        "runner_group_id": 1 if runner else None,
        "runner_group_name": "Default" if runner else None,
    }


def step(one: Step) -> JSON:
    """Render a step."""
    return {
        "name": one.name,
        "number": one.number,
        "status": "completed" if one.conclusion else "in_progress",
        "conclusion": one.conclusion,
        "started_at": one.started_at,
        "completed_at": one.completed_at,
    }
