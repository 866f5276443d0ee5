"""Deliveries, cards, runs and effects."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ACTIVE = sa.text(
    "dispatched_at IS NOT NULL AND state IN ('queued', 'running', 'stopping')"
)


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("hook", sa.String(64), nullable=False),
        sa.Column("guid", sa.String(64), nullable=False),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column(
            "conflict", sa.Boolean, nullable=False, server_default=sa.text("false")
        ),
        sa.UniqueConstraint("hook", "guid", name="delivery_once"),
    )
    op.create_index("delivery_by_state", "delivery", ["state", "id"])
    op.create_table(
        "card",
        sa.Column("repository", sa.String(255), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("board_column", sa.Text),
        sa.Column("seen_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(100), nullable=False),
        sa.Column("cause", sa.String(128), nullable=False),
        sa.Column("asked_by", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("instructions", sa.Text, nullable=False),
        sa.Column("remarks", sa.JSON, nullable=False),
        sa.Column("config_commit", sa.String(64), nullable=False),
        sa.Column("parallel", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("chain", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime, nullable=False),
        sa.Column("changed_at", sa.DateTime, nullable=False),
        sa.Column("dispatched_at", sa.DateTime),
        sa.Column("started_at", sa.DateTime),
        sa.Column("step", sa.String(16)),
        sa.Column("stop_reason", sa.Text, nullable=False, server_default=""),
        sa.Column("report", sa.JSON),
        sa.Column("comment", sa.BigInteger),
        sa.Column("session", sa.String(128)),
        sa.UniqueConstraint("repository", "number", "stage", "cause", name="run_once"),
    )
    op.create_index(
        "run_one_active",
        "run",
        ["repository", "number"],
        unique=True,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_index("run_by_state", "run", ["state", "created_at"])
    op.create_table(
        "effect",
        sa.Column("key", sa.String(512), primary_key=True),
        sa.Column("delivery", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("error", sa.Text, nullable=False, server_default=""),
        sa.Column("performed_at", sa.DateTime),
    )
    op.create_index("effect_by_delivery", "effect", ["delivery", "position"])
