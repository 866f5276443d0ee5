"""The first program in a cell, without a cell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vibeboard.runner.process import LEASH as HOLDER
from vibeboard.runner.sandbox import inside

LEASH = f"""\
import os, sys
os.dup2(int(sys.argv[1]), {inside.ALIVE})
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize("code", [0, 128 + 9])
def test_a_cell_whose_leash_died_while_it_was_made_runs_nothing(
    tmp_path: Path, code: int
) -> None:
    hears, says = os.pipe()
    if code:
        os.close(says)

    ended = subprocess.run(
        [
            *(sys.executable, "-c", LEASH, str(hears)),
            *(sys.executable, "-I", "-S", inside.__file__, "--", "touch", "made"),
        ],
        cwd=tmp_path,
        pass_fds=(hears,),
        check=False,
    )

    os.close(hears)
    if not code:
        os.close(says)
    assert ended.returncode == code
    assert (tmp_path / "made").exists() is not bool(code)


def test_what_an_agent_waits_for_imports_little() -> None:
    python = (sys.executable, "-I", "-S", "-X", "importtime")
    held = (f"--parent={os.getpid()}", "--grace=0", "--processes=99", "--deaf=1")

    ended = subprocess.run(
        [*python, HOLDER, *held, "--", *python, inside.__file__, "--", "true"],
        check=True,
        capture_output=True,
        text=True,
    )

    imported = [line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()]
    assert imported.count("_signal") == 2, "of the leash, and of what is inside"
    slow = {"contextlib", "enum", "pathlib", "re", "socket", "threading", "typing"}
    assert not slow & set(imported)
