"""An origin, and our workspaces of it."""

import os
from pathlib import Path

from tests.runner.origin import Origin
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Change, Workspace
from vibeboard.runner.git import Git
from vibeboard.runner.workspace import GitWorkspaces, Identity

BRANCH = "vibe/7-fix-the-clock"
CARD = CardKey("acme/clock", 7)


class World:
    """An origin and our workspaces of it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "runner"
        self.origin = Origin(folder / "github")
        self.canary = folder / "canary"
        self.workspaces = GitWorkspaces(
            self.root,
            git=Git(home=folder / "home", path=os.environ["PATH"], local_remotes=True),
            identity=Identity("Vibeboard", "bot@users.noreply.github.com"),
        )

    @property
    def mirror(self) -> Path:
        return self.root / "mirrors" / "acme" / "clock.git"

    async def prepared(self, card: CardKey = CARD, branch: str = BRANCH) -> Workspace:
        return await self.workspaces.prepare(
            card, remote=self.origin.remote, branch=branch, default_branch="main"
        )

    async def pushed(self) -> tuple[str, ...]:
        change = await self.workspaces.push(CARD, self.origin.remote)
        assert change is not None
        return change.files

    @property
    def host(self) -> Path:
        """The git directory of the host for the card."""
        return self.root / "cards" / "acme" / "clock" / "7" / "host.git"

    async def with_a_commit(self) -> Change:
        await self.prepared()
        return await self.with_another_commit("a")

    async def with_another_commit(self, name: str = "more") -> Change:
        """The agent goes on in the same run."""
        (self.host.parent / "tree" / name).write_text(name)
        change = await self.workspaces.commit(CARD, "Ours")
        assert change is not None
        return change
