"""Looks over a working tree without following anything in it.

What is found here are the tricks a repository or an agent can play with names, links
and repositories inside the repository. What is done about them is decided in
``workspace.py``.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vibeboard.domain.markdown import code
from vibeboard.domain.sanitize import closing_nothing, skipping_nothing

GITLINK = "160000"
SYMLINK = "120000"
SHOWN = 5

# Code points that HFS+ ignores in names: ".g\u200cit" is ".git" on a Mac.
_IGNORED = dict.fromkeys(
    [*range(0x200C, 0x2010), *range(0x202A, 0x202F), *range(0x206A, 0x2070), 0xFEFF]
)
_DISGUISED = re.compile(r"(\.git|git~[1-4])(:.*|[ .]*)$")


@dataclass(frozen=True)
class Tracked:
    """An entry of the index."""

    mode: str
    path: str


def entries(listing: bytes) -> list[Tracked]:
    """The entries of ``git ls-files -s -z``."""
    found = []
    for entry in filter(None, listing.split(b"\0")):
        facts, _, path = entry.partition(b"\t")
        found.append(Tracked(facts[:6].decode(), os.fsdecode(path)))
    return found


def passes_for_dot_git(name: str) -> bool:
    """Whether some file system takes ``name`` for ``.git``."""
    return bool(_DISGUISED.match(name.translate(_IGNORED).casefold()))


def oddities(tree: Path) -> Iterator[Path]:
    """What cannot be committed as it is, links not followed.

    That is everything below the top that passes for a ``.git``, and everything that
    is neither file, folder nor link.
    """
    waiting = [tree]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as found:
            for entry in found:
                if folder == tree and entry.name == ".git":
                    continue
                if passes_for_dot_git(entry.name):
                    yield Path(entry.path)
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                elif not (entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                    yield Path(entry.path)


def notes(tree: Path, tracked: Iterable[Tracked]) -> tuple[str, ...]:
    """What a person should know of the tree."""
    submodules, links, lfs = [], [], False
    for entry in tracked:
        if entry.mode == GITLINK:
            submodules.append(entry.path)
        elif entry.mode == SYMLINK:
            if _leads_out(tree, entry.path):
                links.append(entry.path)
        elif entry.path.rpartition("/")[2] == ".gitattributes":
            lfs = lfs or _uses_lfs(tree / entry.path)
    told = []
    if lfs:
        told.append(
            "Git LFS: the files it keeps are pointers here, their content is not "
            "fetched."
        )
    if submodules:
        told.append(f"Submodules are not fetched: {_some(submodules)}.")
    if links:
        told.append(
            f"Symbolic links out of the repository are not followed: {_some(links)}."
        )
    return tuple(told)


def erase(path: Path) -> None:
    """Remove whatever is at ``path``; a link is removed, not followed."""
    try:
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
    except FileNotFoundError:
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        permit(path)
        shutil.rmtree(path)


def permit(path: Path) -> None:
    """Give back permissions on folders that somebody took away."""
    _permit_one(path)
    for folder, folders, _ in os.walk(path):
        for name in folders:
            _permit_one(Path(folder, name))


def _permit_one(folder: Path) -> None:
    mode = folder.lstat().st_mode
    if stat.S_ISDIR(mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(stat.S_IMODE(mode) | stat.S_IRWXU)


def read_inside(tree: Path, path: str, *, limit: int = 1 << 20) -> str | None:
    """The text of ``tree/path``; None if there is no plain file, or a link leads on.

    Opened without waiting, because a pipe may lie in the place of the file.
    """
    place = tree
    for part in Path(path).parts:
        place /= part
        if part == ".." or place.is_symlink():
            return None
    with suppress(OSError):
        handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:  # noqa: PTH123 - a descriptor
            if stat.S_ISREG(os.fstat(handle).st_mode):
                return file.read(limit).decode(errors="replace")
    return None


def _leads_out(tree: Path, path: str) -> bool:
    with suppress(OSError):
        target = (tree / path).readlink()
        end = os.path.normpath(Path(path).parent / target)
        return end.startswith(("/", "../")) or end == ".."
    return False


def _uses_lfs(path: Path) -> bool:
    with suppress(OSError):
        if stat.S_ISREG(path.lstat().st_mode):
            with path.open("rb") as file:
                return b"filter=lfs" in file.read(1 << 20)
    return False


def _some(names: list[str]) -> str:
    shown = ", ".join(code(printable(name)) for name in names[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def printable(path: str) -> str:
    """A path as people can read it, on one line."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def harmless(path: str) -> str:
    """A path as it may stand in a commit's message: it closes and skips nothing."""
    return skipping_nothing(closing_nothing(printable(path)))
