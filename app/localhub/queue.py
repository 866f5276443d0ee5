"""A merge queue: merges tried on branches of their own before they become real.

Each pull request in it gets a merge group: the branch `gh-readonly-queue/main/pr-1-…`
with its merge into what stands before it. A group whose required checks succeed is
merged, one whose checks fail leaves the queue, and those behind it are tried anew.
"""

from localhub import git, issues, protections, pulls, pushes
from localhub.errors import Refused
from localhub.render.commits import simple_commit
from localhub.state import Emission, Hub, PullRequest, QueueEntry, Repository, User

LOGIN = "github-merge-queue[bot]"
_LEAVES = {"closed", "converted_to_draft", "synchronize"}


def bot(hub: Hub) -> User:
    """Give the account that the queue acts as."""
    found = hub.user(LOGIN)
    if found is None:
        found = User(**hub.mint("BOT"), login=LOGIN, created_at=hub.now(), type="Bot")
        hub.users[LOGIN] = hub.register(found)
    return found


def listen(hub: Hub) -> None:
    """Let the queues react to checks, and to what happens to pull requests."""

    def happened(emission: Emission) -> None:
        repository, payload = emission.repository, emission.payload
        if repository is None or not repository.queue:
            return
        checked = emission.event == "check_run" and payload["action"] == "completed"
        if checked or emission.event == "status":
            settle(hub, repository)
        elif emission.event == "pull_request" and payload["action"] in _LEAVES:
            number = payload["pull_request"]["number"]
            for entry in _entries(repository, number):
                _drop(hub, entry, "MANUAL")

    hub.listeners.emission.append(happened)


def _entries(repository: Repository, number: int) -> list[QueueEntry]:
    return [one for one in repository.queue if one.pull.number == number]


def queued(pull: PullRequest) -> bool:
    """Tell whether a pull request waits in a queue."""
    return bool(_entries(pull.repository, pull.number))


def enqueue(hub: Hub, pull: PullRequest, *, actor: User) -> None:
    """Put a pull request that is ready at the end of its base's queue."""
    protection = protections.of(pull)
    if protection is None or not protection.queue:
        raise Refused(422, "The base branch does not require a merge queue")
    if pull.state == "closed" or pull.draft or queued(pull):
        raise Refused(422, "Pull request cannot be added to the merge queue")
    wrong = protections.unmet(pull.repository, protection, pull.head_sha)
    if wrong is not None:
        raise Refused(422, f"Pull request {wrong}")
    entry = QueueEntry(pull=pull)
    ahead = _line(pull)
    pull.repository.queue.append(entry)
    issues.tell(hub, pull, "enqueued", actor)
    _try(hub, entry, ahead[-1].head_sha if ahead else _base(pull))
    settle(hub, pull.repository)


def settle(hub: Hub, repository: Repository) -> None:
    """Drop what failed, and merge what succeeded and stands first."""
    for entry in list(repository.queue):
        if entry in repository.queue and _failed(entry):
            _drop(hub, entry, "CI_FAILURE")
    for entry in list(repository.queue):
        protection = protections.of(entry.pull)
        first = _line(entry.pull)[:1] == [entry]
        done = protection is None or not protections.unmet(
            repository, protection, entry.head_sha
        )
        if first and done:
            _merge(hub, entry)


def _failed(entry: QueueEntry) -> bool:
    protection = protections.of(entry.pull)
    repository = entry.pull.repository
    return protection is not None and any(
        protections.state_of(repository, one, entry.head_sha) == "failing"
        for one in protection.checks
    )


def _line(pull: PullRequest) -> list[QueueEntry]:
    queue = pull.repository.queue
    return [one for one in queue if one.pull.base_ref == pull.base_ref]


def _base(pull: PullRequest) -> str:
    return git.resolve(pull.repository.git_dir, pull.base_ref) or pull.base_sha


def _ref(entry: QueueEntry) -> str:
    pull = entry.pull
    name = f"{pull.base_ref}/pr-{pull.number}-{entry.base_sha}"
    return f"refs/heads/gh-readonly-queue/{name}"


def _try(hub: Hub, entry: QueueEntry, base: str) -> None:
    """Make the group of an entry; an entry that conflicts leaves the queue."""
    pull, actor = entry.pull, bot(hub)
    git_dir = pull.repository.git_dir
    try:
        head = pulls.merge_commit(hub, pull, base, actor=actor)
    except Refused:
        _drop(hub, entry, "MERGE_CONFLICT")
        return
    entry.base_sha, entry.head_sha = base, head
    git.update_ref(git_dir, _ref(entry), head)
    pushes.ref_moved(hub, pull.repository, _ref(entry), git.ZERO, head, actor=actor)
    _tell(hub, entry, "checks_requested")


def _destroy(hub: Hub, entry: QueueEntry, reason: str) -> None:
    if not entry.head_sha:
        return
    repository, head, ref = entry.pull.repository, entry.head_sha, _ref(entry)
    _tell(hub, entry, "destroyed", reason=reason)
    entry.head_sha = ""
    git.delete_ref(repository.git_dir, ref)
    pushes.ref_moved(hub, repository, ref, head, git.ZERO, actor=bot(hub))


def _drop(hub: Hub, entry: QueueEntry, reason: str) -> None:
    """Take an entry out, and try anew all that stood behind it."""
    pull = entry.pull
    line = _line(pull)
    ahead, later = line[: line.index(entry)], line[line.index(entry) + 1 :]
    pull.repository.queue.remove(entry)
    _destroy(hub, entry, "dequeued")
    issues.tell(hub, pull, "dequeued", bot(hub), reason=reason)
    base = ahead[-1].head_sha if ahead else _base(pull)
    _retry(hub, later, base)


def _retry(hub: Hub, entries: list[QueueEntry], base: str) -> None:
    for entry in entries:
        _destroy(hub, entry, "invalidated")
    for entry in entries:
        # One that conflicts has left, and those behind it were tried by that.
        if not entry.head_sha and queued(entry.pull):
            _try(hub, entry, base)
        base = entry.head_sha or base


def _merge(hub: Hub, entry: QueueEntry) -> None:
    pull, actor = entry.pull, bot(hub)
    repository, head = pull.repository, entry.head_sha
    ref = f"refs/heads/{pull.base_ref}"
    if not git.update_ref(repository.git_dir, ref, head, entry.base_sha):
        _retry(hub, _line(pull), _base(pull))  # somebody pushed to the base
        return
    repository.queue.remove(entry)
    pushes.merged(hub, pull, head, actor=actor)
    issues.tell(hub, pull, "dequeued", actor, reason="MERGE")
    pushes.ref_moved(hub, repository, ref, entry.base_sha, head, actor=actor)
    _destroy(hub, entry, "merged")


def _tell(hub: Hub, entry: QueueEntry, action: str, **extra: object) -> None:
    repository = entry.pull.repository
    group = {
        "head_sha": entry.head_sha,
        "head_ref": _ref(entry),
        "base_sha": entry.base_sha,
        "base_ref": f"refs/heads/{entry.pull.base_ref}",
        "head_commit": simple_commit(git.commit(repository.git_dir, entry.head_sha)),
    }
    payload = {"action": action, "merge_group": group, **extra}
    hub.emit("merge_group", payload, sender=bot(hub), repository=repository)
