"""Workspaces on real repositories: continued, cleaned, hostile, broken, refused."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.desks import BRANCH, CARD, World
from tests.runner.origin import git
from vibeboard.domain.board import CardKey
from vibeboard.errors import PushRefused, WorkspaceRefused


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.origin.has({"README.md": "clock\n", "src/clock.py": "tick = 1\n"})
    return world


async def test_a_card_gets_a_branch_from_the_default_one(world: World) -> None:
    workspace = await world.prepared()

    assert workspace.base == world.origin.tip("main")
    assert workspace.branch == BRANCH
    assert (workspace.tree / "src" / "clock.py").read_text() == "tick = 1\n"
    assert workspace.notes == ()


async def test_what_the_agent_did_is_committed_and_pushed(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "src" / "clock.py").write_text("tick = 2\n")
    (workspace.tree / "new.py").write_text("new = 1\n")
    (workspace.tree / "README.md").unlink()

    change = await world.workspaces.commit(CARD, "Fix the clock")

    assert change is not None
    assert change.files == ("README.md", "new.py", "src/clock.py")
    assert await world.pushed() == change.files
    assert world.origin.tip(BRANCH) == change.commit
    assert world.origin.shows(BRANCH, "src/clock.py") == "tick = 2"
    author = git("log", "-1", "--format=%an <%ae> %s", BRANCH, cwd=world.origin.path)
    assert author == "Vibeboard <bot@users.noreply.github.com> Fix the clock"


async def test_nothing_changed_is_no_commit_and_no_push(world: World) -> None:
    await world.prepared()

    assert await world.workspaces.commit(CARD, "Nothing") is None
    assert await world.workspaces.push(CARD, world.origin.remote) is None
    assert world.origin.files("main") == ["README.md", "src/clock.py"]


async def test_the_hand_over_folder_is_not_committed(world: World) -> None:
    workspace = await world.prepared()
    out = workspace.tree / ".vibe" / "out"
    out.mkdir(parents=True)
    (out / "summary.md").write_text("done")

    assert await world.workspaces.commit(CARD, "Nothing") is None
    assert not out.exists()


@pytest.mark.parametrize("rule", [".vibe/", "out/", ".vibe/out/*", "*"])
async def test_a_hand_over_folder_may_be_ignored_by_git(
    world: World, rule: str
) -> None:
    world.origin.has({".gitignore": f"{rule}\n"})
    tree = (await world.prepared()).tree
    (tree / ".vibe" / "out").mkdir(parents=True)
    (tree / ".vibe" / "out" / "summary.md").write_text("done")
    (tree / "README.md").write_text("changed")

    change = await world.workspaces.commit(CARD, "Changed")

    assert change is not None
    assert change.files == ("README.md",)


async def test_a_hand_over_folder_that_is_tracked_stays_as_it_was(
    world: World,
) -> None:
    world.origin.has({".vibe/out/README": "what lies here"})
    tree = (await world.prepared()).tree
    (tree / ".vibe" / "out" / "summary.md").write_text("done")

    assert await world.workspaces.commit(CARD, "Nothing") is None


async def test_what_the_agent_hands_over_can_be_read(world: World) -> None:
    out = (await world.prepared()).tree / ".vibe" / "out"
    out.mkdir(parents=True)
    (out / "summary.md").write_text("done \N{CHECK MARK}")
    (out / "huge.md").write_bytes(b"x" * (3 << 20))
    (out / "link.md").symlink_to("/etc/passwd")
    os.mkfifo(out / "pipe.md")

    read = world.workspaces.handed_over

    assert await read(CARD, "summary.md") == "done \N{CHECK MARK}"
    assert len(await read(CARD, "huge.md") or "") == 1 << 20
    for name in ("missing.md", "link.md", "pipe.md", "../../README.md"):
        assert await read(CARD, name) is None


async def test_a_link_in_the_place_of_the_hand_over_folder_is_not_followed(
    world: World, tmp_path: Path
) -> None:
    workspace = await world.prepared()
    precious = tmp_path / "precious" / "out"
    precious.mkdir(parents=True)
    (workspace.tree / ".vibe").symlink_to(precious.parent)

    await world.workspaces.commit(CARD, "A link")

    assert precious.exists()


async def test_a_branch_that_github_has_is_continued(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a.txt").write_text("a")
    await world.workspaces.commit(CARD, "First")
    await world.pushed()
    world.origin.ann_goes_to(BRANCH)
    by_ann = world.origin.has({"b.txt": "b"}, branch=BRANCH)

    again = await world.prepared()

    assert again.base == by_ann
    (again.tree / "c.txt").write_text("c")
    await world.workspaces.commit(CARD, "Second")
    assert await world.pushed() == ("a.txt", "b.txt", "c.txt")


async def test_work_that_was_not_pushed_is_kept(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a.txt").write_text("a")
    saved = await world.workspaces.commit(CARD, "Save the work")

    again = await world.prepared()

    assert saved is not None
    assert again.base == saved.commit
    assert (again.tree / "a.txt").read_text() == "a"


async def test_work_that_does_not_fit_is_set_aside_with_a_note(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a.txt").write_text("ours")
    await world.workspaces.commit(CARD, "Ours")
    theirs = world.origin.has({"a.txt": "theirs"}, branch=BRANCH)

    again = await world.prepared()

    assert again.base == theirs
    assert "set aside" in again.notes[0]


async def test_a_branch_deleted_on_github_begins_again(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a.txt").write_text("a")
    await world.workspaces.commit(CARD, "First")
    await world.pushed()
    world.origin.deletes(BRANCH)

    again = await world.prepared()

    assert again.base == world.origin.tip("main")
    assert not (again.tree / "a.txt").exists()


async def test_what_a_killed_attempt_left_is_cleaned(world: World) -> None:
    workspace = await world.prepared()
    tree = workspace.tree
    clock = tree / "src" / "clock.py"
    before = clock.stat()
    clock.write_text("tick = 9\n")
    os.utime(clock, ns=(before.st_atime_ns, before.st_mtime_ns))
    (tree / "rubbish").write_text("x")
    (tree / "src" / "nested").mkdir()
    git("init", "-q", cwd=tree / "src" / "nested")
    git("init", "-q", cwd=tree / "src")
    (tree / ".git" / "index").write_bytes(b"garbage")
    locked = tree / "locked"
    locked.mkdir()
    (locked / "file").write_text("x")
    locked.chmod(0)

    again = await world.prepared()

    assert clock.read_text() == "tick = 1\n"
    names = sorted(
        str(p.relative_to(tree))
        for p in again.tree.rglob("*")
        if tree / ".git" not in (p, *p.parents)
    )
    assert names == ["README.md", "src", "src/clock.py"]


async def test_the_agent_can_look_around_with_git(world: World) -> None:
    git("tag", "v1", "main", cwd=world.origin.path)
    tree = (await world.prepared()).tree
    (tree / "new.py").write_text("new")

    assert git("status", "--porcelain", cwd=tree) == "?? new.py"
    assert git("branch", "--show-current", cwd=tree) == BRANCH
    assert git("log", "--format=%s", "origin/main", cwd=tree) == "By Ann"
    assert git("describe", "--tags", cwd=tree) == "v1"


async def test_what_the_agent_commits_by_itself_counts_as_its_files(
    world: World,
) -> None:
    tree = (await world.prepared()).tree
    (tree / "new.py").write_text("new")
    git("add", "-A", cwd=tree)
    git("commit", "-q", "-m", "Mine", cwd=tree)

    change = await world.workspaces.commit(CARD, "Ours")

    assert change is not None
    assert change.files == ("new.py",)
    assert (await world.prepared()).base == change.commit


async def test_settings_an_agent_plants_are_not_executed(world: World) -> None:
    git(
        "update-index",
        "--add",
        "--cacheinfo",
        f"160000,{world.origin.tip('main')},sub",
        cwd=world.origin.clone,
    )
    git("commit", "-q", "-m", "A submodule", cwd=world.origin.clone)
    git("push", "-q", str(world.origin.path), "HEAD:main", cwd=world.origin.clone)
    tree = (await world.prepared()).tree
    trap = f"touch {world.canary}; false"
    for place in (tree, tree / "sub", tree / "src"):
        place.mkdir(exist_ok=True)
        git("init", "-q", cwd=place)
        (place / "hello").write_text("hello")
        git("add", "hello", cwd=place)
        git("commit", "-q", "-m", "Trap", cwd=place)
        for key in (
            "core.fsmonitor",
            "filter.x.clean",
            "filter.x.smudge",
            "diff.external",
            "core.sshCommand",
        ):
            git("config", key, trap, cwd=place)
        hooks = place / ".git" / "hooks"
        hooks.mkdir(exist_ok=True)
        for hook in (
            "pre-commit",
            "post-checkout",
            "post-index-change",
            "reference-transaction",
        ):
            (hooks / hook).write_text(f"#!/bin/sh\n{trap}\n")
            (hooks / hook).chmod(0o755)
    (tree / ".gitattributes").write_text("* filter=x diff=x\n")

    await world.workspaces.commit(CARD, "Trapped")
    await world.pushed()
    await world.prepared()

    assert not world.canary.exists()
    assert world.origin.files(BRANCH) == [
        ".gitattributes",
        "README.md",
        "hello",
        "src/clock.py",
        "src/hello",
        "sub",
    ]


async def test_a_repository_inside_the_repository_is_left_out_and_said(
    world: World,
) -> None:
    tree = (await world.prepared()).tree
    (tree / "fine.txt").write_text("fine")
    for name in ("vendor/lib", "[x] *"):
        nested = tree / name
        nested.mkdir(parents=True)
        git("init", "-q", cwd=nested)
        (nested / "file").write_text("x")
        git("add", "-A", cwd=nested)
        git("commit", "-q", "-m", "Theirs", cwd=nested)
    (tree / ".gitignore").write_text("node_modules/\n")
    ignored = tree / "node_modules" / "x"
    ignored.mkdir(parents=True)
    git("init", "-q", cwd=ignored)
    (tree / ".GIT").mkdir()
    (tree / ".GIT" / "config").write_text("x")
    (tree / "src" / ".g\u200cit").write_text("x")

    change = await world.workspaces.commit(CARD, "Fine")

    assert change is not None
    assert change.files == (".gitignore", "fine.txt")
    await world.pushed()
    message = git("log", "-1", "--format=%b", BRANCH, cwd=world.origin.path)
    assert "- vendor/lib" in message
    assert "- [x] *" in message
    assert "- .GIT" in message
    assert "node_modules" not in message


async def test_hostile_names_survive(world: World) -> None:
    tree = (await world.prepared()).tree
    names = ["-rf", "a\nb", ":(top)x", "*", "ü", "--help", "q\"'"]
    for name in names:
        (tree / name).write_text(name)
    (tree / os.fsdecode(b"\xff")).write_text("latin")

    change = await world.workspaces.commit(CARD, "Names")

    assert change is not None
    assert len(change.files) == len(names) + 1
    assert all("\n" not in name for name in change.files)
    await world.pushed()


async def test_a_person_is_told_of_lfs_submodules_and_links(world: World) -> None:
    clone = world.origin.clone
    (clone / "out").symlink_to("/etc/passwd")
    (clone / "src" / "up").symlink_to("../../..")
    (clone / "src" / "in").symlink_to("../README.md")
    git(
        "update-index",
        "--add",
        "--cacheinfo",
        f"160000,{world.origin.tip('main')},sub",
        cwd=clone,
    )
    (clone / ".gitattributes").write_text("*.bin filter=lfs diff=lfs -text\n")
    git("add", ".gitattributes", "out", "src", cwd=clone)
    git("commit", "-q", "-m", "Notes", cwd=clone)
    git("push", "-q", str(world.origin.path), "HEAD:main", cwd=clone)

    notes = (await world.prepared()).notes

    assert len(notes) == 3
    assert "LFS" in notes[0]
    assert notes[1] == "Submodules are not fetched: `sub`."
    assert notes[2].endswith("not followed: `out`, `src/up`.")


async def test_a_repository_without_commits_says_what_to_do(tmp_path: Path) -> None:
    world = World(tmp_path)

    with pytest.raises(WorkspaceRefused, match="no commits yet"):
        await world.prepared()


async def test_a_default_branch_that_is_not_there_is_named(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.origin.has({"a": "a"}, branch="trunk")

    with pytest.raises(WorkspaceRefused, match="no branch `main`"):
        await world.prepared()


async def test_a_repository_that_is_not_there_is_refused(world: World) -> None:
    world.origin.path.rename(world.origin.path.with_name("gone.git"))

    with pytest.raises(WorkspaceRefused, match="could not be cloned"):
        await world.prepared()


@pytest.mark.parametrize("repository", ["../x", "a/..", "a/b/c", "a", "a/b c", "/etc"])
async def test_names_that_would_leave_the_root_are_refused(
    world: World, repository: str
) -> None:
    with pytest.raises(WorkspaceRefused):
        await world.prepared(CardKey(repository, 1))


@pytest.mark.parametrize("branch", ["a..b", "a b", "", "x.lock"])
async def test_names_that_are_no_branch_are_refused(world: World, branch: str) -> None:
    with pytest.raises(WorkspaceRefused):
        await world.prepared(branch=branch)


def _truncate_packs(world: World) -> None:
    for pack in (world.mirror / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o644)
        os.truncate(pack, 20)
    for loose in (world.mirror / "objects").glob("??/*"):
        loose.chmod(0o644)
        os.truncate(loose, 3)


def _half(world: World) -> None:
    (world.mirror / "HEAD").unlink()


def _lock(world: World) -> None:
    for name in ("shallow.lock", "packed-refs.lock", "index.lock"):
        (world.mirror / name).touch()
    (world.host / "index.lock").touch()
    (world.host / "CHERRY_PICK_HEAD").write_text("0" * 40)


def _lock_ref(world: World) -> None:
    (world.mirror / "refs" / "heads" / "main.lock").touch()
    world.origin.has({"more": "more"})


def _break_desk(world: World) -> None:
    (world.host / "index").write_bytes(b"DIRC garbage")
    (world.host / "HEAD").write_bytes(b"\0garbage")


def _no_desk_objects(world: World) -> None:
    ref = world.host / "refs" / "heads" / BRANCH
    ref.write_text("1" * 40 + "\n")


@pytest.mark.parametrize(
    "damage",
    [_truncate_packs, _half, _lock, _lock_ref, _break_desk, _no_desk_objects],
)
async def test_what_is_broken_heals(
    world: World, damage: Callable[[World], None]
) -> None:
    await world.prepared()
    damage(world)

    workspace = await world.prepared()

    assert workspace.base == world.origin.tip("main")
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Works")
    assert await world.pushed() == ("a",)


async def test_work_that_was_not_pushed_survives_what_a_killed_git_left(
    world: World,
) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    saved = await world.workspaces.commit(CARD, "Saved")
    host = workspace.tree.parent / "host.git"
    for name in ("index.lock", "HEAD.lock", f"refs/heads/{BRANCH}.lock"):
        (host / name).touch()
    _truncate_packs(world)

    again = await world.prepared()

    assert saved is not None
    assert again.base == saved.commit
    assert (again.tree / "a").read_text() == "a"


async def test_what_is_no_file_is_not_committed(world: World) -> None:
    tree = (await world.prepared()).tree
    (tree / "README.md").unlink()
    os.mkfifo(tree / "README.md")
    os.mkfifo(tree / "pipe")
    (tree / "fine").write_text("fine")

    change = await world.workspaces.commit(CARD, "Fine")

    assert change is not None
    assert "pipe" not in change.files
    assert "fine" in change.files
    assert (await world.prepared()).tree.joinpath("fine").is_file()


async def test_many_cards_share_one_mirror_and_nothing_else(world: World) -> None:
    cards = [CardKey("acme/clock", number) for number in range(1, 7)]

    async def work(card: CardKey) -> None:
        branch = f"vibe/{card.number}"
        workspace = await world.prepared(card, branch)
        (workspace.tree / f"{card.number}.txt").write_text("x")
        await world.workspaces.commit(card, "Mine")
        change = await world.workspaces.push(card, world.origin.remote)
        assert change is not None
        assert change.files == (f"{card.number}.txt",)

    async with asyncio.TaskGroup() as group:
        for card in cards:
            group.create_task(work(card))

    assert git("branch", "--list", "vibe/*", cwd=world.origin.path).count("vibe/") == 6


def protects(path: str) -> bool:
    return path.startswith("safe")


async def test_what_a_push_would_change_is_held_with_its_diff(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a.txt").write_text("free\n")
    await world.workspaces.commit(CARD, "Free")
    assert await world.workspaces.held(CARD, protects) is None

    (workspace.tree / "safe.txt").write_text("one\u202e\n")
    (workspace.tree / "safe~ ':(x)").symlink_to("/etc/passwd")
    change = await world.workspaces.commit(CARD, "Both")

    held = await world.workspaces.held(CARD, protects)
    assert held is not None
    assert change is not None
    assert held.commit == change.commit
    assert set(held.files) == {"safe.txt", "safe~ ':(x)"}
    assert "+one⟨U+202E⟩" in held.diff, "a reader sees what is hidden"
    assert "+/etc/passwd" in held.diff
    assert "a.txt" not in held.diff
    assert held.whole


async def test_what_was_pushed_is_not_held_again(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "safe.txt").write_text("one\n")
    await world.workspaces.commit(CARD, "Ours")
    await world.pushed()

    assert await world.workspaces.held(CARD, protects) is None
    (workspace.tree / "safe.txt").unlink()
    await world.workspaces.commit(CARD, "Take it away")

    held = await world.workspaces.held(CARD, protects)
    assert held is not None
    assert "-one" in held.diff


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 40_000, id="one large file"),
        pytest.param("\0" * 40_000, id="binary, and large"),
    ],
)
async def test_what_is_too_large_to_be_shown_says_so(world: World, text: str) -> None:
    workspace = await world.prepared()
    (workspace.tree / "safe.txt").write_text(text)
    (workspace.tree / "safe.md").write_text("short\n")
    await world.workspaces.commit(CARD, "Ours")

    held = await world.workspaces.held(CARD, protects)

    assert held is not None
    assert not held.whole
    assert set(held.files) == {"safe.txt", "safe.md"}
    assert "+short" in held.diff
    assert len(held.diff) < 31_000


async def test_a_push_over_work_of_others_is_refused(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    theirs = world.origin.has({"b": "b"}, branch=BRANCH)

    with pytest.raises(PushRefused, match=r"somebody else pushed .*stale info"):
        await world.pushed()

    assert world.origin.tip(BRANCH) == theirs


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("error: GH006: Protected branch update failed for x.", "is protected .`GH006"),
        ("error: GH013: Repository rule violations found", "a rule .* forbids it"),
        ("error: GH009: Secrets detected! This push failed.", "found a secret"),
        ("nope", "a hook declined it .`nope"),
    ],
)
async def test_a_push_refused_tells_githubs_reason(
    world: World, said: str, told: str
) -> None:
    world.origin.hook("pre-receive", f"echo '{said}' >&2; exit 1")
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")

    with pytest.raises(PushRefused, match=told):
        await world.pushed()


async def test_a_push_repeated_after_a_crash_does_nothing_more(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")

    assert await world.pushed() == ("a",)
    assert await world.pushed() == ("a",)


async def test_a_removed_card_leaves_nothing(world: World) -> None:
    workspace = await world.prepared()

    await world.workspaces.remove(CARD)
    await world.workspaces.remove(CARD)

    assert not workspace.tree.parent.exists()


async def test_no_credential_is_written_down(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")
    await world.pushed()

    assert world.origin.tokens_asked == 2
    for path in world.root.rglob("*"):
        if path.is_file():
            assert b"ghs_canary" not in path.read_bytes()


async def test_a_tree_is_lent_with_its_history_and_thrown_away(world: World) -> None:
    await world.prepared()
    first = await world.with_another_commit()
    base = await world.workspaces.base(CARD)

    async with world.workspaces.lend(CARD, first.commit, name="review-ux") as lent:
        told = git("diff", "--name-only", base.commit, "HEAD", cwd=lent.tree)
        assert told.split() == ["more"]
        assert git("status", "--porcelain", cwd=lent.tree) == ""
        assert list(lent.home.iterdir()) == []
        forged = lent.tree / ".vibe" / "out"
        forged.mkdir(parents=True)
        (forged / "findings.json").write_text("{}")
        (lent.tree / "more").write_text("changed")
        assert await world.workspaces.left(lent, "findings.json") == "{}"
        assert await world.workspaces.left(lent, "summary.md") is None

    assert not lent.tree.exists()
    assert not lent.home.exists()
    assert (world.host.parent / "tree" / "more").read_text() == "more"
    assert (await world.workspaces.base(CARD)).head == first.commit


async def test_what_a_commit_hands_over_by_itself_is_no_result(world: World) -> None:
    world.origin.has({".vibe/out/findings.json": '{"findings": []}'})
    await world.prepared()
    base = await world.workspaces.base(CARD)

    async with world.workspaces.lend(CARD, base.head, name="review-ux") as lent:
        assert await world.workspaces.left(lent, "findings.json") is None


async def test_what_the_project_tells_agents_comes_from_the_default_branch(
    world: World,
) -> None:
    world.origin.has({"AGENTS.md": "Use tabs.\n"})
    workspace = await world.prepared()
    (workspace.tree / "AGENTS.md").write_text("Push to main.\n")
    await world.workspaces.commit(CARD, "Tell myself something")

    told = await world.workspaces.guidance(CARD, ("CLAUDE.md", "AGENTS.md"))

    assert told == "Use tabs.\n"
    assert await world.workspaces.guidance(CARD, ("CLAUDE.md",)) == ""
