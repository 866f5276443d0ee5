"""Deliveries and runs are taken from their own rows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_OPEN = sa.text("ordering_key IS NOT NULL AND state IN ('received', 'decided')")
_UNSORTED = sa.text("ordering_key IS NULL AND state = 'received'")
_DEAD = sa.text("state IN ('unreadable', 'failed', 'parked')")
_TAKEN = sa.text("worker IS NOT NULL")
_UNENDED = sa.text("state IN ('queued', 'running', 'stopping')")
_FAILED = sa.text("state = 'failed'")


def upgrade() -> None:
    _deliveries()
    _runs()
    _new_tables()


def _deliveries() -> None:
    op.drop_index("delivery_by_state", "delivery")
    with op.batch_alter_table("delivery") as table:
        table.drop_column("digest")
        table.drop_constraint("delivery_once", type_="unique")
        table.create_unique_constraint("delivery_once", ["guid", "hook"])
        table.alter_column(
            "state", existing_type=sa.String(16), server_default="received"
        )
        table.add_column(
            sa.Column("encoding", sa.SmallInteger, nullable=False, server_default="0")
        )
        table.add_column(
            sa.Column("account", sa.String(100), nullable=False, server_default="")
        )
        table.add_column(sa.Column("ordering_key", sa.String(300)))
        table.add_column(sa.Column("worker", sa.String(100)))
        table.add_column(
            sa.Column("tries", sa.Integer, nullable=False, server_default="0")
        )
        table.add_column(
            sa.Column("crashes", sa.Integer, nullable=False, server_default="0")
        )
        table.add_column(sa.Column("due_at", sa.DateTime))
        table.add_column(sa.Column("settled_at", sa.DateTime))
    op.execute("UPDATE delivery SET settled_at = received_at WHERE state <> 'received'")
    # What was decided and not performed yet is open again.
    op.execute(
        "UPDATE delivery SET state = 'decided', settled_at = NULL, "
        "ordering_key = 'earlier' WHERE state = 'settled' AND id IN "
        "(SELECT delivery FROM effect WHERE state = 'pending')"
    )
    for name, columns, where in (
        ("delivery_unsorted", ["id"], _UNSORTED),
        ("delivery_open", ["ordering_key", "id"], _OPEN),
        ("delivery_dead", ["state", "id"], _DEAD),
        ("delivery_taken", ["worker"], _TAKEN),
    ):
        _index(name, "delivery", columns, where)
    if op.get_bind().dialect.name == "postgresql":
        # Bodies are compressed by us, and most of them have a few kilobytes: beside
        # the other columns they go in quicker than into a table of their own.
        op.execute("ALTER TABLE delivery ALTER COLUMN body SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE delivery SET (toast_tuple_target = 8160)")
    _index("effect_failed", "effect", ["delivery"], _FAILED)


def _index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _runs() -> None:
    with op.batch_alter_table("run") as table:
        table.add_column(
            sa.Column("parent", sa.String(32), nullable=False, server_default="")
        )
        table.add_column(
            sa.Column("priority", sa.Integer, nullable=False, server_default="0")
        )
        table.add_column(sa.Column("worker", sa.String(100)))
        table.add_column(
            sa.Column("place", sa.String(64), nullable=False, server_default="")
        )
        table.add_column(
            sa.Column("tries", sa.Integer, nullable=False, server_default="0")
        )
        table.add_column(
            sa.Column("crashes", sa.Integer, nullable=False, server_default="0")
        )
        table.add_column(sa.Column("due_at", sa.DateTime))
        table.add_column(
            sa.Column("waits_for", sa.Text, nullable=False, server_default="")
        )
        table.add_column(sa.Column("calls", sa.JSON))
    op.drop_index("run_by_state", "run")
    _index("run_unended", "run", ["repository", "state"], _UNENDED)
    _index("run_taken", "run", ["worker"], _TAKEN)


def _new_tables() -> None:
    op.create_table(
        "run_step",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("ended_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("place", sa.String(64), nullable=False),
        sa.Column("started_at", sa.DateTime, nullable=False),
        sa.Column("beat_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "pause",
        sa.Column("scope", sa.String(300), primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("paused_by", sa.String(100), nullable=False),
        sa.Column("paused_at", sa.DateTime, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("delivery", sa.String(128), nullable=False, server_default=""),
    )
    op.create_index("audit_by_subject", "audit", ["subject", "id"])
    op.create_index("audit_by_time", "audit", ["at"])
    op.create_table(
        "watermark",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("at", sa.DateTime, nullable=False),
    )
