"""Previews without a server: a pull request's change is built, published, shown.

`act` runs the workflow that we ship, filled in as its reader would. GitHub's own
actions for files are played by a few lines of shell.
"""

import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from ruamel.yaml import YAML

from localhub import dispatches, issues
from localhub.state import PullRequest, WorkflowRun
from tests.action.composite import (
    ROOT,
    ended,
    has_an_agent,
    the_action,
    workflow,
)
from tests.action.workbench import Workbench, open_workbench
from tests.journeys.on_actions import log_of

pytestmark = [pytest.mark.processes, pytest.mark.thorough]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[str]:
    """A web server for previews."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = web.Application()
    server.router.add_static("/", folder)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port, *_ = runner.addresses[0]
    yield f"http://{host}:{port}"
    await runner.cleanup()


@pytest.fixture
async def bench(
    tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Workbench]:
    has_an_agent(tmp_path, monkeypatch)
    made = await open_workbench(
        tmp_path,
        {
            ".github/workflows/agent.yml": workflow(tmp_path, tmp_path / "canary"),
            ".github/workflows/preview.yml": filled_in(tmp_path, site),
        },
        {**the_action(tmp_path), **githubs_own(tmp_path)},
    )
    yield made
    await made.running.close()


def filled_in(home: Path, address: str) -> str:
    """The workflow, with the steps that are its reader's."""
    place = f'"{home}/site/$NUMBER"'
    yours = {
        "Build": "mkdir dist && cp tock.py dist/index.html",
        "Publish": f"mkdir -p {place} && cp -rT dist {place}\n"
        f'echo "url={address}/$NUMBER/index.html" >> "$GITHUB_OUTPUT"',
        "Take down": f"rm -r {place}",
    }
    yaml = YAML(typ="safe", pure=True)
    text = yaml.load(workflow(home, home / "canary", "preview.yml"))
    for job in text["jobs"].values():
        for step in job["steps"]:
            step["run"] = yours.pop(step["name"], step.get("run"))
            if step["run"] is None:
                del step["run"]
    assert not yours
    return json.dumps(text)


def githubs_own(home: Path) -> Mapping[str, Path]:
    """Stand-ins for the actions by which jobs come to files and hand them on."""
    shelf = home / "artifacts"
    scripts = {
        "checkout": CHECK_OUT,
        "upload-artifact": f'mkdir -p "{shelf}" && cp -rT "$PATHS" "{shelf}/$NAME"',
        "download-artifact": f'cp -rT "{shelf}/$NAME" "$PATHS"',
    }
    used = (ROOT / "workflows/preview.yml").read_text()
    found = {}
    for name, script in scripts.items():
        folder = home / name
        folder.mkdir()
        (folder / "action.yml").write_text(STAND_IN.format(name=name, script=script))
        pin = re.search(rf"actions/{name}@[0-9a-f]{{40}}", used)
        assert pin is not None
        found[pin[0]] = folder
    return found


CHECK_OUT = """
        git init --quiet
        git fetch --quiet "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY.git" "+refs/*:refs/*"
        git checkout --quiet --force "$REF"
"""
STAND_IN = """\
name: {name}
inputs:
  ref: {{default: ""}}
  name: {{default: ""}}
  path: {{default: ""}}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        REF: ${{{{ inputs.ref }}}}
        NAME: ${{{{ inputs.name }}}}
        PATHS: ${{{{ inputs.path }}}}
      run: |
        {script}
"""


async def test_a_change_is_published_shown_and_taken_down(bench: Workbench) -> None:
    issue = bench.issue("Add a tock", "write tock.py TICK = 2", "summary Done.")
    bench.said(issue, "/agent develop")
    (worked,) = bench.repository.workflow_runs
    await ended(worked)
    (pull,) = bench.pulls

    published = start(bench, pull)
    await ended(published)

    assert published.latest.conclusion == "success", log_of(published)
    (deployment,) = bench.repository.deployments
    assert (deployment.environment, deployment.sha) == (
        f"preview/pr-{pull.number}",
        pull.head_sha,
    )
    url = deployment.statuses[-1].environment_url
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (await answer.text()).strip() == "TICK = 2"
    link = f"[preview/pr-{pull.number}]({url})"
    (shown,) = bench.replies(issue)
    assert f"Preview: {link} of `" in shown, log_of(published)
    assert f"**Preview:** {link}" in (pull.body or "")

    issues.close(bench.hub, pull, actor=bench.user("alice"))
    removed = bench.repository.workflow_runs[-1]
    await ended(removed)

    assert removed.latest.conclusion == "success", log_of(removed)
    assert deployment.statuses[-1].state == "inactive"
    assert not (bench.home / "site" / str(pull.number)).exists()
    (shown,) = bench.replies(issue)
    assert "Preview" not in shown + (pull.body or ""), log_of(removed)
    shutil.rmtree(bench.home / "artifacts")


def start(bench: Workbench, pull: PullRequest) -> WorkflowRun:
    """Somebody starts the workflow by hand on the pull request's branch."""
    asked = {"ref": pull.head_ref, "inputs": {"pull-request": pull.number}}
    return dispatches.dispatch(
        bench.hub,
        bench.repository,
        "preview.yml",
        asked,
        actor=bench.user("alice"),
    )
