"""Shows where a card's change can be looked at: on its comment and pull request."""

from collections.abc import Sequence
from dataclasses import replace
from http import HTTPStatus

from vibeboard.domain import preview
from vibeboard.domain.board import CardKey
from vibeboard.domain.effects import ShowPreviews
from vibeboard.domain.preview import Preview, PreviewState
from vibeboard.domain.run import Run, Step
from vibeboard.engine.ports import (
    Deployments,
    Locks,
    Marker,
    Previews,
    Pulls,
    Replies,
    Runs,
    Tracker,
)
from vibeboard.errors import GitHubRefused

# The newest run of a pull request shows its previews, and the one before no more.
_SHOWN = 2


class Previewer:
    """Carries out what is decided about previews."""

    def __init__(
        self,
        *,
        runs: Runs,
        previews: Previews,
        pulls: Pulls,
        deployments: Deployments,
        replies: Replies,
        tracking: Tracker,
        locks: Locks,
    ) -> None:
        self._runs = runs
        self._previews = previews
        self._pulls = pulls
        self._deployments = deployments
        self._replies = replies
        self._tracking = tracking
        self._locks = locks

    async def perform(self, effect: ShowPreviews) -> None:
        """Show what is there now, and tell whoever asked."""
        async with self._locks.hold(f"previews {effect.card}"):
            try:
                answer = await self._answer(effect)
            except GitHubRefused as refusal:
                if refusal.status_code != HTTPStatus.FORBIDDEN:
                    raise
                answer = preview.not_allowed()
        if effect.thread is not None:
            marker = Marker(f"previews-{effect.cause}")
            await self._replies.ensure(effect.thread, marker, answer)

    async def _answer(self, effect: ShowPreviews) -> str:
        runs = (await self._runs.history(effect.card)).opened
        if not runs or runs[0].report is None or not runs[0].report.pull_request:
            return preview.nothing_to_preview()
        commit, number = runs[0].report.commit or "", runs[0].report.pull_request
        if effect.thread is not None:
            commit = (await self._pulls.read(effect.card.repository, number)).head
        found = await self._found(effect, commit)
        there = await self._previews.keep(effect.card, found)
        if found:
            await self._show(effect.card, runs, number, there)
        return preview.found(there, number, commit)

    async def _found(self, effect: ShowPreviews, commit: str) -> Sequence[Preview]:
        """What there is news of; all that is remembered is looked at again."""
        repository = effect.card.repository
        known = {one.id: one for one in await self._previews.of(effect.card)}
        found: list[Preview] = []
        looked_at = {effect.deployment} if effect.deployment else set(known)
        if not effect.deployment:
            found += await self._deployments.of_commit(repository, commit)
        for identity in looked_at - {one.id for one in found}:
            now = await self._deployments.read(repository, identity)
            if now is None and identity in known:
                now = replace(known[identity], state=PreviewState.GONE)
            if now is not None:
                found.append(now)
        return found

    async def _show(
        self, card: CardKey, runs: Sequence[Run], number: int, there: Sequence[Preview]
    ) -> None:
        for run in runs[:_SHOWN]:
            await self._tracking.show(run.id)
        active = (await self._runs.history(card)).active
        if active is not None and active.step is Step.PUBLISH:
            return  # it writes the same text, and its end comes here again
        pull = await self._pulls.read(card.repository, number)
        body = preview.in_body(pull.body, there)
        if body != pull.body:
            await self._pulls.write_body(card.repository, number, body)
