"""The workflows that users copy, and the action, keep their own rules."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from tests.repo import official
from tests.repo.tracked import ROOT
from vibeboard.cli.init import starter
from vibeboard.cli.init.starter import Pin
from vibeboard.domain.workflow import Cli
from vibeboard.runner.agents.installed import PROGRAMS

ACTION = ROOT / "action" / "action.yml"
PREVIEW = ROOT / "action" / "preview" / "action.yml"
OURS = "OWNER/REPO/action"
BASH = shutil.which("bash") or "bash"
FILES = sorted((ROOT / "workflows").glob("*.yml"))
_PINNED = re.compile(
    r"uses: (?P<name>[\w.-]+/[\w.-]+(?:/[\w./-]+)?)@(?P<commit>[0-9a-f]{40})"
    r" # v(?:\d+\.\d+\.\d+|X\.Y\.Z)"
)
_GRANTED = re.compile(r"^ +[a-z-]+: (?:read|write)(?P<why> # \w.*)?$", re.MULTILINE)
# GitHub runs these with keys on what strangers wrote or built.
_DANGEROUS = {"pull_request_target", "workflow_run"}
_STANDALONE = {
    "contents": "write",
    "issues": "write",
    "pull-requests": "write",
    "checks": "write",
    "actions": "read",
    "statuses": "read",
    "deployments": "read",
}
_RIGHTS = {
    "agent:served": {"id-token": "write"},
    "agent:refused": {},
    "agent:alone": _STANDALONE,
    "reusable:alone": _STANDALONE,
    "review-loop:alone": _STANDALONE,
    "preview:build": {"contents": "read"},
    "preview:publish": {"deployments": "write", "pull-requests": "read"},
    "preview:remove": {"deployments": "write", "pull-requests": "read"},
    "preview:show": {
        "contents": "write",
        "issues": "write",
        "pull-requests": "write",
        "deployments": "read",
        "actions": "read",
    },
}


@dataclass(frozen=True)
class Job:
    """A job of a workflow, as the file says it."""

    file: Path
    name: str
    says: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.file.stem}:{self.name}"

    @property
    def condition(self) -> str:
        return str(self.says["if"])

    @property
    def given(self) -> Mapping[str, str]:
        """What the step that uses our action gives it."""
        (step,) = (s for s in self.says["steps"] if str(s.get("uses")).startswith(OURS))
        found: Mapping[str, str] = step["with"]
        return found


def parsed(file: Path) -> Any:
    return YAML(typ="safe", pure=True).load(file.read_text())


def jobs() -> Iterator[Job]:
    for file in FILES:
        for name, says in parsed(file)["jobs"].items():
            yield Job(file, name, says)


JOBS = {str(job): job for job in jobs()}
CALLING = [job for job in JOBS.values() if job.name in {"served", "alone"}]
PREVIEWS = [job for job in JOBS.values() if job.file.stem == "preview"]
every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
every_job = pytest.mark.parametrize("job", JOBS.values(), ids=str)


def test_these_are_the_workflows() -> None:
    assert set(JOBS) == set(_RIGHTS)


@every_file
def test_everything_used_is_pinned_to_a_commit(file: Path) -> None:
    text = file.read_text()
    uses = re.findall(r"^[ -]+uses:", text, re.MULTILINE)

    assert len(_PINNED.findall(text)) == len(uses) > 0


@every_file
def test_nobody_else_starts_it_with_our_keys(file: Path) -> None:
    assert not _DANGEROUS & set(parsed(file)["on"])


@every_file
def test_a_job_has_no_rights_but_those_it_names_with_a_reason(file: Path) -> None:
    granted = list(_GRANTED.finditer(file.read_text()))

    assert parsed(file)["permissions"] == {}
    assert granted
    assert [line[0] for line in granted if line["why"] is None] == []


@every_job
def test_a_job_ends_and_waits_its_turn(job: Job) -> None:
    assert job.says["timeout-minutes"] <= 360
    turn = job.says.get("concurrency") or parsed(job.file)["concurrency"]
    assert turn["cancel-in-progress"] is False
    assert "-latest" not in job.says["runs-on"]


@every_job
def test_rights_are_the_least(job: Job) -> None:
    assert job.says["permissions"] == _RIGHTS[str(job)]


@every_job
def test_no_script_is_made_of_what_others_wrote(job: Job) -> None:
    scripts = [step["run"] for step in job.says["steps"] if "run" in step]

    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("job", CALLING, ids=str)
def test_the_agent_is_one_that_was_tried(job: Job) -> None:
    (step,) = (s for s in job.says["steps"] if s["name"] == "Install the agent")
    claude = next(one for one in PROGRAMS if one.cli is Cli.CLAUDE_CODE)

    found = re.search(r"@anthropic-ai/claude-code@([\d.]+)", step["run"])

    assert found is not None
    assert found[1].startswith(claude.tried)


@pytest.mark.parametrize("has", ["nothing", "it on the PATH", "it from last time"])
def test_the_agent_is_installed_where_there_is_none(tmp_path: Path, has: str) -> None:
    steps = JOBS["agent:served"].says["steps"]
    (step,) = (s for s in steps if s["name"] == "Install the agent")
    tools, found = tmp_path / "tools", tmp_path / "installed"
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\necho "$@" > {found}\n')
    npm.chmod(0o755)
    claude = npm.with_name("claude")
    if has == "it from last time":
        claude = tools / "claude-code" / "2.1.329" / "bin" / "claude"
        claude.parent.mkdir(parents=True)
    if has != "nothing":
        claude.touch(0o755)
    paths = tmp_path / "paths"

    subprocess.run(
        [BASH, "-e", "-o", "pipefail", "-c", step["run"]],
        env={
            "PATH": str(npm.parent),  # this machine may have a claude of its own
            "RUNNER_TOOL_CACHE": str(tools),
            "GITHUB_PATH": str(paths),
        },
        check=True,
    )

    place = tools / "claude-code" / "2.1.329"
    assert paths.read_text() == f"{place}/bin\n"
    assert found.exists() == (has == "nothing")
    if found.exists():
        assert f"--global --prefix {place} " in found.read_text()


def test_a_refusal_names_both_servers_and_runs_nothing() -> None:
    (step,) = JOBS["agent:refused"].says["steps"]
    hostile = "https://evil.example\n::add-path::/tmp\r\n$(exit 7)"

    ended = subprocess.run(
        [BASH, "-e", "-o", "pipefail", "-c", step["run"]],
        env={"ASKED": hostile, "TRUSTED": SERVER},
        check=False,
        capture_output=True,
        text=True,
    )

    (line,) = ended.stdout.splitlines()
    assert (ended.returncode, ended.stderr) == (1, "")
    assert line.startswith("::error title=Another server::")
    assert "https://evil.example ::add-path::/tmp" in line
    assert SERVER in line


@pytest.mark.parametrize("job", CALLING, ids=str)
def test_the_action_takes_what_it_is_given(job: Job) -> None:
    assert set(job.given) <= set(parsed(ACTION)["inputs"])


def test_the_preview_is_told_what_it_takes() -> None:
    jobs = [job for job in PREVIEWS if job.name != "build"]
    told = {job.name: set(job.given) for job in jobs}

    shows = told.pop("show")
    takes = parsed(PREVIEW)["inputs"]
    assert shows == {"deployment"} <= set(parsed(ACTION)["inputs"])
    assert set(told) == {"publish", "remove"}
    assert all(given <= set(takes) for given in told.values())
    assert all("pull-request" in given for given in told.values())


def test_what_an_agent_wrote_is_built_without_a_secret() -> None:
    build, *others = PREVIEWS

    (checkout, *_) = build.says["steps"]
    assert checkout["with"]["persist-credentials"] is False
    assert "secrets." not in str(build.says)
    used = [str(step.get("uses", "")) for job in others for step in job.says["steps"]]
    assert not any(name.startswith("actions/checkout") for name in used)


def test_a_called_workflow_gives_on_what_the_action_puts_out() -> None:
    job, puts_out = JOBS["reusable:alone"], list(parsed(ACTION)["outputs"])

    assert list(job.says["outputs"]) == puts_out
    assert list(parsed(job.file)["on"]["workflow_call"]["outputs"]) == puts_out


# --- With GitHub's own libraries ----------------------------------------------------


# What of these GitHub's own take.
THEIRS = {
    "checkout": ("ref", "persist-credentials"),
    "upload-artifact": ("name", "path", "if-no-files-found", "retention-days"),
    "download-artifact": ("name", "path"),
}


def known(folder: Path) -> Mapping[str, Path]:
    """The actions that our workflows use, by name."""
    found: dict[str, Path] = {}
    for ours in (OURS, "acme/vibeboard/action"):
        found |= {ours: ACTION, f"{ours}/preview": PREVIEW}
    for name, inputs in THEIRS.items():
        file = found[f"actions/{name}"] = folder / f"{name}.yml"
        takes: dict[str, Any] = {key: {} for key in inputs}
        file.write_text(json.dumps({"name": name, "inputs": takes}))
    return found


@pytest.mark.npm
def test_githubs_language_service_finds_nothing(tmp_path: Path) -> None:
    found = official.diagnostics([*FILES, ACTION, PREVIEW], known(tmp_path))

    assert len(found) == len(FILES) + 2
    assert {file.name: said for file, said in found.items() if said} == {}


@pytest.mark.npm
def test_the_language_service_would_find_something(tmp_path: Path) -> None:
    agent = (ROOT / "workflows" / "agent.yml").read_text()
    wrong = tmp_path / ".github" / "workflows" / "agent.yml"
    wrong.parent.mkdir(parents=True)
    agent = agent.replace("inputs.run }}", "inputs.rum }}")
    wrong.write_text(agent.replace("issue: ${{", "issues: ${{"))

    [found] = official.diagnostics([wrong], known(tmp_path)).values()

    assert any("rum" in one for one in found)
    assert any("issues" in one for one in found)


OURSELVES = "acme/clock"


def pull(branch: str = "vibe/3-fix-the-clock", fork: str = OURSELVES) -> dict[str, Any]:
    return {"number": 7, "head": {"ref": branch, "repo": {"full_name": fork}}}


PULL, THEIR_PULL, OTHER_PULL = pull(), pull(fork="eve/clock"), pull("main")
SERVER = "https://vibeboard.example"
# Name of an event, its payload, the inputs, the variable, and the jobs that run.
EVENTS = [
    ("workflow_dispatch", {}, {"server": SERVER, "run": "r1"}, "", ["served"]),
    ("workflow_dispatch", {}, {"server": SERVER, "run": "r1"}, SERVER, ["served"]),
    ("workflow_dispatch", {}, {"server": "https://evil"}, SERVER, ["refused"]),
    ("workflow_dispatch", {}, {"command": "develop", "issue": "3"}, "", ["alone"]),
    ("workflow_dispatch", {}, {"command": "develop", "issue": "3"}, SERVER, []),
    ("issue_comment", {"comment": {"body": "/agent stop"}}, None, "", ["alone"]),
    ("issue_comment", {"comment": {"body": "\n  /AGENT stop"}}, None, "", ["alone"]),
    ("issue_comment", {"comment": {"body": "/agent stop"}}, None, SERVER, []),
    ("issue_comment", {"comment": {"body": "Thank you"}}, None, "", []),
    ("issues", {"label": {"name": "agent:develop"}}, None, "", ["alone"]),
    ("issues", {"label": {"name": "bug"}}, None, "", []),
    ("pull_request_review_comment", {"pull_request": PULL}, None, "", ["alone"]),
    ("pull_request_review_comment", {"pull_request": THEIR_PULL}, None, "", []),
    ("pull_request_review_comment", {"pull_request": OTHER_PULL}, None, "", []),
    ("pull_request_review_comment", {"pull_request": PULL}, None, SERVER, []),
    *(
        (
            "deployment_status",
            {
                "deployment": {"production_environment": live},
                "deployment_status": {"state": state},
            },
            None,
            variable,
            jobs,
        )
        for live, state, variable, jobs in [
            (False, "success", "", ["alone"]),
            (False, "failure", "", ["alone"]),
            (False, "error", "", ["alone"]),
            (False, "inactive", "", []),
            (False, "in_progress", "", []),
            (True, "success", "", []),
            (False, "success", SERVER, []),
        ]
    ),
    *(
        (
            "pull_request_review",
            {"pull_request": reviewed, "review": {"state": state, "body": body}},
            None,
            "",
            jobs,
        )
        for reviewed, state, body, jobs in [
            (PULL, "changes_requested", "Again", ["alone"]),
            (PULL, "approved", None, ["alone"]),
            (PULL, "commented", "Why?", ["alone"]),
            (PULL, "commented", None, []),  # its remarks come by themselves
            (PULL, "commented", "", []),
            (THEIR_PULL, "changes_requested", "Again", []),
            (OTHER_PULL, "changes_requested", "Again", []),
        ]
    ),
]
CHECKS = [
    (
        "check_suite",
        {"check_suite": {"head_branch": branch, "conclusion": conclusion}},
        None,
        variable,
        jobs,
    )
    for branch, conclusion, variable, jobs in [
        ("vibe/3-fix-the-clock", "failure", "", ["alone"]),
        ("vibe/3-fix-the-clock", "timed_out", "", ["alone"]),
        ("vibe/3-fix-the-clock", "failure", SERVER, []),
        ("vibe/3-fix-the-clock", "success", "", []),
        ("main", "failure", "", []),
        (None, "failure", "", []),
    ]
] + [
    (
        "status",
        {"state": state, "branches": [{"name": name} for name in branches]},
        None,
        "",
        jobs,
    )
    for state, branches, jobs in [
        ("failure", ["main", "vibe/3-fix-the-clock"], ["alone"]),
        ("error", ["vibe/3-fix-the-clock"], ["alone"]),
        ("success", ["vibe/3-fix-the-clock"], []),
        ("pending", ["vibe/3-fix-the-clock"], []),
        ("failure", ["main", "my-vibe/3"], []),
        ("failure", [], []),
    ]
]


BOTS_PULL = {**PULL, "user": {"login": "dependabot[bot]"}}
# Name of an event, its payload, the ref, the variable, and the jobs that run.
OF_PREVIEWS = [
    ("workflow_dispatch", {}, "vibe/3-x", "", ["build", "publish", "show"]),
    ("workflow_dispatch", {}, "main", "", []),
    *(
        ("pull_request", {"action": action, "pull_request": of}, "", variable, jobs)
        for action, of, variable, jobs in [
            ("opened", PULL, "", ["build", "publish", "show"]),
            ("synchronize", OTHER_PULL, "", ["build", "publish"]),
            ("opened", PULL, SERVER, ["build", "publish"]),
            ("opened", BOTS_PULL, "", []),
            ("closed", PULL, "", ["remove", "show"]),
            ("closed", PULL, SERVER, ["remove"]),
            ("opened", THEIR_PULL, "", []),
            ("closed", THEIR_PULL, "", []),
        ]
    ),
]


def contexts(case: Any) -> Mapping[str, object]:
    name, payload, inputs, variable, _ = case
    return {
        "github": {"event_name": name, "event": payload, "repository": OURSELVES},
        "inputs": inputs or {},
        "vars": {"VIBEBOARD_SERVER": variable} if variable else {},
    }


@pytest.mark.npm
@pytest.mark.parametrize(
    ("file", "cases"), [("agent", EVENTS), ("review-loop", CHECKS)]
)
def test_only_what_matters_starts_a_runner(file: str, cases: list[Any]) -> None:
    started: list[list[str]] = [[] for _ in cases]
    for job in JOBS.values():
        if job.file.stem == file:
            verdicts = official.evaluated(job.condition, [contexts(c) for c in cases])
            for found, runs in zip(started, verdicts, strict=True):
                found.extend([job.name] * runs)

    assert started == [case[-1] for case in cases]


@pytest.mark.npm
@pytest.mark.parametrize("case", OF_PREVIEWS)
def test_previews_come_and_go_with_pull_requests_of_ones_own(case: Any) -> None:
    name, payload, ref, variable, expected = case
    told: dict[str, dict[str, Any]] = {}
    for job in PREVIEWS:
        # GitHub alone knows whether the workflow was cancelled.
        condition = job.condition.replace("!cancelled()", "true").strip("${} ")
        given = {**contexts((name, payload, None, variable, ())), "needs": told}
        head = payload.get("pull_request", {}).get("head", {}).get("ref", "")
        there = {"head_ref": head, "ref_name": ref, "ref": f"refs/heads/{ref}"}
        given["github"] = {**cast("dict[str, object]", given["github"]), **there}
        runs = official.evaluated(condition, [given])[0]
        outputs = {"deployment": "7"} if runs and job.name != "build" else {}
        result = "success" if runs else "skipped"
        told[job.name] = {"outputs": outputs, "result": result}

    assert [job for job, how in told.items() if how["result"] == "success"] == expected


@pytest.mark.npm
def test_what_is_called_starts_as_what_is_copied() -> None:
    alone = [case for case in EVENTS if case[0] != "workflow_dispatch"]

    started = official.evaluated(
        JOBS["reusable:alone"].condition, [contexts(case) for case in alone]
    )

    assert started == [case[-1] == ["alone"] for case in alone]


def filled_in(folder: Path, server: str) -> dict[str, Path]:
    """What `vibeboard init --actions` writes, by name."""
    texts = {file.name: file.read_text() for file in FILES}
    pin = Pin("acme/vibeboard", "c0ffee" * 6 + "c0ff", "1.2.3")
    found = {}
    made = starter.workflows(texts, pin, server=server, previews=True)
    for path, text in made.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        found[file.stem] = file
    return found


@pytest.mark.npm
@pytest.mark.parametrize("server", ["", SERVER], ids=["without", "with a server"])
def test_what_init_writes_is_right_and_does_the_same(
    tmp_path: Path, server: str
) -> None:
    files = filled_in(tmp_path, server)
    agent = parsed(files["agent"])
    jobs, inputs = agent["jobs"], agent["on"]["workflow_dispatch"]["inputs"]
    cases = [c for c in EVENTS if c[3] == server and set(c[2] or ()) <= set(inputs)]

    found = official.diagnostics(list(files.values()), known(tmp_path))
    started: list[list[str]] = [[] for _ in cases]
    for name, says in jobs.items():
        # No variable is set; where there is a server, the file itself names it.
        told = [contexts((*case[:3], "", case[4])) for case in cases]
        verdicts = official.evaluated(says["if"], told)
        for names, runs in zip(started, verdicts, strict=True):
            names.extend([name] * runs)

    assert [said for said in found.values() if said] == []
    assert set(jobs) == ({"served", "refused"} if server else {"alone"})
    expected = [[one for one in case[-1] if one in jobs] for case in cases]
    assert started == expected
