"""What specialists found in which commit."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "review_result",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("repository", sa.String(255), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("review", sa.String(100), nullable=False),
        sa.Column("run", sa.String(32), nullable=False),
        sa.Column("definition", sa.String(64), nullable=False),
        sa.Column("kept_at", sa.DateTime, nullable=False),
        sa.Column("encoding", sa.SmallInteger, nullable=False),
        sa.Column("result", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint(
            "repository", "commit", "review", "run", name="review_result_once"
        ),
    )
    op.create_index("review_result_by_run", "review_result", ["run"])
    op.create_index("review_result_by_time", "review_result", ["kept_at"])
