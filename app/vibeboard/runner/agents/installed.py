"""Which agent programs are on this machine, and whether they are fit for work.

Programs change from release to release. Those named here were tried with what the
adapters say; others may work, and are told from them.
"""

import asyncio
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from vibeboard.domain.workflow import Cli
from vibeboard.runner import spawn
from vibeboard.runner.agents import claude, codex
from vibeboard.runner.environment import Environment

_PATIENCE = 15.0  # seconds; some load half a gigabyte to say their version
_VERSION = re.compile(r"\d+(?:\.\d+)+")


class Health(Enum):
    """Whether a program can be set to work."""

    READY = "ready"
    UNTRIED = "untried version"
    NO_KEY = "no key"
    BROKEN = "does not start"
    MISSING = "not installed"


@dataclass(frozen=True)
class Program:
    """An agent's program that we know.

    ``tried`` are the beginnings of versions that were. ``key`` is the setting that
    names its model's key, if it finds its model by that.
    """

    name: str
    cli: Cli
    command: str
    install: str
    tried: tuple[str, ...]
    can: tuple[str, ...]
    key: str = ""


@dataclass(frozen=True)
class Installed:
    """A program as it was found; ``hint`` is what to do unless it is ready."""

    program: Program
    health: Health
    path: Path | None = None
    version: str = ""
    hint: str = ""


_ACP = ("asks", "interrupts")
PROGRAMS = (
    Program(
        "Claude Code",
        Cli.CLAUDE_CODE,
        "claude",
        f"{claude.INSTALL}==0.2.186",
        ("2.1.",),
        ("asks", "waits", "resumes", "interrupts", "cost", "turns", "budget"),
        key="anthropic_api_key_file",
    ),
    Program(
        "Codex",
        Cli.CODEX,
        "codex",
        f"{codex.INSTALL}==0.163.0",
        ("0.163.", "0.169."),
        ("asks", "resumes", "interrupts", "tokens", "turns"),
        key="openai_api_key_file",
    ),
    Program(
        "Gemini CLI",
        Cli.ACP,
        "gemini",
        "npm install --global @google/gemini-cli@0.61.0",
        ("0.61.",),
        (*_ACP, "tokens"),
        key="gemini_api_key_file",
    ),
    Program(
        "opencode",
        Cli.ACP,
        "opencode",
        "npm install --global opencode-ai@1.18.33",
        ("1.18.",),
        (*_ACP, "resumes", "cost", "budget"),
    ),
    Program(
        "Qwen Code",
        Cli.ACP,
        "qwen",
        "npm install --global @qwen-code/qwen-code@0.24.4",
        ("0.24.",),
        (*_ACP, "resumes"),
        key="openai_api_key_file",
    ),
)


async def look_around(
    environment: Environment,
    home: Path,
    *,
    chosen: Mapping[Cli, Path],
    keys: Collection[str],
    programs: Collection[Program] = PROGRAMS,
) -> list[Installed]:
    """Every known program, as it is here.

    ``chosen`` are programs that settings name, ``keys`` the key settings that are
    set. Each program is started once in ``home``, to say its version.
    """
    return list(
        await asyncio.gather(
            *(
                _look(program, environment, home, chosen.get(program.cli), keys)
                for program in programs
            )
        )
    )


async def _look(
    program: Program,
    environment: Environment,
    home: Path,
    chosen: Path | None,
    keys: Collection[str],
) -> Installed:
    path = _find(program, environment.path, chosen)
    if path is None and chosen is not None:
        hint = "Correct the setting, or unset it to look on the PATH."
        return Installed(program, Health.MISSING, chosen, hint=hint)
    if path is None:
        return Installed(program, Health.MISSING, hint=program.install)
    said = await _version(path, environment, home)
    if not said:
        hint = f"{path} --version says nothing; install it anew: {program.install}"
        return Installed(program, Health.BROKEN, path, hint=hint)
    if not said.startswith(program.tried):
        hint = f"Tried was {_listed(program.tried)}; go there: {program.install}"
        return Installed(program, Health.UNTRIED, path, said, hint)
    if program.key and program.key not in keys:
        hint = f"Set VIBEBOARD_{program.key.upper()}."
        return Installed(program, Health.NO_KEY, path, said, hint)
    return Installed(program, Health.READY, path, said)


def _find(program: Program, path: str, chosen: Path | None) -> Path | None:
    finders: dict[Cli, Callable[..., Path | None]] = {
        Cli.CLAUDE_CODE: claude.find_claude,
        Cli.CODEX: codex.find_codex,
    }
    finder = finders.get(program.cli)
    if finder is not None:
        return finder(path, chosen=chosen)
    found = shutil.which(program.command, path=path)
    return Path(found) if found else None


async def _version(path: Path, environment: Environment, home: Path) -> str:
    try:
        with environment.open(home, {}) as env:
            code, said, _ = await spawn.collect(
                [str(path), "--version"], cwd=home, env=env, stdin=b"",
                seconds=_PATIENCE,
            )  # fmt: skip
    except (OSError, TimeoutError):
        return ""
    found = _VERSION.search(said.decode(errors="replace"))
    return found[0] if found is not None and code == 0 else ""


def _listed(beginnings: Collection[str]) -> str:
    return " and ".join(f"{each}x" for each in beginnings)
