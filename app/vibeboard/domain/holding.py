"""What is decided about work that is held back for its protected files."""

from vibeboard.domain import words
from vibeboard.domain.board import Permission
from vibeboard.domain.effects import Effect, RemoveWorkspace, Reply, StartRun, VouchFor
from vibeboard.domain.events import CommentMade
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.situation import Situation
from vibeboard.domain.trust import is_person
from vibeboard.domain.workflow import REVIEWS, VERIFY

_SHORTEST = 7
_LOOK = (VERIFY, REVIEWS)  # these change nothing


def held(situation: Situation, target: str | None = None) -> Run | None:
    """The run whose work waits for approval, if ``target`` names it.

    What came after it builds on it: only the card's newest run can be approved.
    """
    newest = max(
        (run for run in situation.history.runs if run.ended and run.stage not in _LOOK),
        key=lambda run: run.changed_at,
        default=None,
    )
    if newest is None or newest.state is not RunState.NEEDS_APPROVAL:
        return None
    return newest if target is None or _is_named(newest, target) else None


def approved(
    target: str | None, reason: str, event: CommentMade, situation: Situation
) -> list[Effect] | str | None:
    """Push what is held, or say why not; None if the command means something else.

    Whoever may write may approve, also who asked for the work: what is approved is the
    commit that they have seen, and not the wish that led to it.
    """
    run = held(situation, target)
    if target is None or run is None:
        return None
    card, workflow = situation.card, situation.workflow
    assert card is not None
    assert workflow is not None
    refusal = _refusal(run, event, situation)
    if refusal is not None:
        return refusal
    commit = _commit(run)
    cause = event.name
    return [
        VouchFor(card.key, f"protected {commit}", event.by.login, reason, cause),
        StartRun(
            card=card.key,
            stage=run.stage,
            cause=cause,
            # Who approves has not asked for the work, and may review it still.
            asked_by=run.asked_by,
            config_commit=situation.config_commit,
            parallel=workflow.parallel,
            approved=commit,
        ),
    ]


def _refusal(run: Run, event: CommentMade, situation: Situation) -> str | None:
    card, workflow = situation.card, situation.workflow
    assert card is not None
    assert workflow is not None
    if not is_person(event.by, situation) or not situation.permission.covers(
        Permission.WRITE
    ):
        return words.approval_is_for_writers(event.by)
    if (busy := situation.history.unfinished) is not None:
        return words.already_running(busy)
    stage = workflow.stages.get(run.stage)
    if stage is None:
        return words.stage_gone(run.stage)
    if not card.is_open:
        return words.issue_is_closed(stage)
    if run.posting is not None:
        return words.held_elsewhere()
    if run.report is None or run.report.held is None or not run.report.held.whole:
        return words.held_too_large()
    return None


def thrown_away(
    target: str | None, feedback: str, event: CommentMade, situation: Situation
) -> list[Effect] | None:
    """Forget what is held; None if the agent is to be sent back instead."""
    run = held(situation, target)
    if run is None or feedback.strip() or situation.history.unfinished is not None:
        return None
    assert situation.card is not None
    key, cause = situation.card.key, event.name
    return [
        RemoveWorkspace(key, cause),
        Reply(key, words.held_thrown_away(run), topic=f"rejected-{cause}"),
    ]


def _is_named(run: Run, target: str) -> bool:
    wanted = target.casefold()
    short = len(wanted) >= _SHORTEST
    return short and (run.id.startswith(wanted) or _commit(run).startswith(wanted))


def _commit(run: Run) -> str:
    kept = run.report.held if run.report is not None else None
    return kept.commit if kept is not None else ""
