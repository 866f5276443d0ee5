"""Control groups: how much memory, how many processes and processors a cell gets.

Version 2, where the server's own group was delegated to it; version 1, where it may
write there. Where it is neither, cells are bounded one process at a time.
"""

import asyncio
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PREFIX = "vibeboard-"
_OURS = "vibeboard-server"
_PERIOD = 100_000  # microseconds
_WANTED = ("memory", "pids")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Bounds:
    """What a cell may use of this machine, in bytes, processes and processors.

    ``disk`` is what the tree and the home may hold, in so many ``files``.
    """

    memory: int = 4 << 30
    processes: int = 2048
    cpus: float | None = None
    disk: int = 10 << 30
    files: int = 1_000_000


@dataclass(frozen=True)
class Groups:
    """Where groups can be made; ``bases`` are folders by controller.

    In version 2 one folder has all controllers.
    """

    bases: Mapping[str, Path]
    unified: bool

    def make(self, bounds: Bounds) -> "Group":
        """A group of its own."""
        name = f"{_PREFIX}{os.getpid()}-{next(_numbers)}"
        folders = {kind: base / name for kind, base in self.bases.items()}
        for folder in dict.fromkeys(folders.values()):
            folder.mkdir(exist_ok=True)
        for kind, file, value in _limits(bounds, unified=self.unified):
            if kind in folders:
                (folders[kind] / file).write_text(value)
        if self.unified:
            with suppress(OSError):  # a kernel that does not count swap
                (folders["memory"] / "memory.swap.max").write_text("0")
        return Group(folders, self.unified)

    def sweep(self) -> None:
        """Remove groups of processes of ours that were killed."""
        for base in set(self.bases.values()):
            for folder in base.glob(f"{_PREFIX}[0-9]*-*"):
                pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
                if not Path("/proc", pid).exists():
                    with suppress(OSError):  # somebody is still in there
                        folder.rmdir()


@dataclass(frozen=True)
class Group:
    """One cell's group."""

    folders: Mapping[str, Path]
    unified: bool

    @property
    def places(self) -> tuple[str, ...]:
        """The folders to enter."""
        return tuple(dict.fromkeys(str(each) for each in self.folders.values()))

    @property
    def hit(self) -> tuple[str, ...]:
        """Which of its bounds were reached so far: ``memory``, ``processes``."""
        events = "memory.events" if self.unified else "memory.oom_control"
        found = []
        if _counted(self.folders["memory"] / events, "oom_kill"):
            found.append("memory")
        if _counted(self.folders["pids"] / "pids.events", "max"):
            found.append("processes")
        return tuple(found)

    async def close(self) -> None:
        """Remove it, once everybody has left."""
        for _ in range(100):
            if await asyncio.to_thread(self._removed):
                return
            await asyncio.sleep(0.02)

    def _removed(self) -> bool:
        for folder in self.places:
            with suppress(OSError):  # gone already, or somebody is still in there
                Path(folder).rmdir()
        return not any(Path(folder).exists() for folder in self.places)


def is_ours(group: Path) -> bool:
    """Whether we may arrange a group: root could, but systemd may think otherwise."""
    if os.geteuid() or not Path("/run/systemd/system").exists():
        return os.access(group, os.W_OK)
    with suppress(OSError):
        return os.getxattr(group, "trusted.delegate") == b"1"
    return False


def find(
    root: Path = _ROOT,
    own: Path = Path("/proc/self/cgroup"),
    *,
    ours: Callable[[Path], bool] = is_ours,
    arrange: bool = True,
) -> Groups | str:
    """Where groups can be made; else why they cannot.

    Unless ``arrange`` says so, nothing is done for it yet.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError as error:
        return f"control groups cannot be read: {error}"
    told = dict(_parsed(lines))
    if (root / "cgroup.controllers").exists():
        return _version_2(root / told.get("", "/").lstrip("/"), ours, arrange=arrange)
    bases = {
        kind: root / kind / told[kind].lstrip("/")
        for kind in (*_WANTED, "cpu")
        if kind in told
    }
    if any(kind not in bases for kind in _WANTED):
        return "this kernel has no control groups for memory and processes"
    if not all(os.access(base, os.W_OK) for base in bases.values()):
        return "control groups are not the server's to make"
    return Groups(bases, unified=False)


def _version_2(
    group: Path, ours: Callable[[Path], bool], *, arrange: bool
) -> Groups | str:
    """Beside our own group, where it is the leaf of what is ours, or below it."""
    for base in (group.parent, group):
        kinds = _kinds(base / "cgroup.subtree_control")
        if kinds and ours(base):
            return Groups(dict.fromkeys(kinds, base), unified=True)
    kinds = _kinds(group / "cgroup.controllers")
    if kinds and ours(group) and (not arrange or _make_room(group, kinds)):
        return Groups(dict.fromkeys(kinds, group), unified=True)
    return "no control group was delegated to the server"


def _kinds(file: Path) -> tuple[str, ...]:
    """Those of the file that we use; nothing if those we need are not among them."""
    given = file.read_text().split() if file.exists() else []
    known = tuple(kind for kind in (*_WANTED, "cpu") if kind in given)
    return known if set(_WANTED) <= set(known) else ()


def _make_room(group: Path, kinds: tuple[str, ...]) -> bool:
    """Move ourselves into a leaf: only then may the group have others below it."""
    leaf = group / _OURS
    try:
        leaf.mkdir(exist_ok=True)
        (leaf / "cgroup.procs").write_text(str(os.getpid()))
        (group / "cgroup.subtree_control").write_text(
            " ".join(f"+{kind}" for kind in kinds)
        )
    except OSError:
        return False
    return True


def _limits(bounds: Bounds, *, unified: bool) -> Iterator[tuple[str, str, str]]:
    yield "pids", "pids.max", str(bounds.processes)
    if unified:
        yield "memory", "memory.max", str(bounds.memory)
    else:
        yield "memory", "memory.limit_in_bytes", str(bounds.memory)
    if bounds.cpus is not None:
        quota = int(bounds.cpus * _PERIOD)
        if unified:
            yield "cpu", "cpu.max", f"{quota} {_PERIOD}"
        else:
            yield "cpu", "cpu.cfs_period_us", str(_PERIOD)
            yield "cpu", "cpu.cfs_quota_us", str(quota)


def _parsed(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        _, kinds, path = line.split(":", 2)
        for kind in kinds.split(","):
            yield kind, path


def _counted(file: Path, name: str) -> int:
    with suppress(OSError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
