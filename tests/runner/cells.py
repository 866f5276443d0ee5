"""Cells to try things in, and what was said there."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.conftest import missing
from tests.fakes.stop import Never
from vibeboard.engine.ports import StopSignal
from vibeboard.runner import process
from vibeboard.runner.environment import Environment
from vibeboard.runner.process import Ended, Limits
from vibeboard.runner.sandbox import bubblewrap
from vibeboard.runner.sandbox.cell import NOWHERE, Kind, Reach, Sandbox

PATH = os.environ["PATH"]


def need_bubblewrap() -> None:
    """Skip where there are no full cells, with the way to get them."""
    found = bubblewrap.find(PATH)
    if isinstance(found, str):
        missing(f"{found}: apt-get install bubblewrap, and allow user namespaces")


@dataclass
class Tried:
    """What a script said in a cell, and how it ended."""

    ended: Ended
    out: str
    kind: Kind
    notes: tuple[str, ...]


@dataclass
class Place:
    """A tree and a home, as a run has them."""

    folder: Path
    sandbox: Sandbox = field(default_factory=lambda: Sandbox(Environment(PATH)))

    def __post_init__(self) -> None:
        self.tree = self.folder / "tree"
        self.home = self.folder / "home"
        self.tree.mkdir(parents=True)

    async def tries(
        self,
        argv: Sequence[str],
        *,
        own: Mapping[str, str] | None = None,
        reach: Reach = NOWHERE,
        seconds: float = 60,
        stop: StopSignal | None = None,
    ) -> Tried:
        """Run a command in a cell of its own."""
        out = bytearray()
        async with self.sandbox.open(
            tree=self.tree, home=self.home, own=own or {}, reach=reach
        ) as cell:
            ended = await process.run(
                cell.command(argv),
                limits=Limits(timedelta(seconds=seconds), grace=timedelta(seconds=1)),
                stop=stop or Never(),
                stdout=out.extend,
            )
            return Tried(ended, out.decode(errors="replace"), cell.kind, cell.notes)

    async def python(self, script: str, **how: object) -> Tried:
        """Run a Python script."""
        argv = [sys.executable, "-c", script]
        return await self.tries(argv, **how)  # type: ignore[arg-type]  # one caller's

    async def shell(self, script: str, **how: object) -> Tried:
        """Run a shell script."""
        return await self.tries(["/bin/bash", "-c", script], **how)  # type: ignore[arg-type]  # one caller's
