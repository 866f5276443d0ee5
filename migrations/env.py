"""Runs migrations on the engine that the program hands over.

There is no offline mode and no URL here: ``vibeboard db upgrade`` knows it.
"""

from alembic import context
from sqlalchemy import Engine

engine: Engine = context.config.attributes["engine"]

with engine.connect() as connection:
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
