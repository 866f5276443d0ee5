"""Serves the ports to machines of the fleet: to each those of its own run."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from vibeboard.domain.run import Run, life
from vibeboard.domain.workflow import Stage
from vibeboard.engine.context import about
from vibeboard.engine.guard import admit
from vibeboard.engine.ports import (
    CallCounter,
    Caller,
    LentRuns,
    Proofs,
    Repositories,
    Runs,
)
from vibeboard.engine.reruns import Reruns
from vibeboard.engine.wire import PORTS
from vibeboard.engine.workflows import Workflows
from vibeboard.errors import Fenced, RetryLater

log = logging.getLogger(__name__)

# GitHub may have started the machine before it told us which one that is.
_SOON = timedelta(seconds=2)
# What depends on the stage of the run.
_BY_STAGE = frozenset(
    {
        ("cards", "write_body"),
        ("checks", "put"),
        ("evidence", "keep"),
        ("reviews", "keep"),
    }
)
# What does not need the run, or says whose it is.
_ANYTIME = frozenset(
    {
        ("runs", "get"),
        ("queue", "begin"),
        ("queue", "beat"),
        ("repositories", "address"),
    }
)


class Lender:
    """Answers calls on ports."""

    def __init__(
        self,
        *,
        proofs: Proofs,
        runs: Runs,
        repositories: Repositories,
        workflows: Workflows,
        lent: Callable[[Caller], LentRuns],
        ports: Mapping[str, object],
        counter: CallCounter,
        reruns: Reruns,
    ) -> None:
        """``ports`` has what is called by its name, but for the queue."""
        self._proofs = proofs
        self._runs = runs
        self._repositories = repositories
        self._workflows = workflows
        self._lent = lent
        self._ports = ports
        self._counter = counter
        self._reruns = reruns

    async def prove(self, token: str) -> Caller:
        """Who calls; raises NotProved."""
        return await self._proofs.prove(token)

    async def answer(
        self, caller: Caller, run_id: str, port: str, method: str, arguments: Any
    ) -> Any:
        """What a method of a port gives, and what that cost at GitHub, as JSON.

        Raises what the method raises, KeyError for what is not there, NotProved for
        another repository's caller, Fenced for one that does not have the run, and
        Forbidden for what is not the run's own.
        """
        codec = PORTS[port].methods[method]
        run = await self._runs.get(run_id)
        about(run=run.id, card=str(run.card), posting=life(*_named(caller)))
        await self._proofs.check(caller, run.card.repository)
        run = await self._reruns.meant(run, caller)
        _check_hold(run, caller, anytime=(port, method) in _ANYTIME)
        loaded = codec.load(arguments)
        if loaded.get("run") == run_id:
            loaded["run"] = run.id  # the machine knows it by what it was given
        given = admit(
            run,
            await self._stage(run) if (port, method) in _BY_STAGE else None,
            default_branch=await self._base(run, port, method),
            port=port,
            method=method,
            arguments=loaded,
        )
        target = self._lent(caller) if port == "queue" else self._ports[port]
        with self._counter.counted() as calls:
            made = await getattr(target, method)(**given)
        return {"made": codec.dump_answer(made), "calls": asdict(calls)}

    async def _stage(self, run: Run) -> Stage | None:
        return await self._workflows.stage(run)

    async def _base(self, run: Run, port: str, method: str) -> str:
        if (port, method) != ("pulls", "ensure"):
            return ""
        remote = await self._repositories.remote(run.card.repository)
        return remote.default_branch


def _named(caller: Caller) -> tuple[int, int]:
    return caller.posting, caller.attempt


def _check_hold(run: Run, caller: Caller, *, anytime: bool) -> None:
    """Raise Fenced if the run was given to another; RetryLater if that is open."""
    posting = run.posting
    if posting is None and not run.ended:
        message = f"run {run.id} is not posted yet"
        raise RetryLater(message, after=_SOON)
    if (
        posting is None
        or posting.id != caller.posting
        or posting.attempt > caller.attempt
        or not (anytime or run.worker == life(*_named(caller)))
    ):
        message = f"run {run.id} was given to another machine"
        raise Fenced(message)
