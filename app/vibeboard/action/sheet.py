"""All that is remembered of one card where there is no server, and its rules.

Values and functions on them; ``shelf.py`` keeps a sheet in the repository. The rules
are those of a server's database: one run of a card at a time, each attempt numbered,
and what an older attempt wants to write is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from vibeboard.domain.board import CardKey, Wording
from vibeboard.domain.effects import (
    AnswerQuestion,
    Effect,
    MoveCard,
    StartRun,
    StopRun,
    VouchFor,
)
from vibeboard.domain.evidence import SuiteResult
from vibeboard.domain.gate import Vouch
from vibeboard.domain.preview import Preview
from vibeboard.domain.question import Answer, Question, still_open
from vibeboard.domain.review import ReviewResult
from vibeboard.domain.run import (
    ACTIVE,
    Cost,
    Posting,
    Report,
    Run,
    RunState,
    run_id,
)
from vibeboard.domain.situation import CardHistory
from vibeboard.domain.starting import added
from vibeboard.domain.tools import ToolCall
from vibeboard.engine.ports import Decision
from vibeboard.engine.written import dump_effect, load_effect
from vibeboard.errors import Fenced

FORMAT = 1
MOST_BYTES = 1 << 20
_MOST_KEYS = 500
_NEWEST = 3  # runs whose reports stay whole, however large the sheet gets


@dataclass(frozen=True)
class Owed:
    """An effect that was decided and not performed yet, and which job owes it."""

    key: str
    kind: str
    values: Any
    worker: str

    @property
    def effect(self) -> Effect:
        """The effect itself."""
        return load_effect(self.kind, self.values)


@dataclass(frozen=True)
class OwnEvent:
    """Something of our own that was not decided about yet, and which job has it."""

    event: str
    guid: str
    body: str
    worker: str


@dataclass(frozen=True)
class Spent:
    """What a part of an attempt used."""

    run: str
    attempt: int
    part: str
    agent: str
    model: str
    stage: str
    cost: Cost
    at: datetime


@dataclass(frozen=True)
class Tested:
    """What a suite gave on a commit."""

    commit: str
    suite: str
    definition: str
    run: str
    result: SuiteResult


@dataclass(frozen=True)
class Reviewed:
    """What a specialist found in a commit."""

    commit: str
    review: str
    definition: str
    run: str
    result: ReviewResult


@dataclass(frozen=True)
class Sheet:
    """A card's sheet. ``known`` are keys of the effects that were decided lately."""

    card: CardKey
    format: int = FORMAT
    column: str | None = None
    runs: tuple[Run, ...] = ()
    asked: Mapping[str, Wording] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()
    vouches: tuple[Vouch, ...] = ()
    previews: tuple[Preview, ...] = ()
    spent: tuple[Spent, ...] = ()
    tested: tuple[Tested, ...] = ()
    reviewed: tuple[Reviewed, ...] = ()
    events: tuple[OwnEvent, ...] = ()
    owed: tuple[Owed, ...] = ()
    known: tuple[str, ...] = ()

    def run(self, run: str) -> Run:
        """The run of this id; raises KeyError."""
        found = next((one for one in self.runs if one.id == run), None)
        if found is None:
            raise KeyError(run)
        return found

    @property
    def history(self) -> CardHistory:
        """The same in the domain's words."""
        return CardHistory(column=self.column, runs=self.runs)

    def with_run(self, run: Run) -> "Sheet":
        """The sheet with the run as it is now."""
        return replace(
            self, runs=tuple(run if one.id == run.id else one for one in self.runs)
        )


Change = Callable[[Sheet], Sheet]
_SHEET = TypeAdapter(Sheet)


def dump(sheet: Sheet) -> bytes:
    """The sheet as JSON, not too large: what is old and large is left out."""
    text = _SHEET.dump_json(sheet)
    for lighter in _LIGHTER:
        if len(text) <= MOST_BYTES:
            break
        sheet = lighter(sheet)
        text = _SHEET.dump_json(sheet)
    return text


def load(text: bytes) -> Sheet:
    """The sheet from JSON; raises ValueError for what is none."""
    return _SHEET.validate_json(text)


def _without_old_evidence(sheet: Sheet) -> Sheet:
    keep = {run.id for run in sheet.runs[-_NEWEST:]}
    return replace(
        sheet,
        tested=tuple(one for one in sheet.tested if one.run in keep),
        reviewed=tuple(one for one in sheet.reviewed if one.run in keep),
    )


def _without_old_proofs(sheet: Sheet) -> Sheet:
    def lighter(run: Run) -> Run:
        if run.report is None:
            return run
        return replace(run, report=replace(run.report, proof=None))

    old, new = sheet.runs[:-_NEWEST], sheet.runs[-_NEWEST:]
    return replace(sheet, runs=(*map(lighter, old), *new))


def _without_evidence(sheet: Sheet) -> Sheet:
    return replace(sheet, tested=(), reviewed=())


def _without_old_words(sheet: Sheet) -> Sheet:
    def lighter(run: Run) -> Run:
        report = run.report and replace(run.report, proof=None, summary="", notes=())
        return replace(run, report=report, instructions="", remarks=())

    ended = [run.id for run in sheet.runs if run.ended][:-1]
    runs = (lighter(run) if run.id in ended else run for run in sheet.runs)
    return replace(sheet, runs=tuple(runs))


_LIGHTER: tuple[Change, ...] = (
    _without_old_evidence,
    _without_old_proofs,
    _without_old_words,
    _without_evidence,
)


# --- What is decided ----------------------------------------------------------


def settle(sheet: Sheet, decision: Decision, worker: str, now: datetime) -> Sheet:
    """Write the decision's effects down: its runs start, stop and are answered."""
    if decision.saw_place:
        sheet = replace(sheet, column=decision.seen)
    for effect in decision.effects:
        if effect.key in sheet.known:
            continue  # told twice, under another name
        sheet = replace(
            sheet,
            known=(*sheet.known, effect.key)[-_MOST_KEYS:],
            owed=(*sheet.owed, Owed(effect.key, *dump_effect(effect), worker)),
        )
        sheet = _written(sheet, effect, decision, worker, now)
    return sheet


def _written(
    sheet: Sheet, effect: Effect, decision: Decision, worker: str, now: datetime
) -> Sheet:
    match effect:
        case StartRun():
            return _start(sheet, effect, decision.asked, now)
        case StopRun():
            return stop(sheet, effect, worker, now)
        case VouchFor():
            vouch = Vouch(effect.subject, effect.by, effect.reason)
            return replace(sheet, vouches=(*sheet.vouches, vouch))
        case AnswerQuestion():
            return _answer(sheet, effect)
        case _:
            return sheet


def performed(sheet: Sheet, effect: Effect, *, error: str) -> Sheet:
    """The effect is owed no more; a card that could not be moved is where it was."""
    owed = tuple(one for one in sheet.owed if one.key != effect.key)
    if error and isinstance(effect, MoveCard):
        sheet = replace(sheet, column=effect.place.column)
    return replace(sheet, owed=owed)


def _start(
    sheet: Sheet, effect: StartRun, asked: Wording | None, now: datetime
) -> Sheet:
    """Queue a run, or add to the one of the same stage that still waits."""
    due_at = now + effect.delay if effect.delay else None
    waiting = next(
        (
            run
            for run in sheet.runs
            if run.state is RunState.QUEUED
            and run.worker is None
            and run.stage == effect.stage
            and not run.approved
        ),
        None,
    )
    if waiting is not None and not effect.approved:
        run = added(waiting, effect, due_at)
        sheet = sheet.with_run(run)
    else:
        run = _queued(effect, due_at, now)
        if any(one.id == run.id for one in sheet.runs):
            return sheet
        sheet = replace(sheet, runs=(*sheet.runs, run))
    if asked is not None:
        sheet = replace(sheet, asked={**sheet.asked, run.id: asked})
    return sheet


def _queued(effect: StartRun, due_at: datetime | None, now: datetime) -> Run:
    return Run(
        id=run_id(effect.card, effect.stage, effect.cause),
        card=effect.card,
        stage=effect.stage,
        cause=effect.cause,
        asked_by=effect.asked_by,
        state=RunState.QUEUED,
        created_at=now,
        changed_at=now,
        instructions=effect.instructions,
        remarks=effect.remarks,
        config_commit=effect.config_commit,
        chain=effect.chain,
        parent=effect.parent,
        due_at=due_at,
        approved=effect.approved,
    )


def _answer(sheet: Sheet, effect: AnswerQuestion) -> Sheet:
    """Write somebody's answer down; the first one counts."""
    said = Answer(effect.verdict, effect.by, effect.note, effect.for_run)
    sheet = replace(
        sheet,
        questions=tuple(
            replace(one, answer=said)
            if one.id == effect.question and one.answer is None
            else one
            for one in sheet.questions
        ),
    )
    if _has_open(sheet, effect.run):
        return sheet
    return sheet.with_run(replace(sheet.run(effect.run), asked_at=None, waits_for=""))


def _has_open(sheet: Sheet, run: str) -> bool:
    return bool(still_open([one for one in sheet.questions if one.run == run]))


# --- A run's life -------------------------------------------------------------


def next_run(sheet: Sheet, now: datetime) -> Run | None:
    """The run that may be taken now: one that has begun goes before those that wait."""
    active = next((run for run in sheet.runs if run.state in ACTIVE), None)
    if active is not None:
        free = active.worker is None and active.asked_at is None
        return active if free and _is_due(active, now) else None
    if any(run.worker for run in sheet.runs):
        return None  # somebody is about to begin one
    return next(
        (r for r in sheet.runs if r.state is RunState.QUEUED and _is_due(r, now)),
        None,
    )


def _is_due(run: Run, now: datetime) -> bool:
    return run.due_at is None or run.due_at <= now


def take(sheet: Sheet, run: str, posting: Posting, now: datetime) -> Sheet:
    """Give the run to a job, unless another was quicker."""
    found = next_run(sheet, now)
    if found is None or found.id != run:
        return sheet
    return sheet.with_run(
        replace(found, worker=posting.life, posting=posting, due_at=None, waits_for="")
    )


def begin(sheet: Sheet, run: str, worker: str, now: datetime) -> Sheet:
    """Count an attempt of the job that has the run; Fenced if another has it."""
    found = sheet.run(run)
    if found.ended:
        return sheet
    if found.worker != worker:
        message = f"run {run} was given to another job"
        raise Fenced(message)
    found = replace(found, attempt=found.attempt + 1)
    if found.state is RunState.QUEUED:
        found = replace(found.to(RunState.RUNNING, at=now), started_at=now)
    return sheet.with_run(found)


def hold(sheet: Sheet, run: Run) -> Run:
    """The run as it is now; raises Fenced unless this attempt has it."""
    found = next((one for one in sheet.runs if one.id == run.id), None)
    if (
        found is None
        or found.ended
        or (found.attempt, found.worker) != (run.attempt, run.worker)
    ):
        message = f"attempt {run.attempt} of run {run.id} is not the one that counts"
        raise Fenced(message)
    return found


def stop(sheet: Sheet, effect: StopRun, worker: str, now: datetime) -> Sheet:
    """Ask a run to stop; one that has not begun is over at once."""
    found = sheet.run(effect.run)
    if found.ended or found.state is RunState.STOPPING:
        return sheet
    found = replace(found, stop_reason=effect.why, due_at=None, asked_at=None)
    if found.state is RunState.QUEUED:
        report = Report(RunState.STOPPED, reason=f"Not started: {effect.why}")
        return _ended(sheet, found, report, worker, now)
    return sheet.with_run(found.to(RunState.STOPPING, at=now))


def end(sheet: Sheet, run: Run, report: Report, worker: str, now: datetime) -> Sheet:
    """End the run and make its end an event; Fenced if another attempt has it."""
    return _ended(sheet, hold(sheet, run), report, worker, now)


def give_up(sheet: Sheet, run: str, reason: str, worker: str, now: datetime) -> Sheet:
    """End a run that cannot go on, if it is still this job's."""
    found = sheet.run(run)
    if found.ended or found.worker != worker:
        return sheet
    return _ended(sheet, found, Report(RunState.FAILED, reason=reason), worker, now)


def give_back(sheet: Sheet, run: str, worker: str, **changes: Any) -> Sheet:
    """Let others take the run, if it is this job's."""
    found = sheet.run(run)
    if found.ended or found.worker != worker:
        return sheet
    return sheet.with_run(_freed(found, **changes))


def wait_for_people(sheet: Sheet, run: str, worker: str, now: datetime) -> Sheet:
    """Let nobody take the run before its questions are answered, if any is open."""
    stopping = sheet.run(run).state is RunState.STOPPING
    if stopping or not _has_open(sheet, run):
        return give_back(sheet, run, worker, tries=0)
    waits = {"asked_at": now, "waits_for": "an answer"}
    return give_back(sheet, run, worker, tries=0, **waits)


def _freed(run: Run, **changes: Any) -> Run:
    over = run.posting and replace(run.posting, over=True)
    return replace(run, worker=None, posting=over, **changes)


def _ended(sheet: Sheet, run: Run, report: Report, worker: str, now: datetime) -> Sheet:
    over = replace(
        run.to(report.state, at=now), report=report, worker=None, due_at=None
    )
    told = OwnEvent("run_ended", run.id, str(run.card), worker)
    asked = {key: value for key, value in sheet.asked.items() if key != run.id}
    sheet = replace(sheet.with_run(over), asked=asked)
    return replace(sheet, events=(*sheet.events, told))


# --- What is asked, spent and found out ---------------------------------------


def ask(
    sheet: Sheet, run: Run, call: ToolCall, rule: str, worker: str, now: datetime
) -> Sheet:
    """Put the call to people, once as long as it is open."""
    hold(sheet, run)
    if open_question(sheet, run.id, call) is not None:
        return sheet
    name = f"q{len(sheet.questions) + 1}"
    question = Question(name, run.id, run.card, call, rule, now)
    told = OwnEvent("question_asked", f"{run.id}-{name}", f"{name} {run.card}", worker)
    return replace(
        sheet, questions=(*sheet.questions, question), events=(*sheet.events, told)
    )


def open_question(sheet: Sheet, run: str, call: ToolCall) -> Question | None:
    """The question that asks about the call and has no answer."""
    ours = [one for one in sheet.questions if one.run == run]
    return next((one for one in still_open(ours) if one.call.key == call.key), None)


def heard(sheet: Sheet, question: str) -> Sheet:
    """The agent was told the answer."""
    return replace(
        sheet,
        questions=tuple(
            replace(one, used=True) if one.id == question else one
            for one in sheet.questions
        ),
    )


def spend(sheet: Sheet, spent: Spent) -> Sheet:
    """What this attempt's part has used so far; the last word counts."""
    key = (spent.run, spent.attempt, spent.part)
    others = (one for one in sheet.spent if (one.run, one.attempt, one.part) != key)
    return replace(sheet, spent=(*others, spent))


def keep_tested(sheet: Sheet, tested: Tested) -> Sheet:
    """What a suite gave; what the same run finds out again takes its place."""
    key = (tested.commit, tested.suite, tested.run)
    others = (o for o in sheet.tested if (o.commit, o.suite, o.run) != key)
    return replace(sheet, tested=(*others, tested))


def keep_reviewed(sheet: Sheet, reviewed: Reviewed) -> Sheet:
    """What a specialist found; what the same run finds out again takes its place."""
    key = (reviewed.commit, reviewed.review, reviewed.run)
    others = (o for o in sheet.reviewed if (o.commit, o.review, o.run) != key)
    return replace(sheet, reviewed=(*others, reviewed))


# --- Jobs that are gone -------------------------------------------------------


def workers(sheet: Sheet) -> frozenset[str]:
    """The jobs that have, or owe, something of this card."""
    runs = {run.worker for run in sheet.runs if run.worker and not run.ended}
    owing = {one.worker for one in sheet.owed} | {one.worker for one in sheet.events}
    return frozenset(runs | owing)


def inherit(sheet: Sheet, gone: str, worker: str) -> Sheet:
    """What a job had that is gone: its run is free again, the rest is this job's."""
    runs = tuple(
        _freed(run, due_at=None, crashes=run.crashes + 1)
        if run.worker == gone and not run.ended
        else run
        for run in sheet.runs
    )
    return replace(
        sheet,
        runs=runs,
        events=tuple(
            replace(one, worker=worker) if one.worker == gone else one
            for one in sheet.events
        ),
        owed=tuple(
            replace(one, worker=worker) if one.worker == gone else one
            for one in sheet.owed
        ),
    )
