"""Brings the database to this version's schema with Alembic."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from vibeboard.errors import SettingsInvalid
from vibeboard.resources import shipped
from vibeboard.store.database import Database, connected


def _config(database: Database) -> Config:
    config = Config()
    config.set_main_option("script_location", str(shipped("migrations")))
    config.attributes["engine"] = database.sync_engine
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

    Raises SettingsInvalid when the database is of a newer version.
    """
    config = _config(database)
    before, known = current(database), ScriptDirectory.from_config(config)
    if before is not None and before not in {
        r.revision for r in known.walk_revisions()
    }:
        message = (
            f"the database is at revision {before}, which this version does not know: "
            "it was used by a newer Vibeboard. Install that version again"
        )
        raise SettingsInvalid(message)
    command.upgrade(config, "head")
    return before, head(database)


def ready(database: Database) -> None:
    """Make sure the schema is this version's.

    The embedded database is upgraded on the spot; a shared one only on request.
    Raises SettingsInvalid.
    """
    if database.is_sqlite:
        upgrade(database)
        return
    if current(database) != head(database):
        message = "the database is not at this version: run `vibeboard db upgrade`"
        raise SettingsInvalid(message)
