"""Who may start, stop and move."""

from vibeboard.domain.board import Actor, Permission
from vibeboard.domain.situation import Situation


def is_us(actor: Actor, us: str) -> bool:
    """Whether the actor is this App: its own doings come back as deliveries."""
    return actor.login.casefold() == us.casefold()


def is_person(actor: Actor, situation: Situation) -> bool:
    """Whether somebody acted, not something: a listed account is a bot in any case.

    Programs may act from an account that looks like a person's; listing it under
    ``commands.bots`` makes the loop breaker count what it does.
    """
    return not actor.is_bot and not _is_listed(actor, situation)


def is_ignored_bot(actor: Actor, situation: Situation) -> bool:
    """Whether the actor is a bot that `.vibe.yml` does not list."""
    return actor.is_bot and not _is_listed(actor, situation)


def _is_listed(actor: Actor, situation: Situation) -> bool:
    workflow = situation.workflow
    return (
        workflow is not None
        and workflow.permission_of_bot(actor.login) is not Permission.NONE
    )


def may_direct(situation: Situation) -> bool:
    """Whether the actor's permission is enough to start, stop and move runs."""
    workflow = situation.workflow
    return workflow is not None and situation.permission.covers(
        workflow.least_permission
    )
