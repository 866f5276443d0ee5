"""An agent in a cell with its gateway, against the same program started bare.

The real Claude Code answers one question of a scripted model on loopback: started as
it is by hand, on our leash, and in a cell with the models' gateway. *true* is a program
that does nothing, so that what a cell costs is seen alone. Each round measures all of
them one after the other; the time is from the start to the end.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.table import numbers, print_ratios, print_table, ratio, say
from tests.fakes.model_api import ModelApi, Say, model_api
from tests.fakes.stop import Never
from vibeboard.runner import process, spawn
from vibeboard.runner.agents.claude import INSTALL, find_claude
from vibeboard.runner.environment import Environment
from vibeboard.runner.gateway.apis import Account, Provider
from vibeboard.runner.process import Command, Limits
from vibeboard.runner.sandbox.cell import Kind, Policy, Reach, Sandbox, look

_PATH = os.environ["PATH"]
_LIMITS = Limits(timedelta(minutes=2))
_QUESTION = b"Say hello"
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
}
_BARE, _LEASH = "bare", "leash"

Way = Callable[[Sequence[str], Path], Awaitable[int]]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios."""
    asked = numbers("sandbox", "A cell's cost.", arguments, rounds=7)
    return asyncio.run(_run(asked["rounds"]))


async def _run(rounds: int) -> int:
    programs: dict[str, list[str]] = {"true": ["true"]}
    claude = find_claude(_PATH)
    if claude is None:
        say(f"without Claude Code: {INSTALL}")
    else:
        options = ["-p", "--setting-sources", "", "--strict-mcp-config"]
        programs["claude"] = [str(claude), *options]
    async with model_api([Say("hello")]) as api:
        times = await _measured(programs, _ways(api), rounds)
    names = list(dict.fromkeys(way for _, way in times))
    print_table(
        ("ms from start to end", *names),
        [(one, *(median(times[one, way]) * 1e3 for way in names)) for one in programs],
    )
    print_ratios(
        {
            f"{one}_{way}_vs_{other}": ratio(times[one, way], times[one, other])
            for one in programs
            for way, other in [(_LEASH, _BARE), *((n, _BARE) for n in names[2:])]
        }
    )
    return 0


async def _measured(
    programs: Mapping[str, list[str]], ways: Mapping[str, Way], rounds: int
) -> dict[tuple[str, str], list[float]]:
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for one, argv in programs.items():
            for name, way in ways.items():
                with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                    (Path(folder) / "tree").mkdir()
                    begun = time.perf_counter()
                    code = await way(argv, Path(folder))
                    times.setdefault((one, name), []).append(
                        time.perf_counter() - begun
                    )
                    if code:
                        raise RuntimeError(f"{one}, {name}: ended with {code}")
    return times


def _ways(api: ModelApi) -> Mapping[str, Way]:
    """Ways to start a program; each kind of cell that this machine has is one."""
    ways: dict[str, Way] = {_BARE: _bare(api), _LEASH: _on_leash(api)}
    best = look(_PATH, Policy.PREFERRED)
    kinds = [best.kind]
    if best.kind is Kind.BUBBLEWRAP:
        kinds.append(Kind.LANDLOCK)
    for kind in kinds:
        made = best.bubblewrap if kind is Kind.BUBBLEWRAP else None
        found = replace(best, kind=kind, bubblewrap=made)
        ways[kind.value] = _in_cell(
            Sandbox(
                Environment(_PATH),
                accounts=[Account(Provider.ANTHROPIC, api.url, "key")],
                found=found,
            )
        )
    return ways


def _env(api: ModelApi) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": "key", **_QUIET}


def _bare(api: ModelApi) -> Way:
    async def start(argv: Sequence[str], folder: Path) -> int:
        with Environment(_PATH).open(folder / "home", _env(api)) as env:
            code, _, _ = await spawn.collect(
                argv, cwd=folder / "tree", env=env, stdin=_QUESTION, seconds=60
            )
        return code

    return start


def _on_leash(api: ModelApi) -> Way:
    async def start(argv: Sequence[str], folder: Path) -> int:
        with Environment(_PATH).open(folder / "home", _env(api)) as env:
            return await _ended(Command(argv, folder / "tree", env, _QUESTION))

    return start


def _in_cell(sandbox: Sandbox) -> Way:
    async def start(argv: Sequence[str], folder: Path) -> int:
        reach = Reach(models=True, programs=(Path(argv[0]),) if "/" in argv[0] else ())
        async with sandbox.open(
            tree=folder / "tree", home=folder / "home", own=_QUIET, reach=reach
        ) as cell:
            return await _ended(cell.command(argv, _QUESTION))

    return start


async def _ended(command: Command) -> int:
    ended = await process.run(
        command, limits=_LIMITS, stop=Never(), stdout=lambda _: None
    )
    return ended.exit_code
