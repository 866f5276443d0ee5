"""The job from its inputs to its outputs, whatever happens in between."""

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from vibeboard.action import told
from vibeboard.action.event import Refused
from vibeboard.action.inputs import Inputs, read_inputs
from vibeboard.action.jobs import Job, opened
from vibeboard.action.logs import log_to_stdout
from vibeboard.domain import words
from vibeboard.domain.run import Run
from vibeboard.engine.ending import end
from vibeboard.engine.publish import annotations_of
from vibeboard.errors import GitHubRefused, SettingsInvalid, VibeboardError

log = logging.getLogger(__name__)

# Between SIGINT and SIGTERM a runner waits 7.5 seconds, and kills 2.5 later.
_GRACE = timedelta(seconds=6.5)
_FINISH = "finish"  # the argument of the last step
_USAGE = 2


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do the job; 0 unless a run failed, 2 if it was not set up rightly."""
    try:
        inputs = read_inputs(environment)
    except SettingsInvalid as error:
        for fault in str(error).splitlines():
            told.say(told.command("error", fault, title="Vibeboard"))
        return _USAGE
    told.mask(inputs.secrets)
    finishes = list(arguments) == [_FINISH]
    with told.Quiet():
        log_to_stdout()
        outcome = asyncio.run(_guarded(inputs, finishes=finishes))
    outcome.tell(inputs)
    return outcome.code


class Outcome:
    """How the job ended."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.code = 0
        self.notice = ""
        self.fault = ""

    def ended(self, run: Run | None) -> None:
        """The last run that was carried out here."""
        self.run, self.code = run, told.exit_code(run)

    def failed(self, why: str, code: int = 1) -> None:
        """The job could not be done."""
        self.fault, self.code = why, code

    def tell(self, inputs: Inputs) -> None:
        """Outputs, annotations and the summary."""
        if self.run is not None or inputs.status == "":
            # The last step tells only what the one before could not.
            told.put_outputs(inputs.output, told.outputs_of(self.run))
        report = self.run.report if self.run is not None else None
        if report is not None:
            told.annotate(annotations_of(report))
        if self.run is not None:
            url = f"{inputs.server_url}/{inputs.repository}"
            told.summarise(inputs.summary, told.summary_of(self.run, url))
        if self.fault:
            told.say(told.command("error", self.fault, title="Vibeboard"))
        elif self.code and report is not None:
            told.say(told.command("error", report.reason, title="Vibeboard"))
        elif self.notice:
            told.say(told.command("notice", self.notice, title="Vibeboard"))


async def _guarded(inputs: Inputs, *, finishes: bool) -> Outcome:
    """Do the job; every error of ours becomes a sentence."""
    outcome = Outcome()
    try:
        async with opened(inputs) as job:
            if finishes:
                how = "was cancelled" if inputs.status == "cancelled" else "was cut off"
                await job.finish(f"its [workflow run]({inputs.url}) {how}")
            else:
                outcome.notice = await _worked(inputs, job)
            outcome.ended(await job.last())
    except Refused as refused:
        outcome.notice = str(refused)
    except CutOff as cut:
        outcome.failed(str(cut))
    except SettingsInvalid as error:
        outcome.failed(str(error), _USAGE)
    except GitHubRefused as refusal:
        outcome.failed(f"GitHub answered {refusal.status_code}: {refusal}")
    except VibeboardError as error:
        outcome.failed(str(error))
    except Exception as error:
        # Told here, where the runner obeys nothing: it may have the words of others.
        log.exception("the job broke")
        outcome.failed(words.run_broke(error))
    return outcome


class CutOff(Exception):  # noqa: N818 - an event
    """The job was cancelled and had not the time to end by itself."""


async def _worked(inputs: Inputs, job: Job) -> str:
    """Do the job, until it is done or somebody stops it."""
    work = asyncio.create_task(job.work())
    asked = asyncio.Event()
    running_loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        running_loop.add_signal_handler(number, asked.set)
    leaving = asyncio.create_task(asked.wait())
    await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
    await end(leaving)
    if not work.done():
        log.warning("the job is cancelled: what was done is saved")
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE.total_seconds()):
                await job.leave(f"its [workflow run]({inputs.url}) was cancelled")
                await asyncio.shield(work)
        if not work.done():
            await end(work)
            raise CutOff("the job was cancelled; its last step reports how it ended")
    return await work
