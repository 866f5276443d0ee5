"""How the Action installs itself, as far as it can be told without installing."""

import os
import shutil
import subprocess
from pathlib import Path

INSTALL = Path(__file__).parents[2] / "action/install.sh"


def test_a_runner_without_python_is_told_what_to_do(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "bash"):
        found = shutil.which(name)
        assert found is not None
        (programs / name).symlink_to(found)
    old = programs / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as Python 3.10 answers the question
    old.chmod(0o755)

    ended = subprocess.run(
        [INSTALL],
        env={"PATH": str(programs), "RUNNER_TEMP": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "::error title=Vibeboard::This runner has no Python 3.11" in ended.stdout
    assert "actions/setup-python" in ended.stdout


def test_what_cannot_be_installed_fails_with_the_way_out(tmp_path: Path) -> None:
    """A package with another hash than the lock's is one that somebody changed."""
    action = tmp_path / "action"
    shutil.copytree(INSTALL.parent, action)
    (action / "requirements.lock").write_text(
        f"tenacity==9.0.0 \\\n    --hash=sha256:{'0' * 64}\n"
    )
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "tenacity-9.0.0-py3-none-any.whl").write_bytes(b"changed")

    ended = subprocess.run(
        [action / "install.sh"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path / "temp"),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "::error title=Vibeboard::What Vibeboard needs" in ended.stdout
    assert "DO NOT MATCH THE HASHES" in ended.stderr
    assert not (tmp_path / "temp/vibeboard/complete").exists()
