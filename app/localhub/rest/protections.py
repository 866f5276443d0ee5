"""What a branch asks of a merge, over REST.

A merge queue is switched on by hand on GitHub, in the seed here.
"""

from dataclasses import replace
from typing import Any

from aiohttp import web

from localhub import git
from localhub.errors import Refused
from localhub.render import repositories
from localhub.rest.call import Call, Route, answer, nothing
from localhub.state import Protection, RequiredCheck

JSON = dict[str, Any]
_NEEDED = (
    "required_status_checks",
    "enforce_admins",
    "required_pull_request_reviews",
    "restrictions",
)


def _branch(call: Call) -> str:
    name = call.part("branch")
    if f"refs/heads/{name}" not in git.refs(call.repository.git_dir, "refs/heads/"):
        raise Refused(404, "Branch not found")
    return name


def _protection(call: Call) -> Protection:
    found = call.repository.protections.get(_branch(call))
    if found is None:
        raise Refused(404, "Branch not protected")
    return found


def _shown(call: Call, one: Protection) -> JSON:
    api = repositories.url(call.hub, call.repository)
    url = f"{api}/branches/{call.part('branch')}/protection"
    checks = f"{url}/required_status_checks"
    body: JSON = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": one.admins},
    }
    if one.checks or one.strict:
        body["required_status_checks"] = {
            "url": checks,
            "strict": one.strict,
            "contexts": [each.context for each in one.checks],
            "contexts_url": f"{checks}/contexts",
            "checks": [
                {"context": each.context, "app_id": each.app_id} for each in one.checks
            ],
        }
    return body


def get(call: Call) -> web.Response:
    """Show what a branch asks for."""
    return answer(_shown(call, _protection(call)))


def put(call: Call) -> web.Response:
    """Choose what a branch asks for; reviews and restrictions are not kept."""
    branch, body = _branch(call), call.body
    for name in _NEEDED:
        if name not in body:
            raise Refused(422, f'Invalid request.\n\n"{name}" wasn\'t supplied.')
    asked = body["required_status_checks"] or {}
    before = call.repository.protections.get(branch, Protection())
    named = asked.get("checks") or [
        {"context": one} for one in asked.get("contexts", [])
    ]
    made = replace(
        before,
        checks=tuple(RequiredCheck(one["context"], _app_id(one)) for one in named),
        strict=bool(asked.get("strict")),
        admins=bool(body["enforce_admins"]),
    )
    call.repository.protections[branch] = made
    return answer(_shown(call, made))


def _app_id(asked: JSON) -> int | None:
    found = asked.get("app_id")
    return found if isinstance(found, int) and found > 0 else None


def delete(call: Call) -> web.Response:
    """Ask for nothing any more."""
    _protection(call)
    del call.repository.protections[call.part("branch")]
    return nothing()


_ONE = "/repos/{owner}/{repo}/branches/{branch:.+}/protection"
_READ = ("administration:read",)
_WRITE = ("administration:write",)

ROUTES = [
    Route("GET", _ONE, get, _READ, "admin"),
    Route("PUT", _ONE, put, _WRITE, "admin"),
    Route("DELETE", _ONE, delete, _WRITE, "admin"),
]
