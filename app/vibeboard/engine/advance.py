"""A delivery becomes an event, the event a decision, the decision is kept.

Facts are gathered here and handed to ``decide`` as one value; what it answers is
written in one transaction. Performing is ``perform.py``'s work.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import assert_never

from vibeboard.domain.board import Actor, CardKey, Permission
from vibeboard.domain.commands import Approve, parse
from vibeboard.domain.decide import decide, sees_place
from vibeboard.domain.effects import Effect, MoveCard
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
from vibeboard.domain.gate import GATE
from vibeboard.domain.prompt import parse_branch
from vibeboard.domain.question import Question
from vibeboard.domain.situation import CardHistory, Situation
from vibeboard.domain.trust import is_us
from vibeboard.domain.workflow import Workflow
from vibeboard.engine.context import about
from vibeboard.engine.gatekeeper import Gatekeeper
from vibeboard.engine.meter import Meter, Unmetered
from vibeboard.engine.perform import Performer
from vibeboard.engine.ports import (
    OWN_HOOK,
    Cards,
    Decision,
    Deliveries,
    Delivery,
    DeliveryState,
    Locks,
    Previews,
    Pulls,
    Questions,
    Repositories,
    Runs,
    Sorted,
)
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import MalformedDelivery

log = logging.getLogger(__name__)

Translate = Callable[[str, bytes, str], Event | None]

# After these the App sees an account again, or more of it.
_RETURNS = frozenset({"created", "unsuspend", "new_permissions_accepted", "added"})


_OF_PULL = re.compile(r"refs/pull/(?P<number>\d{1,9})/(?:merge|head)")


class Advancer:
    """Takes one delivery all the way."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        runs: Runs,
        cards: Cards,
        pulls: Pulls,
        questions: Questions,
        previews: Previews,
        repositories: Repositories,
        workflows: Workflows,
        performer: Performer,
        gatekeeper: Gatekeeper,
        locks: Locks,
        translate: Translate,
        boards_changed: Callable[[], Awaitable[None]],
        us: str,
        meter: Meter | None = None,
    ) -> None:
        """``boards_changed`` is told when `.vibe.yml` may name other boards now."""
        self._meter = meter or Unmetered()
        self._deliveries = deliveries
        self._runs = runs
        self._cards = cards
        self._pulls = pulls
        self._questions = questions
        self._previews = previews
        self._repositories = repositories
        self._workflows = workflows
        self._performer = performer
        self._gatekeeper = gatekeeper
        self._locks = locks
        self._translate = translate
        self._boards_changed = boards_changed
        self._us = us

    def sort(self, delivery: Delivery) -> Sorted:
        """Whose delivery it is and what it must stay in order with, from it alone."""
        try:
            event = self._event(delivery)
        except MalformedDelivery as error:
            log.warning("delivery unreadable", extra={"delivery": delivery.guid})
            return Sorted(state=DeliveryState.UNREADABLE, reason=str(error))
        except Exception as error:
            log.exception("delivery unreadable", extra={"delivery": delivery.guid})
            reason = f"{type(error).__name__}: {error}"
            return Sorted(state=DeliveryState.UNREADABLE, reason=reason)
        if event is None or self._is_echo(event):
            return Sorted(state=DeliveryState.SETTLED, reason="nothing we act on")
        account, key = _order(event)
        return Sorted(account.casefold()[:100], key[:300])

    def _is_echo(self, event: Event) -> bool:
        """Whether it only tells of what we did ourselves, or of plain talk."""
        match event:
            case CardTouched(by=by) | ReviewGiven(by=by):
                return is_us(by, self._us)
            case CommentMade(by=by, body=body):
                return is_us(by, self._us) or parse(body, ()) is None
            case _:
                return False

    async def decide(self, identity: int) -> None:
        """Decide about the delivery, and write the decision down.

        Raises RetryLater and AppAbsent, to be called again.
        """
        delivery = await self._deliveries.get(identity)
        event = self._event(delivery)
        if isinstance(event, InstallationChanged) and event.what in _RETURNS:
            await self._deliveries.release_parked(event.account)
        if isinstance(event, InstallationChanged | ConfigurationChanged):
            await self._boards_changed()
        async with AsyncExitStack() as held:
            card = await self._card_of(event) if event is not None else None
            if card is not None:
                about(card=str(card), run=getattr(event, "run", None) or "")
                # One decision about a card at a time.
                name = f"card {str(card).casefold()}"
                await held.enter_async_context(self._locks.hold(name))
            decision = await self._decision(delivery, event, card)
            await self._deliveries.settle(identity, decision)
        if isinstance(event, RunEnded):
            await self._meter.run_ended(await self._runs.get(event.run))

    async def perform(self, identity: int) -> None:
        """Perform what was decided about the delivery, in order.

        An effect that GitHub refuses is kept with its reason; it holds up nothing that
        comes after it. Raises RetryLater and AppAbsent, to be called again: what was
        done by then is not done twice.
        """
        for key in await self._deliveries.effects(identity):
            await self._performer.perform(key)

    async def give_up(self, identity: int, reason: str) -> None:
        """Keep what is left of the delivery's effects with the reason."""
        for key in await self._deliveries.effects(identity):
            await self._performer.give_up(key, reason)

    def _event(self, delivery: Delivery) -> Event | None:
        if delivery.hook == OWN_HOOK:
            return _own_event(delivery)
        return self._translate(delivery.event, delivery.body, delivery.guid)

    async def _card_of(self, event: Event) -> CardKey | None:
        """The card that an event is about; None if it is about none."""
        match event:
            case CardTouched(owner=owner, issue=issue):
                return await self._cards.at(owner, issue)
            case CommentMade(repository=repository, number=number):
                if event.on_pull_request:
                    pull = await self._pulls.read(repository, number)
                    branch = parse_branch(pull.branch)
                    return CardKey(repository, branch) if branch is not None else None
                return CardKey(repository, number)
            case ReviewGiven(repository=repository, branch=branch):
                worked_on = parse_branch(branch)
                return None if worked_on is None else CardKey(repository, worked_on)
            case ChecksEnded(repository=repository, branch=branch):
                checked = parse_branch(branch)
                return None if checked is None else CardKey(repository, checked)
            case Deployed():
                return await self._card_deployed(event)
            case PullRequestUpdated(by=by, repository=repository, branch=branch):
                # What we did ourselves is told by the run's end.
                built_for = None if is_us(by, self._us) else parse_branch(branch)
                return None if built_for is None else CardKey(repository, built_for)
            case CheckAsked():
                return await self._card_checked(event)
            case (
                IssueClosed(card=card)
                | RunEnded(card=card)
                | StageAsked(card=card)
                | QuestionAsked(card=card)
                | QuestionAnswered(card=card)
                | CardSeen(card=card)
            ):
                return card
            case _:
                return None

    async def _card_checked(self, event: CheckAsked) -> CardKey | None:
        """The card whose gate or run a check is about."""
        if event.run is None:
            return None
        if event.run.startswith(GATE):
            return CardKey(event.repository, int(event.run.removeprefix(GATE)))
        try:
            return (await self._runs.get(event.run)).card
        except KeyError:
            return None

    async def _card_deployed(self, event: Deployed) -> CardKey | None:
        """The card whose change was deployed; its branch may be gone by now."""
        known = await self._previews.card_of(event.repository, event.deployment)
        if known is not None:
            return known
        number = parse_branch(await self._deployed_branch(event))
        return None if number is None else CardKey(event.repository, number)

    async def _deployed_branch(self, event: Deployed) -> str:
        """The branch that was deployed, as far as it may be one of ours."""
        branch = event.ref.removeprefix("refs/heads/")
        if parse_branch(branch) is not None:
            return branch
        merge = _OF_PULL.fullmatch(event.ref)
        if merge is not None:
            pull = await self._pulls.read(event.repository, int(merge["number"]))
            return pull.branch
        found = await self._pulls.of_commit(event.repository, event.commit)
        return found.branch if found is not None else ""

    async def _decision(
        self, delivery: Delivery, event: Event | None, card: CardKey | None
    ) -> Decision:
        situation = None if event is None else await self._situation(event, card)
        if event is not None and situation is not None:
            situation = await self._at_gates(event, situation)
        if event is None or situation is None:
            kind = type(event).__name__
            return Decision((), f"{kind}: not about a card of ours")
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

    async def _situation(self, event: Event, card: CardKey | None) -> Situation | None:
        """What is known about the event's card; None if there is nothing to know."""
        match event:
            case CommentMade(by=by, repository=repository, comment=comment):
                if (
                    comment is not None
                    and await self._cards.comment(repository, comment) is None
                ):
                    return None  # taken back since
                return await self._about(card, by, repository)
            case ReviewGiven(by=by) | ChecksEnded(by=by):
                return None if card is None else await self._about(card, by)
            case PullRequestUpdated() if card is None:
                return Situation(us=self._us)
            case CheckAsked(run=None):
                return Situation(us=self._us)
            case CardTouched(by=by) | PullRequestUpdated(by=by) | CheckAsked(by=by):
                return None if card is None else await self._about(card, by)
            case IssueClosed(card=key):
                return Situation(us=self._us, history=await self._runs.history(key))
            case Deployed():
                if card is None:
                    return None
                return Situation(us=self._us, history=await self._runs.history(card))
            case CardSeen(card=key, by=seen_by):
                return await self._about(key, seen_by)
            case (
                RunEnded(card=key)
                | StageAsked(card=key)
                | QuestionAsked(card=key)
                | QuestionAnswered(card=key)
            ):
                return await self._about(key, None)
            case _:
                return Situation(us=self._us)

    async def _at_gates(self, event: Event, situation: Situation) -> Situation:
        """The situation, with the gates that the decision may rest on."""
        workflow, card = situation.workflow, situation.card
        if workflow is None or card is None:
            return situation
        wanted = _gates_of(event, situation, workflow)
        if wanted is None:
            return situation
        look = await self._gatekeeper.look(card.key, workflow, wanted)
        return replace(situation, gates=look.gates, head=look.head, others=look.others)

    async def _about(
        self, key: CardKey | None, by: Actor | None, repository: str = ""
    ) -> Situation:
        """What is known of a card, or of a repository if there is no card."""
        repository = key.repository if key is not None else repository
        configuration, permission = await asyncio.gather(
            self._workflows.read(repository), self._permission(repository, by)
        )
        workflow = configuration.workflow
        card, history = None, CardHistory()
        if key is not None:
            field = workflow.column_field if workflow else "Status"
            board = workflow.board if workflow else None
            card, history = await asyncio.gather(
                self._cards.read(key, field=field, board=board),
                self._runs.history(key),
            )
        if by is not None and by.is_bot and workflow is not None:
            permission = workflow.permission_of_bot(by.login)
        return Situation(
            us=self._us,
            card=card,
            history=history,
            workflow=workflow,
            faults=configuration.faults,
            config_commit=configuration.commit,
            permission=permission,
            questions=await self._asked(history),
        )

    async def _asked(self, history: CardHistory) -> tuple[Question, ...]:
        """What the agent at work has asked."""
        active = history.active
        return () if active is None else tuple(await self._questions.of(active.id))

    async def _permission(self, repository: str, by: Actor | None) -> Permission:
        """What GitHub lets a person do; nothing for programs, which we are told of."""
        if by is None or by.is_bot:
            return Permission.NONE
        return await self._repositories.permission(repository, by.login)


def _gates_of(
    event: Event, situation: Situation, workflow: Workflow
) -> Sequence[str] | None:
    """Stages whose gates matter now; None if nothing about the head does."""
    match event:
        case CardTouched() | CardSeen():
            stage = situation.stage
        case RunEnded(run=run):
            ended = next(one for one in situation.history.runs if one.id == run)
            done = workflow.stages.get(ended.stage)
            stage = workflow.stage_of(done.next) if done is not None else None
        case CommentMade(body=body):
            approves = isinstance(parse(body, workflow.stages), Approve)
            return [] if approves else None
        case ChecksEnded():
            wanted = any(stage.fix_checks for stage in workflow.stages.values())
            return [] if wanted else None
        case _:
            return None
    return [stage.name] if stage is not None and stage.gate is not None else None


def _written(event: Event, situation: Situation, effects: list[Effect]) -> Decision:
    """The decision, with where the card stands once its moves are made."""
    names = ", ".join(type(effect).__name__ for effect in effects) or "nothing to do"
    moves = [effect for effect in effects if isinstance(effect, MoveCard)]
    place = situation.place
    by = getattr(event, "by", None)
    decision = Decision(
        effects,
        f"{type(event).__name__}: {names}",
        card=situation.card.key if situation.card is not None else None,
        actor=by.login if isinstance(by, Actor) else "",
        asked=situation.card.wording if situation.card is not None else None,
    )
    if situation.card is None or not (moves or sees_place(event, situation)):
        return decision
    column = moves[-1].column if moves else (place.column if place else None)
    return replace(decision, seen=column, saw_place=True)


def _own_event(delivery: Delivery) -> Event:
    if delivery.event == "stage_asked":
        asked = json.loads(delivery.body)
        card = CardKey.parse(asked["card"])
        return StageAsked(card, asked["stage"], asked["instructions"])
    if delivery.event == "run_asked_again":
        wish = json.loads(delivery.body)
        card = CardKey.parse(wish["card"])
        return CommentMade(
            by=Actor(wish["by"]),
            repository=card.repository,
            number=card.number,
            comment=None,
            body="/agent retry",
            on_pull_request=False,
            given=delivery.guid,
        )
    if delivery.event == "question_asked":
        question, _, key = delivery.body.decode().partition(" ")
        return QuestionAsked(CardKey.parse(key), question)
    if delivery.event == "question_answered":
        said = json.loads(delivery.body)
        return QuestionAnswered(CardKey.parse(said.pop("card")), **said)
    if delivery.event == "card_seen":
        seen = json.loads(delivery.body)
        by = Actor(seen["by"]) if seen["by"] is not None else None
        return CardSeen(CardKey.parse(seen["card"]), seen["column"], by)
    return RunEnded(delivery.guid, CardKey.parse(delivery.body.decode()))


def _order(event: Event) -> tuple[str, str]:
    """The account an event belongs to, and what it must stay in order with."""
    match event:
        case CardTouched(owner=owner, issue=issue):
            return owner, issue
        case CommentMade(repository=repository, number=number):
            return repository.partition("/")[0], f"{repository}#{number}"
        case ReviewGiven(repository=repository, pull_request=number):
            return repository.partition("/")[0], f"{repository}#{number}"
        case (
            IssueClosed(card=card)
            | RunEnded(card=card)
            | StageAsked(card=card)
            | QuestionAsked(card=card)
            | QuestionAnswered(card=card)
            | CardSeen(card=card)
        ):
            return card.owner, str(card)
        case (
            GroupFormed(repository=repository, head=head)
            | ChecksEnded(repository=repository, head=head)
        ):
            return repository.partition("/")[0], f"{repository}@{head}"
        case Deployed(repository=repository, deployment=number):
            return repository.partition("/")[0], f"{repository}:deployment-{number}"
        case PullRequestUpdated(repository=repository, pull_request=number):
            return repository.partition("/")[0], f"{repository}#{number}"
        case (
            CheckAsked(repository=repository)
            | ConfigurationChanged(repository=repository)
            | PostingEnded(repository=repository)
        ):
            return repository.partition("/")[0], repository
        case InstallationChanged(account=account):
            return account, account
        case _:
            assert_never(event)
