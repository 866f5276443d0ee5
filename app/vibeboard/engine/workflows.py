"""Reads `.vibe.yml` for the engine. A commit's file never changes, so it is kept."""

from collections import OrderedDict
from dataclasses import dataclass

from vibeboard.config.loader import load
from vibeboard.domain.run import Run
from vibeboard.domain.workflow import FILE, Stage, Workflow
from vibeboard.engine.ports import Repositories
from vibeboard.errors import ConfigInvalid, Fault, UserError

_KEPT = 256


@dataclass(frozen=True)
class Configuration:
    """`.vibe.yml` at one commit: a workflow, or faults, or (both empty) no file."""

    commit: str = ""
    text: str = ""
    workflow: Workflow | None = None
    faults: tuple[Fault, ...] = ()


class Workflows:
    """`.vibe.yml` of any repository at any commit."""

    def __init__(self, repositories: Repositories) -> None:
        self._repositories = repositories
        self._known: OrderedDict[tuple[str, str], Configuration] = OrderedDict()

    async def read(self, repository: str, *, ref: str | None = None) -> Configuration:
        """The configuration at ``ref``, or now on the default branch."""
        if ref is not None and (repository, ref) in self._known:
            return self._known[repository, ref]
        try:
            source = await self._repositories.file(repository, FILE, ref=ref)
        except UserError as error:  # no text, or too much of it
            fault = Fault(FILE, 1, 1, str(error))
            return Configuration(ref or "", faults=(fault,))
        if source is None:
            return Configuration()
        try:
            workflow = load(
                source.text,
                path=FILE,
                commit=source.commit,
                owner=repository.partition("/")[0],
            )
            found = Configuration(source.commit, source.text, workflow)
        except ConfigInvalid as error:
            found = Configuration(source.commit, source.text, faults=error.faults)
        self._known[repository, source.commit] = found
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def stage(self, run: Run) -> Stage | None:
        """The stage that a run carries out, as it was when the run was asked for."""
        found = await self.read(run.card.repository, ref=run.config_commit or None)
        return found.workflow.stage_named(run.stage) if found.workflow else None
