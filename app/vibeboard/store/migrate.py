"""Brings the database to this version's schema with Alembic.

One upgrade is one transaction: it is done or it was not begun, and a second one waits
for the first.
"""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from vibeboard.errors import SettingsInvalid, StoreUnavailable
from vibeboard.resources import shipped
from vibeboard.store.database import Database, connected, lock_number, only_process

_PATIENCE = 60  # seconds that PostgreSQL waits for another upgrade


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    config.attributes.update(
        engine=database.sync_engine, lock=lock_number("upgrade"), patience=_PATIENCE
    )
    return config


def current(database: Database) -> str | None:
    """The revision the database is at; None for an empty one."""
    with connected(database) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head(database: Database) -> str:
    """The revision this version needs."""
    found = ScriptDirectory.from_config(_config(database)).get_current_head()
    assert found is not None
    return found


def upgrade(database: Database) -> tuple[str | None, str]:
    """Upgrade to the head; gives the revisions before and after.

    Raises SettingsInvalid when the database is of a newer version, or another process
    does not let go of it.
    """
    config = _config(database)
    _refuse_newer(database, current(database))
    try:
        command.upgrade(config, "head")
    except StoreUnavailable as error:
        if "lock" not in str(error):
            raise
        message = "another process upgrades the database or writes to it; try again"
        raise SettingsInvalid(message) from error
    return config.attributes["before"], head(database)


def upgrade_apart(database: Database) -> tuple[str | None, str]:
    """Upgrade, unless a server runs on the SQLite file: that one would trip over it."""
    if not database.is_sqlite or current(database) == head(database):
        return upgrade(database)
    with only_process(database, "upgrade"):
        return upgrade(database)


def _refuse_newer(database: Database, revision: str | None) -> None:
    known = ScriptDirectory.from_config(_config(database)).walk_revisions()
    if revision is not None and revision not in {each.revision for each in known}:
        message = (
            f"the database is at revision {revision}, which this version does not "
            "know: it was used by a newer Vibeboard. Install that version again"
        )
        raise SettingsInvalid(message)


def ready(database: Database) -> None:
    """Make sure the schema is this version's.

    The embedded database is upgraded on the spot; a shared one only on request.
    Raises SettingsInvalid.
    """
    if database.is_sqlite:
        upgrade(database)
    else:
        check(database)


def check(database: Database) -> None:
    """Raise SettingsInvalid unless the schema is this version's."""
    found = current(database)
    _refuse_newer(database, found)
    if found != head(database):
        message = "the database is not at this version: run `vibeboard db upgrade`"
        raise SettingsInvalid(message)
