"""Runs that are given to GitHub Actions."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column(
        "run", sa.Column("runner", sa.String(16), nullable=False, server_default="own")
    )
    op.add_column("run", sa.Column("posting", sa.JSON(none_as_null=True)))
    op.add_column("run", sa.Column("posted_as", sa.BigInteger))
    op.add_column("run", sa.Column("lent_until", sa.DateTime))
    unended = sa.text(
        "posted_as IS NOT NULL AND state IN ('queued', 'running', 'stopping')"
    )
    op.create_index(
        "run_posted",
        "run",
        ["posted_as"],
        sqlite_where=unended,
        postgresql_where=unended,
    )
