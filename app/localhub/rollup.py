"""What all checks of a commit say together, and which pull request closes what."""

import re

from localhub.state import CheckRun, CommitStatus, Issue, PullRequest, Repository

_CLOSES = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+"
    r"(?:(?P<repository>[\w.-]+/[\w.-]+))?#(?P<number>\d+)",
    re.IGNORECASE,
)
_BAD = {"failure", "timed_out", "cancelled", "action_required", "startup_failure"}


def runs_of(repository: Repository, sha: str) -> list[CheckRun]:
    """List the newest run of each check of a commit."""
    newest: dict[tuple[int, str], CheckRun] = {}
    for suite in repository.check_suites:
        if suite.head_sha == sha:
            for run in suite.runs:
                newest[suite.app.id, run.name] = run
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


def closes(pull: PullRequest) -> list[Issue]:
    """List the issues that a pull request's text says it closes."""
    found: dict[int, Issue] = {}
    for match in _CLOSES.finditer(pull.body or ""):
        named = match["repository"] or pull.repository.full_name
        issue = pull.repository.issues.get(int(match["number"]))
        same = named.lower() == pull.repository.full_name.lower()
        if same and issue is not None and not isinstance(issue, PullRequest):
            found[issue.number] = issue
    return list(found.values())


def closed_by(issue: Issue) -> list[PullRequest]:
    """List the pull requests that say they close an issue."""
    return [pull for pull in issue.repository.pulls if issue in closes(pull)]
