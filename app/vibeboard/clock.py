"""The present."""

from datetime import UTC, datetime


class SystemClock:
    """Satisfies ``engine.ports.Clock``."""

    def now(self) -> datetime:
        """Now, aware and in UTC."""
        return datetime.now(UTC)
