"""The one place that runs git on the host.

Repositories and what agents leave in them are hostile: git gets argument lists, an
environment made from nothing, explicit directories, and settings that switch off
everything a repository could make it execute. A credential exists only in the
environment of the one process that needs it, for one origin, and redirects are not
followed. Error text leaves here redacted. What is done with git is decided in
``workspace.py`` and ``mirror.py``.
"""

import base64
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlsplit

from vibeboard.errors import Broken, GitHubUnavailable, SettingsInvalid
from vibeboard.runner import spawn

# GIT_CONFIG_COUNT is 2.31; the check-out guards we rest on are in every 2.34.
OLDEST = (2, 34)

_SETTINGS = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.symlinks=true",
    "core.protectHFS=true",
    "core.protectNTFS=true",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.sparseCheckout=false",
    "core.logAllRefUpdates=false",
    "core.quotePath=false",
    "advice.detachedHead=false",
    "advice.addEmbeddedRepo=false",
    "diff.ignoreSubmodules=all",
    "diff.external=",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "filter.lfs.smudge=",
    "filter.lfs.clean=",
    "filter.lfs.process=",
    "filter.lfs.required=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "push.gpgSign=false",
    "push.followTags=false",
    "credential.helper=",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
)

# What git itself says; words of others (a hook's, the names of branches and
# repositories) stand in lines of their own or in quotes.
_NOT_GITS_OWN = re.compile(r"^remote:.*$|'[^'\n]*'", re.MULTILINE)

_UNAVAILABLE = re.compile(
    r"could not resolve host|couldn't resolve host|failed to connect"
    r"|connection (refused|reset|timed out|was)|operation timed out|operation too slow"
    r"|early eof|unexpected disconnect|rpc failed|empty reply from server"
    r"|remote end hung up|requested url returned error: (5\d\d|429)"
    r"|internal server error|gnutls|ssl_|recv failure|transfer closed",
    re.IGNORECASE,
)
# Git then says that the remote hung up, too.
_NOT_TAKEN = re.compile(r"requested url returned error: 4(?!08|29)\d\d", re.IGNORECASE)
_UNAUTHORIZED = re.compile(
    r"authentication failed|could not read (username|password)"
    r"|requested url returned error: (401|403)|invalid credentials|invalid username",
    re.IGNORECASE,
)
_NOT_FOUND = re.compile(
    r"repository .*not found|requested url returned error: 404"
    r"|does not appear to be a git repository|unable to update url base",
    re.IGNORECASE,
)


class GitFailed(Broken):
    """Git ended with an error; ``text`` is what it said, redacted."""

    def __init__(self, command: str, code: int, text: str) -> None:
        super().__init__(f"git {command} ended with {code}: {text}")
        self.command = command
        self.code = code
        self.text = text

    @property
    def unauthorized(self) -> bool:
        """Whether the credential was not taken."""
        return bool(_UNAUTHORIZED.search(_gits_own(self.text)))

    @property
    def not_found(self) -> bool:
        """Whether there is no such repository, or none for us."""
        return bool(_NOT_FOUND.search(_gits_own(self.text)))


@dataclass(frozen=True)
class Credential:
    """A token for one origin."""

    url: str
    token: str = field(repr=False)

    def settings(self) -> dict[str, str]:
        """The settings that make git send it, and to that origin only."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https"):
            return {}
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        key = f"http.{origin}.extraHeader"
        return {key: f"Authorization: Basic {self._basic}"}

    def redact(self, text: str) -> str:
        """``text`` without the token in any form we know."""
        forms = {self.token, quote(self.token, safe=""), quote(self.token)}
        forms |= {self._basic, *_in_base64(self.token)}
        longest_first = sorted(filter(None, forms), key=len, reverse=True)
        # Both %2F and %2f are written.
        any_form = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        return any_form.sub("[redacted]", text) if self.token else text

    @property
    def _basic(self) -> str:
        return base64.b64encode(f"x-access-token:{self.token}".encode()).decode()


def _in_base64(token: str) -> Iterator[str]:
    """What base64 makes of ``token``, wherever in a longer text it begins."""
    for before in range(3):
        data = bytes(before) + token.encode()
        # Characters that neighbours have a part in are left out.
        first, last = -(-before * 8 // 6), len(data) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(data).decode()[first:last]


@dataclass(frozen=True)
class Place:
    """Which git directory is meant, and which working tree if any."""

    git_dir: Path
    work_tree: Path | None = None

    def options(self) -> list[str]:
        """The same as options of git."""
        options = [f"--git-dir={self.git_dir}"]
        if self.work_tree is not None:
            options.append(f"--work-tree={self.work_tree}")
        return options


class Git:
    """Runs git with nothing inherited.

    ``home`` is a private, empty directory. ``local_remotes`` allows file paths as
    remotes, which nobody but a test wants.
    """

    def __init__(
        self,
        *,
        home: Path,
        path: str,
        time_limit: timedelta = timedelta(minutes=15),
        local_remotes: bool = False,
    ) -> None:
        executable = shutil.which("git", path=path)
        if executable is None:
            raise SettingsInvalid("git is not installed: install git 2.34 or newer")
        local = ("protocol.file.allow=always",) if local_remotes else ()
        self._argv = [executable, "--no-pager"]
        for setting in (*_SETTINGS, *local):
            self._argv += ["-c", setting]
        self._home = home
        self._env = {
            "PATH": path,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_SSH_COMMAND": "false",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TEMPLATE_DIR": "",
        }
        self._time_limit = time_limit.total_seconds()

    async def check_version(self) -> tuple[int, ...]:
        """The installed version; raises SettingsInvalid if it is too old to be safe."""
        text = (await self.run("version")).decode()
        found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
        version = tuple(int(part or 0) for part in found.groups()) if found else ()
        if version < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise SettingsInvalid(
                f"{self._argv[0]} is too old ({text.strip()}): install {wanted}+"
            )
        return version

    async def run(
        self,
        *arguments: str,
        at: Place | None = None,
        stdin: bytes = b"",
        credential: Credential | None = None,
        env: Mapping[str, str] | None = None,
        ok: Sequence[int] = (0,),
        holding: int | None = None,
    ) -> bytes:
        """What git prints; raises GitFailed, or GitHubUnavailable.

        ``holding`` is a descriptor (of a lock) that git keeps open as long as it
        lives, which may be longer than we do.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        try:
            # Git has helpers of its own (remote-https, index-pack), in its group.
            code, out, err = await spawn.collect(
                [*self._argv, *(at.options() if at else ()), *arguments],
                cwd=self._home,
                env=self._env | dict(env or {}) | _config_env(credential),
                stdin=stdin,
                seconds=self._time_limit,
                holding=() if holding is None else (holding,),
            )
        except TimeoutError as error:
            raise GitHubUnavailable(
                f"git {arguments[0]} took longer than {self._time_limit:.0f} s"
            ) from error
        if code not in ok:
            raise _failure(arguments[0], code, out, err, credential)
        return out


class GitRefusal(GitFailed):
    """A remote said no; ``output`` is the porcelain that tells which ref."""

    def __init__(self, command: str, code: int, text: str, output: str) -> None:
        super().__init__(command, code, text)
        self.output = output


def _failure(
    command: str, code: int, out: bytes, err: bytes, credential: Credential | None
) -> GitFailed | GitHubUnavailable:
    said, printed = (part.decode(errors="replace").strip() for part in (err, out))
    if credential is None:
        return GitFailed(command, code, said or printed)
    said, printed = credential.redact(said), credential.redact(printed)
    own = _gits_own(said)
    if _UNAVAILABLE.search(own) and not _NOT_TAKEN.search(own):
        return GitHubUnavailable(f"git {command}: {last_line(said)}")
    return GitRefusal(command, code, said or printed, printed)


def _gits_own(text: str) -> str:
    return _NOT_GITS_OWN.sub("", text)


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((li for li in reversed(text.splitlines()) if li.strip()), "")


def paths(listing: bytes) -> list[str]:
    """Paths from a ``-z`` listing, as Python's file functions take them."""
    return [os.fsdecode(entry) for entry in listing.split(b"\0") if entry]


def _config_env(credential: Credential | None) -> dict[str, str]:
    settings = credential.settings() if credential else {}
    env = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        env[f"GIT_CONFIG_KEY_{number}"] = key
        env[f"GIT_CONFIG_VALUE_{number}"] = value
    return env
