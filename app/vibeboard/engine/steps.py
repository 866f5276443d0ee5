"""Steps of a run: what one came to is written down, so that it is not done again."""

from collections.abc import Awaitable, Callable
from typing import Any

from vibeboard.domain.run import Run
from vibeboard.engine.outlast import outlast
from vibeboard.engine.ports import Runs

Json = Any


class Steps:
    """Runs functions as steps of one attempt of a run."""

    def __init__(self, runs: Runs, run: Run) -> None:
        self._runs = runs
        self._run = run

    async def __call__(
        self, name: str, function: Callable[[], Awaitable[Json]]
    ) -> Json:
        """The function's answer, or the one that an earlier attempt remembered.

        An answer is JSON and never None. Raises Fenced if another attempt has the run
        by now.
        """
        if self._run.attempt > 1:
            known = await self._runs.answer(self._run.id, name)
            if known is not None:
                return known
        answer = await function()
        # What an agent did for an hour is not done again for a database that restarts.
        await outlast(lambda: self._runs.remember(self._run, name, answer))
        return answer
