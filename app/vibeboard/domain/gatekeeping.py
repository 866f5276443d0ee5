"""What is decided about gates: who is put back, and when a gate's state is shown."""

from vibeboard.domain import words
from vibeboard.domain.board import Actor
from vibeboard.domain.contract import criterion_number
from vibeboard.domain.effects import (
    Effect,
    JudgeGroup,
    MoveCard,
    Reply,
    ShowGates,
    VouchFor,
)
from vibeboard.domain.events import CommentMade, PullRequestUpdated
from vibeboard.domain.gate import PUSHED, Requirement, unmet
from vibeboard.domain.run import RunState
from vibeboard.domain.situation import Situation
from vibeboard.domain.starting import Wish, start
from vibeboard.domain.trust import is_person, may_direct
from vibeboard.domain.workflow import REVIEWS, Result, Stage


def missing(stage: Stage, situation: Situation) -> tuple[Requirement, ...]:
    """What keeps the card out of the stage's column; nothing without a gate."""
    return unmet(situation.gates.get(stage.name, ()))


def shut(
    stage: Stage, by: Actor, situation: Situation, move: MoveCard | None, cause: str
) -> list[Effect]:
    """The gate does not let the card pass: say why, where it was put back to."""
    assert situation.card is not None
    back = move.column if move is not None else ""
    shown = ShowGates(situation.card.key, cause, stage.name, by.login, back)
    return [move, shown] if move is not None else [shown]


def shown(situation: Situation, cause: str) -> list[Effect]:
    """Bring what is said of all gates up to date."""
    workflow, card = situation.workflow, situation.card
    if workflow is None or card is None or not workflow.gates:
        return []
    return [ShowGates(card.key, cause)]


def pull_request_updated(
    event: PullRequestUpdated, situation: Situation, cause: str, *, ours: bool
) -> list[Effect]:
    """Gates look at the new head; a commit that no run of ours made is tested."""
    if ours:
        return []  # the run's end shows it
    if situation.card is None:
        # No card's: nobody has to wait for a required check that never comes.
        return [JudgeGroup(event.repository, event.head, ())] if event.new_head else []
    effects = shown(situation, cause)
    if event.new_head and may_direct(situation):
        pushed = f"{PUSHED}{event.head}"
        wish = Wish(pushed, event.by.login, is_person(event.by, situation))
        effects += verified(situation, wish)
    return effects


def verified(situation: Situation, wish: Wish) -> list[Effect]:
    """Run the gates' suites on the newest commit, unless a run will anyway."""
    workflow = situation.workflow
    if workflow is None or not workflow.verification().tests:
        return []
    if any(run.state is RunState.QUEUED for run in situation.history.runs):
        return []
    return _looked_at(workflow.verification(), situation, wish)


def reviewed(situation: Situation, wish: Wish) -> list[Effect]:
    """Have the gates' specialists look at the newest commit, unless they will."""
    workflow = situation.workflow
    if workflow is None or not workflow.reviewing().reviews:
        return []
    runs = situation.history.runs
    if any(run.state is RunState.QUEUED and run.stage == REVIEWS for run in runs):
        return []
    return _looked_at(workflow.reviewing(), situation, wish)


def _looked_at(stage: Stage, situation: Situation, wish: Wish) -> list[Effect]:
    if situation.history.branch is None or situation.card is None:
        return []
    return start(stage, situation, wish)


def approved(
    target: str | None, reason: str, event: CommentMade, situation: Situation
) -> list[Effect] | str:
    """Write an approval down, or say why not."""
    card = situation.card
    assert card is not None
    if target is None:
        return words.approve_what()
    criterion = criterion_number(target)
    if criterion is not None and not reason.strip():
        return words.approve_why(target)
    review = _review(target, situation)
    if review is not None and not reason.strip():
        return words.pass_over_why(review)
    head = situation.head.commit if situation.head is not None else ""
    over = f"{review}@{head}" if review is not None and head else None
    subject = criterion or over or _commit(target, situation)
    if subject is None:
        return words.approve_unknown(target)
    cause = event.name
    vouch = VouchFor(card.key, subject, event.by.login, reason, cause)
    return [vouch, *shown(situation, cause)]


def _review(target: str, situation: Situation) -> str | None:
    """A review that some gate asks for, by its name."""
    workflow = situation.workflow
    asked_for = workflow.reviewing().reviews if workflow is not None else ()
    wanted = target.casefold()
    names = (one.name for one in asked_for)
    return next((name for name in names if name.casefold() == wanted), None)


def _commit(target: str, situation: Situation) -> str | None:
    """The head that a short name means; only what gates look at can be approved."""
    wanted = target.casefold()
    head = situation.head.commit if situation.head is not None else ""
    named = len(wanted) >= _SHORTEST and head.startswith(wanted)
    return head if named else None


_SHORTEST = 7


def passed_by_bot(
    stage: Stage, by: Actor, situation: Situation, cause: str
) -> list[Effect]:
    """A bot put the card past its gate: nobody is put back, everybody is told.

    GitHub's own automation does so when an issue is closed or a pull request merged.
    To move the card back could go on for ever, and undoes no merge.
    """
    assert situation.card is not None
    lacking = missing(stage, situation)
    if not lacking:
        return []
    body = words.gate_passed_by(by, stage, lacking)
    return [Reply(situation.card.key, body, topic=f"gate-passed-{cause}")]


def works(stage: Stage) -> bool:
    """Whether an agent works in the stage; a gate alone starts nobody."""
    return stage.result is not Result.NOTHING
