"""Gathers what an agent is told: card, people's comments, earlier results."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from vibeboard.config.presets import builtin_prompt
from vibeboard.domain import cellwords, prompt, words
from vibeboard.domain.board import Actor, Card, Comment, Permission, Wording
from vibeboard.domain.decide import CHECKS
from vibeboard.domain.prompt import Rendered
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import Prompt, Review, Stage
from vibeboard.engine.ports import (
    Base,
    Cards,
    Pulls,
    Repositories,
    ReviewComment,
    Runs,
    Workspace,
)
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import UserError

_MOST_THREADS = 10


@dataclass(frozen=True)
class Told:
    """What a run's agent is told, but for what its workspace adds.

    ``asked`` is what the issue said when the run was asked for, if somebody kept it,
    and ``session`` the agent's of the stage's last run, to go on with.
    """

    asked: Wording | None
    text: str
    comments: tuple[Comment, ...]
    earlier: Mapping[str, str]
    threads: tuple[str, ...]
    branch_has_work: bool
    session: str | None

    def prompt(
        self, run: Run, stage: Stage, card: Card, workspace: Workspace
    ) -> Rendered:
        """The whole prompt of a run."""
        by_checks = run.cause.startswith(CHECKS)
        return prompt.render(
            card=_as_asked(card, self.asked),
            stage=stage,
            text=self.text,
            comments=self.comments,
            earlier=self.earlier,
            instructions="" if by_checks else run.instructions,
            checks=run.instructions if by_checks else "",
            threads=self.threads,
            notes=(*workspace.notes, cellwords.within_reach(stage.agent.network)),
            branch_has_work=self.branch_has_work,
        )


class Briefing:
    """Makes prompts. What people without permission wrote does not reach them."""

    def __init__(
        self,
        *,
        runs: Runs,
        cards: Cards,
        pulls: Pulls,
        repositories: Repositories,
        workflows: Workflows,
        us: str,
    ) -> None:
        self._runs = runs
        self._cards = cards
        self._pulls = pulls
        self._repositories = repositories
        self._us = us
        self._workflows = workflows

    async def gather(self, run: Run, stage: Stage, card: Card) -> "Told":
        """Ask GitHub and the store for all that goes into a prompt.

        The issue is as it was when the run was asked for.
        """
        history, asked, text, comments, threads = await asyncio.gather(
            self._runs.history(card.key),
            self._runs.asked(run.id),
            self._text(run, stage.prompt, stage.name),
            self._comments(card),
            self._threads(run, card),
        )
        earlier = {
            each.stage: each.report.summary
            for each in history.runs
            if each.report is not None and each.state is RunState.SUCCEEDED
        }
        return Told(
            asked=asked,
            text=text,
            comments=tuple(comments),
            earlier=earlier,
            threads=tuple(
                "\n\n".join(f"{said.by.login}: {said.body}" for said in thread)
                for thread in threads
            ),
            branch_has_work=history.branch is not None,
            session=next(
                (
                    each.session
                    for each in reversed(history.runs)
                    if each.stage == stage.name and each.session is not None
                ),
                None,
            ),
        )

    async def specialist(self, run: Run, review: Review, card: Card, base: Base) -> str:
        """The prompt of somebody who looks at a commit.

        What the agent says of its own work is not in it: it may be wrong.
        """
        asked, text = await asyncio.gather(
            self._runs.asked(run.id), self._text(run, review.prompt, review.name)
        )
        return prompt.render_review(
            card=_as_asked(card, asked),
            name=review.name,
            text=text,
            base=base.commit,
            head=base.head,
        ).text

    async def _text(self, run: Run, source: Prompt, name: str) -> str:
        if source.text is not None:
            return source.text
        if source.builtin is not None:
            return builtin_prompt(source.builtin)
        assert source.path is not None
        found = await self._repositories.file(
            run.card.repository, source.path, ref=run.config_commit or None
        )
        if found is None:
            raise UserError(words.prompt_missing(name, source.path))
        return found.text

    async def _comments(self, card: Card) -> list[Comment]:
        comments = await self._cards.comments(card.key)
        trusted = await self._trusted(card, (comment.author for comment in comments))
        return [comment for comment in comments if comment.author.login in trusted]

    async def _threads(self, run: Run, card: Card) -> list[Sequence[ReviewComment]]:
        """What was said before in the threads of the remarks that the run answers."""
        found: list[Sequence[ReviewComment]] = []
        for remark in run.remarks[:_MOST_THREADS]:
            thread = await self._pulls.thread(
                card.key.repository, remark.pull_request, remark.comment
            )
            trusted = await self._trusted(card, (said.by for said in thread))
            trusted.add(self._us)
            earlier = [
                said
                for said in thread
                if said.id != remark.comment and said.by.login in trusted
            ]
            if earlier:
                found.append(earlier)
        return found

    async def _trusted(self, card: Card, authors: Iterable[Actor]) -> set[str]:
        """Who of them may tell an agent something."""
        found = await self._workflows.read(card.key.repository)
        bots = found.workflow.trusted_bots if found.workflow else frozenset()
        trusted = set(bots)
        for login in sorted({one.login for one in authors if not one.is_bot}):
            permission = await self._repositories.permission(card.key.repository, login)
            if permission.covers(Permission.WRITE):
                trusted.add(login)
        return trusted


def _as_asked(card: Card, asked: Wording | None) -> Card:
    """The card with the words that the run is about."""
    return card if asked is None else replace(card, title=asked.title, body=asked.body)
