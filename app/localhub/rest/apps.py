"""Apps, installations, their tokens and their deliveries, over REST."""

import json
from datetime import timedelta
from typing import Any

from aiohttp import web

from localhub import apps
from localhub.errors import Refused, invalid, not_found
from localhub.render import accounts, repositories
from localhub.rest.call import Call, Route, answer, nothing, paged
from localhub.state import Delivery, Installation, Repository, User, stamp
from localhub.webhooks import COURIER

STATELESS = "X-GitHub-Stateless-S2S-Token"
REMEMBERED = timedelta(days=3)
"""How long a delivery is listed and can be sent again."""


def get_app(call: Call) -> web.Response:
    """Show the calling App."""
    return answer(accounts.app_itself(call.hub, call.app))


def get_app_by_slug(call: Call) -> web.Response:
    """Show an App to anybody."""
    found = call.hub.app_by(call.part("slug"))
    if found is None or found.slug != call.part("slug"):
        raise not_found()
    return answer(accounts.app(call.hub, found))


def _installation(call: Call) -> Installation:
    found = call.hub.installations.get(call.number("installation"))
    if found is None or found.app is not call.app:
        raise not_found()
    return found


def list_installations(call: Call) -> web.Response:
    """List where the App is installed."""
    app = call.app
    found = [one for one in call.hub.installations.values() if one.app is app]
    return paged(call, found, lambda one: accounts.installation(call.hub, one))


def get_installation(call: Call) -> web.Response:
    """Show an installation."""
    return answer(accounts.installation(call.hub, _installation(call)))


def _on(call: Call, account: User | None) -> web.Response:
    found = call.hub.installation_of(call.app, account) if account else None
    if found is None:
        raise not_found()
    return answer(accounts.installation(call.hub, found))


def of_organization(call: Call) -> web.Response:
    """Show the App's installation on an organization."""
    return _on(call, call.hub.organization(call.part("org")))


def of_user(call: Call) -> web.Response:
    """Show the App's installation on a person's account."""
    return _on(call, call.hub.user(call.part("login")))


def of_repository(call: Call) -> web.Response:
    """Show the App's installation that reaches a repository."""
    # Not a route with {repo}: an App's JWT has no permission on repositories.
    name = f"{call.part('owner')}/{call.part('name')}"
    repository = call.hub.repository(name)
    for one in call.hub.installations.values():
        if one.app is call.app and repository in call.hub.repositories_of(one):
            return answer(accounts.installation(call.hub, one))
    raise not_found()


def _asked_repositories(call: Call) -> list[Repository] | None:
    names, ids = call.body.get("repositories"), call.body.get("repository_ids")
    if not names and not ids:
        return None
    account = _installation(call).account.login
    found = [call.hub.repository(f"{account}/{name}") for name in names or []]
    found += [call.hub.repository_by_id(number) for number in ids or []]
    if None in found:
        raise Refused(
            422,
            "There is at least one repository that does not exist or is not accessible "
            "to the parent installation.",
        )
    return [one for one in found if one is not None]


def create_token(call: Call) -> web.Response:
    """Issue an installation token."""
    one = _installation(call)
    chosen = _asked_repositories(call)
    token = apps.issue_token(
        call.hub,
        one,
        permissions=call.body.get("permissions"),
        repositories=chosen,
        long=call.request.headers.get(STATELESS) != "disabled",
    )
    listed = chosen if chosen is not None else one.selected
    shown = (
        None
        if listed is None
        else [repositories.repository(call.hub, each) for each in listed]
    )
    return answer(accounts.installation_token(token, shown), 201)


def suspend(call: Call) -> web.Response:
    """Suspend an installation."""
    one = _installation(call)
    apps.suspend(call.hub, one, actor=one.app.owner)
    return nothing()


def unsuspend(call: Call) -> web.Response:
    """Let a suspended installation work again."""
    one = _installation(call)
    apps.unsuspend(call.hub, one, actor=one.app.owner)
    return nothing()


def uninstall(call: Call) -> web.Response:
    """Remove an installation."""
    one = _installation(call)
    apps.uninstall(call.hub, one, actor=one.app.owner)
    return nothing()


def list_repositories(call: Call) -> web.Response:
    """List what the calling installation token reaches."""
    token = call.caller.token
    if token is None or token.installation is None:
        raise Refused(403, "You must authenticate with an installation access token")
    found = [
        one
        for one in call.hub.repositories_of(token.installation)
        if call.caller.reaches(call.hub, one)
    ]
    return paged(
        call,
        found,
        lambda one: repositories.repository(call.hub, one),
        inside="repositories",
    )


def revoke_token(call: Call) -> web.Response:
    """Make the calling installation token worthless."""
    token = call.caller.token
    if token is None or token.installation is None:
        raise Refused(403, "You must authenticate with an installation access token")
    del call.hub.tokens[token.value]
    return nothing()


def _config(call: Call) -> dict[str, str]:
    app = call.app
    shown = {
        "content_type": app.content_type,
        "insecure_ssl": app.insecure_ssl,
        "url": app.webhook_url or "",
    }
    return shown | ({"secret": "********"} if app.webhook_secret else {})


def get_config(call: Call) -> web.Response:
    """Show where the App's webhooks go."""
    return answer(_config(call))


def update_config(call: Call) -> web.Response:
    """Change where the App's webhooks go."""
    app, body = call.app, call.body
    app.webhook_url = body.get("url", app.webhook_url)
    app.webhook_secret = body.get("secret", app.webhook_secret)
    app.content_type = body.get("content_type", app.content_type)
    app.insecure_ssl = str(body.get("insecure_ssl", app.insecure_ssl))
    return answer(_config(call))


def _delivery_item(one: Delivery) -> dict[str, Any]:
    assert one.delivered_at is not None
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": stamp(one.delivered_at),
        "redelivery": one.redelivery,
        "duration": round(one.duration, 2),
        "status": one.status,
        "status_code": one.status_code,
        "event": one.event,
        "action": one.action,
        "installation_id": one.installation_id,
        "repository_id": one.repository_id,
        "throttled_at": None,
    }


def _attempted(call: Call) -> list[Delivery]:
    app, since = call.app, call.hub.clock() - REMEMBERED
    return [
        one
        for one in reversed(call.hub.deliveries)
        if one.app is app and one.delivered_at is not None and one.delivered_at > since
    ]


def list_deliveries(call: Call) -> web.Response:
    """List deliveries, newest first, page by cursor."""
    size = call.query("per_page", "30")
    if not size.isdigit() or not 1 <= int(size) <= 100:  # noqa: PLR2004 - GitHub's page size
        raise invalid("Delivery", "per_page", "invalid")
    cursor = call.query("cursor")
    found = _attempted(call)
    wanted = call.query("status")
    if wanted:
        good = wanted == "success"
        found = [one for one in found if (one.status == "OK") is good]
    if cursor:
        before = cursor.removeprefix("v1_")
        if not before.isdigit():
            raise invalid("Delivery", "cursor", "invalid")
        found = [one for one in found if one.id < int(before)]
    page = found[: int(size)]
    headers = {}
    if len(found) > len(page):
        query = {**call.request.query, "cursor": f"v1_{page[-1].id}"}
        where = call.request.rel_url.with_query(query)
        headers["Link"] = f'<{call.hub.url}{where}>; rel="next"'
    return answer([_delivery_item(one) for one in page], headers=headers)


def _delivery(call: Call) -> Delivery:
    number = call.number("delivery")
    found = (one for one in _attempted(call) if one.id == number)
    one = next(found, None)
    if one is None:
        raise not_found()
    return one


def get_delivery(call: Call) -> web.Response:
    """Show a delivery with what was sent and answered."""
    one = _delivery(call)
    return answer(
        {
            **_delivery_item(one),
            "url": one.app.webhook_url or "",
            "request": {"headers": one.headers, "payload": json.loads(one.body)},
            "response": {
                "headers": one.response_headers,
                "payload": one.response_body,
            },
        }
    )


def redeliver(call: Call) -> web.Response:
    """Send a delivery again, under its own GUID."""
    call.request.config_dict[COURIER].redeliver(_delivery(call))
    return answer({}, 202)


_ONE = "/app/installations/{installation}"

ROUTES = [
    Route("GET", "/app", get_app),
    Route("GET", "/apps/{slug}", get_app_by_slug),
    Route("GET", "/app/installations", list_installations),
    Route("GET", _ONE, get_installation),
    Route("DELETE", _ONE, uninstall),
    Route("POST", f"{_ONE}/access_tokens", create_token),
    Route("PUT", f"{_ONE}/suspended", suspend),
    Route("DELETE", f"{_ONE}/suspended", unsuspend),
    Route("GET", "/orgs/{org}/installation", of_organization),
    Route("GET", "/users/{login}/installation", of_user),
    Route("GET", "/repos/{owner}/{name}/installation", of_repository),
    Route("GET", "/installation/repositories", list_repositories),
    Route("DELETE", "/installation/token", revoke_token),
    Route("GET", "/app/hook/config", get_config),
    Route("PATCH", "/app/hook/config", update_config),
    Route("GET", "/app/hook/deliveries", list_deliveries),
    Route("GET", "/app/hook/deliveries/{delivery}", get_delivery),
    Route("POST", "/app/hook/deliveries/{delivery}/attempts", redeliver),
]
