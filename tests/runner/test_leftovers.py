"""Whoever works next in a tree finds nobody there."""

import asyncio
from pathlib import Path

from tests.fakes.stop import Never
from tests.runner.children import Output, daemon, daemon_pid, gone, seconds, shell
from vibeboard.runner import process
from vibeboard.runner.leftovers import end_leftovers
from vibeboard.runner.process import Ended


def _tree(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _works(tree: Path) -> tuple[asyncio.Task[Ended], Output]:
    """A command in the tree, with a daemon of its own."""
    out = Output()
    script = f"{daemon(tree)}; cd /; sleep 60"
    running = process.run(
        shell(script, tree), limits=seconds(60), stop=Never(), stdout=out
    )
    task = asyncio.create_task(running)
    await out.has(b"daemon")
    return task, out


async def test_what_an_earlier_attempt_left_is_ended_and_nobody_else(
    tmp_path: Path,
) -> None:
    left, said = await _works(_tree(tmp_path / "tree"))
    other, _ = await _works(_tree(tmp_path / "tree2"))

    async with asyncio.timeout(10):
        await end_leftovers(tmp_path / "tree")

    await gone(daemon_pid(said))
    assert (await left).exit_code > 128
    assert not other.done()
    other.cancel()
    await asyncio.gather(other, return_exceptions=True)


async def test_a_tree_that_is_not_there_has_nobody_in_it(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        await end_leftovers(tmp_path / "tree")
        await end_leftovers(tmp_path)

    assert not (tmp_path / "tree").exists()
