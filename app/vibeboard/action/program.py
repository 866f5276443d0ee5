"""The job from its inputs to its outputs, whatever happens in between."""

import asyncio
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from vibeboard.action import told
from vibeboard.action.compose import Parts, running
from vibeboard.action.event import Refused, Started, again, read_event
from vibeboard.action.inputs import Inputs, read_inputs
from vibeboard.action.logs import log_to_stdout
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Run
from vibeboard.engine.ending import end
from vibeboard.engine.publish import annotations_of
from vibeboard.errors import GitHubRefused, SettingsInvalid, VibeboardError

log = logging.getLogger(__name__)

# Between SIGINT and SIGTERM a runner waits 7.5 seconds, and kills 2.5 later.
_GRACE = timedelta(seconds=6.5)
_FINISH = "finish"  # the argument of the last step
_LEFT = "left.json"  # says what a main step that was killed has left unfinished
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
    do = _finish if list(arguments) == [_FINISH] else _work
    with told.Quiet():
        log_to_stdout()
        outcome = asyncio.run(_guarded(inputs, do))
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


Do = Callable[[Inputs, Parts, Outcome], Awaitable[None]]


async def _guarded(inputs: Inputs, do: Do) -> Outcome:
    """Do it; every error of ours becomes a sentence."""
    outcome = Outcome()
    try:
        async with running(inputs) as parts:
            await do(inputs, parts, outcome)
    except Refused as refused:
        outcome.notice = str(refused)
    except SettingsInvalid as error:
        outcome.failed(str(error), _USAGE)
    except GitHubRefused as refusal:
        outcome.failed(f"GitHub answered {refusal.status_code}: {refusal}")
    except VibeboardError as error:
        outcome.failed(str(error))
    return outcome


async def _work(inputs: Inputs, parts: Parts, outcome: Outcome) -> None:
    """Answer the job's event, until it is done or somebody stops the job."""
    started = read_event(inputs)
    work = asyncio.create_task(_answered(inputs, parts, started, outcome))
    asked = asyncio.Event()
    running_loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        running_loop.add_signal_handler(number, asked.set)
    leaving = asyncio.create_task(asked.wait())
    await asyncio.wait((work, leaving), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        log.warning("the job is cancelled: what was done is saved")
        await parts.alone.leave(f"its [workflow run]({inputs.url}) was cancelled")
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE.total_seconds()):
                await asyncio.shield(work)
    await end(leaving)
    if not work.done():
        await end(work)  # the last step goes on with it
        outcome.failed("cancelled")
        return
    await work
    _left(inputs).unlink(missing_ok=True)
    outcome.ended(await _last(parts))


async def _answered(
    inputs: Inputs, parts: Parts, started: Started, outcome: Outcome
) -> None:
    alone = parts.alone
    noting = asyncio.create_task(_note_cards(inputs, parts))
    try:
        outcome.notice = await alone.answer(
            started.hook, started.guid, started.event, started.body
        )
        if inputs.attempt > 1 and not alone.done and parts.sheets.cards:
            # Nothing was left of the attempt before: it is to be done once more.
            more = again(inputs, parts.sheets.cards[0].number)
            await alone.answer(more.hook, more.guid, more.event, more.body)
    finally:
        await end(noting)


async def _note_cards(inputs: Inputs, parts: Parts) -> None:
    """Write down which cards this job works on, for its last step."""
    while True:
        await parts.sheets.opened.wait()
        parts.sheets.opened.clear()
        cards = [str(card) for card in parts.sheets.cards]
        _left(inputs).write_text(json.dumps(cards))


async def _finish(inputs: Inputs, parts: Parts, outcome: Outcome) -> None:
    """Report the end of what the main step could not end itself."""
    try:
        cards = json.loads(_left(inputs).read_text())
    except FileNotFoundError:
        return
    for card in cards:
        await parts.sheets.of(CardKey.parse(card))
    cancelled = inputs.status == "cancelled"
    why = "was cancelled" if cancelled else "was cut off"
    await parts.alone.finish(f"its [workflow run]({inputs.url}) {why}")
    _left(inputs).unlink(missing_ok=True)
    outcome.ended(await _last(parts))


async def _last(parts: Parts) -> Run | None:
    """The last run that was carried out here, as it ended."""
    done = parts.alone.done
    if not done:
        return None
    return (await parts.sheets.of_run(done[-1])).run(done[-1])


def _left(inputs: Inputs) -> Path:
    return inputs.data / _LEFT
