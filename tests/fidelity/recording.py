"""One folder of recordings a test session, and the checks of them as its last tests.

A pytest plugin. Under pytest-xdist all workers record into the controller's folder.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = "VIBEBOARD_TEST_RECORDS"
CHECKS = "test_recorded_calls.py"
DRIVERS = "test_coverage_calls.py"


@dataclass
class Session:
    """What was selected, and what has run."""

    folder: Path
    others: int = 0
    """Tests that are not checks of recordings."""
    driven: bool = False
    """Whether the tests that make every call were selected."""
    whole: bool = False
    """Whether everything was selected."""

    def note(self, what: str) -> None:
        """Count a test that has begun or ended."""
        worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
        with (self.folder / f"{what}-{worker}").open("ab") as file:
            file.write(b".")

    def count(self, what: str) -> int:
        return sum(file.stat().st_size for file in self.folder.glob(f"{what}-*"))

    def quiet(self) -> bool:
        """Whether no other test runs, nor will before these checks have ended.

        A worker of xdist keeps its last test back until it hears that there is no
        other one, so each of the other workers may have one left.
        """
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        ended = self.count("ended")  # before what began: none is missed
        return ended == self.count("begun") and self.others - ended < workers

    def wait_for_others(self, seconds: float) -> None:
        """Let other workers end their tests, as long as now and then one ends."""
        ended, until = -1, 0.0
        while not self.quiet():
            if ended != self.count("ended"):
                ended, until = self.count("ended"), time.monotonic() + seconds
            if time.monotonic() > until:
                left = self.others - ended
                pytest.fail(f"none of {left} tests has ended in {seconds:.0f} s")
            time.sleep(0.1)


SESSION = pytest.StashKey[Session]()
_OWNED = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Set the folder; a worker finds its controller's in the environment.

    A person who wants to read the recordings names a folder there, an empty one.
    """
    if FOLDER not in os.environ:
        owned = tempfile.TemporaryDirectory(prefix="vibeboard-records-")
        config.stash[_OWNED] = owned
        os.environ[FOLDER] = owned.name
    os.environ["LOCALHUB_RECORD"] = os.environ[FOLDER]
    config.stash[SESSION] = Session(Path(os.environ[FOLDER]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder."""
    owned = config.stash.get(_OWNED, None)
    if owned is not None:
        del os.environ[FOLDER]
        owned.cleanup()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Put the checks last."""
    checks = [item for item in items if item.path.name == CHECKS]
    others = [item for item in items if item.path.name != CHECKS]
    items[:] = [*others, *checks]
    session = config.stash[SESSION]
    session.others = len(others)
    session.driven = any(item.path.name == DRIVERS for item in others)
    session.whole = session.driven and _everything(config)


def _everything(config: pytest.Config) -> bool:
    chosen = config.args_source is not pytest.Config.ArgsSource.ARGS or (
        [Path(one).resolve() for one in config.args] == [config.rootpath / "tests"]
    )
    narrowed = any(
        config.getoption(name, None)
        for name in ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob")
    )
    return chosen and not narrowed


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count a test as ended when its fixtures are, too."""
    session = item.config.stash[SESSION]
    if item.path.name == CHECKS:
        return (yield)
    session.note("begun")
    ended = yield
    session.note("ended")
    return ended


@pytest.fixture(scope="session")
def recording(pytestconfig: pytest.Config) -> Session:
    """The session's recordings, complete: everything else has run."""
    session = pytestconfig.stash[SESSION]
    session.wait_for_others(seconds=150)
    return session
