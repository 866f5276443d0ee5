"""The environment of agents and suites, made from nothing.

Nothing of the server's own environment comes in here; what is wanted of it (PATH) is
handed to the constructor by who reads settings.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vibeboard.runner.survey import erase

_PREFIX = "vibeboard-"


def sweep() -> None:
    """Remove the temporary folders of processes of ours that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}[0-9]*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(FileNotFoundError):  # another process may sweep, too
            mine = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
            if mine and not Path("/proc", pid).exists():
                erase(folder)


@dataclass(frozen=True)
class Environment:
    """What every child may know."""

    path: str
    lang: str = "C.UTF-8"

    @contextmanager
    def open(self, home: Path, own: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """An environment with a private home and a temporary folder.

        The temporary folder is gone afterwards. It has a short path of its own,
        because sockets in it cannot have a long one.
        """
        home.mkdir(parents=True, exist_ok=True)
        home = home.resolve()  # a cell does not see the links that lead there
        temporary = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        try:
            yield {
                "PATH": self.path,
                "HOME": str(home),
                "LANG": self.lang,
                "TMPDIR": str(temporary),
                **own,
            }
        finally:
            erase(temporary)
