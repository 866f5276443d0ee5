"""A clock that only moves when told to."""

from datetime import UTC, datetime, timedelta


class Clock:
    """The present, as a test wants it."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at = at or datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._at

    def advance(self, **span: float) -> None:
        self._at += timedelta(**span)
