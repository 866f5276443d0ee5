"""``vibeboard doctor``: what is wrong here, and how to mend it.

Each check says ok, warn, fail or skip, with what was seen and, unless ok, what to
do. A check that cannot be made is skipped, never called ok.
"""

import asyncio
import json
import os
import platform
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import assert_never
from urllib.parse import urlsplit

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vibeboard.cli.agents import agents_here
from vibeboard.clock import SystemClock
from vibeboard.domain.workflow import Cli
from vibeboard.errors import SettingsInvalid, VibeboardError
from vibeboard.github.app import GitHubPorts
from vibeboard.github.client import GitHub
from vibeboard.github.oidc import Issuer, issuer_of
from vibeboard.runner.agents.installed import Health, Installed
from vibeboard.runner.git import Git
from vibeboard.runner.sandbox.cell import Found, Kind, Policy, look
from vibeboard.settings import Settings, read_settings, search_path
from vibeboard.store import migrate
from vibeboard.store.database import open_database

_ROOM = 2 * 1024**3  # bytes; a mirror and a few workspaces
_CELLS_FIX = (
    "apt-get install bubblewrap. In a container, allow user namespaces: with Docker "
    "--security-opt seccomp=unconfined --security-opt systempaths=unconfined, on "
    "Ubuntu an AppArmor profile that gives bwrap userns."
)


class Mark(Enum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True)
class Finding:
    """What one check saw; ``fix`` is what to do about it."""

    check: str
    mark: Mark
    seen: str
    fix: str = ""


def run_doctor(*, as_json: bool) -> int:
    """Print the findings; 0 if none failed, 1 if one did."""
    findings = asyncio.run(_examine())
    if as_json:
        lines = [{**asdict(each), "mark": each.mark.value} for each in findings]
        typer.echo(json.dumps(lines, indent=2))
    else:
        _print(findings)
    return 1 if any(each.mark is Mark.FAIL for each in findings) else 0


async def _examine() -> list[Finding]:
    findings = [_python(), _sqlite(), await _git()]
    try:
        settings = read_settings()
    except SettingsInvalid as error:
        fix = "Set these variables; docs/reference/settings.md lists them all."
        return [*findings, Finding("settings", Mark.FAIL, str(error), fix)]
    findings += [
        Finding("settings", Mark.OK, "complete"),
        *_secrets(settings),
        _room(settings),
        *await _agents(settings),
        *await asyncio.to_thread(_sandbox, settings),
        await _guarded("database", lambda: asyncio.to_thread(_database, settings)),
        await _guarded("github app", lambda: _github(settings)),
        await _guarded("github actions", lambda: _fleet(settings)),
    ]
    return findings


async def _guarded(name: str, check: Callable[[], Awaitable[Finding]]) -> Finding:
    try:
        return await check()
    except (VibeboardError, OSError, aiohttp.ClientError, ValueError) as error:
        return Finding(name, Mark.FAIL, f"{type(error).__name__}: {error}")


def _python() -> Finding:
    return Finding("python", Mark.OK, f"{platform.python_version()} ({sys.executable})")


def _sqlite() -> Finding:
    return Finding("sqlite", Mark.OK, sqlite3.sqlite_version)


async def _git() -> Finding:
    with tempfile.TemporaryDirectory() as home:
        try:
            git = Git(home=Path(home), path=search_path())
            version = await git.check_version()
        except VibeboardError as error:
            return Finding("git", Mark.FAIL, str(error), "apt-get install git")
    return Finding("git", Mark.OK, ".".join(map(str, version)))


def _secrets(settings: Settings) -> list[Finding]:
    findings = []
    for name, path in (
        ("private key", settings.private_key_file),
        ("webhook secret", settings.webhook_secret_file),
    ):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as error:
            findings.append(Finding(name, Mark.FAIL, str(error), f"Put it at {path}."))
            continue
        if mode & 0o077:
            seen = f"{path} can be read by others ({mode:o})"
            findings.append(Finding(name, Mark.WARN, seen, f"chmod 600 {path}"))
        else:
            findings.append(Finding(name, Mark.OK, str(path)))
    return findings


def _room(settings: Settings) -> Finding:
    place = settings.data_dir.resolve()
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        return Finding(
            "data directory",
            Mark.FAIL,
            f"{place} cannot be written",
            "Give the server's user the right to write there.",
        )
    free = shutil.disk_usage(place).free
    seen = f"{settings.data_dir}, {free / 1024**3:.1f} GiB free"
    if free < _ROOM:
        return Finding("data directory", Mark.WARN, seen, "Make room: 2 GiB at least.")
    return Finding("data directory", Mark.OK, seen)


async def _agents(settings: Settings) -> list[Finding]:
    """The programs that have a `cli` of their own, and what else is installed."""
    return [
        _agent(each)
        for each in await agents_here(settings)
        if each.program.cli is not Cli.ACP or each.path is not None
    ]


def _agent(found: Installed) -> Finding:
    name = found.program.name.lower()
    cli = found.program.cli.value
    match found.health:
        case Health.READY:
            return Finding(name, Mark.OK, f"{found.path}, {found.version}")
        case Health.MISSING if found.path is not None:
            return Finding(name, Mark.FAIL, f"{found.path} is not there", found.hint)
        case Health.MISSING:
            seen = f"not installed: stages with cli: {cli} will be refused"
            return Finding(name, Mark.SKIP, seen, found.hint)
        case Health.BROKEN:
            return Finding(name, Mark.FAIL, f"{found.path} does not start", found.hint)
        case Health.NO_KEY:
            seen = f"{found.path}, {found.version}, without a key"
            return Finding(name, Mark.SKIP, seen, found.hint)
        case Health.UNTRIED:
            seen = f"{found.path}, {found.version}, which was not tried"
            return Finding(name, Mark.WARN, seen, found.hint)
        case _:
            assert_never(found.health)


def _sandbox(settings: Settings) -> list[Finding]:
    policy = Policy(settings.sandbox)
    found = look(search_path(), policy, arrange=False)
    return [_cells(found, policy), *_bounds(found)]


def _cells(found: Found, policy: Policy) -> Finding:
    if policy is Policy.OFF:
        return Finding(
            "sandbox",
            Mark.WARN,
            "switched off: agents can read what the server can",
            "Unset VIBEBOARD_SANDBOX.",
        )
    if found.kind is Kind.BUBBLEWRAP:
        return Finding("sandbox", Mark.OK, "bubblewrap")
    seen = f"{found.kind.value} only: {found.why}"
    mark = Mark.FAIL if policy is Policy.REQUIRED else Mark.WARN
    return Finding("sandbox", mark, seen, _CELLS_FIX)


def _bounds(found: Found) -> list[Finding]:
    if found.kind is Kind.NONE:
        return []
    if isinstance(found.groups, str):
        seen = f"{found.groups}: memory is bounded a process at a time"
        fix = "Delegate one: Delegate=memory pids cpu in the systemd service."
        return [Finding("run bounds", Mark.WARN, seen, fix)]
    kinds = ", ".join(found.groups.bases)
    return [Finding("run bounds", Mark.OK, f"control groups for {kinds}")]


def _database(settings: Settings) -> Finding:
    database = open_database(settings.database)
    if database.path is not None and not database.path.exists():
        return Finding(
            "database", Mark.OK, f"{database.path} will be made at the first start"
        )
    try:
        now, wanted = migrate.current(database), migrate.head(database)
    finally:
        database.sync_engine.dispose()
    seen = f"{database.url.get_backend_name()}, revision {now or 'none'}"
    if now != wanted:
        return Finding("database", Mark.WARN, seen, "vibeboard db upgrade")
    return Finding("database", Mark.OK, seen)


async def _github(settings: Settings) -> Finding:
    async with aiohttp.ClientSession() as session:
        github = GitHub(
            settings.github_api_url,
            settings.app_id,
            settings.private_key(),
            session,
            clock=SystemClock(),
        )
        ports = GitHubPorts(github)
        identity = await ports.identity()
        missing = await ports.missing_permissions(fleet=bool(settings.public_url))
    seen = f"answers as {identity.login}"
    if missing:
        return Finding(
            "github app",
            Mark.FAIL,
            f"{seen}, without: {', '.join(missing)}",
            "Grant them in the App's settings, then accept them in its installations.",
        )
    return Finding("github app", Mark.OK, seen)


async def _fleet(settings: Settings) -> Finding:
    """Whether jobs of GitHub Actions could carry out runs for this server."""
    name, url = "github actions", settings.public_url
    if not url:
        seen = "no public address: runs of `runner: actions` end with that reason"
        return Finding(name, Mark.SKIP, seen, "Set VIBEBOARD_PUBLIC_URL to have them.")
    issuer_url = settings.actions_issuer or issuer_of(settings.github_api_url)
    async with aiohttp.ClientSession() as session:
        issuer = Issuer(issuer_url, session, clock=SystemClock())
        keys = await issuer.names()
    seen = f"jobs call {url}; {issuer_url} signs their tokens, with {len(keys)} keys"
    if urlsplit(url).scheme == "http":
        fix = "Put TLS before the server: what jobs are told could be read on its way."
        return Finding(name, Mark.WARN, seen, fix)
    return Finding(name, Mark.OK, seen)


def _print(findings: list[Finding]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "check", "seen"):
        table.add_column(heading, overflow="fold")
    colours = {
        Mark.OK: "green",
        Mark.WARN: "yellow",
        Mark.FAIL: "red",
        Mark.SKIP: "dim",
    }
    for each in sorted(findings, key=lambda each: each.mark is Mark.FAIL):
        fix = f"\n→ {each.fix}" if each.fix else ""
        table.add_row(
            f"[{colours[each.mark]}]{each.mark.value}[/]",
            each.check,
            escape(each.seen + fix),
        )
    console = Console()
    console.print(table)
    failed = sum(each.mark is Mark.FAIL for each in findings)
    console.print(f"{len(findings)} checks, {failed} failed")
