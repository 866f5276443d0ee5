"""From the Action's first step to its agent's first breath, and how much it installs.

The steps are the Action's own: its script installs, its program answers a comment on a
local GitHub. *First* is a runner that has nothing yet, as GitHub's all are; *kept* one
of somebody's own that has the packages from the job before; *at hand* has them in a
folder, so that no index of packages is asked, which may be slow here. The agent is a
shell that says when it started. Beside it stands what it takes to install a real agent,
which each action of this kind does too, and what others published of theirs.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.machine import scratch
from benchmarks.table import numbers, print_ratios, print_table, say
from tests.action.workbench import Workbench, comment_event, open_workbench

_ACTION = Path(__file__).parents[1] / "action"
_CLAUDE = "@anthropic-ai/claude-code@2.1.329"
_CONFIG = """\
version: 1
agents:
  shell: {cli: command, command: [sh, -c, "date +%s.%N"]}
stages:
  look: {agent: shell, result: report}
"""
# What others wrote down of themselves, on GitHub's runners; not measured here. There is
# no figure for the whole set-up of claude-code-action by those who make it.
_PUBLISHED = (
    (
        "claude-code-action, Bun alone",
        "2-3",
        "its action.yml, commit 24dcd50, comment on the step Install Bun",
    ),
    (
        "claude-code-action, Claude Code alone",
        "8",
        "a log in github.com/thevibeworks/claude-reads-hn/pull/34",
    ),
)


@dataclass
class Round:
    """What one round took, in seconds, and how much it installed, in MB."""

    seconds: dict[str, float] = field(default_factory=dict)
    megabytes: dict[str, float] = field(default_factory=dict)


def main(arguments: Sequence[str]) -> int:
    """Measure, and print the table and the ratios."""
    asked = numbers("action", "Step to agent.", arguments, rounds=3)
    rounds = [asyncio.run(_round()) for _ in range(asked["rounds"])]
    _print(rounds)
    return 0


async def _round() -> Round:
    found = Round()
    with scratch() as folder:
        tools = folder / "tools"
        wheels = folder / "wheels"
        await asyncio.to_thread(_download, wheels)
        at_hand = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        for name, more in (("first", {}), ("kept", {}), ("at hand", at_hand)):
            temp = folder / name
            temp.mkdir()
            began = time.monotonic()
            await asyncio.to_thread(_install, temp, tools, more)
            found.seconds[f"install, {name}"] = time.monotonic() - began
        found.megabytes["packages, to fetch"] = _size(wheels)
        found.megabytes["Vibeboard"] = _size(temp / "vibeboard")
        found.seconds["program to agent"] = await _start(temp)
        began = time.monotonic()
        await asyncio.to_thread(_install_agent, folder)
        found.seconds["Claude Code, by npm"] = time.monotonic() - began
        found.megabytes["Claude Code"] = _size(folder / "agent")
    return found


def _download(wheels: Path) -> None:
    """Have what is installed in a folder."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    lock = _ACTION / "requirements.lock"
    subprocess.run(
        [*command, "--require-hashes", f"--dest={wheels}", f"--requirement={lock}"],
        check=True,
        stderr=subprocess.DEVNULL,  # pip warns of indexes that lack a package
    )


def _install(temp: Path, tools: Path, more: Mapping[str, str]) -> None:
    """The Action's first step, on a runner whose tool cache is ``tools``."""
    given = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(temp),
        "RUNNER_TOOL_CACHE": str(tools),
        # Where packages come from is this machine's to say, as it is a runner's.
        "HOME": os.environ["HOME"],
        **{name: v for name, v in os.environ.items() if name.startswith("PIP_")},
        **more,
    }
    done = subprocess.run(
        [_ACTION / "install.sh"], env=given, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"not installed:\n{done.stdout}{done.stderr}")


def _install_agent(folder: Path) -> None:
    """What the step "Install the agent" of the workflows does, into a place of its own.

    The cache is empty, as on a runner of GitHub's.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is missing: install Node.js to measure the agent")
    command = [npm, "install", "--global", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(
        [*command, f"--prefix={folder}/agent", f"--cache={folder}/npm", _CLAUDE],
        check=True,
    )


async def _start(temp: Path) -> float:
    """Seconds from the start of the Action's program to the start of its agent."""
    with tempfile.TemporaryDirectory(prefix="vibe-bench-") as home:
        bench = await open_workbench(Path(home), {".vibe.yml": _CONFIG})
        try:
            return await _answered(bench, temp)
        finally:
            await bench.running.close()


async def _answered(bench: Workbench, temp: Path) -> float:
    issue = bench.issue("Look around")
    comment = bench.said(issue, "/agent look")
    (temp / "event.json").write_text(json.dumps(comment_event(comment, issue, "alice")))
    for name in ("output", "summary"):
        (temp / name).touch()
    environment = bench.environment(temp, "issue_comment", 1, 1)
    began = time.time()
    child = await asyncio.create_subprocess_exec(
        *(temp / "vibeboard" / "bin" / "python", "-I", "-m", "vibeboard.action"),
        cwd=temp,
        env={**environment, "RUNNER_TEMP": str(temp)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await child.communicate()
    logs = list((temp / "vibeboard-data" / "runs").glob("*/agent-*.log"))
    if len(logs) != 1:
        raise RuntimeError(f"the agent did not start:\n{said.decode()}")
    return float(logs[0].read_text()) - began


def _size(folder: Path) -> float:
    """What a folder takes on the disk."""
    files = {entry.lstat().st_ino: entry.lstat() for entry in folder.rglob("*")}
    return sum(entry.st_blocks * 512 for entry in files.values()) / 1e6


def _print(rounds: Sequence[Round]) -> None:
    middle = {
        name: median(one.seconds[name] for one in rounds) for name in rounds[0].seconds
    }
    whole = {
        name: middle[f"install, {name}"] + middle["program to agent"]
        for name in ("first", "kept", "at hand")
    }
    rows: list[tuple[str, object]] = [*middle.items()]
    rows += [(f"step to agent, {name}", seconds) for name, seconds in whole.items()]
    print_table(("what", "seconds"), rows)
    say()
    print_table(("installed", "MB"), list(_sizes(rounds).items()))
    say()
    for name, seconds, source in _PUBLISHED:
        say(f"published: {name}: {seconds} s ({source})")
    print_ratios(
        {
            "at_hand_vs_agents_install": whole["at hand"]
            / middle["Claude Code, by npm"],
            "first_vs_agents_install": whole["first"] / middle["Claude Code, by npm"],
            "size_vs_agents_size": _sizes(rounds)["Vibeboard"]
            / _sizes(rounds)["Claude Code"],
        }
    )


def _sizes(rounds: Sequence[Round]) -> Mapping[str, float]:
    return rounds[-1].megabytes
