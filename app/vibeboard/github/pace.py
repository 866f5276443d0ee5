"""Staying below GitHub's limits on creating content.

GitHub stops an App that creates more than 80 things a minute or 500 an hour, and
may ban one that goes on. We stop a little earlier, by ourselves.
Source: docs.github.com, "Rate limits for the REST API", secondary limits.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from vibeboard.errors import RateLimited

OURS: Mapping[timedelta, int] = {
    timedelta(minutes=1): 75,
    timedelta(hours=1): 480,
}


class Pace:
    """Remembers when content was created, and says when it is too much."""

    def __init__(self, limits: Mapping[timedelta, int] = OURS) -> None:
        self._limits = limits
        self._longest = max(limits)
        self._created: deque[datetime] = deque()

    def take(self, now: datetime) -> None:
        """Count one creation; raises RateLimited if it has to wait."""
        while self._created and self._created[0] <= now - self._longest:
            self._created.popleft()
        for span, most in self._limits.items():
            if len(self._created) >= most:
                frees_at = self._created[-most] + span
                if frees_at > now:
                    message = f"{most} writes in {span} are enough for GitHub"
                    raise RateLimited(message, after=frees_at - now)
        self._created.append(now)
