"""Reviews by specialists: what they found in a commit, and whether that blocks.

A specialist hands over a file of findings. It is read strictly: a file that cannot be
read says nothing, and a review that says nothing is never green.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from vibeboard.domain.evidence import Verdict

FILE = ".vibe/out/findings.json"
MOST_BYTES = 256 << 10
MOST_FINDINGS = 200
_LONGEST_TITLE = 200
_LONGEST_TEXT = 4_000
_LONGEST_PATH = 400
_LAST_LINE = 10_000_000
_KEYS = frozenset({"severity", "title", "text", "path", "line"})


class FindingsInvalid(ValueError):  # noqa: N818 - an event
    """What the specialist wrote are no findings; the message says where and why."""


class Severity(IntEnum):
    """How bad a finding is; the worse, the more."""

    NOTE = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As people and agents write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One thing that a specialist found, at a line if it is at one."""

    severity: Severity
    title: str
    text: str
    path: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class ReviewResult:
    """What one review of a commit gave; ``fault`` says why it says nothing.

    Findings are the worst first. They block from ``blocks_on`` upwards; with None they
    are told and keep nobody from going on.
    """

    review: str
    findings: tuple[Finding, ...] = ()
    fault: str | None = None
    summary: str = ""
    blocks_on: Severity | None = Severity.CRITICAL
    seconds: float = 0.0

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that keep the card from moving on."""
        least = self.blocks_on
        if least is None:
            return ()
        return tuple(one for one in self.findings if one.severity >= least)

    @property
    def verdict(self) -> Verdict:
        """Failed if a finding blocks; a review with a fault is inconclusive."""
        if self.fault is not None:
            return Verdict.INCONCLUSIVE
        return Verdict.FAILED if self.blocking else Verdict.PASSED

    @property
    def objects(self) -> bool:
        """Whether the stage that asked for the review does not succeed by it."""
        return self.blocks_on is not None and self.verdict is not Verdict.PASSED

    def count(self, severity: Severity) -> int:
        """How many findings are as bad as this."""
        return sum(1 for one in self.findings if one.severity is severity)


def standing(kept: Sequence[ReviewResult]) -> ReviewResult | None:
    """Which of several reviews of one commit counts, the oldest of them first.

    The newest that says something: one that failed later takes no finding back.
    """
    sound = [one for one in kept if one.fault is None] or kept
    return sound[-1] if sound else None


def findings(text: str) -> tuple[Finding, ...]:
    """What a specialist wrote: ``{"findings": [{"severity": "major", …}]}``.

    Raises FindingsInvalid.
    """
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise FindingsInvalid(f"it is larger than {MOST_BYTES >> 10} KiB")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FindingsInvalid(f"it is no JSON: {error}") from error
    told = _object(data, "the file", frozenset({"findings"})).get("findings")
    if not isinstance(told, list):
        raise FindingsInvalid('it has no list "findings"')
    if len(told) > MOST_FINDINGS:
        raise FindingsInvalid(f"it has more than {MOST_FINDINGS} findings")
    found = [_finding(one, f"finding {n}") for n, one in enumerate(told, start=1)]
    return tuple(sorted(found, key=lambda one: -one.severity))


def _finding(data: Any, name: str) -> Finding:
    told = _object(data, name, _KEYS)
    severity = told.get("severity")
    words = {each.word: each for each in Severity}
    if not isinstance(severity, str) or severity not in words:
        known = ", ".join(reversed(words))
        raise FindingsInvalid(f'"severity" of {name} must be one of: {known}')
    return Finding(
        words[severity],
        _text(told, "title", name)[:_LONGEST_TITLE],
        _text(told, "text", name)[:_LONGEST_TEXT],
        path=_path(told.get("path"), name),
        line=_line(told, name),
    )


def _text(told: Mapping[str, Any], key: str, name: str) -> str:
    text = told.get(key)
    if not isinstance(text, str) or not text.strip():
        raise FindingsInvalid(f'"{key}" of {name} must be words')
    return text.strip()


def _path(path: Any, name: str) -> str | None:
    if path is None:
        return None
    if not isinstance(path, str) or not path.isprintable() or not path.strip():
        raise FindingsInvalid(f'"path" of {name} is no path')
    if len(path) > _LONGEST_PATH or path.startswith("/") or ".." in path.split("/"):
        raise FindingsInvalid(f'"path" of {name} must be a file of the repository')
    return path.removeprefix("./")


def _line(told: Mapping[str, Any], name: str) -> int | None:
    line = told.get("line")
    if line is None:
        return None
    if type(line) is not int or not 0 < line <= _LAST_LINE:
        raise FindingsInvalid(f'"line" of {name} must be a number from 1')
    if told.get("path") is None:
        raise FindingsInvalid(f'{name} has a "line" and no "path"')
    return line


def _object(data: Any, name: str, allowed: frozenset[str]) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise FindingsInvalid(f"{name} is no object")
    others = sorted(data.keys() - allowed)
    if others:
        shown = json.dumps(others[0][:40])
        raise FindingsInvalid(f"{name} has {shown}, which is not known")
    return data
