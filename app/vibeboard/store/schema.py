"""The tables, as SQLAlchemy knows them; ``migrations/`` makes them.

The durable engine keeps tables of its own beside these; ours are the truth.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in UTC, on databases that forget the zone, too."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Store UTC without a zone."""
        del dialect
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self, value: Any | None, dialect: Dialect
    ) -> datetime | None:
        """Give UTC with its zone."""
        del dialect
        return None if value is None else value.replace(tzinfo=UTC)


metadata = MetaData()

# A webhook as it came, or (hook "vibeboard") an event of our own.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("hook", String(64), nullable=False),
    Column("guid", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),  # DeliveryState
    Column("reason", Text, nullable=False, server_default=""),
    Column("conflict", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("hook", "guid", name="delivery_once"),
    Index("delivery_by_state", "state", "id"),
)

card = Table(
    "card",
    metadata,
    Column("repository", String(255), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("board_column", Text),
    Column("seen_at", UtcDateTime, nullable=False),
)

_UNENDED = "state IN ('queued', 'running', 'stopping')"

run = Table(
    "run",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("repository", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("stage", String(100), nullable=False),
    Column("cause", String(128), nullable=False),
    Column("asked_by", String(100), nullable=False),
    Column("state", String(16), nullable=False),
    Column("instructions", Text, nullable=False),
    Column("remarks", JSON, nullable=False),
    Column("config_commit", String(64), nullable=False),
    Column("parallel", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("chain", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("dispatched_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("step", String(16)),
    Column("stop_reason", Text, nullable=False, server_default=""),
    Column("report", JSON),
    Column("comment", BigInteger),
    Column("session", String(128)),
    UniqueConstraint("repository", "number", "stage", "cause", name="run_once"),
    # The last word on "one active run a card", on both databases.
    Index(
        "run_one_active",
        "repository",
        "number",
        unique=True,
        sqlite_where=text(f"dispatched_at IS NOT NULL AND {_UNENDED}"),
        postgresql_where=text(f"dispatched_at IS NOT NULL AND {_UNENDED}"),
    ),
    Index("run_by_state", "state", "created_at"),
)

effect = Table(
    "effect",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("delivery", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("state", String(16), nullable=False),  # EffectState
    Column("error", Text, nullable=False, server_default=""),
    Column("performed_at", UtcDateTime),
    Index("effect_by_delivery", "delivery", "position"),
)
