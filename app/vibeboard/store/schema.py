"""The tables, as SQLAlchemy knows them; ``migrations/`` makes them.

Rows are the queue: a delivery or a run that is due is a row without a worker, and
who takes it writes its own name there.
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
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
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

_OPEN = text("ordering_key IS NOT NULL AND state IN ('received', 'decided')")
_UNSORTED = text("ordering_key IS NULL AND state = 'received'")
_DEAD = text("state IN ('unreadable', 'failed', 'parked')")
_TAKEN = text("worker IS NOT NULL")

# A webhook as it came, or (hook "vibeboard") an event of our own. Intake writes the
# columns up to ``received_at``; sorting finds ``account`` and ``ordering_key``.
delivery = Table(
    "delivery",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("hook", String(64), nullable=False),
    Column("guid", String(64), nullable=False),
    Column("event", String(64), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("encoding", SmallInteger, nullable=False, server_default="0"),
    Column("received_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False, server_default="received"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("conflict", Boolean, nullable=False, server_default=text("false")),
    Column("account", String(100), nullable=False, server_default=""),
    Column("ordering_key", String(300)),
    Column("worker", String(100)),  # whose process has it now
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcDateTime),  # not before
    Column("settled_at", UtcDateTime),
    # By GUID first: GitHub's own list of deliveries is compared by it.
    UniqueConstraint("guid", "hook", name="delivery_once"),
    Index(
        "delivery_unsorted", "id", sqlite_where=_UNSORTED, postgresql_where=_UNSORTED
    ),
    Index(
        "delivery_open",
        "ordering_key",
        "id",
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    ),
    Index("delivery_dead", "state", "id", sqlite_where=_DEAD, postgresql_where=_DEAD),
    Index("delivery_taken", "worker", sqlite_where=_TAKEN, postgresql_where=_TAKEN),
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
_POSTED = text(f"posted_as IS NOT NULL AND {_UNENDED}")
_FAILED = text("state = 'failed'")

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
    Column("parent", String(32), nullable=False, server_default=""),
    Column("priority", Integer, nullable=False, server_default="0"),
    Column("worker", String(100)),  # whose process has it now
    Column("place", String(64), nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcDateTime),  # not before
    Column("waits_for", Text, nullable=False, server_default=""),
    Column("calls", JSON),
    Column("asked_at", UtcDateTime),  # waits for people's answers since then
    Column("approved", String(64), nullable=False, server_default=""),
    Column("runner", String(16), nullable=False, server_default="own"),  # Runner
    Column("posting", JSON(none_as_null=True)),  # where it is on GitHub Actions
    Column("posted_as", BigInteger),  # the posting's number
    Column("lent_until", UtcDateTime),  # until then a posting's claim holds
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
    Index(
        "run_unended",
        "repository",
        "state",
        sqlite_where=text(_UNENDED),
        postgresql_where=text(_UNENDED),
    ),
    Index("run_taken", "worker", sqlite_where=_TAKEN, postgresql_where=_TAKEN),
    Index("run_posted", "posted_as", sqlite_where=_POSTED, postgresql_where=_POSTED),
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
    Index("effect_failed", "delivery", sqlite_where=_FAILED, postgresql_where=_FAILED),
)

# What a step of a run came to, so that it is not done again.
run_step = Table(
    "run_step",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
)

# What an attempt of a run used for its agent or for reviews (``part``), in millionths
# of a US dollar and in tokens; no amount where nobody knows it. The card is here, too,
# so that sums need no other table.
spending = Table(
    "spending",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("part", String(16), primary_key=True),
    Column("repository", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("stage", String(100), nullable=False),
    Column("agent", String(100), nullable=False),
    Column("model", String(200), nullable=False, server_default=""),
    Column("micro_usd", BigInteger),
    Column("input_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("turns", Integer),
    Column("spent_at", UtcDateTime, nullable=False),
    Index("spending_by_card", "repository", "number", "stage", "micro_usd"),
    Index("spending_by_day", "repository", "spent_at", "stage", "micro_usd"),
    Index("spending_by_time", "spent_at"),
)

# The issue as it stood when a run was asked for, until the run ends.
asked = Table(
    "asked",
    metadata,
    Column("run", String(32), primary_key=True),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# What a suite gave on a commit, whole. The columns beside it are for lists.
suite_result = Table(
    "suite_result",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", String(255), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("suite", String(100), nullable=False),
    Column("run", String(32), nullable=False),
    Column("definition", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    Column("encoding", SmallInteger, nullable=False),
    Column("result", LargeBinary, nullable=False),
    UniqueConstraint("repository", "commit", "suite", "run", name="suite_result_once"),
    Index("suite_result_by_run", "run"),
    Index("suite_result_by_time", "kept_at"),
)

# What a specialist found in a commit.
review_result = Table(
    "review_result",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", String(255), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("review", String(100), nullable=False),
    Column("run", String(32), nullable=False),
    Column("definition", String(64), nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    Column("encoding", SmallInteger, nullable=False),
    Column("result", LargeBinary, nullable=False),
    UniqueConstraint(
        "repository", "commit", "review", "run", name="review_result_once"
    ),
    Index("review_result_by_run", "run"),
    Index("review_result_by_time", "kept_at"),
)

# Somebody's word for a commit or a criterion of a card.
vouch = Table(
    "vouch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject", String(100), nullable=False),
    Column("by", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("vouched_at", UtcDateTime, nullable=False),
    Index("vouch_by_card", "repository", "number"),
)

# Where the change of a card's pull request can be looked at, by environment.
preview = Table(
    "preview",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("repository", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("deployment", BigInteger, nullable=False),
    Column("environment", String(255), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # PreviewState
    Column("url", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("kept_at", UtcDateTime, nullable=False),
    UniqueConstraint("repository", "number", "environment", name="preview_newest"),
    Index("preview_by_deployment", "repository", "deployment"),
)

# A call of a tool that a person has to answer for.
question = Table(
    "question",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("run", String(32), nullable=False),
    Column("repository", String(255), nullable=False),
    Column("number", Integer, nullable=False),
    Column("call_key", String(64), nullable=False),
    Column("call", JSON, nullable=False),
    Column("rule", Text, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("verdict", String(16)),
    Column("answered_by", String(100), nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
    Column("for_run", Boolean, nullable=False, server_default=text("false")),
    Column("answered_at", UtcDateTime),
    Column("used", Boolean, nullable=False, server_default=text("false")),
    Index("question_by_run", "run"),
)

# A process that takes work, for as long as it says so.
worker = Table(
    "worker",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("place", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("beat_at", UtcDateTime, nullable=False),
)

# Where no run starts: "*", an account, a repository, or one card.
pause = Table(
    "pause",
    metadata,
    Column("scope", String(300), primary_key=True),
    Column("why", Text, nullable=False),
    Column("paused_by", String(100), nullable=False),
    Column("paused_at", UtcDateTime, nullable=False),
)

# Who did what; kept longer than what it was done with.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("delivery", String(128), nullable=False, server_default=""),
    Index("audit_by_subject", "subject", "id"),
    Index("audit_by_time", "at"),
)

# How far something that goes over GitHub's own lists has come.
watermark = Table(
    "watermark",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
