"""Workflow files: what is in one, and which events start it.

Read from a commit, never from a work tree. What a job then does is `act`'s business; an
expression is understood there and nowhere here.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from localhub import git

FOLDER = ".github/workflows"
DEFAULT_PERMISSIONS = {"contents": "read", "packages": "read"}
"""What a job's token may where the file says nothing."""
PERMISSIONS = (
    "actions",
    "attestations",
    "checks",
    "contents",
    "deployments",
    "discussions",
    "id-token",
    "issues",
    "packages",
    "pages",
    "pull-requests",
    "security-events",
    "statuses",
)
USUAL_TYPES = {
    "pull_request": ("opened", "synchronize", "reopened"),
    "pull_request_target": ("opened", "synchronize", "reopened"),
}
"""Actions of an event that start a workflow which names none; else all do."""
_KEPT = 256
_MINUTES = 360


class Unreadable(Exception):  # noqa: N818 - the word is the event
    """A workflow file that is none, with the reason for a person."""


@dataclass(frozen=True)
class Definition:
    """A workflow file as a commit has it."""

    path: str
    source: dict[str, Any]

    @property
    def name(self) -> str:
        """Give the name that people read: its own, or its path."""
        return str(self.source.get("name") or self.path)

    @property
    def triggers(self) -> dict[str, dict[str, Any]]:
        """List the events that start it, each with its filters."""
        on = self.source.get("on") or {}
        if isinstance(on, str):
            return {on: {}}
        if isinstance(on, list):
            return {str(event): {} for event in on}
        return {event: _mapping(filters) for event, filters in on.items()}

    @property
    def jobs(self) -> dict[str, dict[str, Any]]:
        """List the jobs by key."""
        return {
            key: _mapping(job) for key, job in _mapping(self.source["jobs"]).items()
        }

    def permissions(self, key: str) -> dict[str, str]:
        """Tell what a job's token may, in the API's names."""
        asked = self.jobs[key].get("permissions", self.source.get("permissions"))
        if asked is None:
            asked = DEFAULT_PERMISSIONS
        elif isinstance(asked, str):
            level = asked.removesuffix("-all")
            asked = dict.fromkeys(PERMISSIONS, level)
        return {
            "metadata": "read",
            **{
                name.replace("-", "_"): level
                for name, level in asked.items()
                if level != "none"
            },
        }

    def needs(self, key: str) -> list[str]:
        """List the jobs that a job waits for."""
        needs = self.jobs[key].get("needs") or []
        return [needs] if isinstance(needs, str) else list(needs)

    def job_name(self, key: str) -> str:
        """Give the name that people read; one that is computed gives way to the key."""
        name = str(self.jobs[key].get("name") or key)
        return key if "${{" in name else name

    def labels(self, key: str) -> list[str]:
        """List the labels a job's runner has to have."""
        asked = self.jobs[key].get("runs-on") or []
        if isinstance(asked, dict):
            asked = asked.get("labels") or []
        return [asked] if isinstance(asked, str) else [str(one) for one in asked]

    def started_by(self, event: str, payload: dict[str, Any]) -> bool:
        """Tell whether an event starts it."""
        filters = self.triggers.get(event)
        if filters is None:
            return False
        action = payload.get("action")
        types = filters.get("types") or USUAL_TYPES.get(event)
        if isinstance(types, str):
            types = [types]
        if action is not None and types is not None and action not in types:
            return False
        return _branch_fits(event, filters, payload)

    def minutes(self, key: str) -> float:
        """Give the time that a job has; an expression is not worked out."""
        given = self.jobs[key].get("timeout-minutes", _MINUTES)
        return float(given) if isinstance(given, int | float) else _MINUTES

    def job_alone(self, key: str, done: dict[str, tuple[str, dict[str, str]]]) -> str:
        """Write a workflow with one job, beside stand-ins for those it needs.

        A stand-in ends as its job ended and has the same outputs, so that `needs` and
        `if` mean what they mean in the whole file. JSON is YAML, too.
        """
        jobs = {name: _stand_in(*done[name]) for name in self.needs(key)}
        # Its time is the runner's affair: act would kill it at once.
        jobs[key] = {**self.jobs[key], "timeout-minutes": _MINUTES}
        jobs[f"after-{key}"] = {
            "needs": [key],
            "if": "always()",
            "runs-on": "ubuntu-latest",
            "steps": [
                {
                    "env": {"ENDED": "${{ toJSON(needs) }}"},
                    "run": 'printf "%s" "$ENDED" > "$LOCALHUB_ENDED"',
                }
            ],
        }
        source = {**self.source, "name": self.name, "jobs": jobs}
        return json.dumps(source, indent=1, default=str)


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _stand_in(result: str, outputs: dict[str, str]) -> dict[str, Any]:
    job: dict[str, Any] = {
        "runs-on": "ubuntu-latest",
        "outputs": {
            # A text of its own, whatever it holds: an expression's quotes are doubled.
            name: "${{ '" + value.replace("'", "''") + "' }}"
            for name, value in outputs.items()
        },
        "steps": [{"run": "true" if result == "success" else "false"}],
    }
    if result == "skipped":
        job["if"] = False
    return job


def _branch_fits(event: str, filters: dict[str, Any], payload: dict[str, Any]) -> bool:
    if event == "push":
        kind, _, name = str(payload["ref"]).removeprefix("refs/").partition("/")
        wanted = "tags" if kind == "tags" else "branches"
        other = "branches" if kind == "tags" else "tags"
        if wanted not in filters and f"{wanted}-ignore" not in filters:
            # A filter on the other kind of ref leaves this kind out.
            return other not in filters and f"{other}-ignore" not in filters
    elif event.startswith("pull_request") and "pull_request" in payload:
        name, wanted = payload["pull_request"]["base"]["ref"], "branches"
    else:
        return True
    if filters.get(wanted) is not None:
        return _listed(name, filters[wanted])
    return not _listed(name, filters.get(f"{wanted}-ignore") or [])


def _listed(name: str, patterns: str | Iterable[str]) -> bool:
    found = False
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        if _glob(pattern.removeprefix("!")).fullmatch(name):
            found = not pattern.startswith("!")
    return found


def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*)", pattern)
    wild = {"**": ".*", "*": "[^/]*"}
    return re.compile("".join(wild.get(part, re.escape(part)) for part in parts))


def parse(path: str, text: str) -> Definition:
    """Read a workflow file."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - slow, and seldom needed
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - slow, and seldom needed

    try:
        # The pure loader takes `on` for a word, as GitHub does.
        source = YAML(typ="safe", pure=True).load(text)
    except YAMLError as wrong:
        raise Unreadable(" ".join(str(wrong).split())) from None
    if not isinstance(source, dict):
        raise Unreadable("it is no mapping")
    if not isinstance(source.get("jobs"), dict) or not source["jobs"]:
        raise Unreadable("it has no jobs")
    found = Definition(path, source)
    for key in found.jobs:
        if lacking := [one for one in found.needs(key) if one not in found.jobs]:
            raise Unreadable(f"job {key} needs {lacking[0]}, which is no job")
    return found


def read(git_dir: Path, sha: str, path: str) -> Definition | None:
    """Read the workflow at a path of a commit; None if there is no such file."""
    entry = git.entry(git_dir, sha, path)
    if entry is None or entry.type != "blob":
        return None
    return parse(path, git.read_blob(git_dir, entry.sha).decode(errors="replace"))


def paths(git_dir: Path, sha: str) -> list[str]:
    """List the workflow files of a commit."""
    folder = git.entry(git_dir, sha, FOLDER)
    if folder is None or folder.type != "tree":
        return []
    return [
        f"{FOLDER}/{one.path}"
        for one in git.tree(git_dir, folder.sha)
        if one.type == "blob" and one.path.endswith((".yml", ".yaml"))
    ]


@lru_cache(_KEPT)
def readable(git_dir: Path, sha: str) -> tuple[Definition, ...]:
    """Read all workflows of a commit, but those that cannot be read."""
    return tuple(_readable(git_dir, sha))


def _readable(git_dir: Path, sha: str) -> Iterator[Definition]:
    for path in paths(git_dir, sha):
        try:
            found = read(git_dir, sha, path)
        except Unreadable:
            continue
        if found is not None:
            yield found
