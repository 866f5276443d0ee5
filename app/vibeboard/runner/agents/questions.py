"""Puts what an agent wants to do before the approver, and tells what came of it.

An adapter that cannot learn what was said must not let the tool work: an error here
ends the turn.
"""

import asyncio
import difflib
from collections.abc import Iterable
from datetime import timedelta
from os.path import realpath, relpath
from pathlib import Path

from vibeboard.domain.question import Question
from vibeboard.domain.tools import Ruling, ToolCall, Verdict
from vibeboard.engine.ports import Approver
from vibeboard.runner.agents.events import ApprovalAnswered, ApprovalAsked
from vibeboard.runner.agents.record import Record

_MOST_DIFF = 20_000
_SLACK = timedelta(minutes=5)


class Questions:
    """One turn's questions; each call is decided once, however often it comes up."""

    def __init__(self, approver: Approver, record: Record, hold: timedelta) -> None:
        self._approver = approver
        self._record = record
        self._hold = hold
        self._locks: dict[str, asyncio.Lock] = {}
        self._rulings: dict[str, Ruling] = {}
        self.waiting = False

    @property
    def patience(self) -> timedelta:
        """How long an answer may take, before the program may give the tool up."""
        return self._hold + _SLACK

    async def decide(self, call: ToolCall) -> Ruling:
        """The ruling on a call; ASK if a person has not answered in time."""
        async with self._locks.setdefault(call.id, asyncio.Lock()):
            if call.id not in self._rulings:
                self._rulings[call.id] = await self._ask(call)
            return self._rulings[call.id]

    async def _ask(self, call: ToolCall) -> Ruling:
        ruling = await self._approver.decide(call)
        if ruling.verdict is Verdict.ASK:
            self._record.keep(ApprovalAsked(call.id, call.tool, call.subject))
            if self._hold:
                ruling = await self._approver.decide(call, hold=self._hold)
        if ruling.verdict is Verdict.ASK:
            self.waiting = True
        self._record.keep(
            ApprovalAnswered(
                call.id, ruling.verdict, ruling.rule, ruling.by, ruling.note
            )
        )
        return ruling


def refusal(ruling: Ruling) -> str:
    """What the agent is told when it may not."""
    if ruling.verdict is Verdict.ASK:
        return "A person has to answer this first; do nothing else meanwhile."
    said = f" {ruling.by} says: {ruling.note}" if ruling.by and ruling.note else ""
    if not said and ruling.note:
        said = f" {ruling.note}"
    by = f" (rule {ruling.rule})" if ruling.rule else ""
    return f"Not permitted{by}.{said} Go on without it, or say what is missing."


def answers_told(questions: Iterable[Question]) -> str:
    """What people answered, as the prompt of a session that cannot ask again."""
    lines = ["You waited for a person to answer. The answers:", ""]
    for question in questions:
        answer, call = question.answer, question.call
        allowed = answer is not None and answer.verdict is Verdict.ALLOW
        what = f"{call.tool}: {call.subject}".rstrip(": ")
        said = f" ({answer.note})" if answer is not None and answer.note else ""
        lines.append(f"- {'ALLOWED' if allowed else 'NOT ALLOWED'}{said}: {what}")
    lines += [
        "",
        (
            "Do what is allowed exactly as you asked for it, once, and go on with your "
            "work. Do not ask again for what is not."
        ),
    ]
    return "\n".join(lines)


def from_tree(tree: Path, path: str, cwd: str = "") -> str:
    """A path as rules look at it: where it really leads, from the tree if inside."""
    top = realpath(tree)
    # What no file can be called is nowhere.
    plain = path.replace("\0", "\ufffd").encode(errors="replace").decode()
    real = realpath(Path(top, cwd or top, plain))
    if real == top:
        return "."
    return relpath(real, top) if real.startswith(top + "/") else real


def difference(path: str, before: str, after: str) -> str:
    """What an edit changes, for a person to read; bounded."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), path, path, lineterm="", n=2
    )
    return "\n".join(lines)[:_MOST_DIFF]
