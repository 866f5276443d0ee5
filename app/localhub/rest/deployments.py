"""Deployments over REST."""

from aiohttp import web

from localhub import deployments
from localhub.errors import Refused, not_found
from localhub.render import deployments as shown
from localhub.rest.call import Call, Route, answer, created, nothing, paged
from localhub.state import Deployment


def _deployment(call: Call) -> Deployment:
    for one in call.repository.deployments:
        if one.id == call.number("deployment"):
            return one
    raise not_found()


def list_deployments(call: Call) -> web.Response:
    """List deployments, newest first."""
    found = [
        one
        for one in reversed(call.repository.deployments)
        if call.query("environment") in ("", one.environment)
        and call.query("ref") in ("", one.ref)
        and call.query("sha") in ("", one.sha)
        and call.query("task") in ("", one.task)
    ]
    return paged(call, found, lambda one: shown.deployment(call.hub, one))


def create(call: Call) -> web.Response:
    """Ask for a deployment."""
    one = deployments.create(call.hub, call.repository, call.body, actor=call.actor)
    body = shown.deployment(call.hub, one)
    return created(body, body["url"])


def get(call: Call) -> web.Response:
    """Show a deployment."""
    return answer(shown.deployment(call.hub, _deployment(call)))


def delete(call: Call) -> web.Response:
    """Remove a deployment that is not active."""
    one = _deployment(call)
    several = len(call.repository.deployments) > 1
    if several and one.statuses and one.statuses[-1].state == "success":
        raise Refused(422, "We cannot delete an active deployment")
    call.repository.deployments.remove(one)
    return nothing()


def list_statuses(call: Call) -> web.Response:
    """List the reports on a deployment, newest first."""
    one = _deployment(call)
    found = list(reversed(one.statuses))
    return paged(call, found, lambda each: shown.deployment_status(call.hub, one, each))


def create_status(call: Call) -> web.Response:
    """Report how a deployment goes."""
    one = _deployment(call)
    status = deployments.report(call.hub, one, call.body, actor=call.actor)
    body = shown.deployment_status(call.hub, one, status)
    return created(body, body["url"])


_ALL = "/repos/{owner}/{repo}/deployments"
_ONE = f"{_ALL}/{{deployment}}"
_READ = ("deployments:read",)
_WRITE = ("deployments:write",)

ROUTES = [
    Route("GET", _ALL, list_deployments, _READ),
    Route("POST", _ALL, create, _WRITE),
    Route("GET", _ONE, get, _READ),
    Route("DELETE", _ONE, delete, _WRITE),
    Route("GET", f"{_ONE}/statuses", list_statuses, _READ),
    Route("POST", f"{_ONE}/statuses", create_status, _WRITE),
]
