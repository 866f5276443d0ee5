"""GitHub's limits for one credential: what is left of them, and when to be silent.

After a limit nothing is sent until the time that GitHub named: going on can get an
App banned. A used-up primary limit silences its own resource (REST or GraphQL), a
secondary one silences both.
Source: docs.github.com, "Rate limits for the REST API", "Rate limits and query
limits for the GraphQL API".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vibeboard.errors import RateLimited
from vibeboard.github.answers import Limit, until_reset

CORE = "core"
GRAPHQL = "graphql"
_NEVER = datetime.min.replace(tzinfo=UTC)
_LONGEST_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Quota:
    """A primary limit as GitHub last told it: requests, or GraphQL's points."""

    limit: int
    remaining: int
    resets_at: datetime


class Limits:
    """The limits of one credential."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._silent_until = {CORE: _NEVER, GRAPHQL: _NEVER}
        self._unadvised = 0
        self.quotas: dict[str, Quota] = {}

    def check(self, resource: str) -> None:
        """Raise RateLimited as long as GitHub wants to hear nothing of this."""
        wait = self._silent_until[resource] - self._now()
        if wait > timedelta(0):
            message = "GitHub asked us to wait"
            raise RateLimited(message, after=wait)

    def observe(self, resource: str, headers: Mapping[str, str]) -> None:
        """Note what is left; the next call waits if it is nothing."""
        told = [headers.get(f"x-ratelimit-{name}", "") for name in _TOLD]
        if not all(text.isdecimal() for text in told):
            return
        limit, remaining, reset = map(int, told)
        name = headers.get("x-ratelimit-resource", resource)
        resets_at = datetime.fromtimestamp(min(reset, _FAR), UTC)
        self.quotas[name] = Quota(limit, remaining, resets_at)
        if name == resource and remaining == 0 and resets_at > self._now():
            self._silence(resource, until_reset(headers, self._now()))

    def impose(self, limit: Limit, resource: str) -> RateLimited:
        """Be silent from now on; the error that tells for how long."""
        wait = limit.after
        if not limit.advised:
            # Finite and growing, as GitHub asks where it names no time.
            wait = min(wait * 2**self._unadvised, _LONGEST_WAIT)
            self._unadvised = min(self._unadvised + 1, 10)
        for each in (resource,) if limit.primary else (CORE, GRAPHQL):
            self._silence(each, wait)
        return RateLimited(limit.message, after=wait)

    def passed(self) -> None:
        """GitHub answers as usual."""
        self._unadvised = 0

    def _silence(self, resource: str, wait: timedelta) -> None:
        until = self._now() + wait
        self._silent_until[resource] = max(self._silent_until[resource], until)


_TOLD = ("limit", "remaining", "reset")
_FAR = 2**33
