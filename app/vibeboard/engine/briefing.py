"""Gathers what an agent is told: card, people's comments, earlier results."""

from vibeboard.config.presets import builtin_prompt
from vibeboard.domain import prompt, words
from vibeboard.domain.board import Card, Comment, Permission
from vibeboard.domain.run import Run, RunState
from vibeboard.domain.workflow import Stage
from vibeboard.engine.ports import Cards, Repositories, Runs, Workspace
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import UserError


class Briefing:
    """Makes prompts. What people without permission wrote does not reach them."""

    def __init__(
        self,
        *,
        runs: Runs,
        cards: Cards,
        repositories: Repositories,
        workflows: Workflows,
    ) -> None:
        self._runs = runs
        self._cards = cards
        self._repositories = repositories
        self._workflows = workflows

    async def prompt(
        self, run: Run, stage: Stage, card: Card, workspace: Workspace
    ) -> str:
        """The whole prompt of a run."""
        history = await self._runs.history(card.key)
        earlier = {
            each.stage: each.report.summary
            for each in history.runs
            if each.report is not None and each.state is RunState.SUCCEEDED
        }
        begun = any(
            each.report is not None and each.report.branch is not None
            for each in history.runs
        )
        rendered = prompt.render(
            card=card,
            stage=stage,
            text=await self._text(run, stage),
            comments=await self._comments(card),
            earlier=earlier,
            instructions=run.instructions,
            notes=workspace.notes,
            branch_has_work=begun,
        )
        return rendered.text

    async def session(self, run: Run, stage: Stage) -> str | None:
        """The agent's session to go on with: that of the stage's last run."""
        if run.session is not None:
            return run.session
        history = await self._runs.history(run.card)
        sessions = [
            each.session
            for each in history.runs
            if each.stage == stage.name and each.session is not None
        ]
        return sessions[-1] if sessions else None

    async def _text(self, run: Run, stage: Stage) -> str:
        source = stage.prompt
        if source.text is not None:
            return source.text
        if source.builtin is not None:
            return builtin_prompt(source.builtin)
        assert source.path is not None
        found = await self._repositories.file(
            run.card.repository, source.path, ref=run.config_commit or None
        )
        if found is None:
            raise UserError(words.prompt_missing(stage.name, source.path))
        return found.text

    async def _comments(self, card: Card) -> list[Comment]:
        comments = await self._cards.comments(card.key)
        found = await self._workflows.read(card.key.repository)
        bots = found.workflow.trusted_bots if found.workflow else frozenset()
        people = {c.author.login for c in comments if not c.author.is_bot}
        trusted = set(bots)
        for login in sorted(people):
            permission = await self._repositories.permission(card.key.repository, login)
            if permission.covers(Permission.WRITE):
                trusted.add(login)
        return [comment for comment in comments if comment.author.login in trusted]
