"""Any program as an agent: the prompt comes in, files change, words come out.

It gets the prompt on its standard input and in the file ``VIBE_PROMPT_FILE``. What it
changed is git's to say, and an agent that prints nothing has done nothing wrong.
"""

import shutil
import stat
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from vibeboard.domain import cellwords
from vibeboard.engine.ports import (
    AgentEnd,
    AgentResult,
    Approver,
    Assignment,
    StopSignal,
)
from vibeboard.errors import AgentMissing
from vibeboard.runner import process
from vibeboard.runner.log import RunLog, Tail
from vibeboard.runner.process import Ended, How, Limits
from vibeboard.runner.sandbox.cell import Cell, Reach, Sandbox
from vibeboard.runner.survey import erase, read_inside

SUMMARY = ".vibe/out/summary.md"
_SUMMARY_LINES = 20
_REASON_LINES = 5


class CommandAgent:
    """Agents of the kind ``cli: command``."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def work(
        self, assignment: Assignment, stop: StopSignal, approver: Approver
    ) -> AgentResult:
        """Run the command once."""
        del approver  # it cannot ask
        argv = argv_of(assignment, self._sandbox.path)
        said, complained = Tail(), Tail()
        own = {
            "VIBE_RUN": assignment.run,
            "VIBE_PROMPT_FILE": str(write_prompt(assignment)),
        }
        with RunLog(assignment.log) as log:

            def hear(chunk: bytes) -> None:
                log.append(chunk)
                said.append(chunk)

            def hear_complaint(chunk: bytes) -> None:
                log.aside(chunk)
                complained.append(chunk)

            async with cell_of(self._sandbox, assignment, Path(argv[0]), own) as cell:
                ended = await process.run(
                    cell.command(argv, assignment.prompt.encode()),
                    limits=Limits(assignment.agent.time_limit),
                    stop=stop,
                    stdout=hear,
                    stderr=hear_complaint,
                )
                notes = note(log, cell)
        summary = read_inside(assignment.tree, SUMMARY) or said.lines(_SUMMARY_LINES)
        if (cut_off := end_of(ended, assignment)) is not None:
            end, reason = cut_off
            return AgentResult(end, summary=summary, reason=reason, notes=notes)
        if ended.exit_code:
            last = complained.lines(_REASON_LINES) or said.lines(_REASON_LINES)
            reason = f"{argv[0]} ended with exit code {ended.exit_code}"
            return AgentResult(
                AgentEnd.FAILED,
                summary=summary,
                reason=f"{reason}: {last}" if last else reason,
                notes=notes,
            )
        return AgentResult(AgentEnd.FINISHED, summary=summary, notes=notes)


def argv_of(assignment: Assignment, path: str) -> tuple[str, ...]:
    """The agent's argument list; a program with a slash counts from the tree.

    Raises AgentMissing.
    """
    agent = assignment.agent
    name = agent.command[0] if agent.command else ""
    found = (
        (assignment.tree / name).is_file()
        if "/" in name
        else shutil.which(name, path=path) is not None
    )
    if not found:
        raise AgentMissing(
            f"The program `{name}` of agent `{agent.name}` is not on this runner: "
            "install it, or correct `command`."
        )
    return agent.command


def cell_of(
    sandbox: Sandbox, assignment: Assignment, program: Path, own: Mapping[str, str]
) -> AbstractAsyncContextManager[Cell]:
    """The cell that an agent works in; ``own`` are variables of its environment."""
    reach = Reach(
        models=True,
        hosts=assignment.agent.network,
        spending=assignment.spending,
        programs=(program,) if program.is_absolute() else (),
        required=assignment.agent.sandbox_required,
    )
    return sandbox.open(
        tree=assignment.tree, home=assignment.home, own=own, reach=reach
    )


def note(log: RunLog, cell: Cell) -> tuple[str, ...]:
    """What a person should know of the cell, written into the log, too."""
    for told in cell.notes:
        log.aside(f"[vibeboard] {told}\n".encode())
    return cell.notes


def write_prompt(assignment: Assignment) -> Path:
    """Write the prompt where the agent may read it and will not commit it."""
    return write_home(assignment, "prompt.md", assignment.prompt)


def write_home(assignment: Assignment, name: str, text: str) -> Path:
    """Write a file of ours into the agent's home.

    An earlier run may have left links there to what it cannot reach.
    """
    path = assignment.home / name
    for folder in reversed(path.relative_to(assignment.home).parents[:-1]):
        if not stat.S_ISDIR(_mode(assignment.home / folder)):
            erase(assignment.home / folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    erase(path)
    with path.open("x", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return path


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return stat.S_IFDIR  # to be made


def end_of(ended: Ended, assignment: Assignment) -> tuple[AgentEnd, str] | None:
    """How an agent was ended from outside; None if it ended by itself."""
    if ended.how is How.STOPPED:
        return AgentEnd.STOPPED, "it was asked to stop"
    if ended.how is How.TOOK_TOO_MUCH:
        return AgentEnd.FAILED, cellwords.took_too_much()
    if ended.how is How.TIMED_OUT:
        minutes = assignment.agent.time_limit.total_seconds() / 60
        return AgentEnd.TIMED_OUT, f"it reached its limit of {minutes:g} minutes"
    return None
