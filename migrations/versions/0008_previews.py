"""Where runs' changes can be looked at."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("run", sa.Column("previews", sa.JSON(none_as_null=True)))
