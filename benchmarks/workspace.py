"""A workspace that is ready for an agent, against ``git clone --depth 1``.

Both get the same repository from the same local GitHub over HTTP, and both leave a
tree checked out on a branch. *Cold* is the first card of a repository, which makes the
mirror; *warm* is a new card whose repository has one; *again* is the next run of a
card that kept its tree. One card, and ten cards at once; on the disk, and in memory,
where the disk takes no time. The limit of all but *again* is a plain check-out, which
fetches nothing.
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks.machine import disk
from benchmarks.table import numbers, print_ratios, print_table, ratio, say
from localhub import Hub, seed, start
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Remote
from vibeboard.runner.git import Git
from vibeboard.runner.workspace import GitWorkspaces, Identity

_REPOSITORY = "acme/large"
_TOKEN = "alice-token"  # noqa: S105 - of a local GitHub that is gone afterwards
_BRANCHES = 20
_CHANGED = 5  # files a commit
_COUNTS = (1, 10)
_TURNS = (1, 1, 1, 10)  # of a round: one alone is soon measured
_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has a disk in memory
_SEED = {
    "users": [{"login": "alice", "token": _TOKEN}],
    "organizations": [{"login": "acme", "members": {"alice": "admin"}}],
    "repositories": [
        {"name": _REPOSITORY, "private": True, "collaborators": {"alice": "admin"}}
    ],
}

Prepare = Callable[[int], Coroutine[Any, Any, None]]


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table and the ratios."""
    asked = numbers(
        "workspace", "Workspace ready.", arguments, files=3_000, commits=500, rounds=3
    )
    ratios: dict[str, float] = {}
    for kind, place in _places().items():
        with tempfile.TemporaryDirectory(prefix="bench-", dir=place) as folder:
            times = asyncio.run(_measured(Path(folder), **asked))
        _print(kind, times)
        for name, other, count in itertools.product(_OURS, (_CLONE, _LIMIT), _COUNTS):
            quicker = ratio(times[other, count], times[name, count])
            ratios[f"{kind}_{name}_vs_{other}_{count}"] = quicker
    print_ratios(ratios)
    return 0


def _places() -> dict[str, Path]:
    found = {"disk": disk()}
    if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK):
        found["memory"] = _MEMORY
    return found


def _print(kind: str, times: Mapping[tuple[str, int], list[float]]) -> None:
    def row(name: str) -> list[object]:
        taken = [median(times[name, count]) * 1000 for count in _COUNTS]
        quicker = [ratio(times[_CLONE, count], times[name, count]) for count in _COUNTS]
        return [_TOLD[name], *taken, *(f"{each:.1f}" for each in quicker)]

    header = [f"{kind}: ms until ready", *(f"{count} at once" for count in _COUNTS)]
    header += [f"times quicker, {count}" for count in _COUNTS]
    print_table(header, [row(name) for name in _TOLD])
    say()


_CLONE, _LIMIT = "clone", "limit"
_OURS = ("cold", "warm", "again")
_TOLD = {
    _CLONE: "git clone --depth 1",
    **{name: f"workspace, {name}" for name in _OURS},
    _LIMIT: "check-out alone",
}


async def _measured(
    folder: Path, *, files: int, commits: int, rounds: int
) -> dict[tuple[str, int], list[float]]:
    hub = Hub(folder / "hub")
    seed.apply(hub, _SEED, folder)
    repository = hub.repository(_REPOSITORY)
    assert repository is not None
    await asyncio.to_thread(_grow, repository.git_dir, files, commits)
    running = await start(hub)
    try:
        times: dict[tuple[str, int], list[float]] = {}
        for number, count in enumerate(_TURNS * rounds):
            bench = _Bench(
                f"{running.url}/{_REPOSITORY}.git",
                repository.git_dir,
                folder / f"turn{number}",
            )
            for name, prepare in bench.ways():
                taken = await _seconds(prepare, count)
                times.setdefault((name, count), []).append(taken)
            await asyncio.to_thread(bench.clear)
    finally:
        await running.close()
    return times


async def _seconds(prepare: Prepare, count: int) -> float:
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(prepare(number))
    return time.perf_counter() - begun


class _Bench:
    """The ways to a tree, each in a folder of its own."""

    def __init__(self, url: str, origin: Path, place: Path) -> None:
        self._url = url
        self._origin = origin
        self._place = place
        place.mkdir()
        self._git = Git(home=place / "home", path=os.environ["PATH"])
        self._workspaces = GitWorkspaces(
            place / "workspaces",
            git=self._git,
            identity=Identity("vibeboard", "vibeboard@localhost"),
        )

    def ways(self) -> Iterator[tuple[str, Prepare]]:
        """What is measured, in this order: each needs what the one before left."""
        yield _CLONE, self._clone
        yield "cold", lambda number: self._prepare(number + 1)
        yield "warm", lambda number: self._prepare(number + 1 + max(_COUNTS))
        yield "again", lambda number: self._prepare(number + 1 + max(_COUNTS))
        yield _LIMIT, self._check_out

    def clear(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._place)

    async def _clone(self, number: int) -> None:
        # As it is used by hand, with the account's token and nothing cached.
        header = f"http.extraHeader=Authorization: bearer {_TOKEN}"
        place = str(self._place / f"clone{number}")
        await _run(
            "git", "-c", header, "clone", "--quiet", "--depth=1", self._url, place
        )

    async def _check_out(self, number: int) -> None:
        tree = self._place / f"tree{number}"
        await asyncio.to_thread(tree.mkdir)
        await _run(
            "env", f"GIT_INDEX_FILE={tree}.index", "git", f"--git-dir={self._origin}",
            f"--work-tree={tree}", "reset", "--hard", "--quiet", "main",
        )  # fmt: skip

    async def _prepare(self, number: int) -> None:
        made = await self._workspaces.prepare(
            CardKey(_REPOSITORY, number),
            remote=Remote(self._url, _token),
            branch=f"vibe/{number}-a-card",
            default_branch="main",
        )
        assert (made.tree / "README.md").exists()


async def _run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == 0


async def _token() -> str:
    return _TOKEN


def _grow(git_dir: Path, files: int, commits: int) -> None:
    """Write a history as it comes with years; the same every time."""
    command = ["git", f"--git-dir={git_dir}", "fast-import", "--quiet", "--force"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for part in _history(files, commits):
            process.stdin.write(part)
        process.stdin.close()
        assert process.wait() == 0
    subprocess.run(["git", f"--git-dir={git_dir}", "repack", "-adq"], check=True)


def _history(files: int, commits: int) -> Iterator[bytes]:
    chance = Random(1)  # noqa: S311 - the same repository every time is what is wanted
    words = [f"word{number}" for number in range(500)]

    def text() -> bytes:
        lines = chance.randrange(5, 200)
        return "".join(
            " ".join(chance.choices(words, k=6)) + "\n" for _ in range(lines)
        ).encode()

    for number in range(commits):
        yield b"commit refs/heads/main\n"
        yield b"committer A <a@example.org> %d +0000\n" % (1_700_000_000 + number)
        yield b"data 6\nChange\n"
        changed = [chance.randrange(files) for _ in range(_CHANGED)]
        for at in changed if number else range(files):
            name = f"package{at % 40}/part{at % 7}/file{at}.py" if at else "README.md"
            content = text()
            yield f"M 100644 inline {name}\ndata {len(content)}\n".encode()
            yield content + b"\n"
        if number % max(1, commits // _BRANCHES) == 0:
            yield b"reset refs/heads/topic-%d\nfrom refs/heads/main\n\n" % number
