"""Performs effects on GitHub. Each may be performed twice and happens once."""

import logging
from collections.abc import Awaitable, Callable

from vibeboard.domain.effects import (
    AnswerQuestion,
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
    ShowQuestion,
    ShowRun,
    StartRun,
    StopRun,
    VouchFor,
)
from vibeboard.domain.run import run_id
from vibeboard.engine.asker import Asker
from vibeboard.engine.context import about
from vibeboard.engine.gatekeeper import Gatekeeper
from vibeboard.engine.inspector import Inspector
from vibeboard.engine.meter import Meter, Unmetered
from vibeboard.engine.ports import (
    Cards,
    Deliveries,
    Expenses,
    Marker,
    Replies,
    Workspaces,
)
from vibeboard.engine.previewer import Previewer
from vibeboard.engine.stops import Stops
from vibeboard.engine.tracking import Tracking
from vibeboard.errors import AppAbsent, GitHubRefused, RetryLater, UserError

log = logging.getLogger(__name__)


class Performer:
    """Carries out one effect at a time."""

    def __init__(
        self,
        *,
        deliveries: Deliveries,
        cards: Cards,
        expenses: Expenses,
        replies: Replies,
        asker: Asker,
        inspector: Inspector,
        gatekeeper: Gatekeeper,
        previewer: Previewer,
        tracking: Tracking,
        stops: Stops,
        workspaces: Workspaces,
        recall: Callable[[str], Awaitable[None]] | None = None,
        meter: Meter | None = None,
    ) -> None:
        """``recall`` keeps a run that was stopped from beginning elsewhere."""
        self._recall = recall
        self._meter = meter or Unmetered()
        self._deliveries = deliveries
        self._cards = cards
        self._expenses = expenses
        self._replies = replies
        self._asker = asker
        self._inspector = inspector
        self._gatekeeper = gatekeeper
        self._previewer = previewer
        self._tracking = tracking
        self._stops = stops
        self._workspaces = workspaces

    async def perform(self, key: str) -> None:
        """Perform the effect unless it is done; a refusal is kept with its reason.

        Raises RetryLater and AppAbsent, to be called again.
        """
        effect = await self._deliveries.pending(key)
        if effect is None:
            return
        card = getattr(effect, "card", None)
        about(card=str(card) if card else "", run=getattr(effect, "run", None) or "")
        error = ""
        try:
            await self._do(effect)
        except UserError as refusal:
            error = str(refusal)
            await self._say(effect, error)
        except GitHubRefused as refusal:
            error = f"GitHub answered {refusal.status_code}: {refusal}"
        except (RetryLater, AppAbsent):
            raise
        except Exception as fault:
            log.exception("not performed", extra={"effect": key})
            error = f"{type(fault).__name__}: {fault}"
        if error:
            log.warning("effect refused", extra={"effect": key, "why": error})
        await self._deliveries.performed(effect, error=error)
        await self._meter.performed(type(effect).__name__, failed=bool(error))

    async def give_up(self, key: str, error: str) -> None:
        """Keep the effect with the reason why it could not be performed."""
        effect = await self._deliveries.pending(key)
        if effect is not None:
            await self._deliveries.performed(effect, error=error)
            await self._meter.performed(type(effect).__name__, failed=True)

    async def _do(self, effect: Effect) -> None:
        match effect:
            case StartRun() | StopRun() | LookAfter() | ShowRun():
                await self._on_run(effect)
            case MoveCard() | ShowCost():
                await self._on_board(effect)
            case Reply():
                marker = Marker(effect.topic)
                await self._replies.ensure(effect.card, marker, effect.body)
            case React():
                await self._replies.react(
                    effect.repository,
                    effect.comment,
                    effect.content,
                    review=effect.review,
                )
            case AnswerReview(remark=remark):
                await self._replies.answer_review(
                    effect.repository, remark.pull_request, remark.comment, effect.body
                )
            case RemoveWorkspace(card=card):
                await self._workspaces.remove(card)
            case ShowPreviews():
                await self._previewer.perform(effect)
            case CheckConfiguration():
                await self._inspector.inspect(effect)
            case ShowQuestion(run=run) | AnswerQuestion(run=run):
                await self._asker.show(effect.card, run, effect.question)
            case ShowGates() | JudgeGroup() | VouchFor():
                await self._gatekeeper.perform(effect)

    async def _on_run(self, effect: StartRun | StopRun | LookAfter | ShowRun) -> None:
        match effect:
            case StartRun():
                run = run_id(effect.card, effect.stage, effect.cause)
                await self._tracking.show_started(run)
            case StopRun(run=run):
                self._stops.kick(run)
                if self._recall is not None:
                    await self._recall(run)
                await self._tracking.show(run)
            case ShowRun(run=run):
                await self._tracking.show(run)
            case LookAfter():
                pass  # its run is due since that was decided

    async def _on_board(self, effect: MoveCard | ShowCost) -> None:
        place, field = effect.place, effect.field
        if isinstance(effect, MoveCard):
            await self._cards.move(place, effect.column, field=field)
        else:
            usd = round(await self._expenses.of_card(effect.card), 2)
            await self._cards.show_number(place, usd, field=field)

    async def _say(self, effect: Effect, why: str) -> None:
        """A person must know when their board cannot take a move."""
        if isinstance(effect, MoveCard):
            marker = Marker(f"refused-{effect.cause}")
            await self._replies.ensure(effect.card, marker, why)
        elif isinstance(effect, ShowCost):
            told = f"{why} `board.cost_field` in `.vibe.yml` names it."
            await self._replies.ensure(effect.card, Marker("cost-field"), told)
