"""Every error Vibeboard raises on purpose, by who must act.

::

    VibeboardError
    ├── UserError              the board's owner can mend it: becomes a comment
    │   ├── ConfigInvalid      .vibe.yml, with line and column of each fault
    │   ├── NotSupportedYet    a key this version understands but cannot carry out
    │   ├── WorkspaceRefused   the repository cannot be worked on as it is
    │   ├── PushRefused        GitHub did not take the branch
    │   ├── AgentMissing       the agent's program is not installed here
    │   ├── SandboxMissing     the sandbox that is required cannot be made here
    │   └── ReportUnreadable   a test report that cannot be believed
    ├── RetryLater             time will mend it; says after how long
    │   ├── GitHubUnavailable  5xx, time-out, connection lost
    │   ├── RateLimited        primary or secondary limit
    │   └── StoreUnavailable   our database is away, locked or full
    ├── PeopleAsked            a run waits until people have answered its agent
    ├── AppAbsent              suspended on, or removed from, an account; work is parked
    └── Broken                 we must mend it
        ├── IllegalTransition  a run was asked to change state against the table
        ├── SettingsInvalid    the operator's environment
        ├── Fenced             another attempt has the run: leave everything as it is
        ├── NotProved          a call on us without the proof that it needs
        ├── MalformedDelivery  a known event without the fields it must have
        └── GitHubRefused      a 4xx nobody expected

Errors carry attributes; the sentences people read are made in ``domain/words.py``.
"""

from dataclasses import dataclass
from datetime import timedelta


class VibeboardError(Exception):
    """Any error Vibeboard raises on purpose."""


class UserError(VibeboardError):
    """The owner of the board or repository can mend it."""


class NotSupportedYet(UserError):  # noqa: N818 - told as an event, not as an "Error"
    """Something that is understood but not carried out by this version."""


class WorkspaceRefused(UserError):  # noqa: N818 - an event
    """The repository cannot be worked on as it is."""


class PushRefused(UserError):  # noqa: N818 - an event
    """GitHub did not take the branch; git's own line is in the message."""


class AgentMissing(UserError):  # noqa: N818 - an event
    """The agent's program is not installed on this runner."""


class SandboxMissing(UserError):  # noqa: N818 - an event
    """The sandbox that is required cannot be made on this runner."""


class ReportUnreadable(UserError):  # noqa: N818 - an event
    """A test report that cannot be believed; the message says why."""


@dataclass(frozen=True)
class Fault:
    """One fault in a configuration file; ``line`` and ``column`` count from 1."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class ConfigInvalid(UserError):  # noqa: N818 - an event
    """``.vibe.yml`` has faults, each with its place."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = faults


class RetryLater(VibeboardError):  # noqa: N818 - an event
    """Time will mend it."""

    def __init__(self, message: str, *, after: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.after = after


class GitHubUnavailable(RetryLater):
    """GitHub answered 5xx, nothing, or not in time."""


class RateLimited(RetryLater):
    """A primary or secondary rate limit; ``after`` is GitHub's own wait."""


class StoreUnavailable(RetryLater):
    """The database is away, locked or full."""


class PeopleAsked(VibeboardError):  # noqa: N818 - an event
    """A run's agent has ended its turn to wait for people's answers."""


class AppAbsent(VibeboardError):  # noqa: N818 - an event
    """The App is suspended on, or removed from, an account until somebody acts."""

    def __init__(self, account: str, message: str = "") -> None:
        super().__init__(message or f"the App is not active on {account}")
        self.account = account


class Broken(VibeboardError):  # noqa: N818 - an event
    """The fault is ours."""


class SettingsInvalid(Broken):
    """The operator's environment is incomplete or wrong."""


class IllegalTransition(Broken):
    """A run was asked to change state against the table."""


class Fenced(Broken):
    """Another attempt has the run by now: nothing may be written for it."""


class NotProved(Broken):
    """Who calls us has not proved to be who may."""


class MalformedDelivery(Broken):
    """A known event lacks a field it must have."""


class GitHubRefused(Broken):
    """A 4xx that nobody expected; ``status_code`` is GitHub's."""

    def __init__(self, message: str, *, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code
