"""The shipped workflow and Action on localhub's runners, posted to by a server.

Not as shipped: neither the Action's program is installed (`tests/action` does that) nor
Claude Code, and agents may read the folder of the scripted one.
"""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from localhub.state import Job, WorkflowRun
from tests.journeys.world import AGENT, PATIENCE, World
from vibeboard.domain.workflow import AGENT_FILE

ROOT = Path(__file__).parents[2]
NAME, COMMIT = "vibeboard/vibeboard", "1" * 40
_INSTALL = """\
#!/bin/sh
mkdir -p "$RUNNER_TEMP/vibeboard/bin"
printf '#!/bin/sh\\nexec {python} "$@"\\n' > "$RUNNER_TEMP/vibeboard/bin/python"
chmod +x "$RUNNER_TEMP/vibeboard/bin/python"
"""


def shipped_action(folder: Path) -> Mapping[str, Path]:
    """The Action for a fleet, by the name under which the workflow uses it."""
    shutil.copytree(ROOT / "action", folder / "action")
    install = folder / "action/install.sh"
    install.write_text(_INSTALL.format(python=sys.executable))
    return {f"{NAME}@{COMMIT}": folder}


def shipped_workflow(home: Path) -> str:
    """The workflow to copy, with the Action's place filled in."""
    text = (ROOT / "workflows/agent.yml").read_text()
    text = text.replace("OWNER/REPO", NAME).replace("0" * 40, COMMIT)
    installed = "command -v claude"
    assert installed in text
    text = text.replace(installed, "true")
    readable = f"{AGENT.parent}:{home}"
    return f"{text}\nenv: {{VIBEBOARD_SANDBOX_READ: '{readable}'}}\n"


def open_to_jobs(world: World) -> None:
    """Before its server starts: the workflow, its variable, the Action, an address."""
    server = f"http://127.0.0.1:{world.port}"
    world.settings["public_url"] = server
    world.repository.variables["VIBEBOARD_SERVER"] = server
    world.commit_file(AGENT_FILE, shipped_workflow(world.home))
    world.running.fleet.repositories = shipped_action(world.home / "shipped")


def posted(world: World) -> list[WorkflowRun]:
    """The workflow runs that the server has started, oldest first."""
    every = world.repository.workflow_runs
    return [one for one in every if one.event == "workflow_dispatch"]


def job_of(run: WorkflowRun) -> Job:
    """The job of a posted run that carries it out."""
    return next(one for one in run.latest.jobs if one.key == "served")


def log_of(run: WorkflowRun) -> str:
    return "\n".join(line for job in run.latest.jobs for line in job.log)


async def until(world: World, condition: Callable[[], bool], what: str) -> None:
    """Wait; a failure shows the jobs' logs beside the server's."""
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - GitHub tells us nothing
                await asyncio.sleep(0.02)
    except TimeoutError:
        logs = [*map(log_of, posted(world)), *world.log[-40:]]
        raise AssertionError("\n".join([f"waited in vain for {what}", *logs])) from None


async def ended(world: World, run: WorkflowRun) -> str:
    """Wait for the end of a workflow run; give its conclusion."""
    await until(world, lambda: run.latest.status == "completed", "a workflow run's end")
    return run.latest.conclusion or ""


def agents(world: World, job: Job | None = None) -> list[str]:
    """Living scripted agents in this world, of one job or of all."""
    place = world.hub.root
    if job is not None:
        place = place / ".runners" / str(job.id)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            inside = (entry / "cwd").readlink().is_relative_to(place)
            line = (entry / "cmdline").read_bytes().decode()
            if inside and str(AGENT) in line:
                found.append(line)
    return found


async def begun(world: World) -> WorkflowRun:
    """Wait for an agent at work; give the workflow run that has it."""
    await until(world, lambda: bool(agents(world)), "an agent at work")
    return posted(world)[-1]
