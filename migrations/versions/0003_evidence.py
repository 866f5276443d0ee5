"""What suites gave on which commit, and what people vouched for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "suite_result",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("suite", sa.String(100), nullable=False),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("kept_at", sa.DateTime, nullable=False),
        sa.Column("encoding", sa.SmallInteger, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint(
            "repository", "commit", "suite", "run", name="suite_result_once"
        ),
    )
    op.create_index("suite_result_by_run", "suite_result", ["run"])
    op.create_index("suite_result_by_time", "suite_result", ["kept_at"])
    op.create_table(
        "vouch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("by", sa.String(100), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("vouched_at", sa.DateTime, nullable=False),
    )
    op.create_index("vouch_by_card", "vouch", ["repository", "number"])
