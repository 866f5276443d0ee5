"""What a team wants to happen: `.vibe.yml` as values.

The file's shape and its faults live in ``config/``; here is only the meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, IntEnum

from vibeboard.domain.board import BoardKey, Permission

FILE = ".vibe.yml"


class Result(Enum):
    """What a stage leaves behind."""

    BRANCH = "branch"  # a draft pull request, opened or updated
    ISSUE = "issue"  # a spec with numbered acceptance criteria, in the issue
    REPORT = "report"  # words only, on the tracking comment


class Cli(Enum):
    """The kinds of agent program."""

    CLAUDE_CODE = "claude-code"
    COMMAND = "command"


@dataclass(frozen=True)
class Agent:
    """A configured agent. ``command`` is an argument list, for ``cli: command``."""

    name: str
    cli: Cli
    command: tuple[str, ...] = ()
    model: str | None = None
    time_limit: timedelta = timedelta(minutes=45)
    turns: int | None = None
    usd: float | None = None


@dataclass(frozen=True)
class Suite:
    """A test suite: a shell command, and where it leaves JUnit XML (globs)."""

    name: str
    run: str
    reports: tuple[str, ...]
    time_limit: timedelta = timedelta(minutes=30)


@dataclass(frozen=True)
class Prompt:
    """Where a stage's prompt comes from: a file, inline text, or one of ours."""

    text: str | None = None
    path: str | None = None
    builtin: str | None = None


class Priority(IntEnum):
    """Whose runs go first when not all can; higher before lower."""

    LOW = -1
    NORMAL = 0
    HIGH = 1


@dataclass(frozen=True)
class Stage:
    """What a column does with a card."""

    name: str
    column: str | None
    agent: Agent
    prompt: Prompt
    result: Result = Result.BRANCH
    needs: tuple[str, ...] = ()
    tests: tuple[Suite, ...] = ()
    next: str | None = None
    otherwise: str | None = None
    priority: Priority = Priority.NORMAL
    delay: timedelta = timedelta(0)


@dataclass(frozen=True)
class Workflow:
    """The whole of `.vibe.yml`, read at one commit."""

    board: BoardKey | None
    column_field: str
    stages: Mapping[str, Stage]
    suites: Mapping[str, Suite]
    parallel: int = 3
    least_permission: Permission = Permission.WRITE
    trusted_bots: frozenset[str] = field(default_factory=frozenset)
    commit: str = ""

    def stage_of(self, column: str | None) -> Stage | None:
        """The stage whose column this is; names compare without case."""
        if not column:
            return None
        wanted = column.casefold()
        return next(
            (s for s in self.stages.values() if (s.column or "").casefold() == wanted),
            None,
        )

    def permission_of_bot(self, login: str) -> Permission:
        """What a bot may do: as much as people must, if it is listed by name."""
        listed = login.casefold() in {bot.casefold() for bot in self.trusted_bots}
        return self.least_permission if listed else Permission.NONE
