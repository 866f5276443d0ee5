"""Things that GraphQL names and the state does not keep: refs, commits, values."""

from dataclasses import dataclass

from localhub import git
from localhub.state import (
    Project,
    ProjectField,
    ProjectItem,
    PullRequest,
    Reaction,
    Repository,
)


@dataclass(frozen=True)
class Ref:
    """A branch."""

    node_id: str
    repository: Repository
    full_name: str
    sha: str


@dataclass(frozen=True)
class GitObject:
    """A commit or blob of a repository."""

    node_id: str
    repository: Repository
    oid: str

    @property
    def abbreviated_oid(self) -> str:
        """Shorten the sha as git does."""
        return self.oid[:7]


@dataclass(frozen=True)
class Commit(GitObject):
    """A commit."""

    data: git.Commit


@dataclass(frozen=True)
class Blob(GitObject):
    """A file's content."""

    content: bytes


@dataclass(frozen=True)
class TreeEntry:
    """What stands at a path of a commit; only a file has an object here."""

    repository: Repository
    path: str
    mode: int
    type: str
    oid: str
    object: Blob | None

    @property
    def name(self) -> str:
        """Give the last part of the path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class PullCommit:
    """A commit as part of a pull request."""

    node_id: str
    pull_request: PullRequest
    commit: Commit


@dataclass(frozen=True)
class Rollup:
    """All checks of a commit."""

    node_id: str
    repository: Repository
    oid: str


@dataclass(frozen=True)
class Comparison:
    """How two commits stand to each other."""

    node_id: str
    ahead_by: int
    behind_by: int
    base_target: Commit
    head_target: Commit

    @property
    def status(self) -> str:
        """Sum it up in GitHub's words."""
        if self.ahead_by and self.behind_by:
            return "DIVERGED"
        if self.ahead_by == self.behind_by:
            return "IDENTICAL"
        return "AHEAD" if self.ahead_by else "BEHIND"


@dataclass(frozen=True)
class ReactionGroup:
    """All reactions of one kind to a subject."""

    content: str
    reactions: list[Reaction]


@dataclass(frozen=True)
class Workflow:
    """A built-in automation of a board."""

    node_id: str
    id: int
    project: Project
    number: int
    name: str
    enabled: bool


@dataclass(frozen=True)
class FieldValue:
    """A card's value for a field."""

    node_id: str
    item: ProjectItem
    field: ProjectField
    value: str | float


def commit(repository: Repository, sha: str) -> Commit:
    """Read a commit."""
    data = git.commit(repository.git_dir, sha)
    return Commit(f"C_{repository.id}_{sha}", repository, sha, data)


def git_object(repository: Repository, expression: str) -> GitObject | None:
    """Find what `HEAD`, `main`, a sha or `main:path/to/file` names."""
    revision, colon, path = expression.partition(":")
    name = repository.default_branch if revision == "HEAD" else revision
    sha = git.resolve(repository.git_dir, name)
    if sha is None:
        return None
    if not colon:
        return commit(repository, sha)
    entry = tree_entry(repository, sha, path)
    return entry.object if entry else None


def tree_entry(repository: Repository, sha: str, path: str) -> TreeEntry | None:
    """Find what a commit has at a path."""
    entry = git.entry(repository.git_dir, sha, path)
    if entry is None:
        return None
    blob = None
    if entry.type == "blob":
        content = git.read_blob(repository.git_dir, entry.sha)
        blob = Blob(f"B_{repository.id}_{entry.sha}", repository, entry.sha, content)
    mode = int(entry.mode, 8)
    return TreeEntry(repository, path, mode, entry.type, entry.sha, blob)


def branch(repository: Repository, name: str) -> Ref | None:
    """Find a branch by its short or full name."""
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    sha = git.refs(repository.git_dir, full).get(full)
    if sha is None:
        return None
    return Ref(f"REF_{repository.id}_{full}", repository, full, sha)


def compare(base: Ref, head: str) -> Comparison | None:
    """Compare a branch with any ref of the same repository."""
    repository = base.repository
    sha = git.resolve(repository.git_dir, head)
    if sha is None or git.merge_base(repository.git_dir, base.sha, sha) is None:
        return None
    return Comparison(
        f"CMP_{repository.id}_{base.sha}_{sha}",
        git.count(repository.git_dir, f"{base.sha}..{sha}"),
        git.count(repository.git_dir, f"{sha}..{base.sha}"),
        commit(repository, base.sha),
        commit(repository, sha),
    )
