"""What people read of agents' questions."""

import json
from collections.abc import Sequence

from vibeboard.domain.markdown import code, flat_line, foreign, inline, quoted
from vibeboard.domain.question import Question
from vibeboard.domain.run import OPERATOR, Run
from vibeboard.domain.tools import ToolCall, Verdict

CHECK = "vibeboard / asks"

_MOST_SHOWN = 6_000
_SHORT = 80


def question(asked: Question, run: Run) -> str:
    """The comment that asks; it is the one thing here that tells somebody."""
    whom = f"@{run.asked_by}: " if run.asked_by != OPERATOR else ""
    lines = [
        f"### 🙋 May the agent use {code(asked.call.tool)}?",
        "",
        f"{whom}*{run.stage}* on this card waits for an answer. {_rule(asked)}",
        "",
        *_deed(asked.call),
        "| To | Comment |",
        "| --- | --- |",
        f"| allow it once | `/agent approve {asked.id}` |",
        f"| allow its like until the run ends | `/agent approve {asked.id} always` |",
        f"| refuse it | `/agent reject {asked.id} <what to do instead>` |",
        "",
        (
            "<sub>It waits as long as you need, without holding a process. Who may "
            f"start runs may answer · run `{asked.run}` · `{asked.id}`</sub>"
        ),
    ]
    return "\n".join(lines)


def settled(asked: Question) -> str:
    """The same comment, once somebody has answered."""
    answer = asked.answer
    assert answer is not None
    allowed = answer.verdict is Verdict.ALLOW
    sign, verb = ("✅", "Allowed") if allowed else ("🚫", "Refused")
    long = " until the run ends" if answer.for_run else ""
    lines = [
        f"### {sign} {verb}{long}: {code(asked.call.tool)}",
        "",
        f"{verb} by {inline(answer.by)}{long}.",
        "",
    ]
    if answer.note:
        lines += [foreign(answer.note, 2_000), ""]
    lines += [
        *_deed(asked.call),
        f"<sub>{_rule(asked)} Run `{asked.run}` · `{asked.id}`</sub>",
    ]
    return "\n".join(lines)


def title(asked: Question) -> str:
    """One line for the check with the buttons."""
    if asked.answer is None:
        return f"May the agent use {flat_line(asked.call.tool, _SHORT)}?"
    allowed = asked.answer.verdict is Verdict.ALLOW
    return f"{'Allowed' if allowed else 'Refused'} by {asked.answer.by}"


def summary(asked: Question, stage: str) -> str:
    """What the check with the buttons shows."""
    return "\n".join(
        [f"Asked by the agent of *{stage}*. {_rule(asked)}", "", *_deed(asked.call)]
    )


def unknown(target: str, waiting: Sequence[Question]) -> str:
    """`/agent approve q99`, which nobody asked."""
    return f"Did nothing: no agent on this card asked {code(target)}. {_list(waiting)}"


def was_answered(asked: Question) -> str:
    """A second answer to a question."""
    answer = asked.answer
    assert answer is not None
    verb = "allowed" if answer.verdict is Verdict.ALLOW else "refused"
    return f"Did nothing: `{asked.id}` was {verb} by {inline(answer.by)} before."


def which(waiting: Sequence[Question]) -> str:
    """`/agent approve` while several questions are open."""
    return f"Say which one, as in `/agent approve {waiting[0].id}`. {_list(waiting)}"


def _list(waiting: Sequence[Question]) -> str:
    if not waiting:
        return "No question is open here."
    rows = [f"- `{each.id}`: {_short(each.call)}" for each in waiting]
    return "\n".join(["Open here:", "", *rows])


def _short(call: ToolCall) -> str:
    return code(flat_line(f"{call.tool} {call.subject}", _SHORT))


def _rule(asked: Question) -> str:
    if not asked.rule:
        return "No rule of `.vibe.yml` allows or denies it."
    return f"The rule {code(asked.rule)} of `.vibe.yml` says to ask."


def _deed(call: ToolCall) -> list[str]:
    """The call, exactly, and made harmless."""
    lines = []
    if call.why:
        lines += [f"Its own reason: {inline(call.why, 500)}", ""]
    if call.subject:
        lines += [quoted(call.subject, _MOST_SHOWN), ""]
    if call.cwd:
        lines += [f"In {code(call.cwd)}.", ""]
    if call.diff:
        lines += [quoted(call.diff, _MOST_SHOWN), ""]
    if call.arguments:
        whole = json.dumps(call.arguments, indent=2, ensure_ascii=False)
        lines += [
            "<details><summary>All arguments</summary>",
            "",
            quoted(whole, _MOST_SHOWN),
            "",
            "</details>",
            "",
        ]
    return lines
