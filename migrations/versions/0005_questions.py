"""What agents ask people, and runs that wait for the answers."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("run", sa.Column("asked_at", sa.DateTime))
    op.create_table(
        "question",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("call_key", sa.String(64), nullable=False),
        sa.Column("call", sa.JSON, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("asked_at", sa.DateTime, nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("answered_by", sa.String(100), nullable=False, server_default=""),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column(
            "for_run", sa.Boolean, nullable=False, server_default=sa.text("false")
        ),
        sa.Column("answered_at", sa.DateTime),
        sa.Column("used", sa.Boolean, nullable=False, server_default=sa.text("false")),
    )
    op.create_index("question_by_run", "question", ["run"])
