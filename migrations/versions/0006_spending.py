"""What runs spend, what they push by a person's leave, and what they were asked."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "spending",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("part", sa.String(16), primary_key=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("stage", sa.String(100), nullable=False),
        sa.Column("agent", sa.String(100), nullable=False),
        sa.Column("model", sa.String(200), nullable=False, server_default=""),
        sa.Column("micro_usd", sa.BigInteger),
        sa.Column("input_tokens", sa.BigInteger),
        sa.Column("cached_tokens", sa.BigInteger),
        sa.Column("output_tokens", sa.BigInteger),
        sa.Column("turns", sa.Integer),
        sa.Column("spent_at", sa.DateTime, nullable=False),
    )
    op.create_index(
        "spending_by_card", "spending", ["repository", "number", "stage", "micro_usd"]
    )
    op.create_index(
        "spending_by_day", "spending", ["repository", "spent_at", "stage", "micro_usd"]
    )
    op.create_index("spending_by_time", "spending", ["spent_at"])
    op.create_table(
        "asked",
        sa.Column("run", sa.String(32), primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.add_column(
        "run",
        sa.Column("approved", sa.String(64), nullable=False, server_default=""),
    )
