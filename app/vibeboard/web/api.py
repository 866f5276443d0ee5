"""``GET /api/…``: what is known, for programs of the operator's. It changes nothing."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from vibeboard.domain.board import CardKey
from vibeboard.domain.gate import Requirement
from vibeboard.domain.run import Run
from vibeboard.engine.ports import StepEnded
from vibeboard.errors import (
    AppAbsent,
    GitHubRefused,
    RetryLater,
    StoreUnavailable,
    UserError,
)
from vibeboard.web.access import Access
from vibeboard.web.answers import run_answer

Gates = Mapping[str, Sequence[Requirement]]
_WORDS = {"": False, "false": False, "true": True}


class Api:
    """Answers programs that may ask."""

    def __init__(
        self,
        access: Access,
        *,
        run: Callable[[str], Awaitable[Run]],
        steps: Callable[[str], Awaitable[Sequence[StepEnded]]],
        gates: Callable[[CardKey], Awaitable[Gates]],
    ) -> None:
        """``run`` raises KeyError for one that is not there."""
        self._access = access
        self._run = run
        self._steps = steps
        self._gates = gates

    async def receive(self, request: web.Request) -> web.Response:
        """One run."""
        refusal = self._access.refusal(request)
        if refusal is not None:
            return refusal
        wanted = _WORDS.get(request.query.get("gates", ""))
        if wanted is None:
            return _no(400, "`gates` must be true or false")
        name = request.match_info["run"]
        try:
            run = await self._run(name)
            gates = await self._gates(run.card) if wanted else None
            answer = run_answer(run, await self._steps(run.id), gates)
        except KeyError:
            return _no(404, f"there is no run {name[:40]!r}")
        except StoreUnavailable:
            return _no(503, "the database cannot be asked now")
        except (RetryLater, AppAbsent, UserError, GitHubRefused) as why:
            return _no(503, f"GitHub cannot be asked for the gates now: {why}")
        return web.Response(
            text=answer.model_dump_json(), content_type="application/json"
        )


def _no(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)
