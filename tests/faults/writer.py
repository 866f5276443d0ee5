"""A process that keeps deliveries, and what it has said to be kept."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import writing_program


class Writer:
    """Reads what the process says."""

    def __init__(self, file: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, writing_program.__file__, f"sqlite:///{file}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._acked: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._acked.append(line.strip())
        self._process.stdout.close()

    def acked(self) -> set[str]:
        """What was acknowledged by now."""
        return set(self._acked)

    def reaches(self, number: int) -> None:
        """Wait until so many are acknowledged."""
        until = time.monotonic() + 60
        while len(self._acked) < number:
            assert time.monotonic() < until, "the writer does not get on"
            time.sleep(0.002)

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """Keep deliveries meanwhile."""
    writer = Writer(file)
    try:
        yield writer
    finally:
        writer.end()
