"""Carries a run out until it has ended, or has to wait for longer than a job should."""

import asyncio
import logging

from vibeboard.domain.retry import MOST_TRIES, wait_before
from vibeboard.engine.context import about
from vibeboard.engine.execute import Executor
from vibeboard.engine.outlast import outlast
from vibeboard.engine.ports import RunQueue, Runs
from vibeboard.errors import AppAbsent, Fenced, PeopleAsked, RetryLater

log = logging.getLogger(__name__)


async def carry_out(
    run: str, *, executor: Executor, runs: Runs, queue: RunQueue
) -> None:
    """Take the run as far as it goes; what time will mend is awaited."""
    stored = await runs.get(run)
    about(run=run, card=str(stored.card), delivery=stored.cause)
    try:
        await executor.carry_out(run)
    except Fenced as fenced:
        log.warning("another attempt has the run", extra={"why": str(fenced)})
    except PeopleAsked:
        log.info("the run waits until people have answered its agent")
        await outlast(lambda: queue.wait_for_people(run))
        await executor.show(run)
    except (RetryLater, AppAbsent) as later:
        await _wait(run, later, runs, queue)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        # No fault of the run's own: those end it. Counted, lest it come for ever.
        log.exception("not carried out")
        await _wait(run, RetryLater(f"{type(error).__name__}: {error}"), runs, queue)


async def _wait(
    run: str, later: RetryLater | AppAbsent, runs: Runs, queue: RunQueue
) -> None:
    stored = await runs.get(run)
    if isinstance(later, AppAbsent) or stored.tries + 1 >= MOST_TRIES:
        await outlast(lambda: queue.give_up(run, str(later)))
        return
    wait = wait_before(stored.tries, later.after)
    log.warning("run waits", extra={"why": str(later), "after": wait.total_seconds()})
    await outlast(lambda: queue.postpone(run, wait, str(later)))
