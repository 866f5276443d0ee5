"""A small hub: an organization, its people, a repository with history, and a board."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from localhub import checks, comments, git, issues, projects, pulls, reviews
from localhub.state import (
    App,
    Emission,
    Hub,
    Installation,
    Issue,
    Label,
    Option,
    Organization,
    Project,
    ProjectItem,
    PullRequest,
    Repository,
    Token,
    User,
)

COLUMNS = (
    Option(id="", name="Backlog", color="GRAY", description="Ideas, not started"),
    Option(id="", name="Refine", color="PURPLE", description="The agent writes a spec"),
    Option(id="", name="Develop", color="BLUE", description="The agent builds it"),
    Option(id="", name="Review", color="YELLOW", description="People look at the PR"),
    Option(id="", name="Done", color="GREEN", description="Merged and tested"),
)
BODY = """Totals are off by one cent for some carts.

| cart | expected | got |
|:-----|---------:|----:|
| 3 of 0.335 | 1.01 | 1.00 |

- [x] reproduce it
- [ ] round once, at the end
<!-- vibe: hidden marker -->
<details><summary>Log</summary>

```text
AssertionError: 1.0 != 1.01
```

</details>
"""


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **how: float) -> None:
        self.now += timedelta(**how)


@dataclass
class SmallHub:
    """The hub and what a test wants to name."""

    hub: Hub
    clock: Clock
    acme: Organization
    alice: User
    bob: User
    stranger: User
    app: App
    repository: Repository
    board: Project
    own_board: Project
    issue: Issue
    pull: PullRequest
    told: list[Emission]

    def card(self, title: str) -> ProjectItem:
        found = (one for one in self.board.items if one.content.title == title)
        return next(found)

    def column(self, item: ProjectItem) -> str | None:
        option = projects.option_of(item, projects.status_field(item.project))
        return option.name if option else None

    def option(self, name: str) -> str:
        options = projects.status_field(self.board).options
        return next(one.id for one in options if one.name == name)

    def said(self, event: str) -> list[dict[str, Any]]:
        return [one.payload for one in self.told if one.event == event]

    def headers(self, token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}


def _user(hub: Hub, login: str, kind: str = "User") -> User:
    user = User(**hub.mint("U"), login=login, created_at=hub.now(), type=kind)
    hub.users[login.lower()] = hub.register(user)
    return user


def _repository(hub: Hub, owner: User, name: str, clock: Clock) -> Repository:
    now = hub.now()
    repository = Repository(
        **hub.mint("R"),
        owner=owner,
        name=name,
        git_dir=hub.root / owner.login / f"{name}.git",
        created_at=now,
        updated_at=now,
        pushed_at=now,
        description="Sums up shopping carts",
    )
    git.create(repository.git_dir, "main")
    hub.repositories[repository.full_name.lower()] = hub.register(repository)
    files = {"README.md": "# Cart\n\nAdds up *carts*.\n", "cart.py": CART}
    main = commit(repository, clock, "Begin", files, "main")
    commit(
        repository,
        clock,
        "Round once, at the end",
        {"cart.py": FIXED, "tests/test_cart.py": TEST},
        "vibe/1-fix-the-rounding",
        parent=main,
    )
    return repository


CART = """def total(prices):
    result = 0
    for price in prices:
        result += round(price, 2)
    return result
"""
FIXED = """def total(prices):
    result = 0
    for price in prices:
        result += price
    return round(result, 2)
"""
TEST = """from cart import total


def test_rounds_once():
    assert total([0.335] * 3) == 1.01
"""


def commit(
    repository: Repository,
    clock: Clock,
    message: str,
    files: dict[str, str],
    branch: str,
    parent: str | None = None,
) -> str:
    folder = repository.git_dir
    blobs = {
        path: ("100644", git.write_blob(folder, text.encode()))
        for path, text in files.items()
    }
    base = git.commit(folder, parent).tree if parent else None
    tree = git.write_tree(folder, base, blobs)
    who = git.Person("Alice", "alice@example.org", clock().isoformat())
    parents = [parent] if parent else []
    sha = git.write_commit(folder, tree, parents, message, who, who)
    git.update_ref(folder, f"refs/heads/{branch}", sha)
    return sha


def _app(hub: Hub, acme: Organization) -> App:
    bot = _user(hub, "vibe[bot]", "Bot")
    app = App(
        **hub.mint("A"),
        client_id="Iv1.vibe",
        slug="vibe",
        name="Vibe",
        owner=acme,
        bot=bot,
        public_key="",
        created_at=hub.now(),
    )
    bot.app = app
    hub.apps[app.id] = hub.register(app)
    granted = {
        "organization_projects": "write",
        "issues": "write",
        "pull_requests": "write",
        "contents": "write",
        "checks": "write",
        "statuses": "read",
        "deployments": "read",
        "merge_queues": "read",
        "metadata": "read",
    }
    installation = Installation(
        **hub.mint("IN"),
        app=app,
        account=acme,
        permissions=granted,
        events=[],
        created_at=hub.now(),
        updated_at=hub.now(),
    )
    hub.installations[installation.id] = installation
    for value, permissions in (
        ("ghs_full", granted),
        ("ghs_reads", {**granted, "organization_projects": "read"}),
        ("ghs_none", {"issues": "write", "metadata": "read"}),
    ):
        hub.tokens[value] = Token(
            value=value, user=bot, installation=installation, permissions=permissions
        )
    return app


def small_hub(root: Path) -> SmallHub:
    """Build it through the operations, so that it is as consistent as a real one."""
    clock = Clock()
    hub = Hub(root, clock)
    told: list[Emission] = []
    hub.listeners.emission.append(told.append)
    acme = Organization(**hub.mint("O"), login="acme", created_at=hub.now())
    hub.users["acme"] = hub.register(acme)
    alice, bob = _user(hub, "alice"), _user(hub, "bob")
    stranger = _user(hub, "mallory")
    acme.members |= {"alice": "admin", "bob": "member"}
    for user in (alice, bob, stranger):
        value = f"ghp_{user.login}"
        hub.tokens[value] = Token(value=value, user=user)
    repository = _repository(hub, acme, "cart", clock)
    repository.collaborators["bob"] = "write"
    for name, color in (("bug", "d73a4a"), ("good first issue", "7057ff")):
        repository.labels[name] = hub.register(
            Label(**hub.mint("LA"), name=name, color=color)
        )
    app = _app(hub, acme)
    columns = tuple(replace(one, id=hub.new_option_id()) for one in COLUMNS)
    board = projects.create(hub, acme, "Cart", actor=alice, options=columns)
    own = projects.create(hub, alice, "Mine", actor=alice)
    issue = issues.create(
        hub,
        repository,
        actor=alice,
        title="Fix the rounding",
        body=BODY,
        labels=["bug"],
        assignees=["alice"],
    )
    projects.add(hub, board, issue, actor=alice)
    pull = pulls.create(
        hub,
        repository,
        actor=app.bot,
        title="Round once, at the end",
        head="vibe/1-fix-the-rounding",
        base="main",
        body="Closes #1",
        draft=True,
    )
    comments.create(hub, issue, "Seen on **two** carts, @bob.", actor=bob)
    _checked(hub, repository, app, pull, bob)
    told.clear()
    return SmallHub(
        hub=hub,
        clock=clock,
        acme=acme,
        alice=alice,
        bob=bob,
        stranger=stranger,
        app=app,
        repository=repository,
        board=board,
        own_board=own,
        issue=issue,
        pull=pull,
        told=told,
    )


def _checked(
    hub: Hub, repository: Repository, app: App, pull: PullRequest, bob: User
) -> None:
    output = {
        "title": "12 passed",
        "summary": "| suite | passed | failed |\n|:--|--:|--:|\n| unit | 12 | 0 |",
        "text": "Coverage **98 %**",
        "annotations": [
            {
                "path": "cart.py",
                "start_line": 2,
                "end_line": 2,
                "annotation_level": "warning",
                "message": "float arithmetic",
            }
        ],
    }
    asked = {
        "name": "vibeboard / tests",
        "head_sha": pull.head_sha,
        "status": "completed",
        "conclusion": "success",
        "output": output,
    }
    checks.create_run(hub, repository, app, asked, actor=app.bot)
    reviews.create(
        hub,
        pull,
        actor=bob,
        body="Nearly there.",
        event="COMMENT",
        comments=[
            {"path": "cart.py", "line": 5, "side": "RIGHT", "body": "Use `Decimal`?"}
        ],
    )
