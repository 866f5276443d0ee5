"""One job under `act`: its folder, its process, its report, its end.

`act` kills a step at once when it is interrupted. GitHub's runner is kinder, as
`processes` tells, so `act` is held still meanwhile.
"""

import asyncio
import json
import os
import shutil
import signal
import uuid
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from localhub import actions, git, processes
from localhub.oidc import Issuer
from localhub.render import repositories
from localhub.state import Hub, Job, Step, Token

RUNNER = "localhub"
PLATFORMS = ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04", "self-hosted")
AFTERWARDS = 300.0
"""How long steps with `if: always()` have, once a job is cancelled."""
_SET_UP = "--setup-job"
"""What act calls the step that no skipped job comes to."""
_LINE = 1024 * 1024
_LEVELS = {"error": "failure", "warning": "warning", "notice": "notice"}
MOST_ANNOTATIONS = 10
"""Of each level and step."""
_RESULTS = {"success", "failure", "skipped"}


class Running:
    """A job that a runner has taken."""

    def __init__(
        self,
        hub: Hub,
        issuer: Issuer,
        act: Path,
        repositories: Mapping[str, Path],
        job: Job,
    ) -> None:
        self._hub = hub
        self._issuer = issuer
        self._act = act
        self._repositories = repositories
        self._job = job
        self._folder = hub.root / ".runners" / str(job.id)
        # By this, in the environment of all that a job starts, GitHub's runner knows
        # what to clean up.
        self._tracking = f"github_{uuid.uuid4()}"
        self._ordered = asyncio.Event()
        self._force = False
        self._lost: tuple[str, float] | None = None
        self._late = False
        self._hidden: list[str] = []
        self._result = "failure"
        self._minutes = 0.0
        self._inside = False
        """Whether the step that runs is one of a composite action."""
        self._outer = asyncio.Event()
        """Set when the step of the job's own that runs now has ended."""
        self._told: Counter[tuple[int, str]] = Counter()

    def cancel(self, *, force: bool) -> None:
        """Stop the job as GitHub's runner does; by force, at once."""
        self._force = self._force or force
        if force and self._ordered.is_set():
            self._kill()
        self._ordered.set()

    def lose(self, conclusion: str, after: float) -> None:
        """Kill all of it without a word; the job ends so later."""
        self._lost = (conclusion, after)
        self._ordered.set()

    async def to_the_end(self) -> None:
        """Carry the job out and report."""
        token = actions.issue_token(self._hub, self._job)
        try:
            await asyncio.to_thread(self._prepare, token)
            await self._under_act()
        except (OSError, git.GitFailed) as wrong:
            self._job.log.append(f"The runner could not begin: {wrong}")
        finally:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        if self._lost is not None:
            conclusion, after = self._lost
            self._job.log.append("The runner lost communication with the server.")
            await asyncio.sleep(after)
            actions.end_job(self._hub, self._job, conclusion, token)
            return
        cancelled = self._late or self._job.attempt.cancelled_by is not None
        ended = "cancelled" if cancelled else self._result
        actions.end_job(self._hub, self._job, ended, token)

    # --- Before -----------------------------------------------------------------

    def _prepare(self, token: Token) -> None:
        run = self._job.attempt.run
        repository = run.repository
        self._folder.mkdir(parents=True, mode=0o700)
        checkout = self._folder / "checkout"
        branch = run.ref.removeprefix("refs/heads/").replace("/", "-")
        origin = f"{repositories.page(self._hub, repository)}.git"
        git.check_out(repository.git_dir, checkout, run.sha, branch, origin)
        (self._folder / "home").mkdir()
        done = {
            one.key: (one.conclusion or "", one.outputs)
            for one in self._job.attempt.jobs
        }
        definition = actions.definition(run)
        self._minutes = definition.minutes(self._job.key)
        alone = definition.job_alone(self._job.key, done)
        self._write("workflow.yml", alone)
        self._write("event.json", json.dumps(run.payload))
        secret = {**repository.secrets, "GITHUB_TOKEN": token.value}
        self._hidden = [one for one in secret.values() if one]
        if self._job.identity_key:
            self._hidden.append(self._job.identity_key)
        self._write("secrets.yml", json.dumps(secret))
        self._write("variables.yml", json.dumps(repository.variables))
        self._write("environment.yml", json.dumps(self._environment()))

    def _write(self, name: str, text: str) -> None:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(text)

    def _environment(self) -> dict[str, str]:
        """What a job finds in its environment, besides what act knows itself."""
        hub, job = self._hub, self._job
        attempt, run = job.attempt, job.attempt.run
        repository = run.repository
        kind = "tag" if run.ref.startswith("refs/tags/") else "branch"
        given = {
            "GITHUB_ACTOR": run.actor.login,
            "GITHUB_ACTOR_ID": str(run.actor.id),
            "GITHUB_API_URL": hub.api_url,
            "GITHUB_GRAPHQL_URL": f"{hub.url}/api/graphql",
            "GITHUB_REF": run.ref,
            "GITHUB_REF_NAME": run.ref.split("/", 2)[2],
            "GITHUB_REF_TYPE": kind,
            "GITHUB_REPOSITORY": repository.full_name,
            "GITHUB_REPOSITORY_ID": str(repository.id),
            "GITHUB_REPOSITORY_OWNER": repository.owner.login,
            "GITHUB_REPOSITORY_OWNER_ID": str(repository.owner.id),
            "GITHUB_RUN_ATTEMPT": str(attempt.number),
            "GITHUB_RUN_ID": str(run.id),
            "GITHUB_RUN_NUMBER": str(run.number),
            "GITHUB_SERVER_URL": hub.url,
            "GITHUB_SHA": run.sha,
            "GITHUB_TRIGGERING_ACTOR": attempt.actor.login,
            "GITHUB_WORKFLOW": run.workflow.name,
            "GITHUB_WORKFLOW_REF": f"{repository.full_name}/{run.workflow.path}"
            f"@{run.ref}",
            "GITHUB_WORKFLOW_SHA": run.sha,
            "LOCALHUB_ENDED": str(self._folder / "ended.json"),
            "RUNNER_ENVIRONMENT": "self-hosted"
            if "self-hosted" in job.labels
            else "github-hosted",
            "RUNNER_NAME": RUNNER,
            processes.TRACKING: self._tracking,
        }
        if job.permissions.get("id_token") == "write" and job.identity_key:
            given["ACTIONS_ID_TOKEN_REQUEST_URL"] = self._issuer.request_url(job)
            given["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = job.identity_key
        return given

    def _arguments(self) -> Iterator[str]:
        run = self._job.attempt.run
        yield from (run.event, "--json", "--no-cache-server")
        yield from ("--directory", str(self._folder / "checkout"))
        yield from ("--workflows", str(self._folder / "workflow.yml"))
        yield from ("--eventpath", str(self._folder / "event.json"))
        yield from ("--secret-file", str(self._folder / "secrets.yml"))
        yield from ("--var-file", str(self._folder / "variables.yml"))
        yield from ("--env-file", str(self._folder / "environment.yml"))
        yield from ("--actor", run.actor.login)
        yield from ("--defaultbranch", run.repository.default_branch)
        for label in dict.fromkeys((*PLATFORMS, *self._job.labels)):
            yield from ("--platform", f"{label}=-self-hosted")
        for name, folder in self._repositories.items():
            yield from ("--local-repository", f"{name}={folder}")

    # --- Meanwhile --------------------------------------------------------------

    async def _under_act(self) -> None:
        act = await asyncio.create_subprocess_exec(
            self._act,
            *self._arguments(),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            # What act has, its steps have: so it has nothing.
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(self._folder / "home"),
                processes.TRACKING: self._tracking,
            },
            start_new_session=True,
            limit=_LINE,
        )
        try:
            async with asyncio.TaskGroup() as group:
                beside = (self._stop_when_ordered(act), self._stop_when_late())
                stopping = [group.create_task(one) for one in beside]
                await self._read(act)
                await act.wait()
                for one in stopping:
                    one.cancel()
        finally:
            self._kill()
            await act.wait()
        self._take_outputs()

    async def _read(self, act: Process) -> None:
        assert act.stdout is not None
        async for line in act.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                self._log(line.decode(errors="replace").rstrip())
                continue
            if told.get("jobID", self._job.key) == self._job.key:
                self._hear(told)

    def _masked(self, line: str) -> str:
        for secret in self._hidden:
            line = line.replace(secret, "***")
        return line

    def _log(self, line: str) -> None:
        self._job.log.extend(self._masked(line).splitlines() or [""])

    def _hear(self, told: dict[str, Any]) -> None:
        if "docker" in str(told.get("msg")) and "job" not in told:
            return  # act looks for it before it knows that no job wants it
        if told.get("stepid") == [_SET_UP] and self._job.status == "queued":
            actions.begin_job(self._hub, self._job, RUNNER)
        self._log(str(told.get("msg", "")).rstrip("\n"))
        if told.get("jobResult") in _RESULTS:
            self._result = told["jobResult"]
        if told.get("command") == "summary":
            self._job.summaries.append(self._masked(str(told["content"])))
        elif told.get("command") in _LEVELS:
            self._annotate(told)
        if told.get("stage") == "Main":
            self._note_step(told)

    def _annotate(self, told: dict[str, Any]) -> None:
        level = _LEVELS[told["command"]]
        step = len(self._job.steps)
        self._told[step, level] += 1
        if self._told[step, level] > MOST_ANNOTATIONS:
            return
        place = told.get("kvPairs") or {}
        line = _number(place.get("line"), 1)
        self._job.check.annotations.append(
            {
                # GitHub writes so what has no file.
                "path": place.get("file") or ".github",
                "start_line": line,
                "end_line": _number(place.get("endLine"), line),
                "annotation_level": level,
                "title": self._masked(place.get("title") or "") or None,
                "message": self._masked(str(told.get("arg", ""))),
            }
        )

    def _note_step(self, told: dict[str, Any]) -> None:
        now = self._hub.now()
        steps = self._job.steps
        begins = str(told.get("msg", "")).startswith("⭐ Run Main")
        # A composite action's own steps are parts of the step that uses it.
        if len(told.get("stepID", ())) > 1:
            self._inside = True
        elif begins:
            name = self._masked(str(told.get("step", "")).partition("\n")[0])
            steps.append(Step(name=name, number=len(steps) + 1, started_at=now))
        elif "stepResult" in told and steps:
            steps[-1].conclusion, steps[-1].completed_at = told["stepResult"], now
            self._inside = False
            self._outer.set()
            self._outer = asyncio.Event()

    def _take_outputs(self) -> None:
        file = self._folder / "ended.json"
        with suppress(OSError, ValueError, KeyError):
            ended = json.loads(file.read_text())[self._job.key]
            if ended.get("result") in _RESULTS:
                self._result = ended["result"]
            if self._result != "skipped":  # act tells its expressions as they stand
                self._job.outputs = dict(ended.get("outputs") or {})

    # --- The end ----------------------------------------------------------------

    async def _stop_when_ordered(self, act: Process) -> None:
        await self._ordered.wait()
        if self._lost is None and not self._force:
            with suppress(TimeoutError):
                async with asyncio.timeout(AFTERWARDS):
                    await self._stop_step(act)
                    await act.wait()
        self._kill()

    async def _stop_when_late(self) -> None:
        """End the job as a cancelled one, once it has had its time."""
        await asyncio.sleep(self._minutes * 60)
        self._late = True
        self._log(
            f"The job has exceeded the maximum execution time of {self._minutes:g} "
            "minutes."
        )
        self._ordered.set()

    async def _stop_step(self, act: Process) -> None:
        """Let the step that runs end by itself, then let act go on without the rest."""
        steps = processes.children(act.pid)
        # What act is told at once, a composite action's own `always()` steps never run.
        if not self._inside:
            processes.send(signal.SIGSTOP, act.pid)
        try:
            await processes.end(steps)
            if self._inside:
                await self._outer.wait()
        finally:
            # Now only steps that say `always()` or `cancelled()` are left to run.
            processes.send(signal.SIGINT, act.pid)
            processes.send(signal.SIGCONT, act.pid)

    def _kill(self) -> None:
        """End all that the job started, wherever it went."""
        while pids := processes.belonging(self._tracking):
            processes.send(signal.SIGKILL, *pids)


def _number(text: object, default: int) -> int:
    return int(text) if isinstance(text, str) and text.isdigit() else default
