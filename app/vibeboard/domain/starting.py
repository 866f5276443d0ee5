"""The one door through which runs are started, with the loop breaker in it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from vibeboard.domain import breaker, words
from vibeboard.domain.effects import Effect, Reply, StartRun
from vibeboard.domain.run import Remark, Run
from vibeboard.domain.situation import Situation
from vibeboard.domain.workflow import Stage


@dataclass(frozen=True)
class Wish:
    """Who wants a run, and why; ``run`` is the one that led to it.

    Who commands does not mean something else a moment later: ``at_once``.
    """

    cause: str
    by: str
    is_persons: bool
    instructions: str = ""
    remarks: tuple[Remark, ...] = ()
    run: Run | None = None
    at_once: bool = False


def start(stage: Stage, situation: Situation, wish: Wish) -> list[Effect]:
    """Start ``stage``, unless no person asks and the loop breaker is open."""
    assert situation.card is not None
    assert situation.workflow is not None
    trail = breaker.trail(situation)
    if trail.is_open and not wish.is_persons:
        return cut(stage, situation)
    led = wish.run.id if wish.run is not None else trail.parent
    return [
        StartRun(
            card=situation.card.key,
            stage=stage.name,
            cause=wish.cause,
            asked_by=wish.by,
            config_commit=situation.config_commit,
            parallel=situation.workflow.parallel,
            instructions=wish.instructions,
            remarks=wish.remarks,
            chain=0 if wish.is_persons else trail.chain,
            parent="" if wish.is_persons else led,
            priority=stage.priority.value,
            delay=timedelta(0) if wish.at_once else stage.delay,
            runner=stage.runner,
        )
    ]


def added(waiting: Run, effect: StartRun, due_at: datetime | None) -> Run:
    """A run that still waits, which does what this one was to do, too."""
    both = filter(None, (waiting.instructions, effect.instructions))
    return replace(
        waiting,
        instructions="\n\n".join(both),
        config_commit=effect.config_commit,
        # Whoever of the two is nearer to a person counts.
        chain=min(waiting.chain, effect.chain),
        parent=waiting.parent if effect.chain else "",
        asked_by=waiting.asked_by if effect.chain else effect.asked_by,
        due_at=min(waiting.due_at, due_at) if waiting.due_at and due_at else None,
        remarks=(*waiting.remarks, *effect.remarks),
    )


def cut(stage: Stage, situation: Situation) -> list[Effect]:
    """Say that the loop breaker is open, once."""
    assert situation.card is not None
    trail = breaker.trail(situation)
    body = words.loop_cut(trail, stage)
    return [Reply(situation.card.key, body, topic=trail.topic)]
