"""Every sentence the product writes: comments, pull requests, checks.

Markdown as GitHub renders it. Text of others goes through ``quoted`` or
``inline`` first. No image, no link outside GitHub and our own pages.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from vibeboard.domain import commands, preview, prompt, reviewwords, testwords
from vibeboard.domain.board import Actor, BoardKey, Card, CardKey
from vibeboard.domain.breaker import Trail
from vibeboard.domain.budget import NOTHING, Kind, Room, Spent
from vibeboard.domain.commands import Command, Unknown
from vibeboard.domain.contract import criterion_number
from vibeboard.domain.effects import ShowGates
from vibeboard.domain.events import ReviewGiven
from vibeboard.domain.gate import OthersCheck, Requirement
from vibeboard.domain.markdown import (
    code,
    count,
    duration,
    foreign,
    inline,
    quoted,
)
from vibeboard.domain.preview import Preview
from vibeboard.domain.proof import Proof
from vibeboard.domain.protected import MOST_SHOWN, Held
from vibeboard.domain.review import MOST_FINDINGS, ReviewResult
from vibeboard.domain.run import OPERATOR, Cost, Posting, Report, Run, RunState, Step
from vibeboard.domain.sanitize import closing_nothing
from vibeboard.domain.situation import Situation
from vibeboard.domain.workflow import (
    REVIEWS,
    VERIFY,
    Agent,
    Result,
    Stage,
    Workflow,
)
from vibeboard.errors import Fault, GitHubRefused

CONFIG_CHECK = "vibeboard / config"


def run_check(stage: str) -> str:
    """The name of the check run of a stage."""
    return f"vibeboard / {stage}"


def review_check(review: str) -> str:
    """The name of the check run of a review."""
    return f"{_REVIEW_CHECKS}{review}"


def is_review_check(name: str) -> bool:
    """Whether it is the check run of a review."""
    return name.startswith(_REVIEW_CHECKS)


_REVIEW_CHECKS = "vibeboard / review: "


# --- Small parts ------------------------------------------------------------


def cost_line(cost: Cost) -> str:
    """What the agent used, as far as its program says."""
    parts = []
    if cost.usd is not None:
        parts.append(_usd(cost.usd))
    if cost.input_tokens is not None or cost.output_tokens is not None:
        tokens = (cost.input_tokens or 0) + (cost.output_tokens or 0)
        parts.append(f"{tokens:,} tokens")
    if cost.turns is not None:
        parts.append(f"{cost.turns} turns")
    return " · ".join(parts) or "cost not reported by this agent"


_STATE_WORDS = {
    RunState.QUEUED: "⏳ waiting",
    RunState.RUNNING: "🏃 running",
    RunState.STOPPING: "✋ stopping",
    RunState.SUCCEEDED: "✅ done",
    RunState.FAILED: "❌ failed",
    RunState.TIMED_OUT: "⌛ out of time",
    RunState.OUT_OF_BUDGET: "💰 out of budget",
    RunState.NEEDS_APPROVAL: "✋ needs approval",
    RunState.STOPPED: "✋ stopped",
}

_ASKS = "🙋 asks people"

_STEP_WORDS = {
    Step.WORKSPACE: "Prepare the workspace",
    Step.AGENT: "Agent works",
    Step.TESTS: "Run the tests",
    Step.REVIEWS: "Specialists look at it",
    Step.PUBLISH: "Publish",
}


# --- The tracking comment -----------------------------------------------------


def tracking_topic(run: Run) -> str:
    """What marks the run's one tracking comment."""
    return f"run={run.id}"


def tracking(
    run: Run,
    stage: Stage,
    *,
    now: datetime,
    waiting_for: str = "",
    notes: Sequence[str] = (),
    spent: Spent = NOTHING,
    previews: Sequence[Preview] = (),
) -> str:
    """The one comment of a run, from its first second to its end."""
    began = run.started_at or run.created_at
    ended = run.changed_at if run.ended else now
    state = _ASKS if run.asked_at else _STATE_WORDS[run.state]
    lines = [
        f"### {state} · {stage.name} · {duration(ended - began)}",
        "",
    ]
    if run.state is RunState.QUEUED and waiting_for:
        lines += [f"Waiting for {waiting_for}.", ""]
    lines += [*_checklist(run, stage), ""]
    report = run.report
    if run.state is RunState.STOPPING:
        lines += [f"Stopping, and saving the work: {run.stop_reason}.", ""]
    if report is not None:
        lines += _outcome(run, report, stage, previews)
        if stage.caps and report.cost != Cost() and report.cost.usd is None:
            notes = (*notes, _UNPRICED)
        if report.hidden:
            notes = (*notes, _hidden(report.hidden))
        notes = (*notes, *report.notes)
    lines += [f"> {note}" for note in notes]
    cost = _cost_of(run, spent)
    by = f"{stage.agent.name} · {cost}"
    if stage.result is Result.EVIDENCE:
        by = f"no agent at work · {cost}" if stage.reviews else "tests only"
    config = run.config_commit[:7] or "unknown"
    lines += [
        "",
        (
            f"<sub>{by} · attempt {max(run.attempt, 1)}{_calls(run)} · "
            f"asked for by {inline(run.asked_by)} · `.vibe.yml@{config}` · "
            "`/agent help`</sub>"
        ),
    ]
    return "\n".join(lines)


_UNPRICED = (
    "Nobody knows what this model costs, so limits in US dollars do not count it: the "
    "operator of this server can add its price (`VIBEBOARD_PRICES_FILE`)."
)


def _hidden(number: int) -> str:
    """Noted where people's words held what they could not see."""
    what = "1 hidden character or comment was"
    if number > 1:
        what = f"{number:,} hidden characters and comments were"
    return (
        f"{what} taken out of the issue and its comments before the agent read them: "
        "look who wrote them."
    )


def _cost_of(run: Run, spent: Spent) -> str:
    """The run's cost, and its card's if that is more."""
    cost = run.report.cost if run.report is not None else spent.run
    line = cost_line(cost) if cost is not None else "running up"
    alone = cost.usd or 0.0 if cost is not None else 0.0
    if round(spent.card, 2) > round(alone, 2):
        line += f" (this issue so far: {_usd(spent.card)})"
    return line


def _calls(run: Run) -> str:
    """What the run asked of GitHub, once it is known."""
    requests = run.calls.get("requests", 0)
    return f" · {requests} calls to GitHub" if requests else ""


def _steps(run: Run, stage: Stage) -> list[Step]:
    left_out = {Step.TESTS} if not stage.tests else set()
    if not stage.reviews:
        left_out.add(Step.REVIEWS)
    if stage.result is Result.EVIDENCE:
        left_out.add(Step.AGENT)
    if run.approved:
        left_out |= {Step.AGENT, Step.TESTS, Step.REVIEWS}
    return [step for step in Step if step not in left_out]


def _checklist(run: Run, stage: Stage) -> list[str]:
    steps = _steps(run, stage)
    reached = steps.index(run.step) if run.step in steps else -1
    lines = []
    for position, step in enumerate(steps):
        done = position < reached or _is_published(run)
        here = position == reached and not run.ended
        label = _STEP_WORDS[step]
        if step is Step.PUBLISH and stage.result is Result.ISSUE:
            label = "Write the spec into the issue"
        elif step is Step.PUBLISH and stage.result is Result.BRANCH:
            label = "Push and open the pull request"
        lines.append(f"- [{'x' if done else ' '}] {label}{' ← now' if here else ''}")
    return lines


def _is_published(run: Run) -> bool:
    """Whether the last step was made, whatever the tests said."""
    opened = run.report is not None and run.report.pull_request is not None
    return run.state is RunState.SUCCEEDED or opened


def waiting_paused(why: str) -> str:
    """What a run waits for where the operator has paused runs."""
    reason = inline(why).rstrip(".")
    because = f" ({reason})" if reason else ""
    return f"the operator of this server, who has paused runs here{because}"


def waiting_delayed(when: datetime) -> str:
    """What a run waits for whose stage has a delay."""
    return f"{when.astimezone(UTC):%H:%M} UTC: this stage lets a card stand for a while"


def waiting_again(when: datetime, why: str) -> str:
    """What a run waits for that is tried again, as when GitHub is away."""
    reason = inline(why).rstrip(".")
    because = f" ({reason})" if reason else ""
    return f"the next try, at {when.astimezone(UTC):%H:%M} UTC{because}"


def interrupted() -> str:
    """Noted on a run that the server's restart cut short."""
    return "The server is restarting; this run goes on by itself afterwards."


def asks() -> str:
    """Noted on a run whose agent waits for people."""
    return (
        "The agent asked for leave, and the run waits for the answer: see its "
        "question on this page."
    )


def _outcome(
    run: Run, report: Report, stage: Stage, previews: Sequence[Preview]
) -> list[str]:
    lines, reason = [], report.reason
    if run.state is RunState.STOPPED and run.stop_reason not in reason:
        reason = f"{reason}: {run.stop_reason}"
    if reason:
        lines += [f"**{reason}**", ""]
    if report.pull_request is not None:
        lines += [
            (
                f"Pull request: #{report.pull_request} "
                f"({count(report.changed_files, 'file')}, branch `{report.branch}`)"
            ),
            "",
        ]
        if previews:
            lines += [f"Preview: {preview.told(previews)}", ""]
    elif report.branch is not None and report.commit is not None and not report.held:
        lines += [
            f"The work is saved on branch `{report.branch}` (`{report.commit[:7]}`).",
            "",
        ]
    if report.held is not None:
        lines += _held(run, report.held, run.state)
    if report.proof:
        lines += [*_proved(report.proof), ""]
    if report.summary and stage.result is not Result.ISSUE:
        lines += [
            "<details><summary>What the agent says</summary>",
            "",
            foreign(report.summary),
            "",
            "</details>",
            "",
        ]
    if run.state is RunState.OUT_OF_BUDGET:
        lines += [_GO_ON, ""]
    if run.state is RunState.STOPPED:
        back = f"Move the card back to *{stage.column}*" if stage.column else ""
        again = f"`{_again(stage.name)}`"
        lines += [
            f"{back} or comment {again} to go on from there."
            if back
            else f"Comment {again} to go on from there.",
            "",
        ]
    return lines


# --- The pull request ---------------------------------------------------------


def check_title(report: Report) -> str:
    """One line for the check run."""
    if report.reason:
        return report.reason.replace("`", "")[:250]
    parts = [testwords.title(report.tests)] if report.tests else []
    if report.reviews:
        parts.append(f"{count(len(report.reviews), 'review')} passed")
    return ", ".join(parts) or testwords.title(())


def stage_summary(run: Run, report: Report) -> str:
    """What the check of a stage shows; each suite and review has one of its own."""
    names = [run_check(result.suite) for result in report.tests]
    names += [review_check(result.review) for result in report.reviews]
    listed = ", ".join(f"`{name}`" for name in names)
    said = f"{check_title(report)}. Look at {listed}." if listed else ""
    criteria = testwords.criteria(report.proof.criteria) if report.proof else []
    return _summary(run, report, [said or check_title(report), "", *criteria])


def suite_summary(run: Run, report: Report, proof: Proof) -> str:
    """What the check of a suite shows."""
    return _summary(run, report, testwords.told(proof))


def review_summary(run: Run, report: Report, result: ReviewResult) -> str:
    """What the check of a review shows."""
    said = ["", foreign(result.summary, 4_000)] if result.summary else []
    lines = reviewwords.told([result], most=MOST_FINDINGS)
    return _summary(run, report, [*lines, *said])


def _proved(proof: Proof) -> list[str]:
    """What suites and specialists say."""
    return _apart(_tested(proof), reviewwords.told(proof.reviews))


def _tested(proof: Proof) -> list[str]:
    """What suites say, and how criteria stand after them."""
    return _apart(testwords.told(proof), testwords.criteria(proof.criteria))


def _apart(first: list[str], second: list[str]) -> list[str]:
    """Both, with an empty line between: Markdown takes two tables for one."""
    return [*first, "", *second] if first and second else [*first, *second]


def _summary(run: Run, report: Report, lines: Sequence[str]) -> str:
    return "\n".join(
        [
            *lines,
            "",
            (
                f"Run `{run.id}` of stage `{run.stage}`, asked for by "
                f"{inline(run.asked_by)} · {cost_line(report.cost)}"
            ),
        ]
    )


def pull_title(title: str) -> str:
    """The pull request is called as its issue is."""
    return closing_nothing(" ".join(title.split()))[:250] or "Untitled"


_OURS_BEGIN = "<!-- vibe:pull -->"
_OURS_END = "<!-- /vibe:pull -->"


def pull_body(
    run: Run,
    report: Report,
    *,
    current: str | None,
    template: str | None,
    notes: Sequence[str] = (),
) -> str:
    """The pull request's text; what people wrote around ours stays.

    A new one (``current`` is None) has the repository's own template below ours.
    """
    ours = _pull_lines(run, report, notes, preview.place(current))
    block = "\n".join([_OURS_BEGIN, *ours, _OURS_END])
    if current is None:
        return f"{block}\n\n{template.strip()}" if template else block
    begin, end = current.find(_OURS_BEGIN), current.find(_OURS_END)
    if 0 <= begin < end:
        return current[:begin] + block + current[end + len(_OURS_END) :]
    return f"{block}\n\n{current}".rstrip()


def _pull_lines(
    run: Run, report: Report, notes: Sequence[str], previews: str
) -> list[str]:
    lines = [
        f"Closes #{run.card.number}",
        "",
        previews,
        "",
        "## Summary",
        "",
        foreign(report.summary) or "_The agent left no summary._",
        "",
        "## Tests",
        "",
        *(
            _tested(report.proof)
            if report.tests and report.proof
            else ["_No test suite is configured for this stage._"]
        ),
        "",
    ]
    if report.reviews:
        lines += ["## Reviews", "", *reviewwords.told(report.reviews), ""]
    if notes:
        lines += [f"> {note}" for note in notes] + [""]
    lines += [
        (
            f"<sub>Stage `{run.stage}` · run `{run.id}` · {cost_line(report.cost)} · "
            f"asked for by {inline(run.asked_by)}. Review comments by people with "
            "write permission send the agent back to work.</sub>"
        ),
    ]
    return lines


# --- Refusals and answers -----------------------------------------------------


def stranger_moved(by: Actor, column: str | None, situation: Situation) -> str:
    """Why a move had no effect."""
    return (
        f"@{by.login} moved this card to *{inline(column or 'no column')}*, which "
        f"starts or stops an agent here. That needs {_needed(situation)} permission "
        f"on the repository, and @{by.login} has "
        f"{situation.permission.name.lower()}. Somebody with the permission can "
        "move it."
    )


def put_back(column: str) -> str:
    """Said with the reason of a put-back."""
    return f"The card was put back into *{inline(column)}*."


def moved_away(by: Actor, column: str | None) -> str:
    """Why a run stops whose card left its column."""
    who = by.login if by.is_bot else f"@{by.login}"
    return f"{who} moved the card to {inline(column or 'no column')}"


def move_missed(column: str | None) -> str:
    """Why a run stops whose card left its column while nobody heard of it."""
    where = f"to {inline(column)}" if column else "off the board"
    return f"the card was moved {where} while GitHub's webhooks did not arrive"


def moved_unseen(stage: Stage) -> str:
    """Why a card in a stage's column has no run: nobody knows who moved it."""
    return (
        f"This card came to *{inline(stage.column or '')}* while GitHub's webhooks did "
        "not arrive. GitHub does not tell afterwards who moved it, so nothing was "
        f"started. Comment `/agent {stage.name}` to start *{stage.name}*, or move the "
        "card out of the column and back."
    )


def stranger_asked(by: Actor, situation: Situation) -> str:
    """Why a command was not obeyed."""
    return (
        f"Did nothing: `/agent` commands need {_needed(situation)} permission on "
        f"this repository, and @{by.login} has {situation.permission.name.lower()}."
    )


def _needed(situation: Situation) -> str:
    workflow = situation.workflow
    return workflow.least_permission.name.lower() if workflow else "write"


def config_broken(situation: Situation) -> str:
    """The faults of `.vibe.yml`, each with its place."""
    faults = "\n".join(f"- {code(str(fault))}" for fault in situation.faults)
    return (
        "Did nothing: `.vibe.yml` on the default branch has faults, so no agent is "
        f"started.\n\n{faults}\n\nMend the file; a pull request that touches it "
        f"shows the check `{CONFIG_CHECK}`. Then move the card again or repeat the "
        "command."
    )


def config_title(workflow: Workflow | None, faults: Sequence[Fault]) -> str:
    """One line for the check of `.vibe.yml`."""
    if faults:
        return count(len(faults), "fault")
    if workflow is None:
        return "No .vibe.yml here: no agent is started"
    return f"{count(len(workflow.stages), 'stage')}, ready"


def config_summary(faults: Sequence[Fault]) -> str:
    """What the check of `.vibe.yml` shows when there is no workflow."""
    if not faults:
        return "Without `.vibe.yml` on the default branch, Vibeboard does nothing here."
    return "\n".join(f"- {code(str(fault))}" for fault in faults)


def no_config() -> str:
    """A command in a repository without `.vibe.yml`."""
    return (
        "Did nothing: this repository has no `.vibe.yml` on its default branch. "
        "The smallest one:\n\n```yaml\nversion: 1\nboard: {project: 7}\nstages:\n"
        "  develop: {column: In progress}\n```"
    )


def not_a_card() -> str:
    """A command on a pull request that no card made."""
    return (
        "Did nothing: this pull request was not made from a card. Write the command "
        "on its issue."
    )


def issue_is_closed(stage: Stage) -> str:
    """A stage asked for on a closed issue."""
    return f"Did not start *{stage.name}*: the issue is closed. Reopen it first."


def needs_missing(stage: Stage, missing: Sequence[str]) -> str:
    """A stage asked for before those it needs."""
    names = " and ".join(f"*{name}*" for name in missing)
    first = missing[0]
    return (
        f"Did not start *{stage.name}*: it needs {names} to succeed on this card "
        f"first (`needs:` in `.vibe.yml`). Comment `/agent {first}` to do that."
    )


def already_running(run: Run) -> str:
    """A command while the card is busy."""
    return (
        f"Did nothing: *{run.stage}* of this card is {run.state.value} "
        f"(run `{run.id}`). `/agent stop` ends it and saves its work."
    )


def nothing_to_stop() -> str:
    """``/agent stop`` on an idle card."""
    return "Nothing to stop: no agent works on this card."


def nothing_to_retry() -> str:
    """``/agent retry`` on a card without runs."""
    return "Nothing to retry: this card has had no run yet."


def nothing_to_test() -> str:
    """`/agent retry tests` where there is nothing."""
    return (
        "Did nothing: tests are run again for gates, on a pull request of this App. "
        "Here is none, or `.vibe.yml` has no gate that asks for tests, or a run that "
        "tests is waiting already."
    )


def nothing_to_review() -> str:
    """`/agent retry reviews` where there is nothing."""
    return (
        "Did nothing: reviews are made again for gates, on a pull request of this App. "
        "Here is none, or `.vibe.yml` has no gate that asks for reviews, or a run that "
        "reviews is waiting already."
    )


def approve_what() -> str:
    """`/agent approve` without a commit."""
    return (
        "Say which commit you have looked at: `/agent approve <sha>`, with the newest "
        "one of the pull request. What comes after it is not approved."
    )


def approve_why(criterion: str) -> str:
    """`/agent approve AC3` without a reason."""
    return (
        f"Say why {code(criterion)} needs no proof: `/agent approve {criterion} "
        "<reason>`. The reason is kept, and shown with the gate."
    )


def pass_over_why(review: str) -> str:
    """`/agent approve security` without a reason."""
    return (
        f"Say why the review {code(review)} may be passed over for the newest commit: "
        f"`/agent approve {review} <reason>`. The reason is kept, and shown with the "
        "gate."
    )


def approve_unknown(target: str) -> str:
    """`/agent approve` with a commit that is not the newest."""
    return (
        f"Did nothing: {code(target[:60])} is not the newest commit of this card's "
        "pull request. Look at the newest one, and approve that one with at least 7 "
        "characters of its name."
    )


def nothing_to_reject() -> str:
    """`/agent reject` where no agent has worked on a branch."""
    return (
        "Did nothing: no agent has worked on a branch here. Start a stage with "
        "`/agent <stage> [instructions]`."
    )


def reject_unknown(target: str, card: Card) -> str:
    """`/agent reject` with a number that is no criterion, or without any words."""
    if not target:
        return "Say what is wrong: `/agent reject The time zone is still missing.`"
    known = len(prompt.criteria(card.body))
    return (
        f"Did nothing: there is no acceptance criterion {code(target[:20])} here; the "
        f"issue has {count(known, 'criterion') if known == 1 else f'{known} criteria'}."
    )


def rejection(target: str | None, feedback: str, card: Card) -> str | None:
    """What the agent is told of a rejection; None if it makes no sense."""
    why = f"\n\n{feedback}" if feedback.strip() else ""
    if target is None:
        return f"Somebody rejected the work:{why}" if why else None
    bare = target.removeprefix("#")
    number = criterion_number(f"AC{bare}" if bare.isdigit() else bare)
    wanted = f"{number}. "
    named = next((c for c in prompt.criteria(card.body) if c.startswith(wanted)), None)
    if named is None:
        return None
    return f"Somebody rejected the work, because this is not met:\n\n{named}{why}"


def gate_is_no_stage(stage: Stage) -> str:
    """`/agent done`, where nobody works."""
    return (
        f"*{stage.name}* is a gate: nothing is started there. Move the card to "
        f"*{inline(stage.column or '')}*, or see the check "
        f"`{run_check(stage.name)}` for what is missing."
    )


def gate_refused(effect: ShowGates, stage: Stage, found: Sequence[Requirement]) -> str:
    """The comment of a gate that did not let a card pass."""
    if not effect.back_to or all(one.met for one in found):
        return gate_stands(stage, found)
    return _gate_shut(
        f"@{effect.moved_by} moved this card to *{inline(stage.column or stage.name)}*"
        f", and it was put back into *{inline(effect.back_to)}*:",
        found,
    )


def gate_stands(stage: Stage, found: Sequence[Requirement]) -> str:
    """The same comment later, when the gate may stand otherwise."""
    column = inline(stage.column or stage.name)
    if any(not one.met for one in found):
        return _gate_shut(f"This card cannot stand in *{column}* yet:", found)
    return (
        f"✅ Everything that *{column}* asks for is there now. The card can be "
        f"moved.\n\n{gate_table(found)}"
    )


def _gate_shut(why: str, found: Sequence[Requirement]) -> str:
    missing = [one for one in found if not one.met]
    return "\n".join([why, "", gate_table(found), "", _what_to_do(missing)])


def gate_table(found: Sequence[Requirement]) -> str:
    """What a gate asks for, and how each of it stands."""
    signs = {True: "✅", False: "❌"}
    rows = [
        f"| {signs[one.met] if not one.waits else '⏳'} | {one.name} | {one.said} |"
        for one in found
    ]
    return "\n".join(["| | asks for | stands |", "|---|---|---|", *rows])


def gate_title(found: Sequence[Requirement]) -> str:
    """One line for the check of a gate."""
    missing = [one for one in found if not one.met]
    if not missing:
        return "Everything is there"
    names = ", ".join(one.name.replace("`", "") for one in missing)
    return f"Missing: {names}"[:250]


def _what_to_do(missing: Sequence[Requirement]) -> str:
    if all(one.waits for one in missing):
        return "Nothing has to be done: this comment says when it is there."
    ways = dict.fromkeys(one.way for one in missing if one.way)
    listed = ["", *(f"- {way}" for way in ways)] if ways else []
    return "\n".join(["This comment says when everything is there.", *listed])


def gate_passed_by(by: Actor, stage: Stage, missing: Sequence[Requirement]) -> str:
    """Something of GitHub's own put the card past a gate."""
    return (
        f"⚠️ {by.login} moved this card to *{inline(stage.column or '')}* although "
        f"its gate is shut:\n\n{gate_table(missing)}\n\nIt was left there. Put it "
        "back, or see to what is missing."
    )


def retry_step_later(step: Step) -> str:
    """A retry of one step."""
    return (
        f"Did nothing: going back to one step (`{step.value}`) is not supported yet. "
        "`/agent retry` runs the whole stage again."
    )


def stage_gone(stage: str) -> str:
    """A retry of a stage that `.vibe.yml` no longer has."""
    return f"Cannot retry *{inline(stage)}*: `.vibe.yml` has no such stage any more."


def not_supported_yet(command: Command) -> str:
    """A command of a later version."""
    word = type(command).__name__.lower()
    return f"Did nothing: `/agent {word}` is not supported yet by this version."


def unknown_command(command: Unknown, situation: Situation) -> str:
    """A word that is no command, with the nearest and the list."""
    stages = situation.workflow.stages if situation.workflow else {}
    meant = (
        f" Did you mean **`/agent {command.suggestion}`**?"
        if command.suggestion
        else ""
    )
    here = ", ".join(f"`{name}`" for name in [*stages, *commands.SUPPORTED])
    return (
        f"`/agent {inline(command.word, 60)}` is not a command.{meant}\n\nHere: {here}."
    )


def help_text(situation: Situation) -> str:
    """The table of ``/agent help``."""
    stages = situation.workflow.stages if situation.workflow else {}
    lines = ["| Command | What it does |", "|---|---|"]
    for name, stage in stages.items():
        where = f" (column *{inline(stage.column)}*)" if stage.column else ""
        lines.append(f"| `/agent {name} [instructions]` | start {name}{where} |")
    lines += [
        f"| `{spec.usage}` | {spec.description} |"
        for spec in commands.COMMANDS
        if spec.supported and spec.usage != "/agent <stage> [instructions]"
    ]
    lines += ["", f"They need {_needed(situation)} permission on this repository."]
    return "\n".join(lines)


def status(situation: Situation) -> str:
    """What happens on this card now, and what happened last."""
    run = situation.history.unfinished or situation.history.last
    if run is None:
        return "No agent has worked on this card yet."
    line = f"*{run.stage}* is {_STATE_WORDS[run.state]} (run `{run.id}`)."
    if run.report is not None and run.report.reason:
        line += f" {run.report.reason}"
    if run.report is not None and run.report.pull_request is not None:
        line += f" Pull request: #{run.report.pull_request}."
    return line


def run_needs_you(run: Run) -> str:
    """The short new comment that calls a person when a run went wrong."""
    reason = run.report.reason if run.report else "it gave no reason"
    if run.state is RunState.NEEDS_APPROVAL and run.report and run.report.held:
        return (
            f"{_mention(run)}*{run.stage}* is done, and {reason}. Look at the changes "
            f"in its comment above.\n\n{_how_to_approve(run.report.held)}"
        )
    if run.state is RunState.OUT_OF_BUDGET:
        return f"{_mention(run)}*{run.stage}* is out of budget: {reason}.\n\n{_GO_ON}"
    told = f"{_mention(run)}*{run.stage}* {_ended_words(run)}: {reason}\n\n"
    if run.stage in _COMMANDS:
        return f"{told}`{_again(run.stage)}` does it again."
    return (
        f"{told}`/agent retry` does it again; `/agent {run.stage} …` with instructions "
        "after it says what to do differently."
    )


# Runs that no stage of `.vibe.yml` is about.
_COMMANDS = {VERIFY: "/agent retry tests", REVIEWS: "/agent retry reviews"}


def _again(stage: str) -> str:
    """The command that does it again."""
    return _COMMANDS.get(stage, f"/agent {stage}")


def held_back(held: Held) -> str:
    """Why work is not pushed."""
    files = f"{count(len(held.files), 'protected file')}"
    return f"nothing was pushed, because it changes {files}"


def _how_to_approve(held: Held) -> str:
    if not held.whole:
        return held_too_large()
    short = held.commit[:7]
    return (
        f"Somebody with write permission can look at it: `/agent approve {short}` "
        "pushes exactly this commit, `/agent reject <feedback>` sends the agent back, "
        "and `/agent reject` throws it away."
    )


def held_too_large() -> str:
    """A change of protected files that no comment can show."""
    return (
        "What it changes in protected files is too large to be shown whole, so it "
        "cannot be approved here. Send the agent back with `/agent reject <feedback>`, "
        "throw it away with `/agent reject`, or make that change yourself."
    )


def approval_is_for_writers(by: Actor) -> str:
    """An approval by somebody who may not give it."""
    return (
        "Did nothing: to approve changes of protected files needs a person with write "
        f"permission on this repository, and {inline(by.login)} is none."
    )


def held_thrown_away(run: Run) -> str:
    """`/agent reject` without a word, where work is held back."""
    return (
        f"Thrown away: what run `{run.id}` of *{run.stage}* made was not pushed, and "
        "is not kept. What was pushed before stays."
    )


def approved_gone(commit: str) -> str:
    """The commit that was approved is not what would be pushed."""
    return (
        f"the approved commit `{commit[:7]}` is not the newest work on this runner any "
        "more: somebody pushed to the branch meanwhile, or another runner has it. "
        "`/agent retry` does the work again"
    )


def held_elsewhere() -> str:
    """Work that waits for leave was made on a machine that is gone."""
    return (
        "This commit was made by a job of GitHub Actions and is gone with its machine, "
        "so that nobody can approve it. Change these files yourself, or let the stage "
        "have `runner: own`; then `/agent retry`."
    )


def _held(run: Run, held: Held, state: RunState) -> list[str]:
    """The protected files of work that was not pushed, and their diff."""
    files = [f"- {code(path)}" for path in held.files[:_MOST_FILES]]
    if len(held.files) > _MOST_FILES:
        files.append(f"- … and {len(held.files) - _MOST_FILES} more")
    last = held_elsewhere() if run.posting is not None else _how_to_approve(held)
    if run.posting is None and state is not RunState.NEEDS_APPROVAL:
        last = "It is kept on the runner; `/agent retry` goes on from it."
    return [
        f"Commit `{held.commit[:7]}` is not pushed: these files are protected here.",
        "",
        *files,
        "",
        "<details><summary>What it changes in them</summary>",
        "",
        quoted(held.diff, MOST_SHOWN + 1_000, "diff"),
        "",
        "</details>",
        "",
        last,
        "",
    ]


_MOST_FILES = 50
_GO_ON = (
    "`/agent retry` goes on from the saved work, with what the limits in `.vibe.yml` "
    "leave it; raise the one that was reached first. A day's budget is new at "
    "00:00 UTC."
)


def cap_reached(room: Room) -> str:
    """A budget that several runs share is spent."""
    return (
        f"the budget of {room.cap.scope.value} is spent: "
        f"{_usd(room.spent)} of {_usd(room.cap.usd)} (`{room.cap.key}`)"
    )


def limit_reached(agent: Agent, reached: Kind, cost: Cost) -> str:
    """One run's own limit was reached."""
    tokens = (cost.input_tokens or 0) + (cost.output_tokens or 0)
    used = {
        Kind.USD: f"{_usd(cost.usd or 0)} of {_usd(agent.usd or 0)}",
        Kind.TOKENS: f"{tokens:,} of {agent.tokens or 0:,} tokens",
        Kind.TURNS: f"{cost.turns or 0} of {agent.turns or 0} turns",
    }
    return (
        f"{inline(agent.name)} has used what one run may use: {used[reached]} "
        f"(`limits: {{{reached.value}: …}}` of the agent or the stage)"
    )


def _usd(amount: float) -> str:
    cent = 0.01
    return f"${amount:.4f}" if 0 < amount < cent else f"${amount:.2f}"


def _mention(run: Run) -> str:
    """Call who asked for the run, if that is a person: a bot might answer."""
    is_person = run.asked_by != OPERATOR and not run.asked_by.endswith("[bot]")
    return f"@{run.asked_by} " if is_person else ""


def _ended_words(run: Run) -> str:
    return "ran out of time" if run.state is RunState.TIMED_OUT else "failed"


def card_not_moved(run: Run, situation: Situation) -> str:
    """A run ended, and `.vibe.yml` does not say where its card goes."""
    faults = "\n".join(f"- {code(str(fault))}" for fault in situation.faults)
    return (
        f"*{run.stage}* ended, but its card stays where it is: `.vibe.yml` on the "
        f"default branch has faults.\n\n{faults}"
    )


def loop_cut(trail: Trail, stage: Stage) -> str:
    """The loop breaker opened: what it saw, and how to go on."""
    seen = ", ".join(
        f"*{name}* {count(times, 'time')}" for name, times in trail.times.items()
    )
    return (
        f"{_mention(trail.runs[0])}This looks like a loop, so it was cut: without a "
        f"person in between, {count(len(trail.automatic), 'run')} began on this card "
        f"within {duration(trail.span)} ({seen}). So *{stage.name}* was not started, "
        "and nothing starts here any more until a person asks for it.\n\n"
        "To go on, move the card into the column of a stage yourself, or comment "
        f"`/agent retry` for the last stage or `{_again(stage.name)}` for this one."
    )


def review_instructions(event: ReviewGiven) -> str:
    """A review as instructions for the agent."""
    where = f" on `{event.path}`" if event.path else ""
    line = f" line {event.line}" if event.line else ""
    hunk = f"\n\nThe lines in question:\n\n{event.hunk}" if event.hunk else ""
    return (
        f"Review by {event.by.login}{where}{line} on pull request "
        f"#{event.pull_request}:\n\n{event.body}{hunk}"
    )


def checks_failed(checks: Sequence[OthersCheck]) -> str:
    """What the agent is told of checks that it does not run itself."""
    lines = ["Checks failed on the newest commit of the pull request:", ""]
    for check in checks[:10]:
        lines.append(f"- {check.name}")
        if check.summary.strip():
            lines += ["", check.summary[:2_000], ""]
    return "\n".join(lines)


def review_answered(run: Run) -> str:
    """The reply in the thread of a review comment."""
    report = run.report
    if run.state is RunState.SUCCEEDED and report is not None and report.commit:
        return f"Worked on this in {report.commit}."
    if run.state is RunState.STOPPED:
        return f"Stopped before this was done: {run.stop_reason}."
    reason = report.reason if report is not None else ""
    if run.state is RunState.NEEDS_APPROVAL:
        return f"Worked on this; {reason}. A person has to approve it first."
    return f"Could not do this: {reason or 'the run failed'}."


# --- Why a run failed ---------------------------------------------------------


def run_broke(error: Exception) -> str:
    """An error that is ours to mend; details are in the log under the run's id."""
    return f"Vibeboard itself failed ({type(error).__name__}); its log says more"


def github_refused(refusal: GitHubRefused) -> str:
    """Something we asked of GitHub, and its own words for why not."""
    return f"GitHub answered {refusal.status_code}: {inline(str(refusal), 300)}"


def cut_off(times: int) -> str:
    """The runner died too often under this run."""
    return f"the runner was cut off {times} times while this run was under way"


# --- GitHub Actions -----------------------------------------------------------


def no_fleet() -> str:
    """A stage wants its runs on GitHub Actions, which could not reach us."""
    return (
        "this stage has `runner: actions`, and this server has no public address that "
        "a job could reach: its operator sets `VIBEBOARD_PUBLIC_URL`"
    )


def no_workflow(path: str) -> str:
    """The repository lacks the workflow that carries runs out."""
    return (
        f"this stage has `runner: actions`, and the default branch has no `{path}`; "
        "`vibeboard init --server` with this server's address writes it"
    )


def not_posted(path: str, status: int, message: str) -> str:
    """GitHub Actions did not take a run."""
    return (
        f"GitHub did not start `{path}` ({status}: {inline(message, 300)}). The App "
        "needs the permission to write Actions, the workflow must be enabled, and it "
        "needs `workflow_dispatch` with the inputs `run` and `server`"
    )


def posted(posting: Posting) -> str:
    """Noted on a run that is carried out on GitHub Actions."""
    again = f", attempt {posting.attempt}" if posting.attempt > 1 else ""
    return f"Carried out by [GitHub Actions]({posting.url}){again}."


def board_unseen(board: BoardKey) -> str:
    """Noted on a run whose job cannot move its card."""
    return (
        f"The card does not move on board {board}: a job's own token reaches no "
        "boards. Give the action a `project-token`."
    )


def waiting_for_machine(posting: Posting) -> str:
    """What a run waits for that is posted and has not begun."""
    return f"[GitHub Actions]({posting.url}) to begin"


def never_began(after: timedelta, where: str) -> str:
    """No machine took the run."""
    return (
        f"GitHub Actions has not begun within {duration(after)}: is there a runner "
        f"for the workflow, and can it reach this server? See {where}"
    )


def cancelled_there(where: str) -> str:
    """Somebody cancelled what carried the run out."""
    return f"its workflow run was cancelled on GitHub: {where}"


def cancelled_here() -> str:
    """Why a run stops whose machine was told to."""
    return "its workflow run was cancelled on GitHub"


def lost_there(times: int, where: str) -> str:
    """What carried the run out was lost too often."""
    last = f"; the last one is {where}" if where else ""
    return f"GitHub Actions ended {times} times without this run's report{last}"


def silent() -> str:
    """Noted on a run whose machine elsewhere says nothing."""
    return "Nothing is heard of the machine at work; GitHub is asked what became of it."


def card_gone(card: CardKey) -> str:
    """The issue was deleted or transferred."""
    return f"the issue {card} cannot be read any more"


def board_unreadable(board: BoardKey, field: str) -> str:
    """`.vibe.yml` names a board that cannot be seen."""
    return (
        f"board {board} has no single-select field “{field}” that this App can read: "
        "has the App its Projects permission there?"
    )


def persons_board(board: BoardKey) -> str:
    """`.vibe.yml` names a person's board, and no token of that person is there."""
    return (
        f"board {board} belongs to a person, and GitHub shows no App a person's board: "
        f"{_TO_BE_SET_UP.format(owner=board.owner)}"
    )


def board_out_of_reach(board: BoardKey) -> str:
    """`.vibe.yml` names a board of an account that the App is not installed on."""
    return (
        f"board {board} cannot be read: this App is not installed on {board.owner}. "
        f"If {board.owner} is an organization, install it there. If it is a person: "
        f"{_TO_BE_SET_UP.format(owner=board.owner)}"
    )


_TO_BE_SET_UP = (
    "whoever operates Vibeboard can set VIBEBOARD_USER_TOKEN_FILE to a personal access "
    "token of {owner}, or the board can be moved to an organization"
)


def no_such_column(column: str, columns: Sequence[str]) -> str:
    """`.vibe.yml` names a column that the board lacks."""
    near = get_close_matches(column, columns, 1)
    meant = f" Did you mean “{near[0]}”?" if near else ""
    names = ", ".join(f"“{name}”" for name in columns) or "none"
    return f"the board has no column “{column}”.{meant} Its columns are: {names}"


def prompt_missing(stage: str, path: str) -> str:
    """`.vibe.yml` names a prompt file that is not there."""
    return (
        f"the prompt of *{stage}*, `{inline(path)}`, is not on the default branch. "
        "Add the file or mend `prompt:` in `.vibe.yml`"
    )


def not_all_tested() -> str:
    """A run whose suites did not all run."""
    return "not all of the stage's suites ran, so nothing is proved"


def not_all_reviewed() -> str:
    """A run whose specialists did not all look."""
    return "not all of the stage's reviews were made"


def nothing_changed(agent: str) -> str:
    """An agent that left no change."""
    return f"{agent} finished without changing any file, so there is nothing to review"


def no_spec() -> str:
    """A refine stage without a spec."""
    return "the agent left no spec (it must write `.vibe/out/spec.md`)"


def no_criteria() -> str:
    """A spec nobody can check."""
    return "the spec has no numbered acceptance criteria (`AC1.` and so on)"


_SPEC_BEGIN = "<!-- vibe:spec -->"
_SPEC_END = "<!-- /vibe:spec -->"


def with_spec(body: str, spec: str) -> str:
    """The issue's text with the spec in its place below what people wrote."""
    block = f"{_SPEC_BEGIN}\n## Spec\n\n{foreign(spec, 40_000)}\n{_SPEC_END}"
    begin, end = body.find(_SPEC_BEGIN), body.find(_SPEC_END)
    if 0 <= begin < end:
        return body[:begin] + block + body[end + len(_SPEC_END) :]
    return f"{body.rstrip()}\n\n{block}".lstrip()
