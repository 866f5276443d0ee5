"""Event and situation in, effects out: the product on one screen.

Nothing here asks or does anything; the situation was gathered before, and the
effects are performed after. Every refusal is an effect too: it says why.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from typing import assert_never

from vibeboard.domain import asking, breaker, commands, gatekeeping, holding, words
from vibeboard.domain.board import Actor, CardKey, Place
from vibeboard.domain.commands import Command
from vibeboard.domain.effects import (
    AnswerReview,
    CheckConfiguration,
    Effect,
    JudgeGroup,
    LookAfter,
    MoveCard,
    React,
    RemoveWorkspace,
    Reply,
    ShowCost,
    ShowGates,
    ShowPreviews,
    ShowRun,
    StartRun,
    StopRun,
)
from vibeboard.domain.events import (
    CardSeen,
    CardTouched,
    CheckAsked,
    ChecksEnded,
    CommentMade,
    ConfigurationChanged,
    Deployed,
    Event,
    GroupFormed,
    InstallationChanged,
    IssueClosed,
    PostingEnded,
    PullRequestUpdated,
    QuestionAnswered,
    QuestionAsked,
    ReviewGiven,
    RunEnded,
    StageAsked,
)
from vibeboard.domain.gate import GATE, REJECTED, REVIEWED
from vibeboard.domain.run import OPERATOR, Remark, Run, RunState, Step
from vibeboard.domain.situation import Situation
from vibeboard.domain.starting import Wish, cut, start
from vibeboard.domain.tools import Verdict
from vibeboard.domain.trust import is_ignored_bot, is_person, is_us, may_direct
from vibeboard.domain.workflow import REVIEWS, VERIFY, Result, Stage

Answer = Callable[..., list[Effect]]


def decide(event: Event, situation: Situation, *, cause: str) -> list[Effect]:
    """What to do about ``event``; ``cause`` names the delivery it came with.

    Where the event itself has a name (a comment's id, the time of a move), that is
    the cause instead: what comes twice by two deliveries still happens once.
    """
    cause = _name(event) or cause
    event = _given(event, cause)
    match event:
        case CardTouched():
            return _card_touched(event, situation, cause)
        case CardSeen():
            return _card_seen(event, situation, cause)
        case CommentMade():
            return _comment_made(event, situation, cause)
        case ReviewGiven():
            return _review_given(event, situation, cause)
        case StageAsked(stage=stage, instructions=instructions):
            return _stage_asked(stage, instructions, situation, cause)
        case RunEnded(run=run):
            return _run_ended(run, situation)
        case QuestionAsked(question=question):
            return asking.asked(question, situation)
        case QuestionAnswered():
            return _question_answered(event, situation)
        case IssueClosed(card=card):
            return _issue_closed(card, situation, cause)
        case InstallationChanged():
            return []
        case PostingEnded(repository=repository, posting=posting):
            return [LookAfter(repository, posting, cause)]
        case _:
            return _code_changed(event, situation, cause)


def _given(event: Event, cause: str) -> Event:
    """A command that no comment of its own holds is known by what caused it."""
    if isinstance(event, CommentMade) and not event.name:
        return replace(event, given=cause)
    return event


def _code_changed(
    event: PullRequestUpdated
    | GroupFormed
    | ConfigurationChanged
    | CheckAsked
    | ChecksEnded
    | Deployed,
    situation: Situation,
    cause: str,
) -> list[Effect]:
    """What is about commits, and not about a card's place."""
    match event:
        case PullRequestUpdated():
            return _pull_request_updated(event, situation, cause)
        case GroupFormed(repository=repository, head=head):
            return [JudgeGroup(repository, head, event.pull_requests)]
        case ConfigurationChanged(repository=repository, commit=commit):
            return [CheckConfiguration(repository, commit, None)]
        case CheckAsked():
            return _check_asked(event, situation, cause)
        case ChecksEnded():
            return _checks_ended(event, situation)
        case Deployed(deployment=deployment):
            return _deployed(deployment, situation, cause)
        case _:
            assert_never(event)


def sees_place(event: Event, situation: Situation) -> bool:
    """Whether the decision about ``event`` rests on where the card stands now.

    Only then may the place be remembered as seen. Another field's change says nothing
    of it, and a move that another one has overtaken is not by whoever moved last.
    """
    workflow, place = situation.workflow, situation.place
    if workflow is None:
        return False
    column = place.column if place is not None else None
    match event:
        case CardSeen():
            return _same(event.column, column)
        case CardTouched(by=by, field=field, after=after):
            if is_us(by, situation.us) or field not in (None, workflow.column_field):
                return False
            return after is None or _same(after, column)
        case _:
            return False


def _name(event: Event) -> str:
    match event:
        case CommentMade(name=name):
            return name
        case ReviewGiven(comment=int(comment)):
            return f"{REVIEWED}comment-{comment}"
        case ReviewGiven(review=int(review)):
            return f"{REVIEWED}{review}"
        case CardTouched(at=at) if at:
            return f"moved-{at}"
        case _:
            return ""


def _card_touched(event: CardTouched, situation: Situation, cause: str) -> list[Effect]:
    by = event.by
    card = situation.card
    if card is None or is_us(by, situation.us):
        return []
    if situation.workflow is None:
        return _config_broken(card.key, situation)
    if not sees_place(event, situation):
        return []
    place = situation.place
    if place is None:
        return _taken_off(by, situation)
    if _same(place.column, situation.history.column):
        return []
    entered = situation.stage
    left = situation.history.unfinished
    if entered is None and left is None:
        return []
    if entered is not None and _works_on(entered, situation):
        return []  # the card is back where its run is
    if is_ignored_bot(by, situation):
        effects = _stop(situation, why=words.moved_away(by, place.column))
        if entered is not None:
            effects += gatekeeping.passed_by_bot(entered, by, situation, cause)
        return effects
    if not may_direct(situation):
        why = words.stranger_moved(by, place.column, situation)
        return _put_back(event, situation, cause, why)
    if entered is None:
        return _stop(situation, why=words.moved_away(by, place.column))
    return _entered(entered, event, situation, cause)


def _card_seen(event: CardSeen, situation: Situation, cause: str) -> list[Effect]:
    """A move that GitHub told nobody of, or told us in vain.

    Where somebody answers for it, it is a move like any other. Else nothing starts for
    it: whoever moved the card may not be allowed to. Stopping needs no such care.
    """
    card, place = situation.card, situation.place
    if card is None or not sees_place(event, situation):
        return []
    if event.by is not None:
        owner = situation.board.owner if situation.board else ""
        touched = CardTouched(event.by, owner, card.node_id, after=event.column)
        return _card_touched(touched, situation, cause)
    if _same(event.column, situation.history.column):
        return []
    entered = situation.stage
    if entered is not None and _works_on(entered, situation):
        return []
    column = place.column if place is not None else None
    effects = _stop(situation, why=words.move_missed(column))
    if entered is not None and gatekeeping.missing(entered, situation):
        return [*effects, ShowGates(card.key, cause, entered.name, "somebody")]
    if entered is None or not card.is_open or not gatekeeping.works(entered):
        return effects
    body = words.moved_unseen(entered)
    return [*effects, Reply(card.key, body, topic=f"unseen-{cause}")]


def _entered(
    stage: Stage, event: CardTouched, situation: Situation, cause: str
) -> list[Effect]:
    """Somebody who may put the card into the column of ``stage`` did so."""
    by, card = event.by, situation.card
    assert card is not None
    stopped = _stop(situation, why=words.moved_away(by, stage.column))
    person = is_person(by, situation)
    if gatekeeping.missing(stage, situation):
        # What runs goes on: the card is where it was.
        move = _way_back(event, situation, cause) if person else None
        return gatekeeping.shut(stage, by, situation, move, cause)
    if not gatekeeping.works(stage):
        return [*stopped, *gatekeeping.shown(situation, cause)]
    refusal = _refusal(stage, situation)
    if refusal is None:
        wish = Wish(cause, by.login, person)
        return [*stopped, *start(stage, situation, wish)]
    if person:
        return _put_back(event, situation, cause, refusal)
    # No move of ours answers a bot's: the two could go on for ever.
    topic = f"refused-{stage.name}-{breaker.trail(situation).parent}"
    return [*stopped, Reply(card.key, refusal, topic)]


def _works_on(stage: Stage, situation: Situation) -> bool:
    """Whether a run of ``stage`` waits or runs, and nobody has stopped it."""
    going = (RunState.QUEUED, RunState.RUNNING)
    return any(
        run.stage == stage.name and run.state in going for run in situation.history.runs
    )


def _taken_off(by: Actor, situation: Situation) -> list[Effect]:
    assert situation.card is not None
    run = situation.history.unfinished
    if run is None:
        return []
    if not is_ignored_bot(by, situation) and not may_direct(situation):
        why = words.stranger_moved(by, None, situation)
        return [Reply(situation.card.key, why, topic=f"taken-off-{run.id}")]
    return _stop(situation, why="the card was taken off the board")


def _comment_made(event: CommentMade, situation: Situation, cause: str) -> list[Effect]:
    card, by = situation.card, event.by
    if is_us(by, situation.us) or is_ignored_bot(by, situation):
        return []
    stages = situation.workflow.stages if situation.workflow else {}
    command = commands.parse(event.body, stages)
    if command is None:
        return []
    causes = {run.cause.removeprefix(REJECTED) for run in situation.history.runs}
    if cause in causes:
        return []  # it was obeyed before, told by another delivery
    thread = CardKey(event.repository, event.number)
    topic = f"command-{event.comment or event.given}"
    if not is_person(by, situation):
        # A bot may answer what we say: the same answer is given it once a run.
        kind = type(command).__name__.lower()
        topic = f"bot-{kind}-{breaker.trail(situation).parent}"

    def answer(body: str, reaction: str = "confused") -> list[Effect]:
        return [*_reacted(event, reaction), Reply(thread, body, topic=topic)]

    if situation.workflow is None:
        if situation.faults:
            return answer(words.config_broken(situation))
        return answer(words.no_config())
    if not may_direct(situation):
        # Once a person and thread: anybody can write fifty commands, and each answer
        # is one of the writes that GitHub allows us.
        told = words.stranger_asked(by, situation)
        return [Reply(thread, told, topic=f"stranger-{by.login}")]
    if card is None:
        return answer(words.not_a_card())
    return _obey(command, event, situation, cause, answer)


def _reacted(event: CommentMade, content: str = "eyes") -> list[Effect]:
    """Show at the comment that it was seen, if it is one."""
    if event.comment is None:
        return []
    return [React(event.repository, event.comment, content)]


def _obey(
    command: Command,
    event: CommentMade,
    situation: Situation,
    cause: str,
    answer: Answer,
) -> list[Effect]:
    seen = _reacted(event)
    match command:
        case commands.Unknown():
            return answer(words.unknown_command(command, situation))
        case commands.Help():
            return answer(words.help_text(situation), "+1")
        case commands.Status():
            return answer(words.status(situation), "+1")
        case commands.Stop():
            if situation.history.unfinished is None:
                return answer(words.nothing_to_stop())
            return [*seen, *_stop(situation, why=f"@{event.by.login} asked to stop")]
        case commands.StartStage(stage=name, instructions=instructions):
            return _ask_stage(name, instructions, event, situation, cause, answer)
        case commands.Retry(step=step):
            return _retried(step, event, situation, cause, answer)
        case commands.Approve() | commands.Reject():
            return _judged(command, event, situation, cause, answer)
        case commands.Preview():
            assert situation.card is not None
            thread = CardKey(event.repository, event.number)
            show = ShowPreviews(situation.card.key, cause, thread=thread)
            return [*seen, show]
        case commands.Merge() | commands.Batch():
            return answer(words.not_supported_yet(command))
        case _:
            assert_never(command)


def _deployed(deployment: int, situation: Situation, cause: str) -> list[Effect]:
    if not situation.history.opened:
        return []  # once there is a pull request, its run's end looks for previews
    return [ShowPreviews(situation.history.opened[0].card, cause, deployment)]


def _judged(
    command: commands.Approve | commands.Reject,
    event: CommentMade,
    situation: Situation,
    cause: str,
    answer: Answer,
) -> list[Effect]:
    """A person says whether what waits for people may go on."""
    by, target, seen = event.by.login, command.target, _reacted(event)
    found: str | list[Effect] | None
    if isinstance(command, commands.Approve):
        reason = command.reason
        found = (
            asking.answered(Verdict.ALLOW, target, reason, by, situation)
            or holding.approved(target, reason, event, situation)
            or gatekeeping.approved(target, reason, event, situation)
        )
    else:
        feedback = command.feedback
        found = asking.answered(Verdict.DENY, target, feedback, by, situation)
        if found is None:
            return _rejected(target, feedback, event, situation, cause, answer)
    return answer(found) if isinstance(found, str) else [*seen, *found]


def _question_answered(event: QuestionAnswered, situation: Situation) -> list[Effect]:
    verdict = Verdict.ALLOW if event.allowed else Verdict.DENY
    asked = next((q for q in situation.questions if q.id == event.question), None)
    if asked is None or asked.answer is not None:
        return []
    return asking.told(asked, verdict, OPERATOR, event.note, for_run=event.for_run)


def _retried(
    step: Step | None,
    event: CommentMade,
    situation: Situation,
    cause: str,
    answer: Answer,
) -> list[Effect]:
    last = situation.history.last
    wish = Wish(cause, event.by.login, is_person(event.by, situation), at_once=True)
    seen = _reacted(event)
    if step is Step.TESTS or (step is None and last and last.stage == VERIFY):
        again = gatekeeping.verified(situation, wish)
        return [*seen, *again] if again else answer(words.nothing_to_test())
    if step is Step.REVIEWS or (step is None and last and last.stage == REVIEWS):
        again = gatekeeping.reviewed(situation, wish)
        return [*seen, *again] if again else answer(words.nothing_to_review())
    if step is not None:
        return answer(words.retry_step_later(step))
    if last is None or situation.workflow is None:
        return answer(words.nothing_to_retry())
    if last.stage not in situation.workflow.stages:
        return answer(words.stage_gone(last.stage))
    return _ask_stage(last.stage, last.instructions, event, situation, cause, answer)


def _rejected(
    target: str | None,
    feedback: str,
    event: CommentMade,
    situation: Situation,
    cause: str,
    answer: Answer,
) -> list[Effect]:
    """Send the agent back to the branch with what is wrong."""
    assert situation.card is not None
    stage = _branch_stage(situation)
    if stage is None:
        return answer(words.nothing_to_reject())
    forgotten = holding.thrown_away(target, feedback, event, situation)
    if forgotten is not None:
        return [*_reacted(event), *forgotten]
    if target is not None and holding.held(situation, target) is not None:
        target = None  # it names the work, and no criterion
    told = words.rejection(target, feedback, situation.card)
    if told is None:
        return answer(words.reject_unknown(target or "", situation.card))
    person = is_person(event.by, situation)
    wish = Wish(f"{REJECTED}{cause}", event.by.login, person, told, at_once=True)
    seen = _reacted(event)
    return [*seen, *start(stage, situation, wish)]


def _ask_stage(
    name: str,
    instructions: str,
    event: CommentMade,
    situation: Situation,
    cause: str,
    answer: Answer,
) -> list[Effect]:
    assert situation.workflow is not None
    assert situation.card is not None
    stage = situation.workflow.stages[name]
    if not gatekeeping.works(stage):
        return answer(words.gate_is_no_stage(stage))
    if (run := situation.history.unfinished) is not None:
        return answer(words.already_running(run))
    if (refusal := _refusal(stage, situation)) is not None:
        return answer(refusal)
    person = is_person(event.by, situation)
    wish = Wish(cause, event.by.login, person, instructions, at_once=True)
    seen = _reacted(event)
    return [*seen, *_bring_and_start(stage, situation, wish)]


def _bring_and_start(stage: Stage, situation: Situation, wish: Wish) -> list[Effect]:
    """Start a stage that nobody moved the card for: the board shows it, too."""
    begun = start(stage, situation, wish)
    place = situation.place
    if place is None or not stage.column or _same(place.column, stage.column):
        return begun
    if not any(isinstance(effect, StartRun) for effect in begun):
        return begun
    return [_move(situation, place, stage.column, wish.cause), *begun]


def _pull_request_updated(
    event: PullRequestUpdated, situation: Situation, cause: str
) -> list[Effect]:
    effects: list[Effect] = []
    if event.new_head:
        check = CheckConfiguration(event.repository, event.head, event.pull_request)
        effects.append(check)
    ours = is_us(event.by, situation.us)
    return effects + gatekeeping.pull_request_updated(
        event, situation, cause, ours=ours
    )


def _review_given(event: ReviewGiven, situation: Situation, cause: str) -> list[Effect]:
    workflow, card = situation.workflow, situation.card
    if is_us(event.by, situation.us) or is_ignored_bot(event.by, situation):
        return []
    if workflow is None or card is None:
        return []
    if commands.parse(event.body, workflow.stages) is not None:
        return []  # the same words arrive as a comment, too
    if not may_direct(situation):
        return []  # anybody may talk; only people with permission set agents going
    stage = _branch_stage(situation)
    if stage is None:
        return []
    effects = gatekeeping.shown(situation, cause) if event.review else []
    remarks: tuple[Remark, ...] = ()
    if event.comment is not None:
        effects.append(React(event.repository, event.comment, "eyes", review=True))
        remarks = (Remark(event.pull_request, event.comment),)
    wish = Wish(
        cause,
        event.by.login,
        is_person(event.by, situation),
        words.review_instructions(event),
        remarks,
    )
    return [*effects, *start(stage, situation, wish)]


def _branch_stage(situation: Situation) -> Stage | None:
    """The stage whose work is under review: the last that wrote the branch."""
    workflow = situation.workflow
    assert workflow is not None
    for run in reversed(situation.history.runs):
        stage = workflow.stages.get(run.stage)
        if stage is not None and stage.result is Result.BRANCH:
            return stage
    return None


def _check_asked(event: CheckAsked, situation: Situation, cause: str) -> list[Effect]:
    if is_us(event.by, situation.us):
        return []
    if event.pressed:
        return asking.pressed(event, situation)
    if event.check == words.CONFIG_CHECK:
        return [CheckConfiguration(event.repository, event.head, None, cause)]
    if event.run is not None and event.run.startswith(GATE):
        return gatekeeping.shown(situation, cause)
    run = next((r for r in situation.history.runs if r.id == event.run), None)
    workflow = situation.workflow
    if run is None or workflow is None or not may_direct(situation):
        return []
    person = is_person(event.by, situation)
    wish = Wish(cause, event.by.login, person, at_once=True)
    reviewed = gatekeeping.reviewed(situation, wish)
    if words.is_review_check(event.check) and reviewed:
        return reviewed
    if run.stage not in workflow.stages:
        return gatekeeping.verified(situation, wish)
    if situation.history.unfinished is not None:
        return []
    return start(workflow.stages[run.stage], situation, wish)


def _checks_ended(event: ChecksEnded, situation: Situation) -> list[Effect]:
    """Send the agent back to what other people's checks found, as often as it may."""
    head, workflow = situation.head, situation.workflow
    if head is None or workflow is None or not head.is_open or head.merged:
        return []
    stage = _branch_stage(situation)
    failed = [check for check in situation.others if check.good is False]
    alive = any(check.good is None for check in situation.others)
    if stage is None or not failed or alive or head.commit != event.head:
        return []
    if situation.history.unfinished is not None:
        return []
    causes = [run.cause for run in situation.history.runs if run.stage == stage.name]
    in_a_row = list(takewhile(lambda one: one.startswith(CHECKS), reversed(causes)))
    if len(in_a_row) >= stage.fix_checks:
        return []
    wish = Wish(
        f"{CHECKS}{head.commit}",
        OPERATOR,
        is_persons=False,
        instructions=words.checks_failed(failed),
    )
    return start(stage, situation, wish)


CHECKS = "checks-"  # begins the cause of a run that other people's checks caused


def _issue_closed(card: CardKey, situation: Situation, cause: str) -> list[Effect]:
    if situation.history.unfinished is not None:
        return _stop(situation, why="the issue was closed")
    return _clear_away(card, situation, cause)


def _clear_away(card: CardKey, situation: Situation, cause: str) -> list[Effect]:
    """Remove the workspace, unless it may hold work that GitHub does not have."""
    last = situation.history.last
    report = last.report if last is not None else None
    saved = report is not None and report.branch and report.held is None
    return [RemoveWorkspace(card, cause)] if saved else []


def _stage_asked(
    name: str, instructions: str, situation: Situation, cause: str
) -> list[Effect]:
    """The operator needs no permission; what the stage needs still counts."""
    workflow = situation.workflow
    if workflow is None or name not in workflow.stages or situation.card is None:
        return []
    stage = workflow.stages[name]
    if situation.history.unfinished or _refusal(stage, situation) is not None:
        return []
    if not gatekeeping.works(stage):
        return []
    wish = Wish(
        cause, OPERATOR, is_persons=True, instructions=instructions, at_once=True
    )
    return _bring_and_start(stage, situation, wish)


_CALLS_A_PERSON = (
    RunState.FAILED,
    RunState.TIMED_OUT,
    RunState.OUT_OF_BUDGET,
    RunState.NEEDS_APPROVAL,
)
_WAITS = (RunState.OUT_OF_BUDGET, RunState.NEEDS_APPROVAL)  # for a person, both


def _told_of(run: Run, situation: Situation) -> list[Effect]:
    """What people are told of a run's end, wherever its card goes."""
    effects: list[Effect] = [ShowRun(run.id, run.state.value)]
    effects += [
        AnswerReview(
            run.card.repository, remark, words.review_answered(run), cause=run.id
        )
        for remark in run.remarks
    ]
    if run.state in _CALLS_A_PERSON:
        effects.append(
            Reply(run.card, words.run_needs_you(run), topic=f"ended-{run.id}")
        )
    if situation.card is None or not situation.card.is_open:
        effects += _clear_away(run.card, situation, cause=run.id)
    if situation.faults and run.state is not RunState.STOPPED:
        body = words.card_not_moved(run, situation)
        effects.append(Reply(run.card, body, topic=f"not-moved-{run.id}"))
    return effects


def _run_ended(run_id: str, situation: Situation) -> list[Effect]:
    run = next(run for run in situation.history.runs if run.id == run_id)
    workflow, place = situation.workflow, situation.place
    effects = _told_of(run, situation)
    if run in situation.history.opened:
        effects.append(ShowPreviews(run.card, run.id))
    if workflow is not None and workflow.cost_field and place is not None:
        effects.append(ShowCost(run.card, place, workflow.cost_field, run.id))
    if workflow is None or run.state is RunState.STOPPED:
        return effects
    effects += gatekeeping.shown(situation, run.id)
    stage = workflow.stages.get(run.stage)
    if stage is None or place is None or not _same(place.column, stage.column):
        return effects  # a person put the card elsewhere meanwhile: leave it there
    if run.state in _WAITS:
        # Nobody's fault, so that nothing follows; where people look, if they can tell.
        parks = run.state is RunState.OUT_OF_BUDGET
        return [*effects, *(_park(stage, situation, run.id) if parks else ())]
    column = stage.next if run.state is RunState.SUCCEEDED else stage.otherwise
    if column is None or _same(column, place.column):
        return effects
    move = _move(situation, place, column, run.id)
    following = workflow.stage_of(column)
    if following is not None and gatekeeping.missing(following, situation):
        us = Actor(situation.us, is_bot=True)
        return [*effects, *gatekeeping.shut(following, us, situation, None, run.id)]
    if following is None or situation.history.queued is not None:
        return [*effects, move]
    if not gatekeeping.works(following):
        return [*effects, move]
    if breaker.trail(situation).is_open:
        return [*effects, *_park(stage, situation, run.id), *cut(following, situation)]
    refusal = _refusal(following, situation)
    if refusal is not None:
        return [*effects, Reply(run.card, refusal, topic=f"not-started-{run.id}")]
    wish = Wish(run.id, run.asked_by, is_persons=False, run=run)
    return [*effects, move, *start(following, situation, wish)]


def _park(stage: Stage, situation: Situation, cause: str) -> list[Effect]:
    """Put the card where people look for what needs them, if that starts nothing."""
    workflow, place = situation.workflow, situation.place
    assert workflow is not None
    assert place is not None
    aside = stage.otherwise
    if not aside or _same(aside, place.column) or workflow.stage_of(aside):
        return []
    return [_move(situation, place, aside, cause)]


def _move(situation: Situation, place: Place, column: str, cause: str) -> MoveCard:
    assert situation.card is not None
    assert situation.workflow is not None
    return MoveCard(
        situation.card.key,
        place,
        column,
        cause=cause,
        field=situation.workflow.column_field,
    )


def _stop(situation: Situation, *, why: str) -> list[Effect]:
    return [
        StopRun(run.id, why)
        for run in (situation.history.active, situation.history.queued)
        if run is not None
    ]


def _refusal(stage: Stage, situation: Situation) -> str | None:
    """Why ``stage`` cannot start on this card, in words for people."""
    assert situation.card is not None
    if not situation.card.is_open:
        return words.issue_is_closed(stage)
    missing = [n for n in stage.needs if not situation.history.finished(n)]
    return words.needs_missing(stage, missing) if missing else None


def _put_back(
    event: CardTouched, situation: Situation, cause: str, why: str
) -> list[Effect]:
    card = situation.card
    assert card is not None
    topic = f"put-back-{cause}"
    move = _way_back(event, situation, cause)
    if move is None:
        return [Reply(card.key, why, topic)]
    reply = Reply(card.key, f"{why}\n\n{words.put_back(move.column)}", topic)
    return [move, reply]


def _way_back(event: CardTouched, situation: Situation, cause: str) -> MoveCard | None:
    """The move that undoes somebody's; None if nobody knows where the card was."""
    place = situation.place
    column = situation.history.column or event.before
    if place is None or column is None or _same(column, place.column):
        return None
    return _move(situation, place, column, cause)


def _config_broken(card: CardKey, situation: Situation) -> list[Effect]:
    if not situation.faults:
        return []
    topic = f"config-{situation.config_commit}"
    return [Reply(card, words.config_broken(situation), topic=topic)]


def _same(column: str | None, other: str | None) -> bool:
    return (column or "").casefold() == (other or "").casefold()
