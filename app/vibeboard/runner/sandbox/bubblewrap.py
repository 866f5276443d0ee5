"""Cells made of namespaces, by the program bubblewrap.

Inside there are a user without rights, processes of the cell alone, a loopback of its
own and no other network, and of the files those of ``view.py`` (which cannot be
changed), the tree, the home and temporary folders in memory.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LODGE = Path("/run/vibeboard")  # where the cell finds what we put there for it
FIRST = Path("/run/inside.py")  # its first program
_INSIDE = Path(__file__).with_name("inside.py")
_USER = "1000"
_PATIENCE = 10.0  # seconds
_FEATURES = ("--disable-userns", "--size")


@dataclass(frozen=True)
class Room:
    """What a cell has of its own: folders to write, and how much memory for /tmp."""

    tree: Path
    home: Path
    lodge: Path
    temporary: int


@dataclass(frozen=True)
class Bubblewrap:
    """The program, and which of the younger options it knows."""

    program: str
    features: frozenset[str]

    def options(
        self,
        room: Room,
        *,
        seen: Sequence[Path],
        masked: Sequence[Path],
        lent: Sequence[Path],
    ) -> list[str]:
        """The arguments before the command's own."""
        return [
            self.program,
            *_NAMESPACES,
            *(["--disable-userns"] if "--disable-userns" in self.features else []),
            *self._memory("/tmp", "1777", room.temporary),  # noqa: S108 - the cell's own
            *self._memory("/run", "0755", 1 << 20),
            "--proc", "/proc",
            # Where the server is root, the cell's user still is root to /proc/sys.
            "--remount-ro", "/proc",
            "--dev", "/dev",
            *self._memory("/dev/shm", "1777", room.temporary),  # noqa: S108 - the cell's own
            "--remount-ro", "/dev",
            *_shown(seen),
            *_etc(room.lodge),
            *self._hidden(masked),
            *_bound("--ro-bind", *lent),
            "--symlink", "/tmp", "/var/tmp",  # noqa: S108 - the cell's own
            "--ro-bind", str(room.lodge), str(LODGE),
            "--ro-bind", str(_INSIDE), str(FIRST),
            *_bound("--bind", room.tree, room.home),
            "--remount-ro", "/",
            "--chdir", str(room.tree),
            "--",
        ]  # fmt: skip

    def _hidden(self, masked: Sequence[Path]) -> Iterator[str]:
        for place in masked:
            if place.is_dir():
                yield from self._memory(str(place), "0755", 1 << 20)
            else:
                yield from ("--ro-bind", "/dev/null", str(place))

    def _memory(self, place: str, mode: str, size: int) -> list[str]:
        bound = ["--size", str(size)] if "--size" in self.features else []
        return ["--perms", mode, *bound, "--tmpfs", place]


_NAMESPACES = (
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--uid", _USER,
    "--gid", _USER,
    "--hostname", "cell",
    "--cap-drop", "ALL",
    "--die-with-parent",
    "--new-session",
)  # fmt: skip


@cache
def find(path: str) -> Bubblewrap | str:
    """The program, if cells can be made here; else why not."""
    program = shutil.which("bwrap", path=path)
    if program is None:
        return "bubblewrap is not installed"
    try:
        return _tried(program)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be started: {error}"


def _tried(program: str) -> Bubblewrap | str:
    told = _run([program, "--help"])
    features = frozenset(each for each in _FEATURES if each in told.stdout)
    tried = _run(
        [
            program,
            *_NAMESPACES,
            *(["--disable-userns"] if "--disable-userns" in features else []),
            "--ro-bind", "/", "/",
            "--proc", "/proc",
            "--dev", "/dev",
            "true",
        ]
    )  # fmt: skip
    if tried.returncode:
        said = tried.stderr.strip().splitlines() or ["it says nothing"]
        return f"bubblewrap cannot make a cell here: {said[-1]}"
    return Bubblewrap(program, features)


def furnish(lodge: Path, home: Path) -> None:
    """Write what programs look up in /etc; it names nobody of this machine."""
    for name, text in {
        "passwd": f"agent:x:{_USER}:{_USER}:agent:{home}:/bin/sh\n",
        "group": f"agent:x:{_USER}:\n",
        "hosts": "127.0.0.1 localhost cell\n::1 localhost\n",
        "resolv.conf": "",
    }.items():
        (lodge / name).write_text(text)


def _run(argv: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - a list, never a shell
        argv, capture_output=True, text=True, timeout=_PATIENCE, check=False, env={}
    )


def _shown(seen: Sequence[Path]) -> Iterator[str]:
    for place in seen:
        if place.is_symlink():
            yield from ("--symlink", str(place.readlink()), str(place))
        else:
            yield from _bound("--ro-bind", place)


def _etc(lodge: Path) -> Iterator[str]:
    for name in ("passwd", "group", "hosts", "resolv.conf"):
        yield from ("--ro-bind", str(lodge / name), f"/etc/{name}")


def _bound(how: str, *places: Path) -> Iterator[str]:
    for place in places:
        yield from (how, str(place), str(place))
