"""Who may start, stop and move."""

from vibeboard.domain.board import Actor
from vibeboard.domain.situation import Situation


def is_us(actor: Actor, situation: Situation) -> bool:
    """Whether the actor is this App: its own doings come back as deliveries."""
    return actor.login.casefold() == situation.us.casefold()


def is_ignored_bot(actor: Actor, situation: Situation) -> bool:
    """Whether the actor is a bot that `.vibe.yml` does not list."""
    listed = situation.workflow.trusted_bots if situation.workflow else frozenset()
    return actor.is_bot and actor.login not in listed


def may_direct(situation: Situation) -> bool:
    """Whether the actor's permission is enough to start, stop and move runs."""
    workflow = situation.workflow
    return workflow is not None and situation.permission.covers(
        workflow.least_permission
    )
