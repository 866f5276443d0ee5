"""What of this machine a cell may read: programs, and what those need."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Of the system; what is missing is left out. Not all of /etc: there may be secrets.
SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
)
_SETTINGS = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "debian_version",
    "fonts",
    "ImageMagick-6",
    "ImageMagick-7",
    "java",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "locale.alias",
    "localtime",
    "magic",
    "mime.types",
    "nsswitch.conf",
    "openssl",
    "os-release",
    "pki/ca-trust",
    "pki/tls/certs",
    "pki/tls/cert.pem",
    "pki/tls/openssl.cnf",
    "protocols",
    "services",
    "ssl/cert.pem",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
)
# Beside a folder of programs, where its libraries are.
_BESIDE = ("lib", "lib32", "lib64", "libexec", "include")


@dataclass(frozen=True)
class View:
    """Folders and files of this machine that cells see, and cannot change.

    ``path`` is where programs are looked for; their folders are seen, with the
    libraries beside them. ``hidden`` is never seen, wherever it is.
    """

    path: str
    more: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = field(default=(), repr=False)

    def seen(self, programs: Sequence[Path] = ()) -> tuple[Path, ...]:
        """All that is seen, a folder before what is in it, nothing twice."""
        wanted = [
            *map(Path, SYSTEM),
            *(Path("/etc", name) for name in _SETTINGS),
            *_around(self.path),
            *_interpreter(),
            *self.more,
            *(place for program in programs for place in _package(program)),
        ]
        return tuple(_outermost(place for place in wanted if place.exists()))

    def masked(self, seen: Iterable[Path]) -> tuple[Path, ...]:
        """What has to be hidden because it is in something that is seen."""
        folders = tuple(seen)
        return tuple(
            place
            for place in dict.fromkeys(self.hidden)
            if place.exists() and any(place.is_relative_to(each) for each in folders)
        )

    def uncovered(self, seen: Sequence[Path]) -> tuple[Path, ...]:
        """What is seen, without what is hidden, for who can only add."""
        hidden = self.masked(seen)
        return tuple(part for place in seen for part in _without(place, hidden))


def _without(place: Path, hidden: Sequence[Path]) -> Iterator[Path]:
    below = [each for each in hidden if each.is_relative_to(place)]
    if not below:
        yield place
    elif place not in below:
        for part in place.iterdir():
            yield from _without(part, below)


def _around(path: str) -> Iterator[Path]:
    for entry in path.split(os.pathsep):
        folder = Path(entry)
        if not folder.is_absolute() or _in_system(folder):
            continue
        yield folder
        if (folder.parent / "pyvenv.cfg").is_file() or folder.name == "shims":
            yield folder.parent
        elif folder.name in ("bin", "sbin"):
            yield from (folder.parent / name for name in _BESIDE)


def _interpreter() -> Iterator[Path]:
    """The Python that runs us: cells begin with it."""
    for prefix in (sys.prefix, sys.base_prefix):
        if not _in_system(Path(prefix)):
            yield Path(prefix)


def _package(program: Path) -> Iterator[Path]:
    """The program, and the folder of modules that it came in."""
    for place in dict.fromkeys((program, program.resolve())):
        if _in_system(place):
            continue
        parts = place.parts
        if "node_modules" in parts:
            yield Path(*parts[: parts.index("node_modules") + 1])
        elif os.access(place, os.X_OK):
            yield place


def _in_system(place: Path) -> bool:
    return any(place.is_relative_to(folder) for folder in SYSTEM)


def _outermost(places: Iterable[Path]) -> Iterator[Path]:
    kept: list[Path] = []
    for place in sorted(set(places), key=lambda each: len(each.parts)):
        if not any(place.is_relative_to(folder) for folder in kept):
            kept.append(place)
            yield place
