"""Which agents are found on a machine, and what is said of them."""

from pathlib import Path

import pytest

from vibeboard.domain.workflow import Cli
from vibeboard.runner.agents.installed import (
    Health,
    Installed,
    Program,
    look_around,
)
from vibeboard.runner.environment import Environment

AGENT = Program("An agent", Cli.ACP, "agent", "npm i agent@1.2.3", ("1.2.",), ("asks",))
WITH_KEY = Program("A paid one", Cli.ACP, "agent", "", ("1.2.",), (), key="a_key_file")


async def look(
    tmp_path: Path, script: str | None, *keys: str, program: Program = AGENT
) -> Installed:
    if script is not None:
        path = tmp_path / "agent"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    (found,) = await look_around(
        Environment(f"{tmp_path}:/usr/bin:/bin"),
        tmp_path / "home",
        chosen={},
        keys=keys,
        programs=[program],
    )
    return found


@pytest.mark.parametrize(
    ("script", "health", "version", "hint"),
    [
        (None, Health.MISSING, "", "npm i agent@1.2.3"),
        ("echo agent 1.2.9 '(beta)'", Health.READY, "1.2.9", ""),
        ("echo v1.20.0", Health.UNTRIED, "1.20.0", "Tried was 1.2.x"),
        ("exit 1", Health.BROKEN, "", "install it anew: npm i agent@1.2.3"),
        ("echo 1.2.3; exit 9", Health.BROKEN, "", "says nothing"),
    ],
)
async def test_a_program_is_asked_for_its_version(
    tmp_path: Path, script: str | None, health: Health, version: str, hint: str
) -> None:
    found = await look(tmp_path, script)

    assert (found.health, found.version) == (health, version)
    assert hint in found.hint
    assert (found.path is None) == (script is None)


async def test_one_that_needs_a_key_is_ready_with_it(tmp_path: Path) -> None:
    without = await look(tmp_path, "echo 1.2.3", program=WITH_KEY)
    with_it = await look(tmp_path, "echo 1.2.3", "a_key_file", program=WITH_KEY)

    assert without.health is Health.NO_KEY
    assert without.hint == "Set VIBEBOARD_A_KEY_FILE."
    assert with_it.health is Health.READY
