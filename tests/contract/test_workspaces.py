"""The port Workspaces, held to its words on repositories of the local GitHub."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import localhub
from localhub import apps, git
from localhub.faults import FAULTS, Fault
from tests.localhub.small_hub import SmallHub, commit, small_hub
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Change, Remote, Workspace, Workspaces
from vibeboard.errors import GitHubUnavailable, PushRefused, WorkspaceRefused
from vibeboard.runner.git import Git
from vibeboard.runner.workspace import GitWorkspaces, Identity

CARD = CardKey("acme/cart", 1)
BRANCH = "vibe/1-another-way"


@dataclass
class World:
    """The hub, our workspaces, and the tokens that are handed out in turn."""

    small: SmallHub
    running: localhub.Running
    workspaces: Workspaces
    tokens: list[str] = field(default_factory=list)

    @property
    def remote(self) -> Remote:
        return Remote(f"{self.running.url}/acme/cart.git", self.token)

    async def token(self) -> str:
        if self.tokens:
            return self.tokens.pop(0)
        (installation,) = self.small.hub.installations.values()
        return apps.issue_token(self.small.hub, installation).value

    async def prepare(self, branch: str = BRANCH) -> Workspace:
        return await self.workspaces.prepare(
            CARD, remote=self.remote, branch=branch, default_branch="main"
        )

    async def with_a_commit(self) -> Change:
        workspace = await self.prepare()
        (workspace.tree / "new.py").write_text("new = 1\n")
        change = await self.workspaces.commit(CARD, "Another way")
        assert change is not None
        return change

    async def push(self) -> Change | None:
        return await self.workspaces.push(CARD, self.remote)

    def tip(self, branch: str = BRANCH) -> str | None:
        folder = self.small.repository.git_dir
        return git.resolve(folder, f"refs/heads/{branch}")

    def lose_the_answer_to_a_push(self) -> None:
        fault = {
            "match": {"method": "POST", "path": "git-receive-pack"},
            "do": {"kind": "fail_after_effect", "status": 502},
        }
        self.running.runner.app[FAULTS].ordered.append(Fault.model_validate(fault))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    small = small_hub(tmp_path / "hub")
    running = await localhub.start(small.hub)
    workspaces = GitWorkspaces(
        tmp_path / "runner",
        git=Git(home=tmp_path / "home", path=os.environ["PATH"]),
        identity=Identity("vibe[bot]", "vibe[bot]@users.noreply.github.com"),
    )
    yield World(small, running, workspaces)
    await running.close()


async def test_a_branch_that_github_has_is_continued(world: World) -> None:
    workspace = await world.prepare("vibe/1-fix-the-rounding")

    assert workspace.base == world.tip("vibe/1-fix-the-rounding")
    assert (workspace.tree / "tests" / "test_cart.py").exists()


async def test_a_new_branch_begins_at_the_default_one(world: World) -> None:
    workspace = await world.prepare()

    assert workspace.base == world.tip("main")
    assert world.tip() is None


async def test_a_push_is_one_push_by_the_app(world: World) -> None:
    change = await world.with_a_commit()

    assert await world.push() == change
    assert world.tip() == change.commit
    (told,) = [said for said in world.small.said("push") if BRANCH in said["ref"]]
    assert told["after"] == change.commit
    assert told["pusher"]["name"] == "vibe[bot]"
    assert not told["forced"]


async def test_a_push_whose_answer_is_lost_can_be_repeated(world: World) -> None:
    change = await world.with_a_commit()
    world.lose_the_answer_to_a_push()

    with pytest.raises(GitHubUnavailable):
        await world.push()

    assert world.tip() == change.commit
    assert await world.push() == change
    assert len([s for s in world.small.said("push") if BRANCH in s["ref"]]) == 1


async def test_work_of_others_is_never_forced_over(world: World) -> None:
    await world.with_a_commit()
    theirs = commit(
        world.small.repository,
        world.small.clock,
        "Theirs",
        {"new.py": "theirs\n"},
        BRANCH,
        parent=world.tip("main"),
    )

    with pytest.raises(PushRefused, match="somebody else pushed"):
        await world.push()

    assert world.tip() == theirs


async def test_a_token_that_expired_meanwhile_is_asked_for_again(
    world: World,
) -> None:
    await world.with_a_commit()
    world.tokens = [await world.token()]
    world.small.clock.forward(hours=2)

    assert await world.push() is not None


async def test_a_token_that_may_not_write_is_refused(world: World) -> None:
    await world.with_a_commit()
    world.tokens = ["ghs_none", "ghs_none"]

    with pytest.raises(PushRefused):
        await world.push()


async def test_a_repository_that_is_not_there_is_refused(world: World) -> None:
    card = CardKey("acme/none", 1)
    remote = Remote(f"{world.running.url}/acme/none.git", world.token)

    with pytest.raises(WorkspaceRefused):
        await world.workspaces.prepare(
            card, remote=remote, branch=BRANCH, default_branch="main"
        )


async def test_a_repository_without_commits_is_refused(world: World) -> None:
    git.delete_ref(world.small.repository.git_dir, "refs/heads/main")
    git.delete_ref(world.small.repository.git_dir, "refs/heads/vibe/1-fix-the-rounding")

    with pytest.raises(WorkspaceRefused, match="no commits yet"):
        await world.prepare()


async def test_a_removed_card_can_be_prepared_again(world: World) -> None:
    await world.with_a_commit()

    await world.workspaces.remove(CARD)

    assert (await world.prepare()).base == world.tip("main")
