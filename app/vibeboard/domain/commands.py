"""``/agent …`` in a comment, parsed into values.

Only a comment's first line can be a command; quotes and code blocks never are. Who
may give one is decided in ``trust.py``, what it does in ``decide.py``.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from vibeboard.domain.run import Step


@dataclass(frozen=True)
class Help:
    """Which commands there are."""


@dataclass(frozen=True)
class StartStage:
    """Start ``stage``; ``instructions`` go with it to the agent."""

    stage: str
    instructions: str = ""


@dataclass(frozen=True)
class Status:
    """What happens on the card now."""


@dataclass(frozen=True)
class Stop:
    """Stop the card's run."""


@dataclass(frozen=True)
class Retry:
    """Run the last stage again, from ``step`` or from its beginning."""

    step: Step | None = None


@dataclass(frozen=True)
class Approve:
    """Let what waits for a person go on: ``target``, or the only one that waits."""

    target: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Reject:
    """Refuse what waits for a person, and tell the agent why."""

    target: str | None = None
    feedback: str = ""


@dataclass(frozen=True)
class Merge:
    """Merge the card's pull request once it may be merged."""


@dataclass(frozen=True)
class Preview:
    """Where the change can be looked at."""


@dataclass(frozen=True)
class Batch:
    """Work on the issue's sub-issues in the order of their dependencies."""


@dataclass(frozen=True)
class Unknown:
    """A command that we do not have; ``suggestion`` is what it resembles."""

    word: str
    suggestion: str | None = None


Command = (
    Help
    | StartStage
    | Status
    | Stop
    | Retry
    | Approve
    | Reject
    | Merge
    | Preview
    | Batch
    | Unknown
)


@dataclass(frozen=True)
class Spec:
    """A row of ``/agent help``: how a command is written and what it does.

    ``word`` is empty for the command that names a stage. A command that is not
    ``supported`` is understood and refused with that reason.
    """

    word: str
    usage: str
    description: str
    example: str
    who: str = "who may start runs"
    supported: bool = True


COMMANDS = (
    Spec("help", "/agent help", "List the commands.", "/agent help"),
    Spec(
        "",
        "/agent <stage> [instructions]",
        "Start a stage on this card. Everything after its name, on this line and the "
        "following ones, goes to the agent.",
        "/agent refine Ask for the time zone, too.",
    ),
    Spec("status", "/agent status", "Tell what happens on this card.", "/agent status"),
    Spec(
        "stop",
        "/agent stop",
        "Stop the run on this card. Its work so far is saved on the branch.",
        "/agent stop",
    ),
    Spec(
        "retry",
        "/agent retry [tests | reviews]",
        "Run the last stage again, from its beginning and with the same instructions; "
        "or only the tests, or the reviews that gates ask for, on the newest commit.",
        "/agent retry tests",
    ),
    Spec(
        "approve",
        "/agent approve [question | sha | AC number | review] [reason]",
        "Allow what an agent asks (`always`: until the run ends); or, for gates that "
        "ask for it, approve the newest commit of the pull request, accept a criterion "
        "that no test proves, or pass over a review of that commit; or push a commit "
        "that is held back because it changes protected files (its sha or its run).",
        "/agent approve q17",
    ),
    Spec(
        "reject",
        "/agent reject [question | number] [feedback]",
        "Refuse what an agent asks; or send it back to the work on the branch with "
        "what is wrong. A number names an acceptance criterion. Without words, work "
        "that is held back is thrown away.",
        "/agent reject 3 The time zone is still missing.",
    ),
    Spec(
        "merge",
        "/agent merge",
        "Merge the pull request as soon as its rules allow it.",
        "/agent merge",
        who="who may merge",
        supported=False,
    ),
    Spec(
        "preview",
        "/agent preview",
        "Tell where the pull request's newest commit can be looked at, as deployments "
        "on GitHub say.",
        "/agent preview",
    ),
    Spec(
        "batch",
        "/agent batch",
        "Work on the sub-issues in the order of their dependencies.",
        "/agent batch",
        supported=False,
    ),
)

RESERVED = frozenset(spec.word for spec in COMMANDS if spec.word)
"""Words that a stage cannot be named by."""

SUPPORTED = tuple(spec.word for spec in COMMANDS if spec.word and spec.supported)
"""Words of the commands that this version carries out."""

_PLAIN: Mapping[str, Command] = {
    "help": Help(),
    "status": Status(),
    "stop": Stop(),
    "merge": Merge(),
    "preview": Preview(),
    "batch": Batch(),
}

# Four spaces or a tab before it make a line a code block.
_FIRST_LINE = re.compile(r" {0,3}/agent(?=\s|$)(?P<rest>.*)", re.IGNORECASE)

# An id has a digit, so that "reject defaced …" is feedback.
_TARGET = re.compile(
    r"[#q]?\d{1,19}|AC-?\d{1,4}|r?(?=[a-f]*\d)[0-9a-f]{7,40}", re.IGNORECASE
)


def parse(body: str, stages: Collection[str]) -> Command | None:
    """The command that a comment gives; None if it gives none."""
    lines = body.replace("\r\n", "\n").lstrip("\n")
    first, _, following = lines.partition("\n")
    match = _FIRST_LINE.fullmatch(first.rstrip())
    if match is None:
        return None
    word, after = _split(match["rest"])
    text = f"{after}\n{following}".strip()
    named = {stage.casefold(): stage for stage in stages}
    meant = word.casefold()
    if not meant:
        return Help()
    if meant in named:
        return StartStage(named[meant], text)
    return _builtin(meant, text) or Unknown(word, _nearest(meant, named))


def _builtin(word: str, text: str) -> Command | None:
    match word:
        case "retry":
            return _retry(text)
        case "approve":
            target, reason = _split(text)
            return Approve(target or None, reason)
        case "reject":
            first, feedback = _split(text)
            if _TARGET.fullmatch(first):
                return Reject(first, feedback)
            return Reject(None, text)
        case _:
            return _PLAIN.get(word)


def _retry(text: str) -> Command:
    wanted = _split(text)[0].casefold()
    if not wanted:
        return Retry()
    steps = {step.value: step for step in Step}
    if wanted in steps:
        return Retry(steps[wanted])
    near = get_close_matches(wanted, steps, n=1, cutoff=0.5)
    return Unknown(f"retry {wanted}", f"retry {near[0]}" if near else None)


def _split(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    word, after, *_ = [*text.split(maxsplit=1), "", ""]
    return word, after


def _nearest(word: str, named: Mapping[str, str]) -> str | None:
    known = {**{each: each for each in RESERVED}, **named}
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return known[near[0]] if near else None
