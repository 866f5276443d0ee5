"""Shows where a card's change can be looked at: on its comment and pull request."""

from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus

from vibeboard.domain import preview
from vibeboard.domain.effects import ShowPreviews
from vibeboard.domain.preview import Preview
from vibeboard.domain.run import Step
from vibeboard.domain.situation import CardHistory
from vibeboard.engine.ports import (
    Deployments,
    Locks,
    Marker,
    Pulls,
    Replies,
    Runs,
    Tracker,
)
from vibeboard.errors import GitHubRefused, RetryLater

_PUBLISHES = timedelta(seconds=5)


class Previewer:
    """Carries out what is decided about previews."""

    def __init__(
        self,
        *,
        runs: Runs,
        pulls: Pulls,
        deployments: Deployments,
        replies: Replies,
        tracking: Tracker,
        locks: Locks,
    ) -> None:
        self._runs = runs
        self._pulls = pulls
        self._deployments = deployments
        self._replies = replies
        self._tracking = tracking
        self._locks = locks

    async def perform(self, effect: ShowPreviews) -> None:
        """Show what is there now; raises RetryLater while a run publishes."""
        async with self._locks.hold(f"previews {effect.card}"):
            try:
                answer = await self._show(effect)
            except GitHubRefused as refusal:
                if effect.thread is None or refusal.status_code != HTTPStatus.FORBIDDEN:
                    raise
                answer = preview.not_allowed()
        if effect.thread is not None:
            marker = Marker(f"previews-{effect.cause}")
            await self._replies.ensure(effect.thread, marker, answer)

    async def _show(self, effect: ShowPreviews) -> str:
        repository = effect.card.repository
        history = await self._runs.history(effect.card)
        _give_way(history)
        run = history.opened
        if run is None or run.report is None or run.report.pull_request is None:
            return preview.nothing_to_preview()
        pull = await self._pulls.read(repository, run.report.pull_request)
        found = await self._found(effect, pull.head)
        there = preview.merged(run.previews, found)
        if there != run.previews:
            await self._runs.note(run.id, previews=there)
        await self._tracking.show(run.id)
        body = preview.in_body(pull.body, there, pull.head)
        if body != pull.body:
            await self._pulls.write_body(repository, pull.number, body)
        return preview.found(there, pull.number, pull.head)

    async def _found(self, effect: ShowPreviews, head: str) -> Sequence[Preview]:
        repository = effect.card.repository
        if effect.deployment is None:
            return await self._deployments.of_commit(repository, head)
        one = await self._deployments.read(repository, effect.deployment)
        return () if one is None else (one,)


def _give_way(history: CardHistory) -> None:
    """A run that publishes writes the pull request's text, too: let it end first."""
    active = history.active
    if active is not None and active.step is Step.PUBLISH:
        raise RetryLater(f"run {active.id} publishes", after=_PUBLISHES)
