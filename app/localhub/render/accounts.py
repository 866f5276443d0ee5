"""Accounts, Apps and installations as JSON."""

from typing import Any

from localhub.state import (
    App,
    Hub,
    Installation,
    Organization,
    Repository,
    Token,
    User,
    stamp,
)

JSON = dict[str, Any]


def user(hub: Hub, account: User) -> JSON:
    """Render an account the way it appears inside other things."""
    login = account.login.replace("[", "%5B").replace("]", "%5D")
    url = f"{hub.api_url}/users/{login}"
    page = f"apps/{account.app.slug}" if account.app else account.login
    return {
        "login": account.login,
        "id": account.id,
        "node_id": account.node_id,
        "avatar_url": f"{hub.url}/_localhub/static/icon.svg?u={account.id}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{hub.url}/{page}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def maybe_user(hub: Hub, account: User | None) -> JSON | None:
    """Render an account or null."""
    return None if account is None else user(hub, account)


def public_user(hub: Hub, account: User) -> JSON:
    """Render an account's own page."""
    owned = [one for one in hub.repositories.values() if one.owner is account]
    return {
        **user(hub, account),
        "name": account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": None,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": sum(not one.private for one in owned),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": account.created_at,
        "updated_at": account.created_at,
    }


def private_user(hub: Hub, account: User) -> JSON:
    """Render an account for its owner."""
    return {
        **public_user(hub, account),
        "private_gists": 0,
        "total_private_repos": 0,
        "owned_private_repos": 0,
        "disk_usage": 0,
        "collaborators": 0,
        "two_factor_authentication": True,
    }


def organization(hub: Hub, org: Organization) -> JSON:
    """Render an organization the way webhooks carry it."""
    url = f"{hub.api_url}/orgs/{org.login}"
    return {
        "login": org.login,
        "id": org.id,
        "node_id": org.node_id,
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{hub.url}/_localhub/static/icon.svg?u={org.id}",
        "description": "",
    }


def organization_full(hub: Hub, org: Organization) -> JSON:
    """Render an organization's own page."""
    owned = [one for one in hub.repositories.values() if one.owner is org]
    return {
        **organization(hub, org),
        "name": org.name or org.login,
        "is_verified": False,
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": sum(not one.private for one in owned),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "html_url": f"{hub.url}/{org.login}",
        "type": "Organization",
        "created_at": org.created_at,
        "updated_at": org.created_at,
        "archived_at": None,
    }


def app(hub: Hub, one: App) -> JSON:
    """Render a GitHub App."""
    return {
        "id": one.id,
        "slug": one.slug,
        "node_id": one.node_id,
        "client_id": one.client_id,
        "owner": user(hub, one.owner),
        "name": one.name,
        "description": None,
        "external_url": f"{hub.url}/apps/{one.slug}",
        "html_url": f"{hub.url}/apps/{one.slug}",
        "created_at": one.created_at,
        "updated_at": one.created_at,
        "permissions": one.permissions,
        "events": one.events,
    }


def maybe_app(hub: Hub, one: App | None) -> JSON | None:
    """Render an App or null."""
    return None if one is None else app(hub, one)


def app_itself(hub: Hub, one: App) -> JSON:
    """Render an App for itself: with the number of its installations."""
    installed = [each for each in hub.installations.values() if each.app is one]
    return {**app(hub, one), "installations_count": len(installed)}


def installation(hub: Hub, one: Installation) -> JSON:
    """Render an installation."""
    url = f"{hub.api_url}/app/installations/{one.id}"
    settings = "settings/installations"
    if isinstance(one.account, Organization):
        settings = f"organizations/{one.account.login}/{settings}"
    return {
        "id": one.id,
        "client_id": one.app.client_id,
        "account": user(hub, one.account),
        "repository_selection": "all" if one.selected is None else "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{hub.api_url}/installation/repositories",
        "html_url": f"{hub.url}/{settings}/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "target_id": one.account.id,
        "target_type": one.account.type,
        "permissions": one.permissions,
        "events": one.events,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": _without_view(maybe_user(hub, one.suspended_by)),
        "suspended_at": one.suspended_at,
    }


def _without_view(account: JSON | None) -> JSON | None:
    """GitHub describes whoever suspended an App as it described accounts earlier."""
    shown = (account or {}).items()
    return {k: v for k, v in shown if k != "user_view_type"} or None


def installation_token(token: Token, repositories: list[JSON] | None) -> JSON:
    """Render a fresh installation token; the only time its value is shown."""
    assert token.expires_at is not None
    body: JSON = {
        "token": token.value,
        "expires_at": stamp(token.expires_at),
        "permissions": token.permissions,
        "repository_selection": "all" if repositories is None else "selected",
    }
    if repositories is not None:
        body["repositories"] = repositories
    return body


def installed_repository(repository: Repository) -> JSON:
    """Render a repository the way installation webhooks name it."""
    return {
        "id": repository.id,
        "node_id": repository.node_id,
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
    }
