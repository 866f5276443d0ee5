"""Git plumbing on a bare repository: short subprocesses, no library, no work tree.

Nothing here knows about issues, users or webhooks.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ZERO = "0" * 40
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_FORMAT = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x1e"
NO_WORKFLOWS = "LOCALHUB_NO_WORKFLOWS"
"""Set for a push whose token may not change workflow files."""

_UPDATE_HOOK = f"""#!/bin/sh
if [ -n "${NO_WORKFLOWS}" ] && [ "$3" != {ZERO} ] &&
  [ -n "$(git rev-list -n 1 "$3" --not --all -- .github/workflows)" ]; then
  echo 'error: refusing to allow a GitHub App to create or update a workflow' \\
    'without `workflows` permission' >&2
  exit 1
fi
[ -f protected ] || exit 0
while read -r pattern; do
  case "$1" in
    $pattern)
      echo "error: GH006: Protected branch update failed for $1." >&2
      exit 1 ;;
  esac
done < protected
"""
_LETTERS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed"}


class GitFailed(Exception):  # noqa: N818  (the word is the event)
    """A git command ended with an error that its caller did not expect."""


@dataclass(frozen=True)
class Person:
    """Who wrote or committed, and when (ISO 8601)."""

    name: str
    email: str
    date: str


@dataclass(frozen=True)
class Commit:
    """A commit as its object says."""

    sha: str
    tree: str
    parents: list[str]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class FileChange:
    """One file of a diff."""

    filename: str
    previous: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True)
class Entry:
    """One line of a tree."""

    mode: str
    type: str
    sha: str
    size: int | None
    path: str


@cache
def program() -> str:
    """Find git once."""
    found = shutil.which("git")
    if found is None:
        raise GitFailed("git is not installed")
    return found


def environment() -> dict[str, str]:
    """Give git an environment that no personal configuration reaches."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def attempt(
    git_dir: Path,
    *args: str,
    given: bytes = b"",
    extra: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run git and let the caller look at how it ended."""
    return subprocess.run(  # noqa: S603  (no shell; arguments are ours)
        [program(), "--git-dir", str(git_dir), *args],
        input=given,
        capture_output=True,
        check=False,
        env={**environment(), **(extra or {})},
    )


def run(
    git_dir: Path,
    *args: str,
    given: bytes = b"",
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """Run git; a failure is an exception."""
    done = attempt(git_dir, *args, given=given, extra=extra)
    if done.returncode:
        raise GitFailed(f"git {args[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def text(git_dir: Path, *args: str) -> str:
    """Run git and give its output without the last newline."""
    return run(git_dir, *args).decode(errors="replace").rstrip("\n")


def create(git_dir: Path, default_branch: str) -> None:
    """Create an empty bare repository that accepts pushes over HTTP."""
    git_dir.mkdir(parents=True, exist_ok=True)
    run(git_dir, "init", "--quiet", "--bare", f"--initial-branch={default_branch}")
    with (git_dir / "config").open("a") as config:
        config.write(
            "[http]\n\treceivepack = true\n"
            "[uploadpack]\n\tallowAnySHA1InWant = true\n\tallowFilter = true\n"
            "[core]\n\tlogAllRefUpdates = false\n[gc]\n\tauto = 0\n"
        )
    hook = git_dir / "hooks" / "update"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(_UPDATE_HOOK)
    hook.chmod(0o755)


def protect(git_dir: Path, ref: str) -> None:
    """Refuse pushes to a ref (a shell pattern) from now on."""
    with (git_dir / "protected").open("a") as patterns:
        patterns.write(f"{ref}\n")


def resolve(git_dir: Path, revision: str) -> str | None:
    """Find the commit that a branch, tag or (short) sha names."""
    if not revision or revision.startswith("-"):
        return None
    for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
        done = attempt(git_dir, "rev-parse", "-q", "--verify", f"{name}^{{commit}}")
        if done.returncode == 0:
            return done.stdout.decode().strip()
    return None


def tip(git_dir: Path, branch: str) -> str | None:
    """Find a branch's commit: by a look into its file, which is what is asked most."""
    try:
        return (git_dir / "refs/heads" / branch).read_text().strip()
    except OSError:
        return resolve(git_dir, f"refs/heads/{branch}")


def check_out(git_dir: Path, folder: Path, sha: str, branch: str, origin: str) -> None:
    """Clone into a folder, with one commit checked out on a branch."""
    folder.mkdir(parents=True)
    own, tree = folder / ".git", f"--work-tree={folder}"
    run(own, tree, "init", "--quiet", f"--initial-branch={branch}")
    run(own, tree, "fetch", "--quiet", str(git_dir), sha)
    run(own, tree, "reset", "--quiet", "--hard", sha)
    run(own, "remote", "add", "origin", origin)


def refs(git_dir: Path, prefix: str = "refs/") -> dict[str, str]:
    """List refs with the objects they point at."""
    lines = text(git_dir, "for-each-ref", "--format=%(refname) %(objectname)")
    pairs = (line.split(" ") for line in lines.splitlines())
    return {name: sha for name, sha in pairs if name.startswith(prefix)}


def object_type(git_dir: Path, sha: str) -> str | None:
    """Tell blob, tree, commit or tag; None for what is not there."""
    done = attempt(git_dir, "cat-file", "-t", sha)
    return None if done.returncode else done.stdout.decode().strip()


def update_ref(git_dir: Path, ref: str, sha: str, old: str | None = None) -> bool:
    """Move a ref, if it still is where we think it is."""
    args = [ref, sha] + ([old] if old is not None else [])
    return attempt(git_dir, "update-ref", *args).returncode == 0


def delete_ref(git_dir: Path, ref: str) -> None:
    """Remove a ref."""
    run(git_dir, "update-ref", "-d", ref)


def valid_ref(git_dir: Path, ref: str) -> bool:
    """Ask git whether a name may be a ref."""
    return attempt(git_dir, "check-ref-format", ref).returncode == 0


def _commit(record: str) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = record.split("\0")
    return Commit(
        sha=sha,
        tree=tree,
        parents=parents.split(),
        author=Person(an, ae, ad),
        committer=Person(cn, ce, cd),
        message=message.rstrip("\n"),
    )


def log(
    git_dir: Path, *revisions: str, limit: int | None = None, skip: int = 0
) -> list[Commit]:
    """List commits, newest first."""
    args = [f"--format={_FORMAT}", f"--skip={skip}"]
    if limit is not None:
        args.append(f"--max-count={limit}")
    out = text(git_dir, "log", "--topo-order", *args, *revisions)
    return [_commit(part.lstrip("\n")) for part in out.split("\x1e") if part.strip()]


def commit(git_dir: Path, sha: str) -> Commit:
    """Read one commit."""
    return log(git_dir, sha, limit=1)[0]


def count(git_dir: Path, revisions: str) -> int:
    """Count commits of a range."""
    return int(text(git_dir, "rev-list", "--count", revisions))


def merge_base(git_dir: Path, one: str, other: str) -> str | None:
    """Find the common ancestor."""
    done = attempt(git_dir, "merge-base", one, other)
    return None if done.returncode else done.stdout.decode().strip()


def is_ancestor(git_dir: Path, one: str, other: str) -> bool:
    """Tell whether `other` contains `one`."""
    return attempt(git_dir, "merge-base", "--is-ancestor", one, other).returncode == 0


def diff_text(git_dir: Path, base: str, head: str) -> str:
    """Write the diff between two trees."""
    return run(git_dir, "diff", "--no-color", base, head).decode(errors="replace")


def patch_text(git_dir: Path, revisions: str) -> str:
    """Write commits as mails."""
    return run(git_dir, "format-patch", "--stdout", revisions).decode(errors="replace")


def changes(git_dir: Path, base: str, head: str) -> list[FileChange]:
    """List the files that differ, each with its part of the diff."""
    raw = text(git_dir, "diff", "--raw", "-z", "-M", "--no-abbrev", base, head)
    patches = _patches(diff_text(git_dir, base, head))
    parts = raw.split("\0")
    found: list[FileChange] = []
    at = 0
    while at < len(parts) and parts[at].startswith(":"):
        _, _, old_sha, new_sha, status = parts[at][1:].split(" ")
        moved = status[0] in "RC"
        previous = parts[at + 1] if moved else None
        name = parts[at + 2] if moved else parts[at + 1]
        at += 3 if moved else 2
        patch = patches.get(name)
        lines = patch.splitlines() if patch else []
        found.append(
            FileChange(
                filename=name,
                previous=previous,
                status=_LETTERS.get(status[0], "changed"),
                sha=old_sha if status[0] == "D" else new_sha,
                additions=sum(line.startswith("+") for line in lines),
                deletions=sum(line.startswith("-") for line in lines),
                patch=patch,
            )
        )
    return found


def _patches(diff: str) -> dict[str, str]:
    patches: dict[str, str] = {}
    for part in ("\n" + diff).split("\ndiff --git ")[1:]:
        head, at, hunks = part.partition("\n@@ ")
        if not at:
            continue
        names = [line[4:] for line in head.splitlines() if line[:4] in ("--- ", "+++ ")]
        name = names[1] if names[1] != "/dev/null" else names[0]
        patches[name.strip('"\t')[2:]] = f"@@ {hunks}".rstrip("\n")
    return patches


def merge(git_dir: Path, base: str, head: str) -> str | None:
    """Merge two commits into a tree; None if they conflict."""
    done = attempt(git_dir, "merge-tree", "--write-tree", base, head)
    return None if done.returncode else done.stdout.decode().split("\n")[0]


def write_commit(
    git_dir: Path,
    tree: str,
    parents: Iterable[str],
    message: str,
    author: Person,
    committer: Person,
) -> str:
    """Create a commit object."""
    who = {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_AUTHOR_DATE": author.date,
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
        "GIT_COMMITTER_DATE": committer.date,
    }
    args = [part for parent in parents for part in ("-p", parent)]
    out = run(
        git_dir, "commit-tree", tree, *args, given=f"{message}\n".encode(), extra=who
    )
    return out.decode().strip()


def write_blob(git_dir: Path, content: bytes) -> str:
    """Create a blob object."""
    out = run(git_dir, "hash-object", "-w", "--stdin", given=content)
    return out.decode().strip()


def read_blob(git_dir: Path, sha: str) -> bytes:
    """Read a blob."""
    return run(git_dir, "cat-file", "blob", sha)


def tree(git_dir: Path, revision: str, *, recursive: bool = False) -> list[Entry]:
    """List a tree."""
    flags = ["-r", "-t"] if recursive else []
    out = run(git_dir, "ls-tree", "-z", "--long", *flags, revision).decode()
    found = []
    for line in out.split("\0")[:-1]:
        facts, path = line.split("\t", 1)
        mode, kind, sha, size = facts.split()
        found.append(Entry(mode, kind, sha, None if size == "-" else int(size), path))
    return found


def entry(git_dir: Path, commit: str, path: str) -> Entry | None:
    """Find what a path names in a commit; the root is a tree too."""
    if not path:
        done = attempt(git_dir, "rev-parse", f"{commit}^{{tree}}")
        return Entry("040000", "tree", done.stdout.decode().strip(), None, "")
    out = run(git_dir, "ls-tree", "-z", "--long", commit, "--", path).decode()
    lines = out.split("\0")[:-1]
    if not lines:
        return None
    facts, name = lines[0].split("\t", 1)
    mode, kind, sha, size = facts.split()
    return Entry(mode, kind, sha, None if size == "-" else int(size), name)


def write_tree(
    git_dir: Path,
    base: str | None,
    files: Mapping[str, tuple[str, str] | None],
) -> str:
    """Write a tree: a base with paths set to (mode, sha) or removed (None)."""
    lines = []
    for path, what in files.items():
        mode, sha = what or ("0", ZERO)
        lines.append(f"{mode} {sha}\t{path}\0")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if base is not None:
            run(git_dir, "read-tree", base, extra=index)
        given = "".join(lines).encode()
        run(git_dir, "update-index", "-z", "--index-info", given=given, extra=index)
        return run(git_dir, "write-tree", extra=index).decode().strip()
