"""Workflows, their runs and jobs over REST."""

from aiohttp import web

from localhub import actions, dispatches
from localhub.errors import not_found
from localhub.render import actions as shown
from localhub.rest.call import Call, Route, answer, nothing, paged
from localhub.state import Attempt, Job, Workflow, WorkflowRun

RETURNS_RUN = "2026-03-10"
"""Since this version a dispatch answers with the run it started."""


def _run(call: Call) -> WorkflowRun:
    found = actions.find(call.repository, call.number("workflow_run"))
    if found is None:
        raise not_found()
    return found


def _attempt(call: Call) -> Attempt:
    for one in _run(call).attempts:
        if one.number == call.number("attempt"):
            return one
    raise not_found()


def _workflow(call: Call) -> Workflow:
    asked = call.part("workflow")
    for one in actions.all_known(call.hub, call.repository):
        if asked in (str(one.id), one.path.rpartition("/")[2]):
            return one
    raise not_found()


def _job(call: Call) -> Job:
    number = call.number("job")
    for run in call.repository.workflow_runs:
        for attempt in run.attempts:
            for one in attempt.jobs:
                if one.id == number:
                    return one
    raise not_found()


def dispatch(call: Call) -> web.Response:
    """Start a workflow by hand."""
    one = dispatches.dispatch(
        call.hub,
        call.repository,
        call.part("workflow"),
        call.body,
        actor=call.actor,
    )
    version = call.request.headers.get("X-GitHub-Api-Version", "")
    if version >= RETURNS_RUN or call.body.get("return_run_details"):
        return answer(shown.dispatched(call.hub, one))
    return nothing()


def dispatch_event(call: Call) -> web.Response:
    """Start the workflows that wait for an event of one's own."""
    dispatches.dispatch_event(call.hub, call.repository, call.body, actor=call.actor)
    return nothing()


def list_workflows(call: Call) -> web.Response:
    """List the workflows of the default branch."""
    found = actions.all_known(call.hub, call.repository)
    return paged(
        call, found, lambda one: shown.workflow(call.hub, one), inside="workflows"
    )


def get_workflow(call: Call) -> web.Response:
    """Show a workflow."""
    return answer(shown.workflow(call.hub, _workflow(call)))


def _runs(call: Call, found: list[WorkflowRun]) -> web.Response:
    wanted = [
        one.latest
        for one in reversed(found)
        if call.query("event") in ("", one.event)
        and call.query("branch") in ("", one.head_branch)
        and call.query("head_sha") in ("", one.head_sha)
        and call.query("actor") in ("", one.actor.login)
        and call.query("status") in ("", one.latest.status, one.latest.conclusion)
    ]
    return paged(
        call, wanted, lambda one: shown.run(call.hub, one), inside="workflow_runs"
    )


def list_runs(call: Call) -> web.Response:
    """List the workflow runs, newest first."""
    return _runs(call, call.repository.workflow_runs)


def list_runs_of_workflow(call: Call) -> web.Response:
    """List the runs of one workflow, newest first."""
    one = _workflow(call)
    every = call.repository.workflow_runs
    return _runs(call, [run for run in every if run.workflow is one])


def get_run(call: Call) -> web.Response:
    """Show a workflow run."""
    return answer(shown.run(call.hub, _run(call).latest))


def get_attempt(call: Call) -> web.Response:
    """Show one attempt of a workflow run."""
    return answer(shown.run(call.hub, _attempt(call)))


def _jobs(call: Call, found: list[Job]) -> web.Response:
    return paged(call, found, lambda one: shown.job(call.hub, one), inside="jobs")


def list_jobs(call: Call) -> web.Response:
    """List the jobs of a run: of its newest attempt, or of all."""
    run = _run(call)
    if call.query("filter", "latest") == "latest":
        return _jobs(call, run.latest.jobs)
    return _jobs(call, [job for one in reversed(run.attempts) for job in one.jobs])


def list_jobs_of_attempt(call: Call) -> web.Response:
    """List the jobs of one attempt."""
    return _jobs(call, _attempt(call).jobs)


def get_job(call: Call) -> web.Response:
    """Show a job."""
    return answer(shown.job(call.hub, _job(call)))


def cancel(call: Call) -> web.Response:
    """Cancel a workflow run."""
    actions.cancel(call.hub, _run(call), actor=call.actor)
    return answer({}, 202)


def force_cancel(call: Call) -> web.Response:
    """Cancel a workflow run, whatever its jobs say."""
    actions.cancel(call.hub, _run(call), actor=call.actor, force=True)
    return answer({}, 202)


def rerun(call: Call) -> web.Response:
    """Run a workflow again."""
    actions.rerun(call.hub, _run(call), actor=call.actor)
    return answer({}, 201)


def rerun_failed(call: Call) -> web.Response:
    """Run again the jobs that failed."""
    actions.rerun(call.hub, _run(call), actor=call.actor, failed=True)
    return answer({}, 201)


_ALL = "/repos/{owner}/{repo}/actions"
_WORKFLOW = f"{_ALL}/workflows/{{workflow}}"
_RUN = f"{_ALL}/runs/{{workflow_run}}"
_READ = ("actions:read",)
_WRITE = ("actions:write",)

ROUTES = [
    Route(
        "POST", "/repos/{owner}/{repo}/dispatches", dispatch_event, ("contents:write",)
    ),
    Route("GET", f"{_ALL}/workflows", list_workflows, _READ),
    Route("GET", _WORKFLOW, get_workflow, _READ),
    Route("GET", f"{_WORKFLOW}/runs", list_runs_of_workflow, _READ),
    Route("POST", f"{_WORKFLOW}/dispatches", dispatch, _WRITE),
    Route("GET", f"{_ALL}/runs", list_runs, _READ),
    Route("GET", _RUN, get_run, _READ),
    Route("GET", f"{_RUN}/attempts/{{attempt}}", get_attempt, _READ),
    Route("GET", f"{_RUN}/attempts/{{attempt}}/jobs", list_jobs_of_attempt, _READ),
    Route("GET", f"{_RUN}/jobs", list_jobs, _READ),
    Route("GET", f"{_ALL}/jobs/{{job}}", get_job, _READ),
    Route("POST", f"{_RUN}/cancel", cancel, _WRITE),
    Route("POST", f"{_RUN}/force-cancel", force_cancel, _WRITE),
    Route("POST", f"{_RUN}/rerun", rerun, _WRITE),
    Route("POST", f"{_RUN}/rerun-failed-jobs", rerun_failed, _WRITE),
]
