"""Case 37: whatever keeps a push from being taken has a name, and nothing is forced."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import localhub
from localhub import apps, git
from tests.localhub.small_hub import SmallHub, commit, small_hub
from tests.runner import origin
from tests.runner.desks import BRANCH, World
from vibeboard.domain.board import CardKey
from vibeboard.engine.ports import Remote
from vibeboard.errors import GitHubUnavailable, PushRefused
from vibeboard.runner.git import GitFailed


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.origin.has({"README.md": "clock\n"})
    return world


async def test_case_37_a_branch_that_others_changed_is_left_to_them(
    world: World,
) -> None:
    await world.with_a_commit()
    await world.pushed()
    await world.with_another_commit()
    world.origin.ann_goes_to(BRANCH)
    theirs = world.origin.has({"b": "b"}, branch=BRANCH)

    with pytest.raises(PushRefused, match="somebody else pushed"):
        await world.pushed()

    assert world.origin.tip(BRANCH) == theirs


async def test_case_37_a_branch_that_others_rewound_is_not_filled_up_again(
    world: World,
) -> None:
    await world.with_a_commit()
    await world.pushed()
    await world.with_another_commit()
    theirs = world.origin.tip("main")
    origin.git("update-ref", f"refs/heads/{BRANCH}", theirs, cwd=world.origin.path)

    with pytest.raises(PushRefused, match="somebody else pushed"):
        await world.pushed()

    assert world.origin.tip(BRANCH) == theirs


async def test_case_37_a_branch_that_others_deleted_is_not_made_again(
    world: World,
) -> None:
    await world.with_a_commit()
    await world.pushed()
    await world.with_another_commit()
    world.origin.deletes(BRANCH)

    with pytest.raises(PushRefused, match="or deleted it"):
        await world.pushed()

    assert origin.git("branch", "--list", BRANCH, cwd=world.origin.path) == ""


async def test_case_37_a_branch_that_others_made_of_that_name_is_theirs(
    world: World,
) -> None:
    await world.with_a_commit()
    theirs = world.origin.gets(branch=BRANCH)

    with pytest.raises(PushRefused, match="somebody else pushed"):
        await world.pushed()

    assert world.origin.tip(BRANCH) == theirs


async def test_case_37_a_branch_is_only_moved_forwards(world: World) -> None:
    await world.with_a_commit()
    await world.pushed()
    pushed = world.origin.tip(BRANCH)
    await world.with_another_commit()
    ours = f"refs/heads/{BRANCH}"
    main = world.origin.tip("main")
    backwards = origin.git(
        "commit-tree", f"{main}^{{tree}}", "-p", main, "-m", "x", cwd=world.host
    )
    origin.git("update-ref", ours, backwards, cwd=world.host)

    with pytest.raises(GitFailed):
        await world.pushed()

    assert world.origin.tip(BRANCH) == pushed


async def test_case_37_a_base_that_moved_meanwhile_is_no_obstacle(
    world: World,
) -> None:
    change = await world.with_a_commit()
    world.origin.has({"b": "b"})

    assert await world.pushed() == ("a",)
    assert world.origin.tip(BRANCH) == change.commit


# What GitHub says, as far as it is known from its documentation.
PUSH_PROTECTION = """\
error: GH013: Repository rule violations found for refs/heads/vibe/7-fix-the-clock.

- GITHUB PUSH PROTECTION
  -----------------------------------------
    Resolve the following violations before pushing again
    - Push cannot contain secrets"""
RULESET = """\
error: GH013: Repository rule violations found for refs/heads/vibe/7-secrets-detected.
Review all repository rules at https://github.com/acme/clock/rules
- Changes must be made through a pull request."""
SIGNED = """\
error: GH006: Protected branch update failed for refs/heads/vibe/7-fix-the-clock.
error: Commits must have verified signatures."""
TOO_LARGE = """\
error: File a is 123.00 MB; this exceeds GitHub's file size limit of 100.00 MB
error: GH001: Large files detected. You may want to try Git Large File Storage."""
WORKFLOWS = (
    "error: refusing to allow a GitHub App to create or update workflow "
    "`.github/workflows/ci.yml` without `workflows` permission"
)


@pytest.mark.parametrize(
    ("said", "why", "shown"),
    [
        pytest.param(
            PUSH_PROTECTION, "found a secret", "PUSH PROTECTION", id="push protection"
        ),
        pytest.param(
            RULESET, "a rule of the repository", "through a pull request", id="ruleset"
        ),
        pytest.param(SIGNED, "it wants signed commits", "verified", id="signatures"),
        pytest.param(
            TOO_LARGE, "larger than GitHub takes", "123.00 MB", id="too large"
        ),
        pytest.param(
            WORKFLOWS, "may not change GitHub Actions", "ci.yml", id="actions"
        ),
        pytest.param("Not on Fridays", "a hook declined it", "Fridays", id="hook"),
    ],
)
async def test_case_37_a_refusal_is_told_by_its_reason(
    world: World, said: str, why: str, shown: str
) -> None:
    await world.with_a_commit()
    world.origin.hook("pre-receive", f"cat >&2 <<'SAID'\n{said}\nSAID\nexit 1")

    with pytest.raises(PushRefused) as refused:
        await world.pushed()

    assert why in str(refused.value)
    assert shown in str(refused.value)


async def test_case_37_what_a_hook_says_has_no_effect_where_it_is_shown(
    world: World,
) -> None:
    await world.with_a_commit()
    world.origin.hook("pre-receive", "echo 'File @acme/all`<img>.bin' >&2; exit 1")

    with pytest.raises(PushRefused, match=r"\(`` File @acme/all`<img>\.bin ``\)"):
        await world.pushed()


# The hook's side of gitprotocol: every ref is refused with a reason of its own.
REFUSING = """\
import sys
def read():
    lines = []
    while size := int(sys.stdin.buffer.read(4), 16):
        lines.append(sys.stdin.buffer.read(size - 4))
    return lines
def write(text):
    data = text.encode()
    sys.stdout.write(f"{len(data) + 4:04x}{text}0000")
    sys.stdout.flush()
read()
write("version=1")
(command,) = read()
write(f"ng {command.split()[2].decode()} Internal Server Error")
"""


async def test_case_37_a_remote_in_trouble_is_tried_again(world: World) -> None:
    await world.with_a_commit()
    origin.git("config", "receive.procReceiveRefs", "refs", cwd=world.origin.path)
    world.origin.hook("proc-receive", REFUSING, shell=sys.executable)

    with pytest.raises(GitHubUnavailable, match="Internal Server Error"):
        await world.pushed()

    origin.git(
        "config", "--unset-all", "receive.procReceiveRefs", cwd=world.origin.path
    )
    assert await world.pushed() == ("a",)


async def test_case_37_a_push_that_is_too_much_for_the_remote(world: World) -> None:
    await world.with_a_commit()
    origin.git("config", "receive.maxInputSize", "10", cwd=world.origin.path)

    with pytest.raises(PushRefused, match="larger than GitHub takes"):
        await world.pushed()


@pytest.mark.parametrize("name", ["gnutls", "SSL_early-eof", "connection-refused"])
async def test_case_37_a_name_is_not_taken_for_trouble(
    tmp_path: Path, name: str
) -> None:
    world = World(tmp_path / name)
    world.origin.has({"README.md": "clock\n"})
    await world.with_a_commit()
    world.origin.hook("pre-receive", "echo 'operation timed out' >&2; exit 1")

    with pytest.raises(PushRefused, match="a hook declined it"):
        await world.pushed()


# --- Against the local GitHub, over HTTP --------------------------------------------


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[SmallHub, Remote]]:
    small = small_hub(tmp_path / "hub")
    running = await localhub.start(small.hub)

    async def token() -> str:
        (installation,) = small.hub.installations.values()
        return apps.issue_token(small.hub, installation).value

    yield small, Remote(f"{running.url}/acme/cart.git", token)
    await running.close()


async def test_case_37_on_github_a_protected_branch_stays_and_the_work_is_kept(
    world: World, hub: tuple[SmallHub, Remote]
) -> None:
    small, remote = hub
    card = CardKey("acme/cart", 1)
    at = {"remote": remote, "branch": "vibe/1", "default_branch": "main"}
    tree = (await world.workspaces.prepare(card, **at)).tree  # type: ignore[arg-type]  # a test's own values
    (tree / "a").write_text("a")
    change = await world.workspaces.commit(card, "Ours")
    git.protect(small.repository.git_dir, "refs/heads/vibe/*")

    with pytest.raises(PushRefused, match="the branch is protected"):
        await world.workspaces.push(card, remote)

    assert change is not None
    assert git.resolve(small.repository.git_dir, "refs/heads/vibe/1") is None
    again = await world.workspaces.prepare(card, **at)  # type: ignore[arg-type]  # as above
    assert again.base == change.commit
    (small.repository.git_dir / "protected").unlink()
    assert await world.workspaces.push(card, remote) == change


async def test_case_37_on_github_nothing_is_ever_forced(
    world: World, hub: tuple[SmallHub, Remote]
) -> None:
    small, remote = hub
    card = CardKey("acme/cart", 1)
    branch = "vibe/1-fix-the-rounding"
    workspace = await world.workspaces.prepare(
        card, remote=remote, branch=branch, default_branch="main"
    )
    (workspace.tree / "a").write_text("a")
    await world.workspaces.commit(card, "Ours")
    theirs = commit(
        small.repository,
        small.clock,
        "Theirs",
        {"new.py": "theirs\n"},
        branch,
        parent=git.resolve(small.repository.git_dir, "refs/heads/main"),
    )

    with pytest.raises(PushRefused, match="somebody else pushed"):
        await world.workspaces.push(card, remote)

    assert git.resolve(small.repository.git_dir, f"refs/heads/{branch}") == theirs
    assert not [told for told in small.said("push") if told["forced"]]
