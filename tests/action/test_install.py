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


def run(script: Path, path: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BASH, script],
        env={
            "PATH": path,
            "HOME": str(script.parent),
            "RUNNER_TEMP": str(script.parent),
            **settings,
        },
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.thorough
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
    old = tools / "python3"
    old.write_text(f"#!{BASH}\nexit 1\n")  # as Python 3.10 answers the question
    old.chmod(0o755)

    ended = run(script, str(tools))

    assert ended.returncode == 2, ended.stderr
    assert "::error title=Vibeboard::This runner has no Python 3.11" in ended.stdout
    assert "actions/setup-python" in ended.stdout


def test_a_package_that_somebody_changed_is_not_installed(script: Path) -> None:
    (script.parent / "requirements.lock").write_text(
        f"tenacity==9.0.0 \\\n    --hash=sha256:{'0' * 64}\n"
    )
    wheels = script.parent / "wheels"
    wheels.mkdir()
    (wheels / "tenacity-9.0.0-py3-none-any.whl").write_bytes(b"changed")

    ended = run(
        script, os.environ["PATH"], PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels)
    )

    assert ended.returncode == 2, ended.stderr
    assert "::error title=Vibeboard::What Vibeboard needs" in ended.stdout
    assert "DO NOT MATCH THE HASHES" in ended.stderr
    assert not (script.parent / "vibeboard/complete").exists()
