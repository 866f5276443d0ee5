"""`vibeboard init`: what it writes, where, and what it leaves alone."""

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Said, Terminal
from tests.repo.tracked import ROOT
from vibeboard import __version__
from vibeboard.cli.init import starter
from vibeboard.cli.init.checkout import Checkout, Origin, origin_of
from vibeboard.cli.init.command import Wish, installed_from, run_init
from vibeboard.cli.init.starter import Pin
from vibeboard.config.loader import load
from vibeboard.config.schema import json_schema
from vibeboard.domain.workflow import Runner
from vibeboard.engine.ports import Remote
from vibeboard.errors import SettingsInvalid, UserError
from vibeboard.runner.git import Git
from vibeboard.settings import person_token, search_path

COMMIT = "c0ffee" * 6 + "c0ff"
PIN = Pin("acme/vibeboard", COMMIT, "1.2.3")
SHIPPED = {path.name: path.read_text() for path in (ROOT / "workflows").glob("*.yml")}


# --- What is written ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "command"),
    [
        pytest.param({}, None, id="nothing that tells of tests"),
        pytest.param({"pyproject.toml": "[project]"}, None, id="no word of pytest"),
        pytest.param(
            {"pyproject.toml": "[tool.pytest.ini_options]"},
            "pytest --junitxml=out/unit.xml",
            id="pytest",
        ),
        pytest.param(
            {"package.json": '{"devDependencies": {"vitest": "4"}}'},
            "npx vitest run --reporter=junit --outputFile=out/unit.xml",
            id="vitest",
        ),
        pytest.param(
            {"go.mod": "module acme.example/clock"},
            "gotestsum --junitfile out/unit.xml",
            id="go",
        ),
    ],
)
def test_the_tests_are_guessed(files: dict[str, str], command: str | None) -> None:
    text = starter.vibe_yml(board="7", column="Doing", files=files, actions=False)

    workflow = load(text, owner="acme")
    stage = workflow.stages["develop"]
    assert [suite.run for suite in workflow.suites.values()] == (
        [command] if command else []
    )
    assert len(stage.tests) == len(workflow.suites)
    assert stage.column == "Doing"


def test_without_a_board_commands_start_the_stage() -> None:
    text = starter.vibe_yml(board="", column="Doing", files={}, actions=False)

    workflow = load(text, owner="acme")
    assert workflow.board is None
    assert workflow.stages["develop"].column is None


def test_editors_find_the_schema() -> None:
    text = starter.vibe_yml(board="", column="", files={}, actions=False)

    assert text.startswith(f"# yaml-language-server: $schema={starter.SCHEMA}\n")
    assert json.loads(starter.schema()) == json_schema()


@pytest.mark.parametrize("board", ["seven", "acme/", "7}", "0", "a/b/7"])
def test_a_board_that_is_none(board: str) -> None:
    with pytest.raises(UserError, match="OWNER/NUMBER"):
        starter.vibe_yml(board=board, column="Doing", files={}, actions=False)


@pytest.mark.parametrize(
    "text",
    ["acme/vibeboard", "acme/vibeboard@main", f"vibeboard@{COMMIT}", f"a/b@{COMMIT}0"],
)
def test_only_a_commit_pins(text: str) -> None:
    with pytest.raises(UserError, match="40 hexadecimal digits"):
        Pin.parse(text, "1.2.3")


@pytest.mark.parametrize(
    "address",
    [
        "vibe.example",
        "http://vibe.example",
        "https://a b",
        "https://x' || '",
        "ftp://x",
    ],
)
def test_a_server_that_nobody_reaches_safely(address: str) -> None:
    with pytest.raises(UserError, match="where GitHub's runners reach"):
        starter.server_address(address)


def test_a_servers_address_is_written_as_it_posts_it() -> None:
    assert starter.server_address("https://vibe.example/") == "https://vibe.example"
    assert starter.server_address("http://127.0.0.1:80") == "http://127.0.0.1:80"


@pytest.mark.parametrize("server", ["", "https://vibe.example"])
def test_workflows_are_filled_in(server: str) -> None:
    made = starter.workflows(SHIPPED, PIN, server=server, previews=False)

    whole = "".join(made.values())
    assert f"uses: acme/vibeboard/action@{COMMIT} # v1.2.3\n" in whole
    assert [word for word in ("OWNER", "0000", ">>>", "<<<") if word in whole] == []
    assert ("VIBEBOARD_SERVER ==" in whole) == (not server)
    assert ("issue_comment:" in whole) == (not server)
    assert ("id-token" in whole) == bool(server)


# --- Where it is written ------------------------------------------------------------


def git(at: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", at, *arguments],
        env={"PATH": search_path(), "HOME": str(at.parent)},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout in which somebody is at work."""
    root = tmp_path / "clock"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "config", "user.name", "Alice")
    git(root, "config", "user.email", "alice@clock.example")
    git(root, "config", "commit.gpgSign", "true")
    (root / "clock.py").write_text("1\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--no-gpg-sign", "--message=Begin")
    (root / "clock.py").write_text("2\n")
    (root / "staged.py").write_text("3\n")
    git(root, "add", "staged.py")
    hook = root / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\n")
    hook.chmod(0o755)
    return Checkout.around(Git(home=tmp_path / "home", path=search_path()), root)


FILES = {".vibe.yml": "version: 1\n", ".github/workflows/agent.yml": "on: push\n"}


async def test_the_commit_is_on_a_branch_of_its_own(checkout: Checkout) -> None:
    before = git(checkout.root, "status", "--short", "--branch").splitlines()[1:]

    made = await checkout.commit(FILES, branch="configure", message="Configure")

    root = checkout.root
    assert git(root, "symbolic-ref", "--short", "HEAD") == "configure"
    assert git(root, "show", "--no-patch", "--format=%H %an", "HEAD") == (
        f"{made.commit} Alice"
    )
    changed = git(root, "diff", "--name-only", "main", "configure").splitlines()
    assert sorted(changed) == sorted(FILES)
    assert git(root, "status", "--short", "--branch").splitlines()[1:] == before
    assert not (root / "ran").exists()


async def test_the_same_again_changes_nothing(checkout: Checkout) -> None:
    first = await checkout.commit(FILES, branch="configure", message="Configure")

    second = await checkout.commit(FILES, branch="configure", message="Configure")

    assert (second.commit, second.paths) == (first.commit, ())


async def test_somebody_elses_branch_is_left_alone(checkout: Checkout) -> None:
    git(checkout.root, "branch", "configure")

    with pytest.raises(UserError, match="--branch"):
        await checkout.commit(FILES, branch="configure", message="Configure")

    assert not (checkout.root / ".vibe.yml").exists()


async def test_a_commit_needs_somebody_who_makes_it(
    checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(checkout.root, "config", "--unset", "user.name")
    git(checkout.root, "config", "--unset", "user.email")
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(UserError, match="does not know who you are"):
        await checkout.commit(FILES, branch="configure", message="Configure")


def test_what_is_in_the_way(checkout: Checkout) -> None:
    root = checkout.root
    (root / ".vibe.yml").write_text("mine: 1\n")
    (root / ".github").write_text("a file\n")

    assert checkout.in_the_way(FILES) == [".vibe.yml", ".github"]
    assert checkout.in_the_way({".vibe.yml": "mine: 1\n", "new.yml": ""}) == []


def test_no_checkout_at_all(tmp_path: Path) -> None:
    git_here = Git(home=tmp_path, path=search_path())

    with pytest.raises(UserError, match="no checkout of git"):
        Checkout.around(git_here, Path("/proc"))


@pytest.mark.parametrize(
    ("url", "web", "api"),
    [
        (
            "git@github.com:acme/clock.git",
            "https://github.com",
            "https://api.github.com",
        ),
        (
            "https://github.com/acme/clock",
            "https://github.com",
            "https://api.github.com",
        ),
        (
            "ssh://git@ghe.acme.example:22/acme/clock.git",
            "https://ghe.acme.example",
            "https://ghe.acme.example/api/v3",
        ),
        (
            "https://token@acme.ghe.com/acme/clock.git/",
            "https://acme.ghe.com",
            "https://api.acme.ghe.com",
        ),
        (
            "http://127.0.0.1:80/acme/clock.git",
            "http://127.0.0.1:80",
            "http://127.0.0.1:80/api/v3",
        ),
    ],
)
def test_remotes_are_understood(url: str, web: str, api: str) -> None:
    found = origin_of(url)

    assert found == Origin(web, "acme/clock")
    assert found.api_url == api


@pytest.mark.parametrize("url", ["", "../clock.git", "file:///srv/clock.git", "x"])
def test_what_is_no_github(url: str) -> None:
    assert origin_of(url) is None


def test_a_token_goes_to_no_other_machine() -> None:
    both = {"GH_TOKEN": "for-github", "GH_ENTERPRISE_TOKEN": "for-ours"}

    assert person_token("github.com", both) == "for-github"
    assert person_token("ghe.acme.example", both) == "for-ours"
    with pytest.raises(SettingsInvalid, match="GH_ENTERPRISE_TOKEN"):
        person_token("ghe.acme.example", {"GH_TOKEN": "for-github"})


# --- Which commit the workflows use -------------------------------------------------


async def test_an_installation_from_git_knows_its_commit(tmp_path: Path) -> None:
    said = {
        "url": "https://github.com/acme/vibeboard.git",
        "vcs_info": {"vcs": "git", "commit_id": COMMIT},
    }
    home = Git(home=tmp_path, path=search_path())

    found = await installed_from(home, json.dumps(said))

    assert found == (Origin("https://github.com", "acme/vibeboard"), COMMIT)
    assert await installed_from(home, "{}") is None


async def test_a_checkout_knows_a_commit_that_others_have(
    checkout: Checkout, tmp_path: Path
) -> None:
    root = checkout.root
    home = Git(home=tmp_path / "home", path=search_path())
    said = json.dumps({"url": f"file://{root}", "dir_info": {"editable": True}})
    git(root, "remote", "add", "origin", "git@github.com:acme/vibeboard.git")

    before = await installed_from(home, said)
    git(root, "update-ref", "refs/remotes/origin/main", "HEAD")
    after = await installed_from(home, said)

    assert before is None
    assert after == (
        Origin("https://github.com", "acme/vibeboard"),
        git(root, "rev-parse", "HEAD"),
    )


# --- The whole command --------------------------------------------------------------


def wish(checkout: Checkout, **more: object) -> Wish:
    plain = Wish(
        directory=checkout.root,
        board="",
        column="Doing",
        actions=False,
        previews=False,
        action="",
        server="",
        branch=starter.BRANCH,
        propose=False,
        force=False,
    )
    return replace(plain, **more)  # type: ignore[arg-type] # tests name fields


def test_nothing_of_the_persons_is_overwritten(checkout: Checkout) -> None:
    mine = checkout.root / ".vibe.yml"
    mine.write_text("mine: 1\n")

    with pytest.raises(UserError, match=r"\.vibe\.yml\. Nothing was written.*--force"):
        run_init(wish(checkout))

    assert mine.read_text() == "mine: 1\n"
    assert git(checkout.root, "branch", "--list", starter.BRANCH) == ""


def test_it_says_what_to_do_next(
    checkout: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout.root / ".vibe.yml").write_text("mine: 1\n")
    git(checkout.root, "remote", "add", "origin", "git@github.com:acme/clock.git")

    run_init(wish(checkout, force=True))

    said = capsys.readouterr().out
    assert f"git push --set-upstream origin {starter.BRANCH}\n" in said
    assert f"https://github.com/acme/clock/pull/new/{starter.BRANCH}\n" in said
    assert load((checkout.root / ".vibe.yml").read_text(), owner="acme").stages


@pytest.mark.parametrize(
    ("server", "runner"), [("", Runner.OWN), ("https://vibe.example", Runner.ACTIONS)]
)
def test_the_settings_name_the_server(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, server: str, runner: Runner
) -> None:
    monkeypatch.setenv("VIBEBOARD_PUBLIC_URL", server)

    run_init(
        wish(checkout, actions=True, previews=True, action=f"acme/vibeboard@{COMMIT}")
    )

    root = checkout.root
    stages = load((root / ".vibe.yml").read_text(), owner="acme").stages
    agent = (root / ".github" / "workflows" / "agent.yml").read_text()
    assert stages["develop"].runner is runner
    assert (f"'{server}' == inputs.server" in agent) == bool(server)
    assert (root / ".github/workflows/review-loop.yml").exists() == (not server)
    previews = (root / ".github/workflows/preview.yml").read_text()
    assert previews.count(f"acme/vibeboard/action/preview@{COMMIT} # v") == 2
    assert previews.startswith("# Written by")
    assert (f"acme/vibeboard/action@{COMMIT}" in previews) == (not server)
    assert "OWNER/REPO" not in previews


def test_nobody_is_there_to_open_a_pull_request(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GH_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(UserError, match="git remote add origin"):
        run_init(wish(checkout, propose=True))
    git(checkout.root, "remote", "add", "origin", "git@github.com:acme/clock.git")
    with pytest.raises(SettingsInvalid, match="set GH_TOKEN"):
        run_init(wish(checkout, propose=True))

    assert not (checkout.root / ".vibe.yml").exists()


async def test_commits_of_the_persons_own_are_seen(
    checkout: Checkout, tmp_path: Path
) -> None:
    async def credential() -> str:
        return ""

    root, there = checkout.root, tmp_path / "there.git"
    git(root, "clone", "--quiet", "--bare", str(root), str(there))
    home = Git(home=tmp_path / "home", path=search_path(), local_remotes=True)
    here = Checkout.around(home, root)
    remote = Remote(str(there), credential, "main")

    assert await here.is_new_over(remote)
    git(root, "commit", "--quiet", "--no-gpg-sign", "--message=Mine")
    assert not await here.is_new_over(remote)


@pytest.mark.thorough
async def test_it_opens_pull_requests(terminal: Terminal) -> None:
    root = terminal.home / "clock"
    address = f"{terminal.hub.url}/acme/clock.git"
    await asyncio.to_thread(git, terminal.home, "clone", "--quiet", address, str(root))
    names = "[user]\nname = Alice\nemail = alice@clock.example\n"
    (terminal.home / ".gitconfig").write_text(names)
    action = f"--action=acme/vibeboard@{COMMIT}"

    async def init(*more: str, **settings: str) -> Said:
        return await terminal.types("init", str(root), "--pr", *more, **settings)

    as_app = await init("--force", "--board=1", "--column=Development")
    git(root, "switch", "--quiet", "main")
    refused = await init("--force", "--actions", action, "--branch=flows")
    terminal.variables["GH_ENTERPRISE_TOKEN"] = "alice-token"
    as_alice = await init("--actions", action, "--branch=flows", app_id="")

    assert (as_app.code, as_alice.code) == (0, 0), as_app.err + as_alice.err
    assert refused.code == 2
    assert "without `workflows` permission" in refused.err
    assert "git push --set-upstream origin flows" in refused.err

    first, second = terminal.pulls
    assert f"Pull request #{first.number}: " in as_app.out
    assert (first.user.login, second.user.login) == ("vibeboard[bot]", "alice")
    assert not first.draft
    assert {".vibe.yml", ".vibe/schema.json"} <= terminal.files(first.head_ref)
    assert ".github/workflows/agent.yml" not in terminal.files(first.head_ref)
    assert ".github/workflows/agent.yml" in terminal.files(second.head_ref)
    assert "secret `ANTHROPIC_API_KEY`" in (second.body or "")
    assert __version__ in git(root, "show", "flows:.github/workflows/agent.yml")
    assert "alice-token" not in as_alice.out + as_alice.err
