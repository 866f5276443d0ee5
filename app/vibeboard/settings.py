"""The operator's settings: the one reader of the environment.

Every variable starts with ``VIBEBOARD_``; one that nobody knows is refused, so
that a typing error cannot pass for a setting. Secrets come from files.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from vibeboard.errors import SettingsInvalid

PREFIX = "VIBEBOARD_"
PROVIDERS = ("anthropic", "openai", "gemini")
_SHORTEST_TOKEN = 32


class Settings(BaseModel):
    """What an operator may set. Descriptions make the reference page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    app_id: str = Field(description="The GitHub App's id or client id.")
    private_key_file: Path = Field(description="The App's private key, a PEM file.")
    webhook_secret_file: Path = Field(
        description="The webhook secret. Several lines: all are accepted (rotation)."
    )
    database_url: str = Field(
        default="",
        description="sqlite:///FILE or postgresql://…; default: a file in the data "
        "directory.",
    )
    data_dir: Path = Field(
        default=Path(".vibeboard"),
        description="Mirrors, workspaces, logs and the default database. Processes on "
        "one machine may share it; a run that is taken up where its files are not "
        "begins anew.",
    )
    github_api_url: str = Field(
        default="https://api.github.com",
        description="The REST API's root; on GitHub Enterprise Server https://HOST/api/v3.",
    )
    user_token_file: Path | None = Field(
        default=None,
        description="A personal access token with the `project` scope, and `repo` for "
        "private repositories: for boards that belong to its person, not to an "
        "organization.",
    )
    poll_seconds: float = Field(
        default=15,
        gt=0,
        description="How often a person's board is read while something moves on it. "
        "While nothing does, up to 5 minutes go by.",
    )
    reconcile_minutes: float = Field(
        default=10,
        gt=0,
        le=1440,
        description="How often GitHub's list of deliveries is compared with ours, and "
        "what is missing is asked for again.",
    )
    writes_per_minute: float = Field(
        default=60,
        gt=0,
        le=6000,
        description="How much an account's comments, checks and other content may "
        "grow in a minute, after a burst of 8. github.com allows 80, and 500 in an "
        "hour, which is kept to up to 60; above, set what your GitHub Enterprise "
        "Server allows.",
    )
    api_token_file: Path | None = Field(
        default=None,
        description="A token of 32 characters or more that programs show to read "
        "`/api`; several lines: all are accepted (rotation). Without it there is no "
        "API.",
    )
    api_answer_token_file: Path | None = Field(
        default=None,
        description="The same for programs that may answer agents' questions as well, "
        "as people do with `/agent approve`. Without it none may.",
    )
    public_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))] = Field(
        default="",
        pattern=r"^$|^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~/-]*)?$",
        description="Where this server is reached from outside, such as "
        "https://vibeboard.example.com. Jobs of GitHub Actions call it: `runner: "
        "actions` in `.vibe.yml` needs it.",
    )
    actions_issuer: str = Field(
        default="",
        description="Who signs the OIDC tokens of jobs, if not whom "
        "VIBEBOARD_GITHUB_API_URL belongs to.",
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8080, ge=0, le=65535, description="The port.")
    runners: int = Field(
        default=2,
        ge=0,
        le=64,
        description="Runs carried out at once by this process. 0: it leaves runs to "
        "workers.",
    )
    grace_seconds: float = Field(
        default=30,
        ge=0,
        description="How long runs may go on after SIGTERM. What is cut off then goes "
        "on at the next start.",
    )
    hold_seconds: float = Field(
        default=60,
        ge=0,
        le=3600,
        description="How long an agent that asks people keeps its process. If nobody "
        "has answered by then, it ends its turn, and goes on when somebody has.",
    )
    lease_seconds: float = Field(
        default=15,
        ge=1,
        description="PostgreSQL: after how long a silent process counts as dead, so "
        "that others take its work.",
    )
    keep_deliveries_days: int = Field(
        default=30,
        ge=4,
        le=3650,
        description="How long deliveries are kept that are done with or were given up. "
        "GitHub sends one again for three days.",
    )
    keep_logs_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="How long the raw output of ended runs is kept, and the agents' "
        "homes of cards where nothing runs.",
    )
    keep_results_days: int = Field(
        default=90,
        ge=1,
        le=3650,
        description="How long it is kept what test suites and reviews gave on which "
        "commit. What is gone is made again when somebody asks for it.",
    )
    keep_audit_days: int = Field(
        default=365,
        ge=30,
        le=3650,
        description="How long it is kept who did what.",
    )
    sandbox: Literal["required", "preferred", "off"] = Field(
        default="preferred",
        description="Where agents and suites run: in the strongest sandbox that this "
        "machine has (`preferred`), only in bubblewrap (`required`), or in none "
        "(`off`). `sandbox: required` in `.vibe.yml` makes it stricter.",
    )
    sandbox_read: str = Field(
        default="",
        description="More folders and files that agents and suites may read, "
        "separated by colons: tool chains that are neither below /usr nor beside the "
        "programs on the PATH.",
    )
    run_memory_gb: float = Field(
        default=4,
        ge=0.25,
        le=4096,
        description="How much memory an agent or suite may use, with all that it "
        "starts; half of it for temporary files.",
    )
    run_processes: int = Field(
        default=2048,
        ge=32,
        le=100_000,
        description="How many processes and threads an agent or suite may have.",
    )
    run_cpus: float | None = Field(
        default=None,
        gt=0,
        le=1024,
        description="How many processors an agent or suite may keep busy; all of them "
        "if not set. It takes a control group.",
    )
    run_disk_gb: float = Field(
        default=10,
        ge=0.1,
        le=100_000,
        description="How much a run's tree and home may hold, and each file in them.",
    )
    claude_path: Path | None = Field(
        default=None, description="Claude Code's program, if it is not on the PATH."
    )
    anthropic_api_key_file: Path | None = Field(
        default=None,
        description="The key of Anthropic's API, which Claude Code uses. Agents never "
        "see it, as all keys of models: requests get it on their way.",
    )
    anthropic_base_url: str | None = Field(
        default=None, description="Another address of Anthropic's API."
    )
    openai_api_key_file: Path | None = Field(
        default=None, description="The key of OpenAI's API."
    )
    openai_base_url: str | None = Field(
        default=None,
        description="Another address of OpenAI's API, or of one like it; with its /v1.",
    )
    gemini_api_key_file: Path | None = Field(
        default=None, description="The key of Gemini's API."
    )
    gemini_base_url: str | None = Field(
        default=None, description="Another address of Gemini's API."
    )
    prices_file: Path | None = Field(
        default=None,
        description="What models cost, as TOML: for models that we do not know, or at "
        "prices of your own. They go before ours.",
    )
    codex_path: Path | None = Field(
        default=None, description="Codex's program, if it is not on the PATH."
    )

    @property
    def database(self) -> str:
        """The database's URL, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir}/vibeboard.db"

    @property
    def grace(self) -> timedelta:
        """How long runs may go on after we were asked to leave."""
        return timedelta(seconds=self.grace_seconds)

    @property
    def hold(self) -> timedelta:
        """How long an agent that asks keeps its process."""
        return timedelta(seconds=self.hold_seconds)

    @property
    def poll_every(self) -> timedelta:
        """How often a board is read on which something moves."""
        return timedelta(seconds=self.poll_seconds)

    @property
    def reconcile_every(self) -> timedelta:
        """How often deliveries are compared."""
        return timedelta(minutes=self.reconcile_minutes)

    @property
    def lease(self) -> timedelta:
        """After how long a silent process counts as dead."""
        return timedelta(seconds=self.lease_seconds)

    def private_key(self) -> str:
        """The PEM text; raises SettingsInvalid if it cannot be read."""
        return _secret(self.private_key_file, "private_key_file")

    def webhook_secrets(self) -> tuple[bytes, ...]:
        """All accepted secrets; raises SettingsInvalid if there is none."""
        text = _secret(self.webhook_secret_file, "webhook_secret_file")
        secrets = tuple(line.strip().encode() for line in text.splitlines())
        secrets = tuple(filter(None, secrets))
        if not secrets:
            message = f"{self.webhook_secret_file} is empty: a webhook secret is needed"
            raise SettingsInvalid(message)
        return secrets

    def api_tokens(self) -> tuple[bytes, ...]:
        """All tokens to read with; none without a setting. Raises SettingsInvalid."""
        reading = _tokens(self.api_token_file, "api_token_file")
        return (*reading, *self.api_answer_tokens())

    def api_answer_tokens(self) -> tuple[bytes, ...]:
        """Those of them to answer with; raises SettingsInvalid."""
        return _tokens(self.api_answer_token_file, "api_answer_token_file")

    def user_token(self) -> str:
        """A person's token; raises SettingsInvalid if it cannot be read."""
        assert self.user_token_file is not None
        return _secret(self.user_token_file, "user_token_file").strip()

    def model_accounts(self) -> Mapping[str, tuple[str | None, str | None]]:
        """Address and key by provider, of those of which either is set."""
        found = {}
        for provider in PROVIDERS:
            url: str | None = getattr(self, f"{provider}_base_url")
            path: Path | None = getattr(self, f"{provider}_api_key_file")
            key = _secret(path, f"{provider}_api_key_file").strip() if path else None
            if url or key:
                found[provider] = (url, key)
        return found

    @property
    def readable(self) -> tuple[Path, ...]:
        """What agents and suites may read besides; raises SettingsInvalid."""
        places = tuple(map(Path, filter(None, self.sandbox_read.split(os.pathsep))))
        for place in places:
            if not place.is_absolute() or not place.exists():
                message = f"{PREFIX}SANDBOX_READ: {place} is no path that is there"
                raise SettingsInvalid(message)
        return places

    @property
    def secret_files(self) -> tuple[Path, ...]:
        """Every file with a secret in it."""
        given = (
            self.private_key_file,
            self.webhook_secret_file,
            self.user_token_file,
            self.api_token_file,
            self.api_answer_token_file,
            *(getattr(self, f"{provider}_api_key_file") for provider in PROVIDERS),
        )
        return tuple(path.resolve() for path in given if path is not None)

    def secrets(self) -> Sequence[str]:
        """All that nobody may see; raises SettingsInvalid if it cannot be read."""
        return (
            self.private_key(),
            *(secret.decode(errors="replace") for secret in self.webhook_secrets()),
            *([self.user_token()] if self.user_token_file is not None else ()),
            *(token.decode(errors="replace") for token in self.api_tokens()),
            *(key for _, key in self.model_accounts().values() if key),
        )


def _tokens(path: Path | None, name: str) -> tuple[bytes, ...]:
    if path is None:
        return ()
    text = _secret(path, name)
    tokens = tuple(filter(None, (line.strip() for line in text.splitlines())))
    if not tokens or min(map(len, tokens)) < _SHORTEST_TOKEN:
        message = (
            f"{path} needs a token of {_SHORTEST_TOKEN} characters or more a line; "
            "`openssl rand -hex 32` makes one"
        )
        raise SettingsInvalid(message)
    return tuple(token.encode() for token in tokens)


def _secret(path: Path, name: str) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{PREFIX}{name.upper()}: cannot read {path}: {error}"
        raise SettingsInvalid(message) from error


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment; raises SettingsInvalid with every fault."""
    environment = os.environ if environment is None else environment
    given: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value
    }
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsInvalid("\n".join(_faults(error))) from error


def _faults(error: ValidationError) -> list[str]:
    lines = []
    for fault in error.errors():
        name = str(fault["loc"][0])
        variable = PREFIX + name.upper()
        if fault["type"] == "missing":
            description = Settings.model_fields[name].description
            lines.append(f"{variable} is not set. {description}")
        elif fault["type"] == "extra_forbidden":
            near = get_close_matches(name, Settings.model_fields, 1)
            meant = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
            lines.append(f"{variable} is not a setting.{meant}")
        else:
            lines.append(f"{variable}: {fault['msg']}")
    return lines


def model_variables(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The settings that say where a model is, for a server started by the demo."""
    environment = os.environ if environment is None else environment
    names = ("ANTHROPIC_API_KEY_FILE", "ANTHROPIC_BASE_URL", "CLAUDE_PATH")
    found = {f"{PREFIX}{name}": environment.get(f"{PREFIX}{name}") for name in names}
    return {name: value for name, value in found.items() if value}


def names_an_app(environment: Mapping[str, str] | None = None) -> bool:
    """Whether settings of an App are given here, complete or not."""
    environment = os.environ if environment is None else environment
    return bool(environment.get(f"{PREFIX}APP_ID"))


def public_url(environment: Mapping[str, str] | None = None) -> str:
    """Where a server with the settings here is reached; empty if they do not say."""
    environment = os.environ if environment is None else environment
    return environment.get(f"{PREFIX}PUBLIC_URL", "")


def token_variables(host: str) -> Sequence[str]:
    """Where a person's token for a GitHub is looked for, in order, as ``gh`` does."""
    if host == "github.com" or host.endswith(".ghe.com"):
        return ("GH_TOKEN", "GITHUB_TOKEN")
    # A token for github.com is nothing that another machine should see.
    return ("GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")


def person_token(host: str, environment: Mapping[str, str] | None = None) -> str:
    """A person's token for the GitHub at ``host``; raises SettingsInvalid."""
    environment = os.environ if environment is None else environment
    variables = token_variables(host)
    found = next(filter(None, map(environment.get, variables)), None)
    if found is None:
        message = (
            f"there is no token for {host}: set {variables[0]} to one that may write "
            f"contents, pull requests and workflows ({variables[0]}=$(gh auth token)), "
            "or the settings of an App (VIBEBOARD_APP_ID, …), or leave --pr out and "
            "push the branch yourself"
        )
        raise SettingsInvalid(message)
    return found


@dataclass(frozen=True)
class Machine:
    """What children of ours need to know of this machine: nothing secret."""

    path: str
    git: str


def search_path() -> str:
    """Where programs are looked for."""
    return os.environ.get("PATH", os.defpath)


def read_machine() -> Machine:
    """What children need to know here; raises SettingsInvalid without git."""
    path = search_path()
    git = shutil.which("git", path=path)
    if git is None:
        message = "git is not on the PATH; install it (Debian: apt-get install git)"
        raise SettingsInvalid(message)
    return Machine(path=path, git=git)
