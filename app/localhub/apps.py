"""What can be done to Apps, installations and their tokens."""

import secrets
from datetime import timedelta
from typing import Any

from localhub import render
from localhub.auth import LEVELS
from localhub.errors import Refused
from localhub.render.accounts import installed_repository
from localhub.state import App, Hub, Installation, Repository, Token, User

LIFETIME = timedelta(hours=1)
TOKEN_LENGTH = 520
LIFECYCLE = {"installation", "installation_repositories", "ping"}
"""Delivered to every App; nobody subscribes to them."""


def register(
    hub: Hub,
    *,
    slug: str,
    owner: User,
    public_key: str,
    name: str | None = None,
    app_id: int | None = None,
    **details: Any,
) -> App:
    """Register an App and the bot account that it acts as."""
    if hub.app_by(slug) is not None:
        raise Refused(422, "Name is already taken")
    now = hub.now()
    identity = hub.mint("A")
    if app_id is not None:
        identity["id"] = app_id
    bot = User(**hub.mint("BOT"), login=f"{slug}[bot]", type="Bot", created_at=now)
    app = App(
        **identity,
        client_id=f"Iv23li{secrets.token_hex(7)}",
        client_secret=secrets.token_hex(20),
        slug=slug,
        name=name or slug,
        owner=owner,
        bot=bot,
        public_key=public_key,
        created_at=now,
        hook_id=hub.new_id(),
        **details,
    )
    bot.app = app
    hub.users[bot.login.lower()] = hub.register(bot)
    hub.apps[app.id] = hub.register(app)
    _ping(hub, app)
    return app


def _ping(hub: Hub, app: App) -> None:
    payload = {
        "zen": "Small enough for a laptop.",
        "hook_id": app.hook_id,
        "hook": {
            "type": "App",
            "id": app.hook_id,
            "name": "web",
            "active": True,
            "app_id": app.id,
            "events": app.events,
            "config": {
                "content_type": app.content_type,
                "insecure_ssl": app.insecure_ssl,
                "url": app.webhook_url or "",
            },
            "updated_at": app.created_at,
            "created_at": app.created_at,
        },
    }
    hub.emit("ping", payload, sender=app.owner, only=app)


def install(
    hub: Hub,
    app: App,
    account: User,
    *,
    actor: User,
    selected: list[Repository] | None = None,
) -> Installation:
    """Install an App on an account."""
    now = hub.now()
    one = Installation(
        **hub.mint("IN"),
        app=app,
        account=account,
        permissions=dict(app.permissions),
        events=list(app.events),
        selected=selected,
        created_at=now,
        updated_at=now,
    )
    hub.installations[one.id] = hub.register(one)
    _tell(hub, one, "created", actor)
    return one


def uninstall(hub: Hub, one: Installation, *, actor: User) -> None:
    """Remove an installation and its tokens."""
    _tell(hub, one, "deleted", actor)
    del hub.installations[one.id]
    for value in [key for key, held in hub.tokens.items() if held.installation is one]:
        del hub.tokens[value]


def suspend(hub: Hub, one: Installation, *, actor: User) -> None:
    """Suspend an installation: its tokens stop working."""
    one.suspended_at, one.suspended_by = hub.now(), actor
    _tell(hub, one, "suspend", actor)


def unsuspend(hub: Hub, one: Installation, *, actor: User) -> None:
    """Let a suspended installation work again."""
    one.suspended_at = one.suspended_by = None
    _tell(hub, one, "unsuspend", actor)


def choose_repositories(
    hub: Hub, one: Installation, chosen: list[Repository], *, actor: User
) -> None:
    """Choose which repositories an installation reaches."""
    before = hub.repositories_of(one)
    one.selected, one.updated_at = chosen, hub.now()
    for action, changed in (
        ("added", [each for each in chosen if each not in before]),
        ("removed", [each for each in before if each not in chosen]),
    ):
        if not changed:
            continue
        listed = [installed_repository(each) for each in changed]
        payload = {
            "action": action,
            "installation": render.installation(hub, one),
            "repository_selection": "selected",
            "repositories_added": listed if action == "added" else [],
            "repositories_removed": listed if action == "removed" else [],
            "requester": None,
        }
        hub.emit("installation_repositories", payload, sender=actor, only=one.app)


def _tell(hub: Hub, one: Installation, action: str, actor: User) -> None:
    reached = hub.repositories_of(one)
    payload: dict[str, Any] = {
        "action": action,
        "installation": render.installation(hub, one),
        "repositories": [installed_repository(each) for each in reached],
    }
    if action == "created":
        payload["requester"] = None
    hub.emit("installation", payload, sender=actor, only=one.app)


def issue_token(
    hub: Hub,
    one: Installation,
    *,
    permissions: dict[str, str] | None = None,
    repositories: list[Repository] | None = None,
    long: bool = True,
) -> Token:
    """Issue an installation token: for an hour, with no more than was granted."""
    if one.suspended_at:
        raise Refused(403, "This installation has been suspended")
    for name, level in (permissions or {}).items():
        held = one.permissions.get(name)
        if level not in LEVELS or held is None:
            raise _beyond()
        if LEVELS.index(level) > LEVELS.index(held):
            raise _beyond()
    reached = hub.repositories_of(one)
    if any(each not in reached for each in repositories or []):
        raise Refused(
            422,
            "There is at least one repository that does not exist or is not accessible "
            "to the parent installation.",
        )
    granted = dict(permissions) if permissions else dict(one.permissions)
    granted.setdefault("metadata", "read")
    token = Token(
        value=_value(one.app) if long else f"ghs_{secrets.token_hex(18)}",
        user=one.app.bot,
        installation=one,
        permissions=granted,
        repository_ids=(
            frozenset(each.id for each in repositories) if repositories else None
        ),
        expires_at=(hub.clock() + LIFETIME).replace(microsecond=0),
    )
    hub.tokens[token.value] = token
    return token


def _value(app: App) -> str:
    # GitHub's newer tokens are long, of no fixed length, and have dots in them.
    body = secrets.token_urlsafe(360).replace("-", "_")
    token = f"ghs_{app.id}_{body[:80]}.{body[80:400]}.{body[400:]}"
    return token + secrets.token_hex(TOKEN_LENGTH)[: TOKEN_LENGTH - len(token)]


def _beyond() -> Refused:
    return Refused(
        422, "The permissions requested are not granted to this installation."
    )
