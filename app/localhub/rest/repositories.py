"""Repositories, collaborators and accounts over REST."""

from aiohttp import web

from localhub.errors import Refused, not_found
from localhub.render import accounts, repositories
from localhub.rest.call import Call, Route, answer, nothing, paged
from localhub.state import Organization, Repository, User

PERMISSION = {
    "admin": "admin",
    "maintain": "write",
    "write": "write",
    "triage": "read",
    "read": "read",
}


def get(call: Call) -> web.Response:
    """Show a repository."""
    return answer(repositories.full(call.hub, call.repository, call.caller.user))


def _visible(call: Call, owner: User | None) -> list[Repository]:
    return [
        one
        for one in call.hub.repositories.values()
        if owner in (None, one.owner)
        and (not one.private or call.caller.reaches(call.hub, one))
    ]


def list_of_account(call: Call) -> web.Response:
    """List the repositories of a person or an organization."""
    owner = call.hub.user(call.part("login"))
    if owner is None:
        raise not_found()
    found = _visible(call, owner)
    return paged(
        call, found, lambda one: repositories.listed(call.hub, one, call.caller.user)
    )


def list_mine(call: Call) -> web.Response:
    """List the repositories that the caller has a role in."""
    me = call.actor
    found = [one for one in call.hub.repositories.values() if one.role(me)]
    return paged(call, found, lambda one: repositories.listed(call.hub, one, me))


def _named(call: Call) -> User:
    found = call.hub.user(call.part("username"))
    if found is None:
        raise Refused(404, f"{call.part('username')} is not a user")
    return found


def permission(call: Call) -> web.Response:
    """Tell what somebody may do, by permission and by role."""
    user = _named(call)
    role = call.repository.role(user)
    if role is None and not call.repository.private:
        role = "read"
    shown = {
        **accounts.user(call.hub, user),
        "permissions": repositories.permissions(role),
        "role_name": role or "none",
    }
    return answer(
        {
            "permission": PERMISSION.get(role or "", "none"),
            "user": shown,
            "role_name": role or "none",
        }
    )


def is_collaborator(call: Call) -> web.Response:
    """Tell by the status alone whether somebody has a role."""
    user = call.hub.user(call.part("username"))
    if user is None or call.repository.role(user) is None:
        raise not_found()
    return nothing()


def list_collaborators(call: Call) -> web.Response:
    """List who has a role."""
    people = [one for one in call.hub.users.values() if call.repository.role(one)]

    def show(one: User) -> dict[str, object]:
        role = call.repository.role(one)
        flags = repositories.permissions(role)
        return {
            **accounts.user(call.hub, one),
            "permissions": flags,
            "role_name": role,
        }

    found = [one for one in people if one.type == "User"]
    return paged(call, found, show)


def get_user(call: Call) -> web.Response:
    """Show an account."""
    found = call.hub.user(call.part("login"))
    if found is None:
        raise not_found()
    return answer(accounts.public_user(call.hub, found))


def get_me(call: Call) -> web.Response:
    """Show the person who calls."""
    if call.caller.kind == "installation":
        raise Refused(403, "Resource not accessible by integration")
    return answer(accounts.private_user(call.hub, call.actor))


def get_organization(call: Call) -> web.Response:
    """Show an organization."""
    found = call.hub.organization(call.part("org"))
    if found is None:
        raise not_found()
    return answer(accounts.organization_full(call.hub, found))


def list_members(call: Call) -> web.Response:
    """List an organization's members."""
    found = call.hub.organization(call.part("org"))
    if not isinstance(found, Organization):
        raise not_found()
    people = [call.hub.user(login) for login in found.members]
    return paged(
        call,
        [one for one in people if one],
        lambda one: accounts.user(call.hub, one),
    )


def meta(_call: Call) -> web.Response:
    """Tell from which addresses webhooks come."""
    here = ["127.0.0.0/8", "::1/128"]
    return answer(
        {
            "verifiable_password_authentication": False,
            "hooks": here,
            "web": here,
            "api": here,
            "git": here,
        }
    )


_REPO = "/repos/{owner}/{repo}"
_METADATA = ("metadata:read",)

ROUTES = [
    Route("GET", "/meta", meta),
    Route("GET", "/user", get_me),
    Route("GET", "/user/repos", list_mine),
    Route("GET", "/users/{login}", get_user),
    Route("GET", "/users/{login}/repos", list_of_account),
    Route("GET", "/orgs/{org}", get_organization),
    Route("GET", "/orgs/{org}/members", list_members),
    Route("GET", "/orgs/{login}/repos", list_of_account),
    Route("GET", _REPO, get, _METADATA),
    Route("GET", f"{_REPO}/collaborators", list_collaborators, _METADATA),
    Route("GET", f"{_REPO}/collaborators/{{username}}", is_collaborator, _METADATA),
    Route(
        "GET",
        f"{_REPO}/collaborators/{{username}}/permission",
        permission,
        _METADATA,
    ),
]
