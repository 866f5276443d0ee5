"""What a protected branch asks of a merge: checks that succeeded, an up-to-date head.

Only merging is guarded, not pushing. The words of the refusals are GitHub's.
"""

from collections.abc import Iterator

from localhub import git, rollup
from localhub.errors import Refused
from localhub.state import Protection, PullRequest, Repository, RequiredCheck, User

_GOOD = {"success", "neutral", "skipped"}
# The worst comes first; the last one is good.
_WORST_FIRST = ("failing", "expected", "pending", "in progress", "successful")


def of(pull: PullRequest) -> Protection | None:
    """Give what the base of a pull request asks for."""
    return pull.repository.protections.get(pull.base_ref)


def requires(pull: PullRequest, context: str) -> bool:
    """Tell whether a pull request cannot be merged without a check of this name."""
    protection = of(pull)
    return protection is not None and any(
        one.context == context for one in protection.checks
    )


def behind(pull: PullRequest) -> int:
    """Count the commits of the base that the head lacks."""
    git_dir = pull.repository.git_dir
    base = git.resolve(git_dir, pull.base_ref)
    return git.count(git_dir, f"{pull.head_sha}..{base}") if base else 0


def check(pull: PullRequest, actor: User) -> None:
    """Refuse a merge that the base does not allow now."""
    protection = of(pull)
    if protection is None:
        return
    if protection.queue:
        raise Refused(405, "Changes must be made through the merge queue")
    if not protection.admins and pull.repository.role(actor) == "admin":
        return
    wrong = unmet(pull.repository, protection, pull.head_sha)
    if wrong is not None:
        raise Refused(405, wrong)
    if protection.strict and behind(pull):
        raise Refused(
            409, "Head branch is out of date. Review and try the merge again."
        )


def unmet(repository: Repository, protection: Protection, sha: str) -> str | None:
    """Say what the required checks of a commit lack; None if nothing."""
    states = {one: state_of(repository, one, sha) for one in protection.checks}
    left = {one: state for one, state in states.items() if state != "successful"}
    if not left:
        return None
    if len(left) == 1:
        [(one, state)] = left.items()
        return f'Required status check "{one.context}" is {state}.'
    counted = f"{len(left)} of {len(states)} required status checks"
    kinds = set(left.values())
    if len(kinds) == 1:
        return f"{counted} are {kinds.pop()}."
    parts = [
        f"{list(left.values()).count(kind)} {kind}"
        for kind in ("expected", "pending", "failing")
        if kind in kinds
    ]
    # What is in progress is among those counted first, and not told apart.
    return f"{counted} have not succeeded: {_listed(parts)}."


def _listed(parts: list[str]) -> str:
    if len(parts) > 1:
        last = parts.pop()
        return f"{', '.join(parts)}{',' if len(parts) > 1 else ''} and {last}"
    return parts[0]


def state_of(repository: Repository, required: RequiredCheck, sha: str) -> str:
    """Tell how a required check of a commit stands, in the words of a refusal.

    A run and a status of one name are both required.
    """
    states = list(_states(repository, required, sha)) or ["expected"]
    return min(states, key=_WORST_FIRST.index)


def _states(repository: Repository, required: RequiredCheck, sha: str) -> Iterator[str]:
    for run in rollup.runs_of(repository, sha):
        if run.name == required.context and _by(required, run.suite.app.id):
            if run.status != "completed":
                yield "in progress"
            else:
                yield "successful" if run.conclusion in _GOOD else "failing"
    for status in rollup.statuses_of(repository, sha):
        app = status.creator.app
        if status.context == required.context and _by(
            required, app.id if app else None
        ):
            words = {"success": "successful", "pending": "pending"}
            yield words.get(status.state, "failing")


def _by(required: RequiredCheck, app_id: int | None) -> bool:
    return required.app_id in (None, app_id)
