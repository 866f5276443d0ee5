"""What all checks of a commit say together, and which pull request closes what."""

from localhub import checks, pushes
from localhub.state import (
    CheckRun,
    CommitStatus,
    Hub,
    Issue,
    PullRequest,
    Repository,
)

_BAD = {"failure", "timed_out", "cancelled", "action_required", "startup_failure"}


def runs_of(repository: Repository, sha: str) -> list[CheckRun]:
    """List the newest run of each check of a commit."""
    oldest_first = reversed(checks.runs_for(repository, sha))
    newest = {(run.suite.app.id, run.name): run for run in oldest_first}
    return list(newest.values())


def statuses_of(repository: Repository, sha: str) -> list[CommitStatus]:
    """List the newest status of each context of a commit."""
    newest = {one.context: one for one in repository.statuses if one.sha == sha}
    return list(newest.values())


def state_of(repository: Repository, sha: str) -> str | None:
    """Tell `success`, `failure` or `pending`; None if nothing checks the commit."""
    runs = runs_of(repository, sha)
    states = [run.conclusion or "pending" for run in runs]
    states += [one.state for one in statuses_of(repository, sha)]
    if not states:
        return None
    if any(state in _BAD or state == "error" for state in states):
        return "failure"
    return "pending" if "pending" in states else "success"


def closes(hub: Hub, pull: PullRequest) -> list[Issue]:
    """List the issues that a pull request's text says it closes."""
    text = f"{pull.title}\n{pull.body or ''}"
    return list(dict.fromkeys(pushes.closing(hub, pull.repository, text)))


def closed_by(hub: Hub, issue: Issue) -> list[PullRequest]:
    """List the pull requests that say they close an issue."""
    every = (pull for one in hub.repositories.values() for pull in one.pulls)
    return [pull for pull in every if issue in closes(hub, pull)]
