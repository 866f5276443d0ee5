"""The Action's own script: a place of its own, quickly, or a sentence why not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash") or "bash"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script beside a program that needs no packages."""
    (tmp_path / "action").mkdir()
    (tmp_path / "action" / "requirements.lock").touch()
    (tmp_path / "app" / "vibeboard").mkdir(parents=True)
    (tmp_path / "app" / "vibeboard" / "__init__.py").write_text("VERSION = 1\n")
    copied = shutil.copy(ROOT / "action" / "install.sh", tmp_path / "action")
    return Path(copied)


def run(script: Path, path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, script],
        env={
            "PATH": path,
            "HOME": str(script.parent),
            "RUNNER_TEMP": str(script.parent),
        },
        check=False,
        capture_output=True,
        text=True,
    )


def test_it_installs_the_program_and_no_pip(script: Path) -> None:
    ended = run(script, os.environ["PATH"])

    assert ended.returncode == 0, ended.stdout + ended.stderr
    (packages,) = script.parent.glob("vibeboard/lib/python3.*/site-packages")
    assert {entry.name for entry in packages.iterdir()} == {"vibeboard"}

    (packages / "vibeboard" / "__init__.py").write_text("VERSION = 2\n")
    assert run(script, os.environ["PATH"]).returncode == 0
    assert "2" in (packages / "vibeboard" / "__init__.py").read_text()


def test_a_runner_without_python_is_told_what_it_lacks(script: Path) -> None:
    tools = script.parent / "bin"
    tools.mkdir()
    (tools / "dirname").symlink_to(shutil.which("dirname") or "")

    ended = run(script, str(tools))

    assert ended.returncode == 2, ended.stderr
    assert "::error title=Vibeboard::This runner has no Python 3.11" in ended.stdout
    assert "actions/setup-python" in ended.stdout
