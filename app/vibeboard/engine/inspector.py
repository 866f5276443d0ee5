"""Shows on a commit what its `.vibe.yml` means, or where it is wrong.

Besides the file itself it looks at what the file names: the board's columns and
the prompts' files. Those faults do not stop runs; they are told before they bite.
"""

from collections.abc import Iterator, Sequence

from vibeboard.config.explain import explain
from vibeboard.domain import words
from vibeboard.domain.board import BoardKey
from vibeboard.domain.effects import CheckConfiguration
from vibeboard.domain.workflow import FILE, Workflow
from vibeboard.engine.ports import (
    Annotation,
    Cards,
    CheckRun,
    Checks,
    Conclusion,
    Pulls,
    Repositories,
)
from vibeboard.engine.workflows import Configuration, Workflows
from vibeboard.errors import Fault, UserError


class Inspector:
    """Checks configurations."""

    def __init__(
        self,
        *,
        cards: Cards,
        checks: Checks,
        pulls: Pulls,
        repositories: Repositories,
        workflows: Workflows,
    ) -> None:
        self._cards = cards
        self._checks = checks
        self._pulls = pulls
        self._repositories = repositories
        self._workflows = workflows

    async def inspect(self, effect: CheckConfiguration) -> None:
        """Put the check, unless the pull request does not touch the file."""
        repository = effect.repository
        if effect.pull_request is not None:
            files = await self._pulls.files(repository, effect.pull_request)
            if FILE not in files:
                return
        found = await self._workflows.read(repository, ref=effect.head)
        faults = found.faults or await self._misnamed(repository, effect.head, found)
        check = CheckRun(
            name=words.CONFIG_CHECK,
            head=effect.head,
            external_id=f"config-{effect.head}",
            title=words.config_title(found.workflow, faults),
            summary=_summary(found, faults),
            conclusion=_conclusion(found, faults),
            annotations=tuple(
                Annotation(fault.path, fault.line, fault.message, column=fault.column)
                for fault in faults
            ),
        )
        await self._checks.put(repository, check)

    async def _misnamed(
        self, repository: str, head: str, found: Configuration
    ) -> tuple[Fault, ...]:
        """Columns that the board lacks and prompts that the commit lacks."""
        workflow = found.workflow
        if workflow is None:
            return ()
        faults = []
        if workflow.board is not None:
            columns, why = await self._columns(workflow.board, workflow.column_field)
            if columns is None:
                faults.append(_fault(found, str(workflow.board.number), why))
            else:
                known = {column.casefold() for column in columns}
                faults += [
                    _fault(found, column, words.no_such_column(column, columns))
                    for column in _columns(workflow)
                    if column.casefold() not in known
                ]
        prompts = [(one.name, one.prompt.path) for one in workflow.stages.values()]
        prompts += [(one.name, one.prompt.path) for one in workflow.reviews.values()]
        for name, path in prompts:
            if path is None:
                continue
            if await self._repositories.file(repository, path, ref=head) is None:
                message = words.prompt_missing(name, path)
                faults.append(_fault(found, path, message))
        return tuple(faults)

    async def _columns(
        self, board: BoardKey, field: str
    ) -> tuple[Sequence[str] | None, str]:
        """A board's columns, or None and why there are none."""
        try:
            columns = await self._cards.columns(board, field=field)
        except UserError as error:
            return None, str(error)
        return columns, words.board_unreadable(board, field)


def _columns(workflow: Workflow) -> Iterator[str]:
    named = [
        column
        for stage in workflow.stages.values()
        for column in (stage.column, stage.next, stage.otherwise)
        if column
    ]
    yield from dict.fromkeys(named)


def _fault(found: Configuration, value: str, message: str) -> Fault:
    """A fault at the first place where the file says ``value``."""
    for number, line in enumerate(found.text.splitlines(), start=1):
        at = line.partition("#")[0].find(value)
        if at >= 0:
            return Fault(FILE, number, at + 1, message)
    return Fault(FILE, 1, 1, message)


def _summary(found: Configuration, faults: tuple[Fault, ...]) -> str:
    parts = [words.config_summary(faults)] if faults or not found.workflow else []
    if found.workflow is not None:
        parts.append(explain(found.workflow))
    return "\n\n".join(parts)


def _conclusion(found: Configuration, faults: tuple[Fault, ...]) -> Conclusion:
    if faults:
        return Conclusion.FAILURE
    return Conclusion.NEUTRAL if found.workflow is None else Conclusion.SUCCESS
