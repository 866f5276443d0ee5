"""Commands that need no GitHub: their words and exit codes, from a real process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Said
from tests.journeys.world import config
from vibeboard import __version__

COMMANDS = [
    "demo", "serve", "worker", "check", "run", "replay", "doctor", "agents", "schema"
]  # fmt: skip


def typed(*arguments: str, **environment: str) -> Said:
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "vibeboard", *arguments],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Said(ended.returncode, ended.stdout, ended.stderr)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".vibe.yml"


def test_the_version_is_told() -> None:
    assert typed("--version").out == f"vibeboard {__version__}\n"


def test_help_names_every_command_and_exit_code() -> None:
    said = typed("--help")

    assert said.code == 0
    assert "Turns a GitHub Projects board into a workflow for coding agents" in said.out
    assert [name for name in [*COMMANDS, "db"] if name not in said.out] == []
    assert "Exit codes: 0 done, 1 the answer is no, 2 wrong settings" in said.out


def test_nothing_typed_shows_the_help() -> None:
    said = typed()

    assert said.code == 2
    assert "demo" in said.out + said.err


def test_an_unknown_command_is_named() -> None:
    said = typed("sevre")

    assert said.code == 2
    assert "sevre" in said.err


def test_the_schema_is_json_schema_of_the_file() -> None:
    schema = json.loads(typed("schema").out)

    assert schema["$schema"].startswith("https://json-schema.org/")
    assert {"stages", "agents", "tests", "board"} <= set(schema["properties"])


def test_agents_are_shown_without_a_server() -> None:
    said = typed("agents", "--json")

    found = {each["agent"]: each for each in json.loads(said.out)}
    assert said.code == 1  # none has a key here
    assert found["Claude Code"]["health"] == "no key"
    assert found["Claude Code"]["version"].startswith("2.1.")
    assert found["Codex"]["cli"] == "codex"
    assert found["Gemini CLI"]["install"].startswith("npm install --global")


def test_a_good_file_is_shown_with_its_meaning(file: Path) -> None:
    file.write_text(config())

    said = typed("check", str(file), "--owner", "acme")

    assert said.code == 0
    assert "develop" in said.out
    assert "Development" in said.out
    assert "Review" in said.out


def test_faults_are_told_with_line_and_column(file: Path) -> None:
    file.write_text(
        "version: 1\nboard: {project: 1}\nstages:\n  develop: {colum: Code}\n"
    )

    said = typed("check", str(file))

    assert said.code == 1
    assert said.out == ""
    assert f"{file}:4:13: " in said.err
    assert "colum" in said.err


def test_a_program_reads_faults_as_json(file: Path) -> None:
    file.write_text("version: 2\n")

    said = typed("check", str(file), "--json")

    assert said.code == 1
    answer = json.loads(said.out)
    assert answer["valid"] is False
    assert answer["faults"][0]["line"] == 1
    assert answer["faults"][0]["path"] == str(file)


def test_a_program_reads_the_stages_as_json(file: Path) -> None:
    file.write_text(config())

    said = typed("check", str(file), "--json")

    assert said.code == 0
    assert json.loads(said.out) == {"valid": True, "stages": ["refine", "develop"]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(None, "No such file", id="no file"),
        pytest.param(b"\xff\xfe\x00", "cannot read", id="no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_no_answer(
    file: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        file.write_bytes(content)

    said = typed("check", str(file))

    assert said.code == 2
    assert reason in said.err


def test_serving_without_settings_names_all_that_are_missing() -> None:
    said = typed("serve")

    assert said.code == 2
    for name in ("APP_ID", "PRIVATE_KEY_FILE", "WEBHOOK_SECRET_FILE"):
        assert f"VIBEBOARD_{name} is not set. The " in said.err


def test_a_mistyped_setting_is_told_with_the_nearest() -> None:
    said = typed("serve", VIBEBOARD_WEBHOOK_SECRET="x", VIBEBOARD_PORTT="1")

    assert said.code == 2
    assert "Did you mean VIBEBOARD_WEBHOOK_SECRET_FILE?" in said.err
    assert "VIBEBOARD_PORTT is not a setting. Did you mean VIBEBOARD_PORT?" in said.err
