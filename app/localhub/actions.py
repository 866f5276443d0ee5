"""What can be done to workflow runs: start, cancel, run again; and what jobs report.

The runners that carry jobs out are in `fleet`; workflow files are read in `workflows`.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from localhub import apps, checks, git, pulls, render, workflows
from localhub.errors import Refused
from localhub.render import actions as shown
from localhub.state import (
    App,
    Attempt,
    CheckSuite,
    Emission,
    Hub,
    Installation,
    Job,
    Organization,
    PullRequest,
    Repository,
    Token,
    User,
    Workflow,
    WorkflowRun,
)
from localhub.workflows import Definition

SLUG = "github-actions"
APP_ID = 15368
"""The App's id on github.com."""
BY_NAME = "repository_dispatch"
LIFETIME = timedelta(hours=24)
PULLS = {
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
}
"""Events that run on the merge a pull request would make."""
DEFAULT_BRANCH = {
    "issue_comment",
    "issues",
    "label",
    "repository_dispatch",
    "status",
}
"""Events that run on the tip of the default branch."""
BAD = ("cancelled", "failure")


def app(hub: Hub) -> App:
    """Give the App that jobs act as."""
    found = hub.app_by(SLUG)
    if found is not None:
        return found
    owner = hub.user("github")
    if owner is None:
        owner = Organization(**hub.mint("O"), login="github", created_at=hub.now())
        hub.users[owner.login] = hub.register(owner)
    return apps.register(
        hub,
        slug=SLUG,
        name="GitHub Actions",
        app_id=APP_ID,
        owner=owner,
        public_key="",
    )


def listen(hub: Hub) -> None:
    """Let what happens start the workflows that wait for it."""

    def happened(emission: Emission) -> None:
        repository, by = emission.repository, emission.sender.app
        # What a job does with its own token starts nothing, or it would never end.
        ours = by is not None and by.slug == SLUG
        if repository is not None and (not ours or emission.event == BY_NAME):
            _start_all(hub, repository, emission)

    hub.listeners.emission.append(happened)


def _start_all(hub: Hub, repository: Repository, emission: Emission) -> None:
    event, payload = emission.event, emission.payload
    default = repository.default_branch
    if event == "push" and not payload["deleted"]:
        for one in _waiting(repository, payload["after"], event, payload):
            head = payload["head_commit"]["message"].partition("\n")[0]
            ref = payload["ref"]
            place = Place(ref, ref.split("/", 2)[2], payload["after"], head)
            start(hub, one, emission, place)
    elif event in PULLS:
        number = payload["pull_request"]["number"]
        pull = repository.issues[number]
        assert isinstance(pull, PullRequest)
        _start_on_pull(hub, pull, emission)
    elif event == "deployment_status":
        # GitHub tells workflows nothing of a deployment that is gone.
        if payload["deployment_status"]["state"] != "inactive":
            _start_on_deployment(hub, repository, emission)
    elif event in DEFAULT_BRANCH:
        sha = git.tip(repository.git_dir, default)
        for one in _waiting(repository, sha, event, payload) if sha else []:
            title = payload.get("issue", {}).get("title") or one.name
            place = Place(f"refs/heads/{default}", default, sha or "", title)
            start(hub, one, emission, place)


def _waiting(
    repository: Repository, sha: str | None, event: str, payload: dict[str, Any]
) -> list[Definition]:
    if sha is None:
        return []
    every = workflows.readable(repository.git_dir, sha)
    return [one for one in every if one.started_by(event, payload)]


@dataclass(frozen=True)
class Place:
    """Where a run works, and what it is called."""

    ref: str
    branch: str
    sha: str
    title: str
    merge: str = ""
    """What it checks out, if that is not the commit it is shown on."""


def _start_on_pull(hub: Hub, pull: PullRequest, emission: Emission) -> None:
    repository = pull.repository
    wanted = _waiting(repository, pull.head_sha, emission.event, emission.payload)
    base = git.tip(repository.git_dir, pull.base_ref)
    closing = emission.payload.get("action") == "closed"
    if not wanted or base is None or (pull.state == "closed" and not closing):
        return
    if pull.merged_at is not None:
        branch = pull.base_ref
        place = Place(f"refs/heads/{branch}", pull.head_ref, base, pull.title)
        for one in wanted:
            start(hub, one, emission, place)
        return
    try:
        merge = pulls.merge_commit(hub, pull, base, actor=emission.sender)
    except Refused:
        return  # GitHub starts nothing on a pull request that conflicts.
    ref = f"refs/pull/{pull.number}/merge"
    place = Place(ref, pull.head_ref, pull.head_sha, pull.title, merge=merge)
    for one in wanted:
        start(hub, one, emission, place)


def _start_on_deployment(hub: Hub, repository: Repository, emission: Emission) -> None:
    deployment = emission.payload["deployment"]
    sha, name = deployment["sha"], deployment["ref"]
    is_branch = git.resolve(repository.git_dir, f"refs/heads/{name}") is not None
    ref = f"refs/heads/{name}" if is_branch else ""
    for one in _waiting(repository, sha, emission.event, emission.payload):
        start(hub, one, emission, Place(ref, name if is_branch else "", sha, one.name))


def start(
    hub: Hub, definition: Definition, emission: Emission, place: Place
) -> WorkflowRun:
    """Start a workflow because of what happened."""
    repository = emission.repository
    assert repository is not None
    payload = {
        **emission.payload,
        "repository": render.repository(hub, repository),
        "sender": render.user(hub, emission.sender),
    }
    if emission.organization is not None:
        payload["organization"] = render.organization(hub, emission.organization)
    workflow = known(hub, repository, definition.path, definition.name)
    run = WorkflowRun(
        **hub.mint("WFR"),
        workflow=workflow,
        number=sum(one.workflow is workflow for one in repository.workflow_runs) + 1,
        event=emission.event,
        payload=payload,
        title=place.title,
        actor=emission.sender,
        ref=place.ref,
        head_branch=place.branch,
        head_sha=place.sha,
        sha=place.merge or place.sha,
        created_at=hub.now(),
    )
    repository.workflow_runs.append(hub.register(run))
    attempt = _attempt(hub, run, emission.sender, _suite(hub, run))
    _add_jobs(hub, attempt, definition, list(definition.jobs))
    _begin(hub, attempt)
    return run


def known(hub: Hub, repository: Repository, path: str, name: str) -> Workflow:
    """Give the workflow of a path, with the name that its file has now."""
    found = repository.workflows.get(path)
    now = hub.now()
    if found is None:
        found = Workflow(
            **hub.mint("W"),
            repository=repository,
            path=path,
            name=name,
            created_at=now,
            updated_at=now,
        )
        repository.workflows[path] = hub.register(found)
    found.name = name
    return found


def all_known(hub: Hub, repository: Repository) -> list[Workflow]:
    """List the workflows of the default branch."""
    sha = git.tip(repository.git_dir, repository.default_branch)
    found = workflows.readable(repository.git_dir, sha) if sha else ()
    return [known(hub, repository, one.path, one.name) for one in found]


def definition(run: WorkflowRun) -> Definition:
    """Read a run's workflow as the commit has it that the run works on."""
    found = workflows.read(run.repository.git_dir, run.sha, run.workflow.path)
    assert found is not None
    return found


def _suite(hub: Hub, run: WorkflowRun) -> CheckSuite:
    now = hub.now()
    suite = CheckSuite(
        **hub.mint("CS"),
        repository=run.repository,
        app=app(hub),
        head_sha=run.head_sha,
        head_branch=run.head_branch,
        created_at=now,
        updated_at=now,
    )
    run.repository.check_suites.append(hub.register(suite))
    return suite


def _attempt(hub: Hub, run: WorkflowRun, actor: User, suite: CheckSuite) -> Attempt:
    now = hub.now()
    one = Attempt(
        run=run,
        number=len(run.attempts) + 1,
        actor=actor,
        suite=suite,
        started_at=now,
        updated_at=now,
    )
    run.attempts.append(one)
    return one


def _add_jobs(
    hub: Hub, attempt: Attempt, definition: Definition, keys: list[str]
) -> None:
    run = attempt.run
    bot = app(hub).bot
    for key in keys:
        asked = {
            "name": definition.job_name(key),
            "head_sha": run.head_sha,
            "status": "queued",
        }
        check = checks.create_run(
            hub, run.repository, app(hub), asked, actor=bot, suite=attempt.suite
        )
        page = f"{hub.url}/{run.repository.full_name}/actions/runs/{run.id}"
        check.details_url = f"{page}/job/{check.id}"
        attempt.jobs.append(
            Job(
                attempt=attempt,
                key=key,
                check=check,
                labels=definition.labels(key),
                needs=definition.needs(key),
                permissions=definition.permissions(key),
                created_at=hub.now(),
                identity_key=secrets.token_urlsafe(32),
            )
        )


def _begin(hub: Hub, attempt: Attempt) -> None:
    _tell_run(hub, attempt, "requested")
    for job in attempt.jobs:
        if job.status == "queued" and not job.needs:
            _tell_job(hub, job, "queued")
    for listener in hub.listeners.attempt_started:
        listener(attempt)


def find(repository: Repository, number: int) -> WorkflowRun | None:
    """Find a workflow run by id."""
    every = repository.workflow_runs
    return next((one for one in every if one.id == number), None)


# --- What runners report --------------------------------------------------------


def begin_job(hub: Hub, job: Job, runner: str) -> None:
    """Note that a runner has begun a job; one that is skipped never begins."""
    attempt = job.attempt
    job.status, job.started_at, job.runner = "in_progress", hub.now(), runner
    if attempt.status == "queued":
        attempt.status, attempt.updated_at = "in_progress", hub.now()
        _tell_run(hub, attempt, "in_progress")
    asked = {"status": "in_progress", "started_at": job.started_at}
    checks.update_run(hub, job.check, asked, actor=app(hub).bot)
    _tell_job(hub, job, "in_progress")


def issue_token(hub: Hub, job: Job) -> Token:
    """Give a job the token that it works with; `end_job` takes it back."""
    repository = job.attempt.run.repository
    now = hub.now()
    granted = {k: v for k, v in job.permissions.items() if k != "id_token"}
    reach = Installation(
        **hub.mint("IN"),
        app=app(hub),
        account=repository.owner,
        permissions=granted,
        events=[],
        selected=[repository],
        created_at=now,
        updated_at=now,
    )
    token = Token(
        value=f"ghs_{secrets.token_hex(18)}",
        user=app(hub).bot,
        installation=reach,
        permissions=granted,
        repository_ids=frozenset({repository.id}),
        expires_at=(hub.clock() + LIFETIME).replace(microsecond=0),
    )
    hub.tokens[token.value] = token
    return token


def end_job(hub: Hub, job: Job, conclusion: str, token: Token | None = None) -> None:
    """Note how a job ended; its token and identity end with it."""
    if token is not None:
        hub.tokens.pop(token.value, None)
    job.identity_key = None
    if job.status == "completed":
        return
    job.status, job.conclusion, job.completed_at = "completed", conclusion, hub.now()
    job.started_at = job.started_at or job.completed_at
    for step in job.steps:
        if step.conclusion is None:
            step.conclusion, step.completed_at = conclusion, hub.now()
    asked = {"conclusion": conclusion, "completed_at": job.completed_at}
    checks.update_run(hub, job.check, asked, actor=app(hub).bot)
    _tell_job(hub, job, "completed")
    attempt = job.attempt
    if all(one.status == "completed" for one in attempt.jobs):
        _end(hub, attempt)
        return
    for other in attempt.jobs:
        if job.key in other.needs and other.status == "queued" and ready(other):
            _tell_job(hub, other, "queued")


def ready(job: Job) -> bool:
    """Tell whether all that a job waits for has ended."""
    others = {one.key: one for one in job.attempt.jobs}
    return all(others[key].status == "completed" for key in job.needs)


def _end(hub: Hub, attempt: Attempt) -> None:
    ended = {one.conclusion for one in attempt.jobs}
    if attempt.cancelled_by is not None:
        attempt.conclusion = "cancelled"
    elif ended == {"skipped"}:
        attempt.conclusion = "skipped"
    else:
        bad = (one for one in BAD if one in ended)
        attempt.conclusion = next(bad, "success")
    attempt.status, attempt.updated_at = "completed", hub.now()
    _tell_run(hub, attempt, "completed")


# --- What people ask ------------------------------------------------------------


def cancel(hub: Hub, run: WorkflowRun, *, actor: User, force: bool = False) -> None:
    """Cancel a run: what waits ends at once, what runs is told to end."""
    attempt = run.latest
    if attempt.status == "completed":
        raise Refused(409, "Cannot cancel a workflow run that is completed.")
    attempt.cancelled_by = attempt.cancelled_by or actor
    for job in attempt.jobs:
        if job.status == "queued":
            end_job(hub, job, "cancelled")
    for listener in hub.listeners.attempt_cancelled:
        listener(attempt, force)


def rerun(hub: Hub, run: WorkflowRun, *, actor: User, failed: bool = False) -> Attempt:
    """Run a workflow again, whole or what did not succeed in it."""
    before = run.latest
    if before.status != "completed":
        raise Refused(403, "This workflow is already running")
    kept = [one for one in before.jobs if failed and one.conclusion == "success"]
    if failed and len(kept) == len(before.jobs):
        raise Refused(403, "This workflow run cannot be retried: no job failed")
    attempt = _attempt(hub, run, actor, before.suite)
    attempt.jobs.extend(kept)
    again = [one.key for one in before.jobs if one not in kept]
    _add_jobs(hub, attempt, definition(run), again)
    _begin(hub, attempt)
    return attempt


def _tell_run(hub: Hub, attempt: Attempt, action: str) -> None:
    run = attempt.run
    payload = {
        "action": action,
        "workflow_run": shown.run(hub, attempt),
        "workflow": shown.workflow(hub, run.workflow),
    }
    sender = attempt.cancelled_by if action == "completed" else None
    hub.emit(
        "workflow_run",
        payload,
        sender=sender or attempt.actor,
        repository=run.repository,
    )


def _tell_job(hub: Hub, job: Job, action: str) -> None:
    run = job.attempt.run
    payload = {"action": action, "workflow_job": shown.job(hub, job)}
    hub.emit(
        "workflow_job", payload, sender=job.attempt.actor, repository=run.repository
    )
