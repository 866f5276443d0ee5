"""A delivery becomes an event, the event a decision, the decision is kept.

Facts are gathered here and handed to ``decide`` as one value; what it answers is
written in one transaction. Performing is ``perform.py``'s work.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from vibeboard.domain.board import Actor, CardKey, Permission
from vibeboard.domain.commands import parse
from vibeboard.domain.decide import decide
from vibeboard.domain.effects import Effect, MoveCard
from vibeboard.domain.events import (
    CardTouched,
    CheckAsked,
    CommentMade,
    Event,
    IssueClosed,
    ReviewGiven,
    RunEnded,
    StageAsked,
)
from vibeboard.domain.prompt import parse_branch
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.trust import is_us
from vibeboard.engine.durable import Steps
from vibeboard.engine.perform import Performer
from vibeboard.engine.ports import (
    OWN_HOOK,
    Cards,
    Decision,
    Deliveries,
    Delivery,
    DeliveryState,
    Pulls,
    Repositories,
    Runs,
)
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import GitHubRefused, MalformedDelivery

log = logging.getLogger(__name__)

Translate = Callable[[str, bytes, str], Event | None]


class Advancer:
    """Takes one delivery all the way."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        runs: Runs,
        cards: Cards,
        pulls: Pulls,
        repositories: Repositories,
        workflows: Workflows,
        performer: Performer,
        translate: Translate,
        us: str,
    ) -> None:
        self._deliveries = deliveries
        self._runs = runs
        self._cards = cards
        self._pulls = pulls
        self._repositories = repositories
        self._workflows = workflows
        self._performer = performer
        self._translate = translate
        self._us = us

    async def advance(self, delivery: int, step: Steps) -> None:
        """Decide about the delivery and perform what was decided.

        What cannot be decided or performed is kept with its reason; it holds up
        nothing that comes after it.
        """
        try:
            keys = await step("decide", lambda: self._decide(delivery))
        except Exception as error:
            log.exception("not decided", extra={"delivery": delivery})
            reason = f"{type(error).__name__}: {error}"
            await self._deliveries.settle(
                delivery, Decision((), reason, state=DeliveryState.FAILED)
            )
            return
        for key in keys:
            try:
                await step("perform", partial(self._performer.perform, key))
            except Exception as error:
                log.exception("not performed", extra={"effect": key})
                await self._performer.give_up(key, f"{type(error).__name__}: {error}")

    async def _decide(self, identity: int) -> list[str]:
        delivery = await self._deliveries.get(identity)
        if delivery.state is DeliveryState.RECEIVED:
            try:
                decision = await self._decision(delivery)
            except GitHubRefused as refusal:
                # The App, or its sight of what this is about, may be gone by now.
                reason = f"GitHub answered {refusal.status_code}: {refusal}"
                log.warning(
                    "not decided", extra={"delivery": delivery.guid, "why": reason}
                )
                decision = Decision((), reason, state=DeliveryState.FAILED)
            await self._deliveries.settle(identity, decision)
        return list(await self._deliveries.effects(identity))

    async def _decision(self, delivery: Delivery) -> Decision:
        try:
            event = await self._event(delivery)
        except MalformedDelivery as error:
            log.warning("delivery unreadable", extra={"delivery": delivery.guid})
            return Decision((), str(error), state=DeliveryState.UNREADABLE)
        if event is None:
            return Decision((), "nothing we act on")
        situation = await self._situation(event)
        if situation is None:
            return Decision((), f"{type(event).__name__}: not about a card of ours")
        effects = decide(event, situation, cause=delivery.guid)
        log.info(
            "decided",
            extra={
                "delivery": delivery.guid,
                "kind": type(event).__name__,
                "card": str(situation.card.key) if situation.card else "",
                "kinds": [type(effect).__name__ for effect in effects],
            },
        )
        return _written(event, situation, effects)

    async def _event(self, delivery: Delivery) -> Event | None:
        if delivery.hook == OWN_HOOK:
            return await self._own_event(delivery)
        return self._translate(delivery.event, delivery.body, delivery.guid)

    async def _own_event(self, delivery: Delivery) -> Event:
        if delivery.event == "stage_asked":
            asked = json.loads(delivery.body)
            card = CardKey.parse(asked["card"])
            return StageAsked(card, asked["stage"], asked["instructions"])
        run = await self._runs.get(delivery.guid)
        return RunEnded(run.id, run.card)

    async def _situation(self, event: Event) -> Situation | None:
        """What is known about the event's card; None if there is nothing to know."""
        match event:
            case CardTouched(by=by, owner=owner, issue=issue):
                if is_us(by, self._us):
                    return None
                key = await self._cards.at(owner, issue)
                return None if key is None else await self._about(key, by)
            case CommentMade():
                return await self._about_comment(event)
            case ReviewGiven(by=by, repository=repository, branch=branch):
                number = parse_branch(branch)
                if number is None or is_us(by, self._us) or not event.asks:
                    return None
                return await self._about(CardKey(repository, number), by)
            case CheckAsked():
                return await self._about_check(event)
            case IssueClosed(card=key):
                return Situation(us=self._us, history=await self._runs.history(key))
            case RunEnded(card=key) | StageAsked(card=key):
                return await self._about(key, None)
            case _:
                return Situation(us=self._us)

    async def _about_check(self, event: CheckAsked) -> Situation | None:
        if event.run is None:
            return Situation(us=self._us)
        try:
            run = await self._runs.get(event.run)
        except KeyError:
            return None
        return await self._about(run.card, event.by)

    async def _about_comment(self, event: CommentMade) -> Situation | None:
        if is_us(event.by, self._us) or parse(event.body, ()) is None:
            return None
        number: int | None = event.number
        if event.on_pull_request:
            pull = await self._pulls.read(event.repository, event.number)
            number = parse_branch(pull.branch)
        if number is None:
            return await self._about(None, event.by, event.repository)
        return await self._about(CardKey(event.repository, number), event.by)

    async def _about(
        self, key: CardKey | None, by: Actor | None, repository: str = ""
    ) -> Situation:
        """What is known of a card, or of a repository if there is no card."""
        repository = key.repository if key is not None else repository
        configuration = await self._workflows.read(repository)
        workflow = configuration.workflow
        card, history = None, CardHistory()
        if key is not None:
            field = workflow.column_field if workflow else "Status"
            card = await self._cards.read(key, field=field)
            history = await self._runs.history(key)
        permission = Permission.NONE
        if by is not None and not by.is_bot:
            permission = await self._repositories.permission(repository, by.login)
        elif by is not None and workflow is not None:
            permission = workflow.permission_of_bot(by.login)
        return Situation(
            us=self._us,
            card=card,
            history=history,
            workflow=workflow,
            faults=configuration.faults,
            config_commit=configuration.commit,
            permission=permission,
        )


def _written(event: Event, situation: Situation, effects: list[Effect]) -> Decision:
    """The decision, with where the card stands once its moves are made."""
    names = ", ".join(type(effect).__name__ for effect in effects) or "nothing to do"
    moves = [effect for effect in effects if isinstance(effect, MoveCard)]
    place = situation.place
    decision = Decision(effects, f"{type(event).__name__}: {names}")
    if situation.card is None or (not moves and not isinstance(event, CardTouched)):
        return decision
    column = moves[-1].column if moves else (place.column if place else None)
    return replace(decision, card=situation.card.key, seen=column, saw_place=True)
