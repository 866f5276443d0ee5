"""What agents do while they work, in one vocabulary for all of them.

Adapters translate their program's lines into these. They are kept as JSON lines in a
file beside the raw log; each names the byte of the raw log it was read at.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vibeboard.domain.run import Cost
from vibeboard.domain.tools import Verdict
from vibeboard.runner.log import RunLog

LONGEST_LINE = 16 << 20
_MOST_TEXT = 4000
_CAP = 16 << 20


@dataclass(frozen=True)
class SessionStarted:
    """The program is there and has a session."""

    session: str
    model: str = ""


@dataclass(frozen=True)
class Message:
    """The agent said something."""

    text: str


@dataclass(frozen=True)
class Thinking:
    """The agent thought aloud."""

    text: str


@dataclass(frozen=True)
class ToolStarted:
    """The agent uses a tool; ``title`` is what a person would want to read."""

    id: str
    tool: str
    title: str = ""


@dataclass(frozen=True)
class ToolFinished:
    """A tool answered; ``denied`` if it was not let to work."""

    id: str
    failed: bool
    output: str = ""
    denied: bool = False


@dataclass(frozen=True)
class ApprovalAsked:
    """A person has to say whether the agent may use a tool."""

    id: str
    tool: str
    subject: str = ""


@dataclass(frozen=True)
class ApprovalAnswered:
    """What was said of a tool's use: by which rule or whom."""

    id: str
    verdict: Verdict
    rule: str = ""
    by: str = ""
    note: str = ""


@dataclass(frozen=True)
class UsageSeen:
    """What the turn has used so far."""

    cost: Cost


@dataclass(frozen=True)
class Warned:
    """Something a person may want to know, and the run goes on.

    ``fatal`` is a warning that no waiting will mend.
    """

    text: str
    fatal: bool = False


class Outcome(Enum):
    """How a turn came out, by the program's own word."""

    OK = "ok"
    TURNS = "turns"  # it reached its limit of them
    BUDGET = "budget"
    API = "api"  # the model was not to be had
    INTERRUPTED = "interrupted"
    DEFERRED = "deferred"  # a person has to answer first
    FAILED = "failed"


@dataclass(frozen=True)
class Finished:
    """The program's own word on how it went. Without one, it crashed."""

    outcome: Outcome
    reason: str = ""
    summary: str = ""
    cost: Cost = field(default_factory=Cost)
    session: str | None = None


@dataclass(frozen=True)
class Raw:
    """A line this version does not know; it stays in the raw log."""

    type: str


AgentEvent = (
    SessionStarted
    | Message
    | Thinking
    | ToolStarted
    | ToolFinished
    | ApprovalAsked
    | ApprovalAnswered
    | UsageSeen
    | Warned
    | Finished
    | Raw
)


def events_of(log: Path) -> Path:
    """Where the events of a run are kept."""
    return log.with_name(log.name + ".events.jsonl")


class EventLog:
    """Keeps events beside the raw log."""

    def __init__(self, log: Path) -> None:
        self._file = RunLog(events_of(log), cap=_CAP)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def keep(self, event: AgentEvent, *, at: int) -> None:
        """Add ``event``, read at byte ``at`` of the raw log."""
        facts = {
            key: value[:_MOST_TEXT] if isinstance(value, str) else value
            for key, value in asdict(event).items()
        }
        line = {"at": at, "event": type(event).__name__, **facts}
        self._file.append(json.dumps(line, default=_plain).encode() + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(type(value).__name__)


class Lines:
    """Cuts a stream into lines; one that never ends is dropped, not gathered."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that end in ``chunk``."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            if not self._too_long:
                yield bytes(self._rest)
            self._rest.clear()
            self._too_long = False
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if self._too_long or len(self._rest) + len(part) > self._longest:
            self._too_long = True
            self._rest.clear()
        else:
            self._rest += part
