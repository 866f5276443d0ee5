"""``vibeboard doctor``: every broken thing is found, and none of them breaks it."""

import json
import shutil
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.conftest import Terminal
from tests.runner.cells import need_bubblewrap


async def findings(terminal: Terminal, **settings: str) -> tuple[int, dict[str, Any]]:
    said = await terminal.types("doctor", "--json", **settings)
    return said.code, {each["check"]: each for each in json.loads(said.out)}


async def test_a_complete_world_is_all_right(terminal: Terminal) -> None:
    await terminal.types("db", "upgrade")

    code, found = await findings(terminal, public_url="https://vibe.example")

    assert code == 0, found
    assert "/_services/token signs their tokens" in found["github actions"]["seen"]
    of_the_machine = {"claude code", "codex", "sandbox", "run bounds"}
    marks = {found[name]["mark"] for name in found.keys() - of_the_machine}
    assert marks == {"ok"}
    assert found["github app"]["seen"] == "answers as vibeboard[bot]"
    assert "revision" in found["database"]["seen"]


async def test_people_read_a_table_with_the_failures_last(terminal: Terminal) -> None:
    said = await terminal.types("doctor", app_id="77")

    assert said.code == 1
    *_, failed, what_to_do, total = said.out.splitlines()
    assert "fail" in failed + what_to_do
    assert total == "14 checks, 1 failed"
    assert "[bot]" not in said.err


async def test_a_login_in_brackets_is_shown_whole(terminal: Terminal) -> None:
    said = await terminal.types("doctor")

    assert "answers as vibeboard[bot]" in said.out


@pytest.mark.parametrize(
    ("settings", "check", "seen"),
    [
        ({"app_id": ""}, "settings", "VIBEBOARD_APP_ID is not set"),
        ({"app_id": "77"}, "github app", "Integration not found"),
        (
            {"github_api_url": "http://127.0.0.1:1"},
            "github app",
            "GitHub cannot be reached",
        ),
        (
            {
                "public_url": "https://vibe.example",
                "actions_issuer": "http://127.0.0.1:1",
            },
            "github actions",
            "tells of no keys",
        ),
        ({"private_key_file": "/none.pem"}, "private key", "/none.pem"),
        ({"webhook_secret_file": "/none"}, "webhook secret", "/none"),
        ({"claude_path": "/none"}, "claude code", "/none is not there"),
        ({"codex_path": "/none"}, "codex", "/none is not there"),
        ({"database_url": "mysql://x"}, "database", "use sqlite or postgresql"),
        (
            {"database_url": "postgresql://me:secret@127.0.0.1:1/x"},
            "database",
            "Connection refused",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(next(iter(value))),
)
async def test_what_is_broken_is_found(
    terminal: Terminal, settings: dict[str, str], check: str, seen: str
) -> None:
    code, found = await findings(terminal, **settings)

    assert code == 1
    assert found[check]["mark"] == "fail"
    assert seen in found[check]["seen"]
    assert "secret@" not in str(found)


async def test_a_machine_without_git(terminal: Terminal) -> None:
    terminal.variables["PATH"] = "/none"

    code, found = await findings(terminal)

    assert code == 1
    assert found["git"]["mark"] == "fail"
    assert found["git"]["fix"] == "apt-get install git"


async def test_a_full_sandbox_is_what_there_should_be(terminal: Terminal) -> None:
    need_bubblewrap()

    _, found = await findings(terminal)

    assert found["sandbox"]["mark"] == "ok"
    assert found["sandbox"]["seen"] == "bubblewrap"
    assert found["run bounds"]["mark"] in ("ok", "warn")


@pytest.mark.parametrize(
    ("policy", "code", "mark"), [("preferred", 0, "warn"), ("required", 1, "fail")]
)
async def test_a_machine_without_bubblewrap(
    terminal: Terminal, policy: str, code: int, mark: str
) -> None:
    git = terminal.home / "bin" / "git"
    git.parent.mkdir()
    git.symlink_to(str(shutil.which("git")))
    terminal.variables["PATH"] = str(git.parent)

    told, found = await findings(terminal, sandbox=policy)

    assert (told, found["sandbox"]["mark"]) == (code, mark)
    assert "bubblewrap is not installed" in found["sandbox"]["seen"]
    assert found["sandbox"]["fix"].startswith("apt-get install bubblewrap.")


async def test_a_sandbox_that_was_switched_off(terminal: Terminal) -> None:
    code, found = await findings(terminal, sandbox="off")

    assert code == 0
    assert found["sandbox"]["mark"] == "warn"
    assert found["sandbox"]["fix"] == "Unset VIBEBOARD_SANDBOX."


async def test_a_git_that_is_too_old(terminal: Terminal) -> None:
    old = terminal.home / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.33.8\n")
    old.chmod(0o755)
    terminal.variables["PATH"] = f"{old.parent}:{terminal.environment()['PATH']}"

    code, found = await findings(terminal)

    assert code == 1
    assert found["git"]["mark"] == "fail"
    assert "too old (git version 2.33.8): install 2.34+" in found["git"]["seen"]


async def test_a_secret_that_others_can_read(terminal: Terminal) -> None:
    (terminal.home / "secret").chmod(0o644)

    code, found = await findings(terminal)

    assert code == 0
    assert found["webhook secret"]["mark"] == "warn"
    assert found["webhook secret"]["fix"].startswith("chmod 600")


async def test_permissions_that_were_not_granted_are_named(terminal: Terminal) -> None:
    (app,) = terminal.hub.apps.values()
    (installation,) = terminal.hub.installations.values()
    del app.permissions["checks"]
    installation.permissions = dict(app.permissions)

    code, found = await findings(terminal)

    assert code == 1
    assert found["github app"]["mark"] == "fail"
    assert "checks" in found["github app"]["seen"]
    assert "contents" not in found["github app"]["seen"]
    assert "accept them" in found["github app"]["fix"]


async def test_a_database_of_an_earlier_version(
    terminal: Terminal, postgres_url: str
) -> None:
    behind = replace(terminal, database_url=postgres_url)

    code, found = await findings(behind)

    assert code == 0
    assert found["database"]["mark"] == "warn"
    assert found["database"]["fix"] == "vibeboard db upgrade"
