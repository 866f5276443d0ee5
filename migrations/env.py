"""Runs migrations on the engine that the program hands over, in one transaction.

There is no offline mode and no URL here: ``vibeboard db upgrade`` knows it. Whoever
comes second waits, and finds everything done; what is cut off leaves nothing.
"""

from alembic import context
from sqlalchemy import Engine, func, select, text

attributes = context.config.attributes
engine: Engine = attributes["engine"]

with engine.begin() as connection:  # IMMEDIATE on SQLite: one writer
    if connection.dialect.name == "postgresql":
        connection.execute(
            text(f"SET LOCAL lock_timeout = '{attributes['patience']}s'")
        )
        connection.execute(select(func.pg_advisory_xact_lock(attributes["lock"])))
    context.configure(connection=connection, render_as_batch=True)
    attributes["before"] = context.get_context().get_current_revision()
    context.run_migrations()
