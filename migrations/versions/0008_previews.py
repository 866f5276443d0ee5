"""Where changes can be looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "preview",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("deployment", sa.BigInteger, nullable=False),
        sa.Column("environment", sa.String(255), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("log", sa.Text, nullable=False),
        sa.Column("kept_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint(
            "repository", "number", "environment", name="preview_newest"
        ),
    )
    op.create_index("preview_by_deployment", "preview", ["repository", "deployment"])
