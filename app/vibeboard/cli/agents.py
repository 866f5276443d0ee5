"""``vibeboard agents``: which agent programs are here, and fit for work."""

import asyncio
import tempfile
from pathlib import Path

from vibeboard.cli.desk import print_json, show
from vibeboard.domain.workflow import Cli
from vibeboard.errors import SettingsInvalid
from vibeboard.runner.agents.installed import Health, Installed, look_around
from vibeboard.runner.environment import Environment
from vibeboard.settings import PROVIDERS, Settings, read_settings, search_path


def run_agents(*, as_json: bool) -> int:
    """Print the programs; 0 if one is ready, 1 if none is."""
    try:
        settings = read_settings()
    except SettingsInvalid:
        settings = None  # what is installed can be seen without a server
    found = asyncio.run(agents_here(settings))
    if as_json:
        print_json([_facts(each) for each in found])
    else:
        show(
            "Agents",
            ["cli", "agent", "version", "health", "can", "program", "what to do"],
            [
                [
                    each.program.cli.value, each.program.name, each.version,
                    each.health.value, ", ".join(each.program.can), each.path or "",
                    each.hint,
                ]
                for each in found
            ],
        )  # fmt: skip
    return 0 if any(each.health is Health.READY for each in found) else 1


async def agents_here(settings: Settings | None) -> list[Installed]:
    """Every program that we know, as the server would find it."""
    chosen: dict[Cli, Path] = {}
    keys: list[str] = []
    if settings is not None:
        named = {
            Cli.CLAUDE_CODE: settings.claude_path,
            Cli.CODEX: settings.codex_path,
        }
        chosen = {cli: path for cli, path in named.items() if path is not None}
        keys = [
            f"{provider}_api_key_file"
            for provider in PROVIDERS
            if getattr(settings, f"{provider}_api_key_file") is not None
            or getattr(settings, f"{provider}_base_url") is not None
        ]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        environment = Environment(search_path())
        return await look_around(environment, Path(home), chosen=chosen, keys=keys)


def _facts(each: Installed) -> dict[str, object]:
    return {
        "cli": each.program.cli.value,
        "agent": each.program.name,
        "health": each.health.value,
        "version": each.version,
        "tried": list(each.program.tried),
        "can": list(each.program.can),
        "program": str(each.path or ""),
        "install": each.program.install,
        "hint": each.hint,
    }
