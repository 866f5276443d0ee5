"""Staying below GitHub's limits on creating content.

GitHub stops an App that creates more than 80 things a minute or 500 an hour, asks
for a second between two writes, and may ban one that goes on. We stop a little
earlier, by ourselves. A few writes may follow each other at once after a rest:
what a card's move causes is seen without delay.
Source: docs.github.com, "Rate limits for the REST API", secondary limits, and "Best
practices for using the REST API".
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from vibeboard.errors import RateLimited

OURS: Mapping[timedelta, int] = {
    timedelta(minutes=1): 75,
    timedelta(hours=1): 480,
}
_A_MINUTE = 60
# A stage writes less than this from its card's move to its agent's start.
BURST = 8
# What edits may take of everything: they can wait, and many become one.
_SHARE = 0.75

Pause = Callable[[timedelta], Awaitable[None]]


class Pace:
    """Remembers when was written, and makes the next write wait.

    ``burst`` writes may follow each other at once after a rest; later ones come
    ``a_minute``. Whoever lets us be faster than GitHub.com sets its own limits.
    """

    def __init__(
        self,
        a_minute: float = _A_MINUTE,
        *,
        limits: Mapping[timedelta, int] = OURS,
        burst: int = BURST,
    ) -> None:
        self._limits = limits if a_minute <= _A_MINUTE else {}
        self._apart = timedelta(minutes=1) / a_minute
        self._burst = burst
        self._longest = max(limits)
        self._written: deque[datetime] = deque()
        self._rested_at: datetime | None = None

    async def give_way(self, now: Callable[[], datetime], pause: Pause) -> None:
        """Wait until something is left for those whose writes cannot wait.

        Raises RateLimited like ``turn``, only earlier.
        """
        while (wait := self._too_early(now(), _SHARE)) > timedelta(0):
            await pause(wait)

    async def turn(self, now: Callable[[], datetime], pause: Pause) -> None:
        """Wait for the next write's moment, and count it.

        Raises RateLimited where a minute or an hour is used up: that is too long to
        be waited for here.
        """
        while (wait := self._too_early(now())) > timedelta(0):
            await pause(wait)
        self._count(now())

    def _too_early(self, now: datetime, share: float = 1) -> timedelta:
        while self._written and self._written[0] <= now - self._longest:
            self._written.popleft()
        for span, whole in self._limits.items():
            most = max(int(whole * share), 1)
            if len(self._written) >= most:
                frees_at = self._written[-most] + span
                if frees_at > now:
                    message = f"{most} writes in {span} are enough for GitHub"
                    raise RateLimited(message, after=frees_at - now)
        if self._rested_at is None:
            return timedelta(0)
        burst = max(int(self._burst * share), 1)
        return self._rested_at - (burst - 1) * self._apart - now

    def _count(self, now: datetime) -> None:
        # Each write takes ``apart`` of rest, as in a bucket that leaks: once all of
        # it is had back, a whole burst may follow.
        self._rested_at = max(self._rested_at or now, now) + self._apart
        self._written.append(now)
