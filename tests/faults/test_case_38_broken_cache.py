"""Case 38: what a killed or broken git left behind heals, and runs stay apart."""

import asyncio
import fcntl
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.desks import BRANCH, World
from tests.runner.origin import git
from vibeboard.domain.board import CardKey
from vibeboard.errors import WorkspaceRefused


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.origin.has({"README.md": "clock\n", "src/clock.py": "tick = 1\n"})
    await world.prepared()
    return world


def _locks(world: World) -> None:
    for name in ("index", "HEAD", "config", "packed-refs", "shallow"):
        (world.mirror / f"{name}.lock").touch()
        (world.host / f"{name}.lock").touch()
    (world.host / "refs" / "heads" / f"{BRANCH}.lock").touch()


def _truncated_pack(world: World) -> None:
    for stored in (world.mirror / "objects").rglob("*"):
        if stored.is_file():
            stored.chmod(0o644)
            os.truncate(stored, 20)


def _missing_pack(world: World) -> None:
    for stored in (world.mirror / "objects").rglob("*"):
        if stored.is_file():
            stored.unlink()


def _half_a_clone(world: World) -> None:
    (world.mirror / "HEAD").unlink()
    (world.mirror / "config").write_bytes(b"[core")


def _a_file_for_a_clone(world: World) -> None:
    world.mirror.rename(world.mirror.with_name("moved"))
    world.mirror.write_text("not a directory")


def _a_ref_to_nowhere(world: World) -> None:
    (world.mirror / "refs" / "heads" / "main").write_text("1" * 40 + "\n")


def _picking(world: World) -> None:
    """As miss-islington once had it: a cherry-pick that was never finished."""
    for place in (world.host, world.host.parent / "tree" / ".git"):
        for name in ("CHERRY_PICK_HEAD", "MERGE_HEAD", "REBASE_HEAD", "REVERT_HEAD"):
            (place / name).write_text("1" * 40 + "\n")
        (place / "MERGE_MSG").write_text("half a merge")
        (place / "sequencer").mkdir()
        (place / "sequencer" / "todo").write_text("pick 1111111 x\n")
        (place / "rebase-merge").mkdir()
        (place / "rebase-merge" / "head-name").write_text("refs/heads/x\n")


def _conflicting(world: World) -> None:
    """An index with stages, as in the middle of a merge."""
    blob = git("hash-object", "-w", "--stdin", cwd=world.host)
    stages = "".join(f"100644 {blob} {stage}\tREADME.md\n" for stage in (1, 2, 3))
    (world.root / "stages").write_text(stages)
    git(
        "-c", f"alias.x=!git update-index --index-info < {world.root}/stages",
        f"--git-dir={world.host}", f"--work-tree={world.host.parent / 'tree'}", "x",
        cwd=world.host.parent / "tree",
    )  # fmt: skip


def _no_index(world: World) -> None:
    (world.host / "index").write_bytes(b"DIRC")


def _no_desk(world: World) -> None:
    (world.host / "HEAD").write_bytes(b"\0")
    (world.host / "refs" / "heads" / BRANCH).write_text("2" * 40 + "\n")


@pytest.mark.parametrize(
    "damage",
    [
        _locks,
        _truncated_pack,
        _missing_pack,
        _half_a_clone,
        _a_file_for_a_clone,
        _a_ref_to_nowhere,
        _picking,
        _conflicting,
        _no_index,
        _no_desk,
    ],
)
async def test_case_38_what_is_broken_heals(
    world: World, damage: Callable[[World], None]
) -> None:
    damage(world)
    main = world.origin.has({"new.py": "new = 1\n"})

    workspace = await world.prepared()

    assert workspace.base == main
    assert git("status", "--porcelain", cwd=workspace.tree) == ""
    git("fsck", "--connectivity-only", cwd=world.mirror)
    await world.with_another_commit("a")
    assert await world.pushed() == ("a",)


@pytest.mark.parametrize("damage", [_truncated_pack, _half_a_clone, _picking, _locks])
async def test_case_38_work_that_was_not_pushed_survives_the_healing(
    world: World, damage: Callable[[World], None]
) -> None:
    saved = await world.with_a_commit()
    damage(world)

    assert (await world.prepared()).base == saved.commit
    assert await world.pushed() == ("a",)


async def test_case_38_what_cannot_be_healed_is_kept_for_a_person(
    world: World,
) -> None:
    await world.with_a_commit()
    for stored in (world.host / "objects").rglob("*"):
        if stored.is_file() and stored.name != "alternates":
            stored.chmod(0o644)
            os.truncate(stored, 3)

    workspace = await world.prepared()

    assert workspace.base == world.origin.tip("main")
    assert (world.host.parent.with_name("7.broken") / "host.git").is_dir()


async def test_case_38_a_clone_killed_in_the_middle_leaves_nothing(
    world: World,
) -> None:
    for left in ("a" * 32, "0123456789abcdef" * 2):
        half = world.mirror.with_name(f"{world.mirror.name}.{left}")
        (half / "objects").mkdir(parents=True)
        (half / "objects" / "tmp_pack_x").write_bytes(bytes(1000))
    other = world.mirror.with_name(f"{world.mirror.name}.other.git")
    other.mkdir()
    _half_a_clone(world)

    await world.prepared()

    found = {path.name for path in world.mirror.parent.iterdir()}
    assert found == {world.mirror.name, "clock.lock", other.name}


async def test_case_38_a_mirror_in_use_elsewhere_is_waited_for(
    world: World,
) -> None:
    lock = world.mirror.with_name("clock.lock")
    script = (
        "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX);"
        "print('held', flush=True); time.sleep(600)"
    )
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(lock), stdout=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"

    async with asyncio.TaskGroup() as group:
        preparing = group.create_task(world.prepared())
        await asyncio.sleep(0.2)
        assert not preparing.done()
        # Killed, not ended: the kernel gives the lock back.
        holder.send_signal(signal.SIGKILL)
    await holder.wait()

    assert preparing.result().base == world.origin.tip("main")
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_case_38_two_runs_on_one_mirror_do_not_see_each_other(
    world: World,
) -> None:
    """While they work, the mirror breaks and is made anew."""
    cards = [CardKey("acme/clock", number) for number in (8, 9)]

    async def work(card: CardKey) -> tuple[str, ...]:
        branch = f"vibe/{card.number}"
        tree = (await world.prepared(card, branch)).tree
        name = f"{card.number}.txt"
        (tree / name).write_text("x")
        git("commit", "-q", "--allow-empty", "-m", "By the agent", cwd=tree)
        await world.workspaces.commit(card, "Mine")
        if card.number == 8:
            _half_a_clone(world)
        await world.prepared(card, branch)
        change = await world.workspaces.push(card, world.origin.remote)
        assert change is not None
        assert sorted(path.name for path in tree.glob("*.txt")) == [name]
        return change.files

    pushed = await asyncio.gather(*map(work, cards))

    assert pushed == [("8.txt",), ("9.txt",)]


async def test_case_38_no_healing_without_end(world: World) -> None:
    git("config", "core.bare", "garbage", cwd=world.origin.path)

    with pytest.raises(WorkspaceRefused, match="could not be cloned"):
        await world.prepared()
