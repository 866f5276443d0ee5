"""Filling a hub from a YAML file or a dict: accounts, repositories, Apps, boards.

Unknown keys are refused. Paths are relative to the file. Seeding a hub that is not yet
served tells nobody; afterwards every step is delivered like any other change.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from localhub import apps, git, issues, keys, projects
from localhub.errors import Refused
from localhub.pulls import signature
from localhub.state import (
    ROLES,
    Hub,
    Issue,
    Label,
    Option,
    Organization,
    Project,
    Protection,
    Repository,
    RequiredCheck,
    Token,
    User,
)

Role = Literal["read", "triage", "write", "maintain", "admin"]
Level = Literal["read", "write", "admin"]
SKIPPED = {".git", "__pycache__", ".venv", "node_modules"}
COLORS = ("GRAY", "BLUE", "GREEN", "YELLOW", "ORANGE", "RED", "PINK", "PURPLE")


class SeedRefused(Exception):  # noqa: N818  (the word is the event)
    """A seed that cannot be used, with the reason for a person."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class UserSeed(_Strict):
    """A person, with the token that acts for them."""

    login: str
    name: str | None = None
    token: str | None = None


class OrganizationSeed(_Strict):
    """An organization and its members."""

    login: str
    name: str | None = None
    members: dict[str, Literal["admin", "member"]] = {}


class AppSeed(_Strict):
    """A GitHub App; missing key and secret files are created."""

    slug: str
    id: int | None = None
    client_id: str | None = None
    name: str | None = None
    owner: str
    private_key_file: Path | None = None
    public_key: str | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = None
    webhook_secret_file: Path | None = None
    permissions: dict[str, Level] = {}
    events: list[str] = []

    @model_validator(mode="after")
    def _one_key(self) -> "AppSeed":
        if (self.private_key_file is None) == (self.public_key is None):
            raise ValueError("give either private_key_file or public_key")
        return self


class InstallationSeed(_Strict):
    """Where an App is installed; without repositories, on all of them."""

    app: str
    account: str
    repositories: list[str] | None = None


class LabelSeed(_Strict):
    """A label."""

    name: str
    color: str = "ededed"
    description: str | None = None


class ProtectionSeed(_Strict):
    """A protected branch: what has to be so before anything is merged into it."""

    branch: str = "main"
    checks: list[str] = []
    """Check runs and statuses that have to succeed."""
    strict: bool = False
    """The head has to be up to date with the branch."""
    enforce_admins: bool = True
    merge_queue: bool = False


class IssueSeed(_Strict):
    """An issue."""

    title: str
    body: str | None = None
    user: str | None = None
    labels: list[str] = []
    assignees: list[str] = []
    state: Literal["open", "closed"] = "open"


class RepositorySeed(_Strict):
    """A repository with one first commit, if it has files."""

    name: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    """`owner/name`."""
    private: bool = False
    description: str | None = None
    default_branch: str = "main"
    folder: Path | None = Field(default=None, alias="from")
    files: dict[str, str] = {}
    message: str = "Begin"
    collaborators: dict[str, Role] = {}
    labels: list[LabelSeed] = []
    protections: list[ProtectionSeed] = []
    secrets: dict[str, str] = {}
    """What jobs of its workflows get as `secrets`."""
    variables: dict[str, str] = {}
    """What they get as `vars`."""
    issues: list[IssueSeed] = []


class FieldSeed(_Strict):
    """A field besides Status."""

    name: str
    type: Literal["TEXT", "NUMBER", "DATE", "SINGLE_SELECT"] = "TEXT"
    options: list[str] = []


class CardSeed(_Strict):
    """A card: an issue (`owner/repo#number`) or a draft, and its column."""

    issue: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+#\d+$")
    draft: str | None = None
    column: str | None = None


class ProjectSeed(_Strict):
    """A board; its columns are the options of its Status field."""

    owner: str
    title: str
    number: int | None = None
    columns: list[str] = ["Todo", "In Progress", "Done"]
    fields: list[FieldSeed] = []
    cards: list[CardSeed] = []
    closed_to_done: bool = True
    merged_to_done: bool = True
    added_to_first: bool = False
    done_to_closed: bool = False


class Seed(_Strict):
    """A whole seed file."""

    users: list[UserSeed] = []
    organizations: list[OrganizationSeed] = []
    repositories: list[RepositorySeed] = []
    apps: list[AppSeed] = []
    installations: list[InstallationSeed] = []
    projects: list[ProjectSeed] = []


def load(hub: Hub, file: Path) -> None:
    """Fill a hub from a YAML file."""
    from ruamel.yaml import YAML  # noqa: PLC0415  (slow, and seldom needed)
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - slow, and seldom needed

    try:
        data = YAML(typ="safe").load(file)
    except (OSError, YAMLError) as wrong:
        raise SeedRefused(f"{file}: {wrong}") from None
    apply(hub, data or {}, file.parent)


def apply(hub: Hub, data: dict[str, Any], base_dir: Path) -> None:
    """Fill a hub from a dict of the seed file's shape."""
    try:
        seed = Seed.model_validate(data)
    except ValidationError as wrong:
        lines = [
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}"
            for one in wrong.errors()
        ]
        raise SeedRefused("\n".join(lines)) from None
    try:
        _Sower(hub, base_dir).sow(seed)
    except Refused as no:
        details = "; ".join(str(one) for one in no.errors or [])
        raise SeedRefused(f"{no.message} {details}".strip()) from None


class _Sower:
    def __init__(self, hub: Hub, base_dir: Path) -> None:
        self.hub = hub
        self.base_dir = base_dir

    def sow(self, seed: Seed) -> None:
        for user in seed.users:
            self._user(user)
        for organization in seed.organizations:
            self._organization(organization)
        for repository in seed.repositories:
            self._repository(repository)
        for app in seed.apps:
            self._app(app)
        for installation in seed.installations:
            self._installation(installation)
        for project in seed.projects:
            self._project(project)

    def _account(self, login: str) -> User:
        found = self.hub.user(login)
        if found is None:
            raise SeedRefused(f"{login} is no account of this seed")
        return found

    def _found(self, full_name: str) -> Repository:
        found = self.hub.repository(full_name)
        if found is None:
            raise SeedRefused(f"{full_name} is no repository of this seed")
        return found

    def _user(self, seed: UserSeed) -> None:
        hub = self.hub
        user = User(
            **hub.mint("U"), login=seed.login, name=seed.name, created_at=hub.now()
        )
        hub.users[seed.login.lower()] = hub.register(user)
        if seed.token is not None:
            hub.tokens[seed.token] = Token(value=seed.token, user=user)

    def _organization(self, seed: OrganizationSeed) -> None:
        hub = self.hub
        members: dict[str, str] = {
            self._account(login).login: role for login, role in seed.members.items()
        }
        organization = Organization(
            **hub.mint("O"),
            login=seed.login,
            name=seed.name,
            created_at=hub.now(),
            members=members,
        )
        hub.users[seed.login.lower()] = hub.register(organization)

    def _repository(self, seed: RepositorySeed) -> None:
        hub = self.hub
        owner, name = seed.name.split("/")
        now = hub.now()
        repository = Repository(
            **hub.mint("R"),
            owner=self._account(owner),
            name=name,
            git_dir=hub.root / owner / f"{name}.git",
            created_at=now,
            updated_at=now,
            pushed_at=now,
            default_branch=seed.default_branch,
            private=seed.private,
            description=seed.description,
            collaborators={
                self._account(login).login: role
                for login, role in seed.collaborators.items()
            },
            secrets=seed.secrets,
            variables=seed.variables,
        )
        hub.repositories[seed.name.lower()] = hub.register(repository)
        git.create(repository.git_dir, seed.default_branch)
        self._first_commit(repository, seed)
        for one in seed.labels:
            label = Label(**hub.mint("LA"), **one.model_dump())
            repository.labels[one.name.lower()] = hub.register(label)
        for wanted in seed.protections:
            repository.protections[wanted.branch] = Protection(
                checks=tuple(RequiredCheck(name) for name in wanted.checks),
                strict=wanted.strict,
                admins=wanted.enforce_admins,
                queue=wanted.merge_queue,
            )
        for each in seed.issues:
            self._issue(repository, each)

    def _first_commit(self, repository: Repository, seed: RepositorySeed) -> None:
        git_dir = repository.git_dir
        files = dict(_files_of(self.base_dir / seed.folder)) if seed.folder else {}
        files |= {path: ("100644", text.encode()) for path, text in seed.files.items()}
        if not files:
            return
        entries = {
            path: (mode, git.write_blob(git_dir, content))
            for path, (mode, content) in files.items()
        }
        tree = git.write_tree(git_dir, None, entries)
        who = signature(self.hub, self._author(repository))
        sha = git.write_commit(git_dir, tree, [], seed.message, who, who)
        git.update_ref(git_dir, f"refs/heads/{repository.default_branch}", sha)

    def _author(self, repository: Repository) -> User:
        best = sorted(
            repository.collaborators.items(),
            key=lambda pair: ROLES.index(pair[1]),
            reverse=True,
        )
        if best:
            return self._account(best[0][0])
        if isinstance(repository.owner, Organization) and repository.owner.members:
            return self._account(next(iter(repository.owner.members)))
        return repository.owner

    def _issue(self, repository: Repository, seed: IssueSeed) -> None:
        hub = self.hub
        actor = self._account(seed.user) if seed.user else self._author(repository)
        issue = issues.create(
            hub,
            repository,
            actor=actor,
            title=seed.title,
            body=seed.body,
            labels=seed.labels,
            assignees=seed.assignees,
        )
        if seed.state == "closed":
            issues.close(hub, issue, actor=actor)

    def _app(self, seed: AppSeed) -> None:
        private: str | None = None
        public = seed.public_key or ""
        if seed.private_key_file is not None:
            file = self.base_dir / seed.private_key_file
            try:
                private, public = keys.load_or_create(file)
            except (OSError, ValueError) as wrong:
                raise SeedRefused(f"{file}: {wrong}") from None
        app = apps.register(
            self.hub,
            slug=seed.slug,
            app_id=seed.id,
            name=seed.name,
            owner=self._account(seed.owner),
            private_key=private,
            public_key=public,
            webhook_url=seed.webhook_url,
            webhook_secret=self._secret(seed),
            permissions={"metadata": "read", **seed.permissions},
            events=seed.events,
        )
        if seed.client_id is not None:
            app.client_id = seed.client_id

    def _secret(self, seed: AppSeed) -> str | None:
        if seed.webhook_secret_file is None:
            return seed.webhook_secret
        file = self.base_dir / seed.webhook_secret_file
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(20))
        return file.read_text().strip()

    def _installation(self, seed: InstallationSeed) -> None:
        app = self.hub.app_by(seed.app)
        if app is None:
            raise SeedRefused(f"{seed.app} is no App of this seed")
        names = seed.repositories
        chosen = None if names is None else [self._found(name) for name in names]
        account = self._account(seed.account)
        apps.install(self.hub, app, account, actor=app.owner, selected=chosen)

    def _project(self, seed: ProjectSeed) -> None:
        hub = self.hub
        owner = self._account(seed.owner)
        actor = owner
        if isinstance(owner, Organization) and owner.members:
            actor = self._account(next(iter(owner.members)))
        project = projects.create(
            hub, owner, seed.title, actor=actor, options=self._options(seed.columns)
        )
        project.number = seed.number or project.number
        project.closed_to_done = seed.closed_to_done
        project.merged_to_done = seed.merged_to_done
        project.added_to_first = seed.added_to_first
        project.done_to_closed = seed.done_to_closed
        for one in seed.fields:
            options = self._options(one.options)
            projects.add_field(hub, project, one.name, one.type, options=options)
        for card in seed.cards:
            self._card(project, card, actor)

    def _options(self, names: list[str]) -> tuple[Option, ...]:
        return tuple(
            Option(
                id=self.hub.new_option_id(), name=name, color=COLORS[at % len(COLORS)]
            )
            for at, name in enumerate(names)
        )

    def _card(self, project: Project, seed: CardSeed, actor: User) -> None:
        if seed.issue is not None:
            issue = self._found_issue(seed.issue)
            item = projects.add(self.hub, project, issue, actor=actor)
        else:
            title = seed.draft or ""
            item = projects.add_draft(self.hub, project, title, actor=actor)
        if seed.column is not None:
            projects.move(self.hub, item, seed.column, actor=actor)

    def _found_issue(self, reference: str) -> Issue:
        name, _, number = reference.partition("#")
        issue = self._found(name).issues.get(int(number))
        if issue is None:
            raise SeedRefused(f"{reference} is no issue of this seed")
        return issue


def _files_of(folder: Path) -> Iterator[tuple[str, tuple[str, bytes]]]:
    if not folder.is_dir():
        raise SeedRefused(f"{folder} is no folder")
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if SKIPPED.intersection(inside.parts):
            continue
        if file.is_symlink():
            target = str(file.readlink()).encode()
            yield inside.as_posix(), ("120000", target)
        elif file.is_file():
            executable = file.stat().st_mode & 0o100
            mode = "100755" if executable else "100644"
            yield inside.as_posix(), (mode, file.read_bytes())
