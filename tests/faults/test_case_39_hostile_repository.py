"""Case 39: a repository made to run its own programs on the host runs none.

The canary is a file that every trap would make. Commits are written object by
object, as no honest git would make them.
"""

import os
import sys
import time
from pathlib import Path

import pytest

from tests.runner.cells import Place, need_bubblewrap
from tests.runner.desks import CARD, World
from tests.runner.origin import git
from vibeboard.errors import SettingsInvalid, WorkspaceRefused
from vibeboard.runner.git import Git, GitFailed

SUBMODULE, LINK, PROGRAM, FILE = "160000", "120000", "100755", "100644"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.origin.has({"README.md": "clock\n"})
    return world


def trap(world: World) -> str:
    return f"touch {world.canary}; false"


def blob(world: World, text: str) -> str:
    (world.origin.clone.parent / "blob").write_text(text)
    return git("hash-object", "-w", str(world.origin.path.parent / "blob"),
               cwd=world.origin.path)  # fmt: skip


def tree(world: World, *entries: tuple[str, str, str]) -> str:
    """A tree with any names; ``entries`` are mode, object and name."""
    raw = b"".join(
        f"{mode.lstrip('0')} ".encode() + os.fsencode(name) + b"\0" + bytes.fromhex(sha)
        for mode, sha, name in entries
    )
    path = world.origin.path.parent / "tree"
    path.write_bytes(raw)
    return git("hash-object", "-w", "-t", "tree", "--literally", str(path),
               cwd=world.origin.path)  # fmt: skip


def commit(world: World, root: str) -> str:
    sha = git("commit-tree", root, "-m", "Hostile", cwd=world.origin.path)
    git("update-ref", "refs/heads/main", sha, cwd=world.origin.path)
    return sha


def payload(world: World) -> str:
    """A commit with a hook in it, as the submodule of the known attacks."""
    hook = blob(world, f"#!/bin/sh\n{trap(world)}\n")
    hooks = tree(world, (PROGRAM, hook, "post-checkout"))
    return commit(world, tree(world, ("40000", hooks, "hooks")))


async def works_as_usual(world: World) -> None:
    """All that the host does on a card."""
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    assert await world.workspaces.commit(CARD, "Ours") is not None
    assert "a" in await world.pushed()
    await world.prepared()


@pytest.mark.parametrize(
    ("path", "link"),
    [
        pytest.param("A/modules/x", ".git", id="CVE-2024-32002"),
        pytest.param("sub\r", ".git/modules/sub/hooks", id="CVE-2025-48384"),
        pytest.param("../../escape", ".git/hooks", id="a way out"),
        pytest.param("-u./payload", ".git", id="an option"),
    ],
)
async def test_case_39_submodules_are_never_fetched(
    world: World, path: str, link: str
) -> None:
    evil = payload(world)
    modules = blob(
        world,
        f'[submodule "x/y"]\n\tpath = "{path}"\n\turl = {world.origin.path}\n'
        f"\tupdate = !{trap(world)}\n\tfetchRecurseSubmodules = true\n"
        f'[submodule "z"]\n\tpath = z\n\turl = ext::sh -c {trap(world)!r}\n'
        "[submodule]\n\trecurse = true\n",
    )
    commit(
        world,
        tree(
            world,
            (FILE, modules, ".gitmodules"),
            (LINK, blob(world, link), "A"),
            (SUBMODULE, evil, "sub\r"),
            (SUBMODULE, evil, "z"),
        ),
    )

    await works_as_usual(world)

    assert not world.canary.exists()
    found = (await world.prepared()).tree
    assert [path.name for path in found.rglob("post-checkout")] == []
    assert not (found.parent.parent / "escape").exists()
    assert not list(world.root.glob("**/modules"))


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".Git",
        "git~1",
        ".git ",
        ".git.",
        ".git::$INDEX_ALLOCATION",
        ".g\u200cit",
        "..",
        ".",
    ],
)
async def test_case_39_names_that_pass_for_dot_git_are_refused(
    world: World, name: str
) -> None:
    hook = blob(world, f"#!/bin/sh\n{trap(world)}\n")
    config = blob(world, f"[core]\n\tfsmonitor = {trap(world)}\n")
    hooks = tree(world, (PROGRAM, hook, "post-checkout"))
    inside = tree(world, (FILE, config, "config"), ("40000", hooks, "hooks"))
    commit(world, tree(world, ("40000", inside, name)))

    with pytest.raises(WorkspaceRefused, match="could not be c"):
        await world.prepared()

    assert not world.canary.exists()
    left = world.host.parent / "tree"
    assert not left.exists() or not list(left.rglob("config"))


async def test_case_39_filters_and_hooks_that_a_repository_asks_for_do_not_run(
    world: World,
) -> None:
    world.origin.has(
        {
            ".gitattributes": "* filter=x diff=x merge=x\n",
            ".gitconfig": f'[filter "x"]\n\tsmudge = {trap(world)}\n',
            ".lfsconfig": f"[lfs]\n\turl = ext::{trap(world)}\n",
            ".husky/post-checkout": trap(world),
            ".githooks/post-checkout": trap(world),
        }
    )

    await works_as_usual(world)

    assert not world.canary.exists()


async def test_case_39_attributes_that_break_git_are_told(world: World) -> None:
    workspace = await world.prepared()
    (workspace.tree / "README.md").write_text("changed")
    attributes = workspace.tree / ".gitattributes"
    attributes.write_text("* working-tree-encoding=x\n")

    with pytest.raises(WorkspaceRefused, match=r"failed to encode 'README\.md'"):
        await world.workspaces.commit(CARD, "Ours")

    attributes.unlink()
    assert await world.workspaces.commit(CARD, "Ours") is not None


async def test_case_39_what_an_agent_writes_beside_its_tree_does_not_run(
    world: World,
) -> None:
    """An agent without a sandbox reaches the host's directory, too."""
    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    (workspace.tree / ".gitattributes").write_text("* filter=x diff=x\n")
    hooks = world.host / "hooks"
    hooks.mkdir()
    for name in (
        "pre-commit",
        "post-index-change",
        "pre-push",
        "reference-transaction",
    ):
        (hooks / name).write_text(f"#!/bin/sh\n{trap(world)}\n")
        (hooks / name).chmod(0o755)
    elsewhere = world.origin.path.parent / "elsewhere"
    (world.host / "config").write_text(
        f"[core]\n\tfsmonitor = {trap(world)}\n\thooksPath = {hooks}\n"
        f'[filter "x"]\n\tclean = {trap(world)}\n\trequired = true\n'
        f'[url "{elsewhere}"]\n\tpushInsteadOf = {world.origin.path}\n'
        f"[extensions]\n\tworktreeConfig = true\n"
    )
    (world.host / "config.worktree").write_text(f"[core]\n\tfsmonitor={trap(world)}\n")
    spare = world.host.parent / "spare"
    spare.mkdir()
    (spare / "config").write_text((world.host / "config").read_text())
    (world.host / "commondir").write_text(f"{spare}\n")

    assert await world.workspaces.commit(CARD, "Ours") is not None
    assert await world.pushed() == (".gitattributes", "a")
    await world.prepared()

    assert not world.canary.exists()
    assert not elsewhere.exists()


async def test_case_39_hooks_that_run_in_a_cell_reach_nothing_of_the_host(
    world: World,
) -> None:
    """The agent may let its own git run what it likes; it is held all the same."""
    need_bubblewrap()
    workspace = await world.prepared()
    place = Place(workspace.tree.parent / "cell")
    place.tree, place.home = workspace.tree, world.root / "home"
    own, host = workspace.tree / ".git", world.host
    attack = (
        f"touch {world.canary}; touch {world.mirror}/canary {host}/canary;"
        f"echo x > {host}/config; mkdir -p {host}/hooks && touch {host}/hooks/pre-push;"
        f"rm -rf {host}/objects; touch ran"
    )

    tried = await place.shell(
        "git log --oneline\n"
        f"mkdir -p {own}/hooks\n"
        f"cat > {own}/hooks/pre-commit <<'END'\n#!/bin/sh\n{attack}\nexit 0\nEND\n"
        f"chmod +x {own}/hooks/pre-commit\n"
        f"git config core.fsmonitor '{attack}; false'\n"
        f"echo /etc > {own}/objects/info/alternates.new\n"
        "echo a > a; git add a; git commit -qm Mine; git log --oneline\n"
        f"echo / > {own}/objects/info/alternates; ls /etc/shadow 2>&1"
    )
    again = await place.shell("ls -d /etc/shadow /home /srv")

    assert tried.out.count("Mine") == 1
    assert (workspace.tree / "ran").exists()
    assert not world.canary.exists()
    assert not list(world.root.rglob("canary"))
    assert not (host / "hooks").exists()
    assert "[core]" in (host / "config").read_text()
    assert "/etc/shadow': No such file" in tried.out
    assert again.ended.exit_code != 0
    assert "shadow" not in again.out.replace("'/etc/shadow': No such file", "")
    assert await world.workspaces.commit(CARD, "Ours") is not None
    assert await world.pushed() == ("a", "ran")


async def test_case_39_links_out_of_the_repository_are_not_followed(
    world: World, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a").write_text("mine")
    links = {"etc": "/etc", "out": str(precious), "up": "../../../..", "loop": "loop"}
    entries = [(LINK, blob(world, target), name) for name, target in links.items()]
    commit(world, tree(world, *sorted(entries, key=lambda entry: entry[2])))
    workspace = await world.prepared()
    (workspace.tree / "out" / "a").write_text("changed by the agent")
    (workspace.tree / "new").symlink_to(precious)
    (workspace.tree / ".vibe").symlink_to(precious)

    change = await world.workspaces.commit(CARD, "Ours")

    assert change is not None
    assert change.files == (".vibe", "new")
    assert world.origin.files("main") == ["etc", "loop", "out", "up"]
    await world.pushed()
    assert git("cat-file", "-p", "HEAD:new", cwd=world.host) == str(precious)
    await world.workspaces.remove(CARD)
    assert (precious / "a").exists()
    assert "`etc`, `out`" in workspace.notes[0]


async def test_case_39_names_in_notes_and_messages_have_no_effect(
    world: World,
) -> None:
    entries = [
        (LINK, blob(world, "/etc"), "@acme`"),
        (SUBMODULE, "1" * 40, "<img src=x>"),
    ]
    commit(world, tree(world, *sorted(entries, key=lambda entry: entry[2])))

    workspace = await world.prepared()
    for name in ("fixes #3", "[skip ci]"):
        os.mkfifo(workspace.tree / name)
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")

    assert workspace.notes == (
        "Submodules are not fetched: `<img src=x>`.",
        "Symbolic links out of the repository are not followed: `` @acme` ``.",
    )
    message = git("log", "-1", "--format=%B", cwd=world.host)
    assert "fixes\N{ZERO WIDTH SPACE} #3" in message
    assert "(skip ci)" in message


async def test_case_39_large_files_stay_pointers(world: World) -> None:
    pointer = (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\n"
        "size 100000000000\n"
    )
    attributes = "*.bin filter=lfs diff=lfs merge=lfs -text\n"
    world.origin.has({".gitattributes": attributes, "a.bin": pointer})

    workspace = await world.prepared()
    (workspace.tree / "b.bin").write_text(pointer)
    await world.workspaces.commit(CARD, "Ours")

    assert (workspace.tree / "a.bin").read_text() == pointer
    assert await world.pushed() == ("b.bin",)
    assert "LFS" in workspace.notes[0]


async def test_case_39_many_files_are_no_trouble(world: World) -> None:
    """A hundred thousand entries, of which git stores one tree and one blob."""
    one = blob(world, "x")
    leaf = tree(world, *((FILE, one, f"{number:03}") for number in range(100)))
    branch = tree(world, *(("40000", leaf, f"{number:02}") for number in range(100)))
    commit(world, tree(world, *(("40000", branch, f"{n}") for n in range(2))))
    began = time.monotonic()

    workspace = await world.prepared()
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(CARD, "Ours")

    assert await world.pushed() == ("a",)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c 'touch {canary}'",
        "--upload-pack=touch {canary}",
        "-oProxyCommand=touch {canary}",
        "ssh://-oProxyCommand=touch{canary}/x",
        "git://127.0.0.1/x",
        "{origin}",
        "file://{origin}",
    ],
)
async def test_case_39_only_http_is_spoken(world: World, url: str) -> None:
    """As the server runs it: not even files of this machine can be cloned."""
    git_ = Git(home=world.root / "home", path=os.environ["PATH"])
    asked = url.format(canary=world.canary, origin=world.origin.path)

    with pytest.raises(GitFailed):
        await git_.run("ls-remote", "--", asked)

    assert not world.canary.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("protocol.file.allow", None),
        ("protocol.allow", "never"),
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("submodule.recurse", "false"),
        ("core.protectHFS", "true"),
        ("core.protectNTFS", "true"),
        ("http.followRedirects", "false"),
        ("credential.helper", ""),
    ],
)
async def test_case_39_settings_of_this_machine_do_not_count(
    world: World, monkeypatch: pytest.MonkeyPatch, setting: str, value: str | None
) -> None:
    mine = world.root / "mine"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text(
        '[protocol]\n\tallow = always\n[protocol "file"]\n\tallow = always\n'
        f"[core]\n\thooksPath = {mine}\n\tfsmonitor = {trap(world)}\n"
        "[credential]\n\thelper = store\n[http]\n\tfollowRedirects = true\n"
    )
    monkeypatch.setenv("HOME", str(mine.parent))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(mine))
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(mine))
    git_ = Git(home=world.root / "home", path=os.environ["PATH"])

    said = (await git_.run("config", "--get", setting, ok=(0, 1))).decode()

    assert said.removesuffix("\n") == (value or "")


async def test_case_39_a_git_without_the_guards_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "git"
    old.write_text(f"#!{sys.executable}\nprint('git version 2.33.8')\n")
    old.chmod(0o755)

    with pytest.raises(SettingsInvalid, match=r"too old .*install 2\.34\+"):
        await Git(home=tmp_path / "home", path=str(tmp_path)).check_version()
