"""``vibeboard run``: one stage on one issue, from the terminal."""

import asyncio
import json
from dataclasses import dataclass

import typer
from rich.console import Console

from vibeboard.compose import Parts, running
from vibeboard.domain import words
from vibeboard.domain.board import CardKey
from vibeboard.domain.run import Run, RunState, run_id
from vibeboard.engine.ports import OWN_HOOK
from vibeboard.errors import SettingsInvalid, UserError
from vibeboard.settings import read_machine, read_settings

_LOOK_EVERY = 0.2  # seconds
_PATIENCE = 60.0  # seconds until the run must have been queued


@dataclass(frozen=True)
class _Asked:
    card: CardKey
    stage: str
    instructions: str


def run_stage(stage: str, card: str, *, instructions: str, as_json: bool) -> int:
    """Run the stage and wait; 0 if it succeeded, 1 if not."""
    try:
        key = CardKey.parse(card)
    except ValueError as error:
        raise SettingsInvalid(str(error)) from error
    console = Console(stderr=True)
    run = asyncio.run(_run(_Asked(key, stage, instructions), console))
    report = run.report
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "run": run.id,
                    "state": run.state.value,
                    "reason": report.reason if report else "",
                    "pull_request": report.pull_request if report else None,
                    "commit": report.commit if report else None,
                }
            )
        )
    elif report is not None:
        pull = f", pull request #{report.pull_request}" if report.pull_request else ""
        reason = f": {report.reason}" if report.reason else ""
        typer.echo(f"{run.stage} {run.state.value}{pull}{reason}")
    return 0 if run.state is RunState.SUCCEEDED else 1


async def _run(asked: _Asked, console: Console) -> Run:
    settings = read_settings()
    async with running(settings, read_machine(), name="terminal") as parts:
        await _refuse_early(parts, asked)
        cause = await parts.deliveries.ask_stage(
            asked.card, asked.stage, asked.instructions
        )
        return await _followed(parts, run_id(asked.card, asked.stage, cause), console)


async def _refuse_early(parts: Parts, asked: _Asked) -> None:
    """Say at once what the engine could only decline."""
    found = await parts.workflows.read(asked.card.repository)
    if found.faults:
        raise UserError("\n".join(map(str, found.faults)))
    if found.workflow is None:
        message = f"{asked.card.repository} has no .vibe.yml on its default branch"
        raise UserError(message)
    stage = found.workflow.stages.get(asked.stage)
    if stage is None:
        known = ", ".join(found.workflow.stages)
        message = f"there is no stage {asked.stage!r}; .vibe.yml has: {known}"
        raise UserError(message)
    card = await parts.ports.cards.read(asked.card)
    if card is None:
        message = f"{asked.card} is not an issue that this App can read"
        raise UserError(message)
    history = await parts.runs.history(asked.card)
    if history.unfinished is not None:
        raise UserError(words.already_running(history.unfinished))
    missing = [need for need in stage.needs if not history.finished(need)]
    if not card.is_open or missing:
        raise UserError(
            words.needs_missing(stage, missing)
            if missing
            else words.issue_is_closed(stage)
        )


async def _followed(parts: Parts, run: str, console: Console) -> Run:
    with console.status("waiting for a runner") as status:
        await _queued(parts, run)
        while True:
            found = await parts.runs.get(run)
            if found.ended and await parts.deliveries.done(OWN_HOOK, found.id):
                return found  # and its end is told on GitHub
            step = found.step.value if found.step else "starting"
            status.update(f"{found.stage} on {found.card}: {step}")
            await asyncio.sleep(_LOOK_EVERY)


async def _queued(parts: Parts, run: str) -> None:
    """Wait until the run is there; raises UserError if it does not come."""
    for _ in range(round(_PATIENCE / _LOOK_EVERY)):
        try:
            await parts.runs.get(run)
        except KeyError:
            await asyncio.sleep(_LOOK_EVERY)
        else:
            return
    message = "the run was not queued; the log says why, or another run came first"
    raise UserError(message)
