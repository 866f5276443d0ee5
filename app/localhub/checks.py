"""What can be done to check suites, check runs and commit statuses.

GitHub's limits on a check run's output are kept here, because they are the reason why
the caller has to cut and batch.
"""

from typing import Any

from localhub import git, render
from localhub.errors import Refused, invalid
from localhub.state import (
    App,
    CheckRun,
    CheckSuite,
    CommitStatus,
    Hub,
    Repository,
    User,
)

CONCLUSIONS = {
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "timed_out",
}
STATUSES = {"queued", "in_progress", "completed"}
LONGEST_TEXT = 65_535
MOST_ANNOTATIONS = 50
MOST_ACTIONS = 3
ACTION_LIMITS = {"label": 20, "description": 40, "identifier": 20}
LEVELS = {"notice", "warning", "failure"}


def request_suites(
    hub: Hub,
    repository: Repository,
    sha: str,
    *,
    branch: str | None,
    before: str | None,
    actor: User,
) -> None:
    """Ask every App with `checks: write` for a suite, as each push does."""
    for one in list(hub.installations.values()):
        wants = one.permissions.get("checks") == "write"
        if wants and not one.suspended_at and repository in hub.repositories_of(one):
            suite = suite_for(hub, repository, one.app, sha)
            suite.head_branch, suite.before = branch, before
            _tell_suite(hub, suite, "requested", actor)


def suite_for(hub: Hub, repository: Repository, app: App, sha: str) -> CheckSuite:
    """Find the App's suite for a commit, or begin it."""
    for suite in repository.check_suites:
        if suite.app is app and suite.head_sha == sha:
            return suite
    now = hub.now()
    branches = git.refs(repository.git_dir, "refs/heads/")
    named = (ref for ref, head in branches.items() if head == sha)
    suite = CheckSuite(
        **hub.mint("CS"),
        repository=repository,
        app=app,
        head_sha=sha,
        head_branch=next(named, "").removeprefix("refs/heads/") or None,
        created_at=now,
        updated_at=now,
    )
    repository.check_suites.append(hub.register(suite))
    return suite


def find_run(repository: Repository, number: int) -> CheckRun | None:
    """Find a check run by id."""
    runs = (run for suite in repository.check_suites for run in suite.runs)
    return next((run for run in runs if run.id == number), None)


def runs_for(repository: Repository, sha: str) -> list[CheckRun]:
    """List the check runs of a commit, newest first."""
    suites = (one for one in repository.check_suites if one.head_sha == sha)
    return sorted(
        (run for suite in suites for run in suite.runs),
        key=lambda run: run.id,
        reverse=True,
    )


def create_run(
    hub: Hub,
    repository: Repository,
    app: App,
    asked: dict[str, Any],
    *,
    actor: User,
    suite: CheckSuite | None = None,
) -> CheckRun:
    """Begin a check run with the fields of GitHub's request.

    Without a suite it goes into the App's own for the commit.
    """
    sha = asked.get("head_sha") or ""
    if not asked.get("name"):
        raise invalid("CheckRun", "name", "missing_field")
    if git.object_type(repository.git_dir, sha or "-") != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    _validate(asked)
    run = CheckRun(
        **hub.mint("CR"),
        suite=suite or suite_for(hub, repository, app, sha),
        name=asked["name"],
        status="queued",
        started_at=asked.get("started_at") or hub.now(),
    )
    _apply(hub, run, asked)
    run.suite.runs.append(hub.register(run))
    _tell_run(hub, run, "created", actor)
    if run.status == "completed":
        _completed(hub, run, actor)
    return run


def update_run(hub: Hub, run: CheckRun, asked: dict[str, Any], *, actor: User) -> None:
    """Change a check run; annotations are added to those it has."""
    _validate(asked)
    was = run.status
    _apply(hub, run, asked)
    if run.status == "completed" and was != "completed":
        _completed(hub, run, actor)


def _completed(hub: Hub, run: CheckRun, actor: User) -> None:
    _tell_run(hub, run, "completed", actor)
    if all(one.status == "completed" for one in run.suite.runs):
        _tell_suite(hub, run.suite, "completed", actor)


def rerequest(hub: Hub, run: CheckRun, *, actor: User) -> None:
    """Ask the App that made a check run to make it again."""
    _tell_run(hub, run, "rerequested", actor)


def rerequest_suite(hub: Hub, suite: CheckSuite, *, actor: User) -> None:
    """Ask the App for its whole suite again."""
    _tell_suite(hub, suite, "rerequested", actor)


def press(hub: Hub, run: CheckRun, identifier: str, *, actor: User) -> None:
    """Press one of a check run's buttons."""
    if identifier not in (one["identifier"] for one in run.actions):
        raise invalid("CheckRun", "identifier", "invalid")
    asked = {"identifier": identifier}
    _tell_run(hub, run, "requested_action", actor, requested_action=asked)


def _validate(asked: dict[str, Any]) -> None:
    conclusion, status = asked.get("conclusion"), asked.get("status")
    if conclusion is not None and conclusion not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion", "invalid")
    if status is not None and status not in STATUSES:
        raise invalid("CheckRun", "status", "invalid")
    if status == "completed" and conclusion is None:
        raise invalid("CheckRun", "conclusion", "missing_field")
    _validate_output(asked.get("output"))
    actions = asked.get("actions") or []
    if len(actions) > MOST_ACTIONS:
        raise invalid("CheckRun", "actions", "invalid", "No more than 3 actions")
    for action in actions:
        for name, longest in ACTION_LIMITS.items():
            value = action.get(name)
            if not value or len(value) > longest:
                raise invalid("CheckRun", f"actions.{name}", "invalid")


def _validate_output(output: dict[str, Any] | None) -> None:
    if output is None:
        return
    if not output.get("summary"):
        raise invalid("CheckRun", "output.summary", "missing_field")
    for name in ("summary", "text"):
        if len(output.get(name) or "") > LONGEST_TEXT:
            raise invalid(
                "CheckRun",
                f"output.{name}",
                "custom",
                f"Only {LONGEST_TEXT} characters are allowed",
            )
    annotations = output.get("annotations") or []
    if len(annotations) > MOST_ANNOTATIONS:
        raise Refused(
            422,
            f"Invalid request.\n\nNo more than {MOST_ANNOTATIONS} items are allowed; "
            f"{len(annotations)} were supplied.",
        )
    for one in annotations:
        needed = ("path", "start_line", "end_line", "annotation_level", "message")
        missing = [name for name in needed if one.get(name) is None]
        if missing or one["annotation_level"] not in LEVELS:
            raise invalid("CheckRun", "output.annotations", "invalid")


def _apply(hub: Hub, run: CheckRun, asked: dict[str, Any]) -> None:
    for name in ("name", "status", "started_at", "external_id", "details_url"):
        if asked.get(name) is not None:
            setattr(run, name, asked[name])
    if asked.get("conclusion") is not None:
        run.conclusion, run.status = asked["conclusion"], "completed"
        run.completed_at = asked.get("completed_at") or hub.now()
    elif asked.get("status") in ("queued", "in_progress"):
        run.conclusion = run.completed_at = None
    output = asked.get("output")
    if output is not None:
        run.title = output.get("title", run.title)
        run.summary = output["summary"]
        run.text = output.get("text", run.text)
        run.annotations.extend(output.get("annotations") or [])
    if asked.get("actions") is not None:
        run.actions = asked["actions"]
    run.suite.updated_at = hub.now()


def _tell_run(
    hub: Hub, run: CheckRun, action: str, actor: User, **extra: object
) -> None:
    payload = {
        "action": action,
        "check_run": render.check_run_event(hub, run),
        **extra,
    }
    mine = action in ("rerequested", "requested_action")
    hub.emit(
        "check_run",
        payload,
        sender=actor,
        repository=run.suite.repository,
        only=run.suite.app if mine else None,
    )


def _tell_suite(hub: Hub, suite: CheckSuite, action: str, actor: User) -> None:
    payload = {"action": action, "check_suite": render.check_suite(hub, suite)}
    hub.emit(
        "check_suite",
        payload,
        sender=actor,
        repository=suite.repository,
        only=None if action == "completed" else suite.app,
    )


def set_status(
    hub: Hub, repository: Repository, sha: str, asked: dict[str, Any], *, actor: User
) -> CommitStatus:
    """Report a commit status."""
    if asked.get("state") not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state", "invalid")
    if git.object_type(repository.git_dir, sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    now = hub.now()
    status = CommitStatus(
        **hub.mint("SC"),
        repository=repository,
        sha=sha,
        state=asked["state"],
        context=asked.get("context") or "default",
        description=asked.get("description"),
        target_url=asked.get("target_url"),
        creator=actor,
        created_at=now,
        updated_at=now,
    )
    repository.statuses.append(hub.register(status))
    payload = render.status_event(hub, status)
    hub.emit("status", payload, sender=actor, repository=repository)
    return status
