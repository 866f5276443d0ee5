"""Migrations, on databases with rows in them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from vibeboard.errors import SettingsInvalid
from vibeboard.store import migrate, schema
from vibeboard.store.database import Database, only_process, open_database

OpenUrl = Callable[[str], Database]


@pytest.fixture
async def open_url() -> AsyncIterator[OpenUrl]:
    """Opens databases, and closes them after the test."""
    opened: list[Database] = []

    def open_one(url: str) -> Database:
        opened.append(open_database(url))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.close()


def theirs(name: str | None) -> bool:
    """Whether the table is ours; the durable engine keeps its own beside them."""
    return name in schema.metadata.tables


def test_the_migrations_make_the_schema_that_the_code_knows(database: Database) -> None:
    with database.sync_engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: kind != "table" or theirs(name)
            },
        )
        assert compare_metadata(context, schema.metadata) == []


def test_upgrading_twice_changes_nothing_and_keeps_the_rows(database: Database) -> None:
    with database.sync_engine.begin() as connection:
        connection.execute(
            text("INSERT INTO card VALUES ('acme/clock', 7, 'QA', '2026-01-02 03:04')")
        )
    before, after = migrate.upgrade(database)

    assert before == after == migrate.head(database)
    with database.sync_engine.connect() as connection:
        assert connection.scalar(text("SELECT board_column FROM card")) == "QA"


def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    with database.sync_engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(SettingsInvalid, match="newer Vibeboard"):
        migrate.upgrade(database)


def test_the_embedded_database_is_upgraded_on_the_spot(
    open_url: OpenUrl, tmp_path: Path
) -> None:
    database = open_url(f"sqlite:///{tmp_path}/new.db")

    migrate.ready(database)

    assert migrate.current(database) == migrate.head(database)


@pytest.mark.postgres
def test_a_shared_database_is_upgraded_on_request_only(
    open_url: OpenUrl, postgres_url: str
) -> None:
    with pytest.raises(SettingsInvalid, match="vibeboard db upgrade"):
        migrate.ready(open_url(postgres_url))


def test_a_second_process_is_refused_with_the_reason(
    open_url: OpenUrl, database: Database
) -> None:
    again = open_url(database.sync_engine.url.render_as_string(hide_password=False))
    with (
        only_process(database, "server"),
        pytest.raises(SettingsInvalid, match=r"in use by another|another Vibeboard"),
        only_process(again, "server"),
    ):
        pass
    with only_process(again, "server"):
        pass


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("mysql://localhost/x", "use sqlite or postgresql", id="kind"),
        pytest.param("sqlite://", "needs a file", id="in memory"),
        pytest.param("nonsense", "cannot be read", id="nonsense"),
    ],
)
def test_a_url_that_cannot_serve_says_why(url: str, reason: str) -> None:
    with pytest.raises(SettingsInvalid, match=reason):
        open_database(url)
