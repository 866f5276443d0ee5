"""Workflows started by hand, and events that people name themselves."""

from pathlib import Path
from typing import Any

from localhub import actions, git, workflows
from localhub.errors import Refused, invalid, not_found
from localhub.state import Emission, Hub, Organization, Repository, User, WorkflowRun
from localhub.workflows import Definition, Unreadable

MOST_INPUTS = 25
LONGEST_INPUTS = 65_535
MOST_KEYS = 10
LONGEST_NAME = 100


def dispatch(
    hub: Hub,
    repository: Repository,
    workflow: str,
    asked: dict[str, Any],
    *,
    actor: User,
) -> WorkflowRun:
    """Start a workflow by hand: named by its file or its id, on a branch or tag."""
    path = _path(hub, repository, workflow)
    ref = str(asked.get("ref") or "")
    full, sha = _ref(repository.git_dir, ref)
    try:
        found = workflows.read(repository.git_dir, sha, path)
    except Unreadable as wrong:
        raise Refused(422, f"Failed to parse workflow: {wrong}") from None
    if found is None or "workflow_dispatch" not in found.triggers:
        raise Refused(422, "Workflow does not have 'workflow_dispatch' trigger")
    inputs = _inputs(found, asked.get("inputs") or {})
    payload = {"inputs": inputs, "ref": full, "workflow": path}
    owner = repository.owner
    emission = Emission(
        "workflow_dispatch",
        payload,
        actor,
        owner if isinstance(owner, Organization) else None,
        repository,
        None,
    )
    branch = full.split("/", 2)[2]
    return actions.start(
        hub, found, emission, actions.Place(full, branch, sha, found.name)
    )


def dispatch_event(
    hub: Hub, repository: Repository, asked: dict[str, Any], *, actor: User
) -> None:
    """Tell of an event of one's own, by its name."""
    name, payload = asked.get("event_type"), asked.get("client_payload") or {}
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        raise invalid("RepositoryDispatch", "event_type", "invalid")
    if not isinstance(payload, dict) or len(payload) > MOST_KEYS:
        message = f"No more than {MOST_KEYS} properties are allowed"
        raise invalid("RepositoryDispatch", "client_payload", "custom", message)
    told = {
        "action": name,
        "branch": repository.default_branch,
        "client_payload": payload,
    }
    hub.emit(actions.BY_NAME, told, sender=actor, repository=repository)


def _path(hub: Hub, repository: Repository, workflow: str) -> str:
    for one in actions.all_known(hub, repository):
        if workflow in (str(one.id), one.path.rpartition("/")[2], one.path):
            return one.path
    sha = git.tip(repository.git_dir, repository.default_branch)
    path = f"{workflows.FOLDER}/{workflow}"
    # A file that cannot be read is there all the same, and is told about later.
    if sha is None or path not in workflows.paths(repository.git_dir, sha):
        raise not_found()
    return path


def _ref(git_dir: Path, ref: str) -> tuple[str, str]:
    short = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    every = git.refs(git_dir)
    for full in (f"refs/heads/{short}", f"refs/tags/{short}"):
        if short and full in every and ref in (short, full):
            sha = git.resolve(git_dir, full)
            assert sha is not None
            return full, sha
    raise Refused(422, f"No ref found for: {ref}")


def _inputs(found: Definition, given: object) -> dict[str, str]:
    declared = found.triggers["workflow_dispatch"].get("inputs") or {}
    if not isinstance(given, dict):
        raise Refused(422, "Invalid request.\n\ninputs is not an object.")
    if len(given) > MOST_INPUTS:
        raise Refused(422, f"you may only define up to {MOST_INPUTS} `inputs`")
    if unknown := [name for name in given if name not in declared]:
        raise Refused(422, f"Unexpected inputs provided: {unknown}")
    inputs: dict[str, str] = {}
    for name, one in declared.items():
        one = one or {}  # noqa: PLW2901 - an input may be declared with nothing
        value = given.get(name, one.get("default"))
        if value is None and one.get("required"):
            raise Refused(422, f"Required input '{name}' not provided")
        if one.get("type") == "choice" and value not in (one.get("options") or ()):
            raise Refused(
                422,
                f"Provided value '{value}' for input '{name}' not in the list of "
                "allowed values",
            )
        inputs[name] = _text(value)
    if sum(map(len, inputs.values())) > LONGEST_INPUTS:
        raise Refused(422, "inputs are too large.")
    return inputs


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
