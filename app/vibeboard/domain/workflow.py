"""What a team wants to happen: `.vibe.yml` as values.

The file's shape and its faults live in ``config/``; here is only the meaning.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum, IntEnum
from hashlib import sha256
from typing import Any

from vibeboard.domain.board import BoardKey, Permission
from vibeboard.domain.evidence import FlakyPolicy
from vibeboard.domain.review import Severity
from vibeboard.domain.tools import DEFAULT, ToolPolicy

FILE = ".vibe.yml"
AGENT_FILE = ".github/workflows/agent.yml"  # what carries runs out on GitHub Actions
VERIFY = "verify"  # the stage of runs that only test
REVIEWS = "reviews"  # the stage of runs that only review


class Result(Enum):
    """What a stage leaves behind. Nothing: no agent works in it."""

    BRANCH = "branch"  # a draft pull request, opened or updated
    ISSUE = "issue"  # a spec with numbered acceptance criteria, in the issue
    REPORT = "report"  # words only, on the tracking comment
    EVIDENCE = "evidence"  # of suites and reviews alone, on a commit that is there
    NOTHING = "nothing"


class Runner(Enum):
    """Who carries a stage's runs out."""

    OWN = "own"  # the server's own runners
    ACTIONS = "actions"  # GitHub Actions, in the repository's own workflow


class Cli(Enum):
    """The kinds of agent program."""

    CLAUDE_CODE = "claude-code"
    CODEX = "codex"
    ACP = "acp"  # whatever speaks the Agent Client Protocol
    COMMAND = "command"


@dataclass(frozen=True)
class Agent:
    """A configured agent.

    ``command`` is an argument list, for ``cli: command`` and ``cli: acp``.

    ``network`` are the hosts it may reach besides the model's.
    """

    name: str
    cli: Cli
    command: tuple[str, ...] = ()
    model: str | None = None
    time_limit: timedelta = timedelta(minutes=45)
    turns: int | None = None
    usd: float | None = None
    tokens: int | None = None
    network: tuple[str, ...] = ()
    sandbox_required: bool = False
    tools: ToolPolicy = DEFAULT


_NOBODY = Agent("nobody", Cli.COMMAND)


class Scope(Enum):
    """Whose spending counts towards a cap."""

    STAGE_OF_ISSUE = "this stage on this issue"
    ISSUE = "this issue"
    STAGE_OF_DAY = "this stage today"
    DAY = "this repository today"


@dataclass(frozen=True)
class Cap:
    """The most US dollars that runs spend together; ``key`` is where that is said."""

    scope: Scope
    usd: float
    key: str


@dataclass(frozen=True)
class Suite:
    """A test suite: a shell command, and where it leaves JUnit XML (globs).

    ``retries`` are runs after the first that failed. ``coverage`` is a glob, too; the
    least line coverage is ``coverage_at_least`` per cent, and ``coverage_drop`` points
    below the base's. ``network`` are the hosts it may reach.
    """

    name: str
    run: str
    reports: tuple[str, ...]
    time_limit: timedelta = timedelta(minutes=30)
    env: tuple[tuple[str, str], ...] = ()
    retries: int = 0
    flaky: FlakyPolicy = FlakyPolicy.PASS
    baseline: bool = True
    coverage: str | None = None
    coverage_at_least: float | None = None
    coverage_drop: float | None = None
    network: tuple[str, ...] = ()
    sandbox_required: bool = False

    @property
    def definition(self) -> str:
        """What makes two results comparable: what was run, and what was read."""
        parts = (self.run, *self.reports, self.coverage or "", *map("=".join, self.env))
        if self.network:
            parts += ("network", *self.network)
        return sha256("\0".join(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Prompt:
    """Where a stage's prompt comes from: a file, inline text, or one of ours."""

    text: str | None = None
    path: str | None = None
    builtin: str | None = None


@dataclass(frozen=True)
class Review:
    """A specialist who looks at a commit; findings from ``blocks_on`` upwards block."""

    name: str
    agent: Agent
    prompt: Prompt
    blocks_on: Severity | None = Severity.CRITICAL

    @property
    def definition(self) -> str:
        """What makes two reviews the same: who looks, and what for."""
        agent, prompt = self.agent, self.prompt
        parts = (agent.cli.value, *agent.command, agent.model or "")
        what = (prompt.text or "", prompt.path or "", prompt.builtin or "")
        return sha256("\0".join((*parts, "", *what)).encode()).hexdigest()[:16]


class Priority(IntEnum):
    """Whose runs go first when not all can; higher before lower."""

    LOW = -1
    NORMAL = 0
    HIGH = 1


@dataclass(frozen=True)
class Gate:
    """What must be true of a card's pull request before it may stand in a column."""

    tests: tuple[Suite, ...] = ()
    reviews: tuple[Review, ...] = ()
    approvals: int = 0
    criteria: bool = False
    up_to_date: bool = False
    merged: bool = False


@dataclass(frozen=True)
class Stage:
    """What a column does with a card.

    The limits of ``agent`` are those of one run here. ``protected`` are globs of the
    team's own, besides those that are always protected.
    """

    name: str
    column: str | None
    agent: Agent
    prompt: Prompt
    result: Result = Result.BRANCH
    needs: tuple[str, ...] = ()
    tests: tuple[Suite, ...] = ()
    reviews: tuple[Review, ...] = ()
    next: str | None = None
    otherwise: str | None = None
    priority: Priority = Priority.NORMAL
    delay: timedelta = timedelta(0)
    gate: Gate | None = None
    fix_checks: int = 0
    caps: tuple[Cap, ...] = ()
    protected: tuple[str, ...] = ()
    runner: Runner = Runner.OWN

    @property
    def has_agent(self) -> bool:
        """Whether an agent works in it, and not only tests, specialists or a gate."""
        return self.result not in (Result.NOTHING, Result.EVIDENCE)


@dataclass(frozen=True)
class Workflow:
    """The whole of `.vibe.yml`, read at one commit."""

    board: BoardKey | None
    column_field: str
    stages: Mapping[str, Stage]
    suites: Mapping[str, Suite]
    reviews: Mapping[str, Review] = field(default_factory=dict)
    parallel: int = 3
    least_permission: Permission = Permission.WRITE
    trusted_bots: frozenset[str] = field(default_factory=frozenset)
    commit: str = ""
    cost_field: str | None = None
    runner: Runner = Runner.OWN

    def stage_of(self, column: str | None) -> Stage | None:
        """The stage whose column this is; names compare without case."""
        if not column:
            return None
        wanted = column.casefold()
        return next(
            (s for s in self.stages.values() if (s.column or "").casefold() == wanted),
            None,
        )

    @property
    def gates(self) -> Mapping[str, Gate]:
        """The gates by their stages' names."""
        return {s.name: s.gate for s in self.stages.values() if s.gate is not None}

    def verification(self) -> Stage:
        """What proves a commit that no agent's run has tested: the gates' suites."""
        wanted = [suite for gate in self.gates.values() for suite in gate.tests]
        return self._looking(VERIFY, tests=tuple(dict.fromkeys(wanted)))

    def reviewing(self) -> Stage:
        """What has a commit looked at that no run's specialists saw: all reviews."""
        wanted = [review for gate in self.gates.values() for review in gate.reviews]
        return self._looking(REVIEWS, reviews=tuple(dict.fromkeys(wanted)))

    def stage_named(self, name: str) -> Stage | None:
        """A stage of the file, or one of those that only look at a commit."""
        if name == VERIFY:
            return self.verification()
        return self.reviewing() if name == REVIEWS else self.stages.get(name)

    def _looking(self, name: str, **looks: Any) -> Stage:
        """A stage that changes nothing, where all others are carried out."""
        looking = Stage(name, None, _NOBODY, Prompt(), result=Result.EVIDENCE)
        return replace(looking, runner=self.runner, **looks)

    def permission_of_bot(self, login: str) -> Permission:
        """What a bot may do: as much as people must, if it is listed by name."""
        listed = login.casefold() in {bot.casefold() for bot in self.trusted_bots}
        return self.least_permission if listed else Permission.NONE
