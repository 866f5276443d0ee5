"""Volumes that are small enough to be filled."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import missing


@dataclass(frozen=True)
class Volume:
    """A file system of its own."""

    path: Path

    @property
    def _filler(self) -> Path:
        return self.path / "filler"

    def fill(self) -> None:
        """Leave no byte."""
        size = 1 << 20
        with self._filler.open("ab", buffering=0) as file:
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink()


@contextmanager
def small_volume(megabytes: int) -> Iterator[Volume]:
    """Mount one; for whoever may not, skip and say what is needed."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with tempfile.TemporaryDirectory(prefix="vibe-volume-") as folder:
        Path(folder).chmod(0o755)  # root's PostgreSQL is another user
        options = f"size={megabytes}m,mode=0777"
        mount = ["mount", "-t", "tmpfs", "-o", options, "vibeboard", folder]
        done = None
        with contextlib.suppress(FileNotFoundError):
            done = subprocess.run([*as_root, *mount], capture_output=True, check=False)
        if done is None or done.returncode:
            missing(
                "a disk to fill is missing: mount a tmpfs as root, or let "
                "`sudo -n mount` do it (in a container: --cap-add SYS_ADMIN)"
            )
        try:
            yield Volume(Path(folder))
        finally:
            umount = shutil.which("umount") or "umount"
            subprocess.run([*as_root, umount, "--lazy", folder], check=True)
