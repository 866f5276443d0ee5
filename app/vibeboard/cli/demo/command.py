"""Runs the demo: one card by itself, then whatever a person drags."""

import asyncio
import contextlib
import json
import signal
import tempfile
import webbrowser
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import typer
from rich.console import Console

from vibeboard.cli.demo.local import FIRST, Local, started
from vibeboard.cli.demo.person import Person
from vibeboard.cli.demo.timeline import Timeline
from vibeboard.errors import SettingsInvalid
from vibeboard.runner.agents.claude import find_claude
from vibeboard.settings import Machine, model_variables, read_machine

_ENDS = {"Review", "Needs attention"}
_INTERRUPTED = 130  # as shells tell an end by Ctrl-C
_PATIENCE = {"recorded": 60.0, "claude": 1200.0}  # seconds for the first card


@dataclass(frozen=True)
class Wishes:
    """What the person who starts the demo wants."""

    once: bool
    as_json: bool
    agent: str
    port: int


def run_demo(
    *, once: bool, as_json: bool, agent: str, port: int, directory: Path | None
) -> int:
    """Show the main job; with ``once``, 0 only if everything read back is right."""
    wishes = Wishes(once, as_json, agent, port)
    machine = read_machine()
    _check(wishes, machine)
    if directory is not None:
        if directory.exists() and any(directory.iterdir()):
            message = f"{directory} is not empty; the demo begins in an empty folder"
            raise SettingsInvalid(message)
        directory.mkdir(parents=True, exist_ok=True)
        return asyncio.run(_demo(wishes, machine, directory.resolve()))
    with tempfile.TemporaryDirectory(prefix="vibeboard-demo-") as temporary:
        return asyncio.run(_demo(wishes, machine, Path(temporary)))


def _check(wishes: Wishes, machine: Machine) -> None:
    if find_spec("pytest") is None:
        message = (
            "the demo's project is tested with pytest: pip install vibeboard[demo]"
        )
        raise SettingsInvalid(message)
    if wishes.agent not in _PATIENCE:
        message = f"--agent {wishes.agent}: there is recorded and claude"
        raise SettingsInvalid(message)
    if wishes.agent == "claude":
        if find_claude(machine.path) is None:
            message = "Claude Code is not installed: pip install claude-agent-sdk"
            raise SettingsInvalid(message)
        if "VIBEBOARD_ANTHROPIC_API_KEY_FILE" not in model_variables():
            message = (
                "a real agent needs a key: put it into a file and name the file in "
                "VIBEBOARD_ANTHROPIC_API_KEY_FILE"
            )
            raise SettingsInvalid(message)


async def _demo(wishes: Wishes, machine: Machine, directory: Path) -> int:
    """Show it; Ctrl-C or a TERM at any moment ends what was started, too."""
    showing = asyncio.create_task(_show(wishes, machine, directory))
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked.set)
    if not await _until_first(showing, asked.wait()):
        return await showing
    return _INTERRUPTED if wishes.once else 0


async def _show(wishes: Wishes, machine: Machine, directory: Path) -> int:
    console = Console(stderr=wishes.as_json, highlight=False, soft_wrap=True)
    timeline = Timeline(console)
    extra = model_variables() if wishes.agent == "claude" else {}
    async with (
        started(
            directory, machine, agent=wishes.agent, port=wishes.port, extra=extra
        ) as local,
        aiohttp.ClientSession() as session,
    ):
        _greet(console, local, wishes)
        following = asyncio.create_task(timeline.follow(local.server))
        person = Person(session, local, machine)
        try:
            code = await _first_card(person, local, timeline, wishes)
            if not wishes.once:
                await _stay(console, local)
                code = 1  # a person leaves another way
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    return code


def _greet(console: Console, local: Local, wishes: Wishes) -> None:
    console.print(
        "[bold]Vibeboard demo[/bold]: a GitHub on this machine, the real server,"
    )
    console.print("real git, a real test run.")
    if wishes.agent == "recorded":
        console.print(
            "The agent is a recording: [bold]no model is called[/bold], and no call "
            "leaves this machine."
        )
    console.print(f"The board: [link={local.board}]{local.board}[/link]\n")
    if not wishes.once:
        with contextlib.suppress(webbrowser.Error):
            webbrowser.get()  # raises where there is no browser
            webbrowser.open(local.board)


async def _first_card(
    person: Person, local: Local, timeline: Timeline, wishes: Wishes
) -> int:
    timeline.restart()
    timeline.tell(f"alice drags “{FIRST}” to Development", "bold")
    await person.move(1, "Development")
    gone = await _until_first(
        person.waits_for(1, _ENDS, _PATIENCE[wishes.agent]), local.server.wait()
    )
    total = timeline.elapsed
    found = await person.reads_back(1, "Review")
    if gone:
        found.faults.append(f"the server ended: {local.server.returncode}")
    start = timeline.seconds_to_agent_start
    if start is None:
        found.faults.append("no agent was started")
    for fault in found.faults:
        timeline.tell(fault, "bold red")
    if not found.faults:
        passed = found.tests["passed"]
        timeline.tell(
            f"read back: card in {found.card_column}, pull request "
            f"#{found.pull_request}, check {found.check_conclusion}, "
            f"{passed} tests pass in a fresh clone",
            "bold green",
        )
    if wishes.as_json:
        result = {
            **asdict(found),
            "seconds_to_agent_start": None if start is None else round(start, 2),
            "seconds_total": round(total, 2),
        }
        typer.echo(json.dumps(result))
    return 1 if found.faults else 0


async def _until_first(
    wanted: Coroutine[Any, Any, object] | asyncio.Task[int],
    feared: Coroutine[Any, Any, object],
) -> bool:
    """Wait for what comes first and end the other; whether it was the feared one."""
    tasks = [asyncio.ensure_future(wanted), asyncio.ensure_future(feared)]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0] in done:
            await tasks[0]
        return tasks[0] not in done
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _stay(console: Console, local: Local) -> None:
    console.print(
        f"\nNow you: open {local.board} and drag another card to "
        "[bold]Refinement[/bold] or [bold]Development[/bold],\nor comment "
        "[bold]/agent help[/bold] on an issue. Ctrl-C ends the demo.\n"
    )
    await local.server.wait()
    console.print("The server ended.", style="bold red")
