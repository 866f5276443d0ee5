"""What the job was given: the one reader of a job's environment.

Inputs of ``action.yml`` arrive as ``VIBEBOARD_ACTION_…``, the rest is GitHub's own. All
faults are told at once, each with the name that a person typed.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vibeboard.domain.board import CardKey
from vibeboard.domain.run import life
from vibeboard.errors import SettingsInvalid

PREFIX = "VIBEBOARD_ACTION_"
SANDBOX = {"auto": "preferred", "required": "required", "off": "off"}
_MODELS = ("anthropic", "openai")


@dataclass(frozen=True)
class Inputs:
    """One job.

    ``event`` is what started it, ``actor`` who did: with ``attempt`` above 1 whoever
    started it again. ``ref`` and ``commit`` are what it runs on. ``status`` is how the
    job stands, told to its last step alone.
    """

    repository: str
    event: str
    event_file: Path
    actor: str
    workflow_run: int
    attempt: int
    api_url: str
    server_url: str
    temporary: Path
    path: str
    server: str = ""
    run: str = ""
    command: str = ""
    issue: str = ""
    deployment: str = ""
    github_token: str = field(default="", repr=False)
    project_token: str = field(default="", repr=False)
    model_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    model_urls: Mapping[str, str] = field(default_factory=dict)
    sandbox: str = "preferred"
    readable: tuple[Path, ...] = ()
    output: Path | None = None
    summary: Path | None = None
    oidc_url: str = ""
    oidc_token: str = field(default="", repr=False)
    status: str = ""
    ref: str = ""
    commit: str = ""

    @property
    def is_news(self) -> bool:
        """Whether the job was started to tell of something, and has no agent."""
        return bool(self.deployment) or self.event == "deployment_status"

    @property
    def worker(self) -> str:
        """What this job is called among those that carry runs out."""
        return life(self.workflow_run, self.attempt)

    @property
    def url(self) -> str:
        """Where people see the job."""
        root = f"{self.server_url}/{self.repository}/actions/runs/{self.workflow_run}"
        return root if self.attempt == 1 else f"{root}/attempts/{self.attempt}"

    @property
    def data(self) -> Path:
        """Where runs keep their files: gone with the job."""
        return self.temporary / "vibeboard-data"

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that nobody may see."""
        given = (self.github_token, self.project_token, self.oidc_token)
        return tuple(filter(None, (*given, *self.model_keys.values())))


class Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.faults: list[str] = []

    def given(self, name: str) -> str:
        """An input of the Action, empty if it was left out."""
        return self._environment.get(f"{PREFIX}{name}", "").strip()

    def own(self, name: str) -> str:
        """A variable that every job has."""
        value = self._environment.get(name, "")
        if not value:
            self.faults.append(f"{name} is not set: this runs as a job of Actions only")
        return value

    def number(self, name: str) -> int:
        """A variable that is a number."""
        value = self.own(name)
        if value and not value.isdecimal():
            self.faults.append(f"{name} is no number: {value!r}")
        return int(value) if value.isdecimal() else 0

    def file(self, name: str) -> Path | None:
        """A file that a step may write to."""
        value = self._environment.get(name, "")
        return Path(value) if value else None

    def left(self, name: str) -> str:
        """A variable that may be missing."""
        return self._environment.get(name, "")


def read_inputs(environment: Mapping[str, str]) -> Inputs:
    """What the job was given; raises SettingsInvalid with every fault."""
    read = Reader(environment)
    sandbox = read.given("SANDBOX") or "auto"
    found = Inputs(
        repository=read.own("GITHUB_REPOSITORY"),
        event=read.own("GITHUB_EVENT_NAME"),
        event_file=Path(read.own("GITHUB_EVENT_PATH")),
        actor=read.left("GITHUB_TRIGGERING_ACTOR") or read.own("GITHUB_ACTOR"),
        workflow_run=read.number("GITHUB_RUN_ID"),
        attempt=read.number("GITHUB_RUN_ATTEMPT"),
        api_url=read.own("GITHUB_API_URL"),
        server_url=read.own("GITHUB_SERVER_URL"),
        temporary=Path(read.own("RUNNER_TEMP")),
        path=read.left("PATH") or os.defpath,
        server=read.given("SERVER").rstrip("/"),
        run=read.given("RUN"),
        command=read.given("COMMAND"),
        issue=read.given("ISSUE").removeprefix("#"),
        deployment=read.given("DEPLOYMENT"),
        ref=read.left("GITHUB_REF_NAME"),
        commit=read.left("GITHUB_SHA"),
        github_token=read.given("GITHUB_TOKEN"),
        project_token=read.given("PROJECT_TOKEN"),
        model_keys=_of_models(read.given, "{}_API_KEY"),
        model_urls=_of_models(read.left, "VIBEBOARD_{}_BASE_URL"),
        sandbox=SANDBOX.get(sandbox, sandbox),
        readable=_paths(read.left("VIBEBOARD_SANDBOX_READ")),
        output=read.file("GITHUB_OUTPUT"),
        summary=read.file("GITHUB_STEP_SUMMARY"),
        oidc_url=read.left("ACTIONS_ID_TOKEN_REQUEST_URL"),
        oidc_token=read.left("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
        status=read.given("JOB_STATUS"),
    )
    faults = [*read.faults, *_faults(found, sandbox)]
    if faults:
        raise SettingsInvalid("\n".join(faults))
    return found


def _faults(found: Inputs, sandbox: str) -> list[str]:
    faults = []
    if sandbox not in SANDBOX:
        faults.append(
            f"the input `sandbox` is {sandbox!r}; it is auto, required or off"
        )
    if bool(found.server) != bool(found.run):
        faults.append(
            "the inputs `server` and `run` go together: the server gives both"
        )
    if found.server and not found.server.startswith(("https://", "http://")):
        faults.append(f"the input `server` is no address: {found.server!r}")
    if found.server and not found.oidc_url:
        faults.append(
            "the job cannot prove to the server who it is: it needs the permission "
            "`id-token: write`"
        )
    if not found.server and not found.github_token:
        faults.append(
            "the input `github-token` is empty; leave it out for the usual one"
        )
    if found.command and not found.issue:
        faults.append("the input `command` needs `issue`, the number of an issue")
    if found.issue and not found.issue.isdecimal():
        faults.append(f"the input `issue` is no number: {found.issue!r}")
    if found.deployment and not found.deployment.isdecimal():
        faults.append(f"the input `deployment` is no number: {found.deployment!r}")
    if shutil.which("git", path=found.path) is None:
        faults.append("git is not on the PATH of this runner; install it")
    return faults


def _of_models(read: object, pattern: str) -> dict[str, str]:
    assert callable(read)
    found = {name: read(pattern.format(name.upper())) for name in _MODELS}
    return {name: value for name, value in found.items() if value}


def _paths(listed: str) -> tuple[Path, ...]:
    return tuple(map(Path, filter(None, listed.split(os.pathsep))))


def card_of(inputs: Inputs) -> CardKey | None:
    """The issue that the inputs name."""
    if not inputs.issue:
        return None
    return CardKey(inputs.repository, int(inputs.issue))
