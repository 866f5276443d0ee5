"""Temporary folders are gone when their process is."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from vibeboard.runner import environment
from vibeboard.runner.environment import Environment, sweep


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """The number of a process that has ended; temporary folders are here."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def test_a_childs_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with Environment("/usr/bin").open(tmp_path / "home", {"OWN": "x"}) as env:
        folder = Path(env["TMPDIR"])
        assert folder.stat().st_mode & 0o077 == 0
        assert set(env) == {"PATH", "HOME", "LANG", "TMPDIR", "OWN"}

    assert not folder.exists()


def test_what_killed_processes_left_is_swept_away_and_nothing_else(
    tmp_path: Path, gone: int
) -> None:
    names = [f"vibeboard-{gone}-a", f"vibeboard-{os.getpid()}-b", "vibeboard-demo"]
    for name in names:
        (tmp_path / name).mkdir()

    sweep()

    assert {each.name for each in tmp_path.iterdir()} == set(names[1:])


def test_two_who_sweep_at_once_are_not_in_each_others_way(
    tmp_path: Path, gone: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        (tmp_path / f"vibeboard-{gone}-{name}").mkdir()
    swept = []

    def erased_by_both(folder: Path) -> None:
        swept.append(folder)
        for each in tmp_path.iterdir():
            each.rmdir()

    monkeypatch.setattr(environment, "erase", erased_by_both)

    sweep()

    assert len(swept) == 1
    assert list(tmp_path.iterdir()) == []
